import { expect, test } from 'vitest'
import { isAuthorized } from './credentials.ts'

const wanted = { username: 'hello', password: 'world' }
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

// biome-ignore format: a table
test.each([
  ['what is wanted', 'Basic aGVsbG86d29ybGQ=', true],
  ['in lower case', 'basic aGVsbG86d29ybGQ=', true],
  ['another password', basic('hello:worlds'), false],
  ['a password that begins so', basic('hello:worl'), false],
  ['another user', basic('hell:world'), false],
  ['without a colon', basic('helloworld'), false],
  ['nothing', undefined, false],
  ['an empty header', '', false],
  ['another scheme', 'Bearer aGVsbG86d29ybGQ=', false],
  ['no base64', 'Basic !!!', false],
])('%s', (_case, header, isRight) => expect(isAuthorized(header, wanted)).toBe(isRight))

test('nobody is asked where nothing is set, and an empty password is one', () => {
  expect(isAuthorized(undefined, undefined)).toBe(true)
  expect(isAuthorized(basic('hello:'), { username: 'hello', password: '' })).toBe(true)
  expect(isAuthorized(undefined, { username: '', password: '' })).toBe(false)
})
