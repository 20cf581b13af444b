import { describe, expect, test } from 'vitest'
import { buildTrouble, nginxTrouble } from './nginx-program.ts'

describe('a build of nginx', () => {
  const tls = 'configure arguments: --with-http_ssl_module --with-threads'

  // biome-ignore format: a table
  test.each([
    [`nginx version: nginx/1.26.3\n${tls}`, undefined],
    [`nginx version: nginx/1.22.0 (Ubuntu)\n${tls}`, undefined],
    [`nginx version: openresty/2.0.1\n${tls}`, undefined],
    [`nginx version: nginx/1.18.0\n${tls}`, 'nginx 1.18 is older than 1.22'],
    ['nginx version: nginx/1.26.3\nconfigure arguments: --with-threads', 'it was built without TLS'],
    ['hello', 'it says no version: "hello"'],
  ])('%j', (told, expected) => {
    expect(buildTrouble(told)).toBe(expected)
  })
})

test('a program that is not there is named', async () => {
  expect(await nginxTrouble('/no/such/nginx')).toBe('there is no program /no/such/nginx')
})
