// Messages of PostgreSQL that keep to their shape, and those that do not, wherever they are cut.
import { expect, test } from 'vitest'
import { postgresMessage } from '../testdata/postgres-server.ts'
import { PostgresMessages } from './postgresql-messages.ts'

const good: readonly (readonly [string, string])[] = [
  ['E', 'SFATAL\0C28P01\0\0'],
  ['N', 'SNOTICE\0\0'],
  ['R', '\0\0\0\0'],
  ['R', '\0\0\0\x03'],
  ['R', '\0\0\0\x05salt'],
  ['R', '\0\0\0\nSCRAM-SHA-256\0\0'],
  ['R', '\0\0\0\x0br=x'],
  ['S', 'TimeZone\0UTC\0'],
  ['K', '12345678'],
  ['Z', 'I'],
  ['1', ''],
  ['T', `\0\x01n\0${'x'.repeat(18)}`],
  ['D', '\0\x02\0\0\0\x017\xff\xff\xff\xff'],
  ['C', 'SELECT 1\0'],
  ['A', '1234jobs\0\0'],
  ['t', '\0\x011234'],
  ['G', '\0\0\x01\0\0'],
  ['d', 'any'],
]

test('whole messages pass as they are, in one piece or in many', () => {
  const all = Buffer.concat(good.map(([kind, body]) => postgresMessage(kind, body)))
  expect(new PostgresMessages().whole(all)).toEqual(all)
  const messages = new PostgresMessages()
  const pieces = [...all].map(byte => messages.whole(Buffer.from([byte])))
  expect(Buffer.concat(pieces)).toEqual(all)
  expect(pieces.filter(piece => piece.length > 0)).toHaveLength(good.length)
})

test.each([
  ['E', 'a'],
  ['E', ''],
  ['E', '\0'],
  ['E', 'SFATAL\0'],
  ['N', 'SNOTICE'],
  ['N', 'SNOTICE\0\0\0'],
  ['R', '\0\0'],
  ['R', '\0\0\0\nSCRAM'],
  ['R', '\0\0\0\nSCRAM\0'],
  ['R', '\0\0\0\x05sa'],
  ['S', 'TimeZone\0UTC'],
  ['K', '1234'],
  ['Z', ''],
  ['1', 'x'],
  ['T', '\x7f\xffn\0'],
  ['T', '\xff\xff'],
  ['D', '\x7f\xff'],
  ['D', '\0\x01\x7f\xff\xff\xff7'],
  ['D', '\0\x01\xff\xff\xff\xfe'],
  ['D', '\0\x01\0\0\0\x0177'],
  ['C', 'SELECT 1'],
  ['A', '1234jobs\0'],
  ['t', '\0\x02 1234'],
  ['H', '\0\x7f\xff'],
  ['v', '\0\0\0\0'],
])('%s %j is no such message', (kind, body) => {
  const next = postgresMessage('Z', 'I')
  expect(() => new PostgresMessages().whole(Buffer.concat([postgresMessage(kind, body), next]))).toThrow(/protocol of PostgreSQL/)
})

test.each([
  ['shorter than its own length', 'Z\0\0\0\x03I'],
  ['longer than all that may come', 'D\x7f\xff\xff\xff'],
  ['of HTTP', 'HTTP/1.1 400 Bad Request'],
])('a message %s', (_name, bytes) => {
  expect(() => new PostgresMessages().whole(Buffer.from(bytes, 'latin1'))).toThrow(/protocol of PostgreSQL/)
})
