// How servers of PostgreSQL are reached, asked and told to stop, and what is said when one will not.
import type { LookupFunction } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { readOf } from '../testdata/hostile-sources.ts'
import { lineServer } from '../testdata/line-server.ts'
import {
  postgresError,
  postgresMessage,
  postgresReady,
  postgresServer,
  postgresSeven,
  tlsPostgresServer,
} from '../testdata/postgres-server.ts'
import type { scalerWorld } from '../testdata/scaler-world.ts'

const metadata = { query: 'SELECT secret', targetQueryValue: '5' }
const portOf = (address: string) => address.replace(/.*:/, '')

/** What servers at this host answer, asked in turn. */
async function readFrom(addresses: readonly string[], more = '', options: Parameters<typeof scalerWorld>[0] = {}) {
  const hosts = addresses.map(() => '127.0.0.1').join(',')
  const connection = `host=${hosts} port=${addresses.map(portOf).join(',')} user=me password=hunter2 sslmode=disable ${more}`
  return await readOf('postgresql', metadata, { auth: { connection } }, options)
}

describe('messages that are out of shape', () => {
  test.each<[string, Buffer | undefined, Buffer | undefined]>([
    ['an error without an end, before the login', Buffer.from('E\0\0\0\x05a', 'latin1'), undefined],
    ['a notice without an end, before the login', Buffer.from('N\0\0\0\x05a', 'latin1'), undefined],
    ['an error without an end, after the question', undefined, Buffer.from('E\0\0\0\x05a', 'latin1')],
    ['a row that is shorter than it says', undefined, postgresMessage('D', '\x7f\xff')],
  ])('%s ends the connection', async (_name, start, question) => {
    await using server = await postgresServer({ start: start ?? postgresReady, question: question ?? postgresSeven })
    expect(await readFrom([server.address])).toMatch(/does not keep to the protocol of PostgreSQL/)
  })

  test('others pass', async () => {
    await using server = await postgresServer({ question: postgresSeven })
    expect(await readFrom([server.address])).toEqual([7, true])
  })
})

describe('several servers', () => {
  const startingUp = postgresError('57P03', 'the database system is starting up', 'FATAL')

  test('one that says nothing leaves the next its share', async () => {
    await using silent = await lineServer(() => undefined)
    await using server = await postgresServer({ question: postgresSeven })
    expect(await readFrom([silent.address, server.address], '', { timeoutMs: 400 })).toEqual([7, true])
  })

  test('none that says anything', async () => {
    await using silent = await lineServer(() => undefined)
    await using other = await lineServer(() => undefined)
    const read = await readFrom([silent.address, other.address], '', { timeoutMs: 100 })
    expect(read).toMatch(/no connection in 0\.1 s/)
  })

  test.each([
    ['57P03', true],
    ['53300', true],
    ['28000', true],
    ['28P01', false],
    ['3D000', false],
    ['42501', false],
  ])('after %s by TLS the next is asked: %s', async (code, isAsked) => {
    await using first = await tlsPostgresServer({ start: postgresError(code, 'no', 'FATAL') })
    await using second = await tlsPostgresServer({ question: postgresSeven })
    const read = await readFrom([first.address, second.address], 'sslmode=require')
    if (isAsked) expect(read).toEqual([7, true])
    else expect(read).toContain(code)
  })

  test('the one that starts up is named where there is no other', async () => {
    await using server = await postgresServer({ start: startingUp })
    expect(await readFrom([server.address])).toContain('57P03')
  })
})

test.each([
  ['', /^user\0me\0database\0me\0application_name\0ballast\0client_encoding\0UTF8\0\0$/],
  ['search_path=jobs', /\0options\0-c search_path=jobs\0/],
])('with settings "%s" the server is told no more than is given', async (settings, expected) => {
  await using server = await postgresServer({ start: postgresError('57P03', 'later') })
  await readFrom([server.address], settings)
  expect(server.asked().slice(8)).toMatch(expected)
})

test.each([
  [postgresError('42703', 'column u.hunter2 does not exist; near $1 = topsecret, «geheim»'), 'PostgreSQL: ERROR 42703'],
  [postgresError('42703', 'Spalte «geheim»', 'FEHLER'), 'PostgreSQL: ERROR 42703'],
  [postgresError('57014', 'geheim', 'FATAL'), 'PostgreSQL: FATAL 57014'],
  [postgresError('geheim', 'geheim'), 'PostgreSQL: ERROR without a code'],
])('of an error only the code is told', async (question, expected) => {
  await using server = await postgresServer({ question })
  expect(await readFrom([server.address])).toBe(expected)
})

test('a query that takes too long is given up at the same address, by TLS where the session was', async () => {
  await using server = await tlsPostgresServer({})
  let lookedUp = 0
  const lookup: LookupFunction = (_host, _options, done) => {
    lookedUp++
    done(null, [{ address: '127.0.0.1', family: 4 }])
  }
  const cancel = '\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07\0\0\0\x08'
  const connection = `host=db.media.svc port=${portOf(server.address)} user=me sslmode=require`
  const read = await readOf('postgresql', metadata, { auth: { connection } }, { lookup, timeoutMs: 100 })
  expect(read).toMatch(/no answer in 1 s/)
  await vi.waitFor(() => expect(server.asked()).toContain(cancel), 5_000)
  expect(server.inClear()).not.toContain(cancel)
  expect(lookedUp).toBe(1)
})
