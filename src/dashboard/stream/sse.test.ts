import { describe, expect, test } from 'vitest'
import { dataIn, dataOf, eventBytes, eventIdOf, framed, greeting } from './sse.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')

describe('events as they are sent', () => {
  test('have id, name and one line of data', () => {
    const bytes = eventBytes(
      'snapshot',
      { epoch: 'e1', sequence: 7 },
      { topic: 'overview', revision: 'e1.7', value: { a: 'x\ny ü' } },
    )
    expect(text(bytes)).toBe(
      'id: e1.7\nevent: snapshot\ndata: {"topic":"overview","revision":"e1.7","value":{"a":"x\\ny ü"}}\n\n',
    )
    expect(text(greeting)).toBe('retry: 1000\n\n')
  })

  test('show their data without a copy', () => {
    const data = dataOf('resync', { reason: 'gap' })
    const bytes = framed('resync', { epoch: 'e1', sequence: 7 }, data)
    expect(text(dataIn(bytes, data.length))).toBe('{"reason":"gap"}')
    expect(dataIn(bytes, data.length).buffer).toBe(bytes.buffer)
  })

  test.each([
    ['e1.500', { epoch: 'e1', sequence: 500 }],
    ['a.b.3', { epoch: 'a.b', sequence: 3 }],
    [undefined, undefined],
    ['', undefined],
    ['e1', undefined],
    ['e1.', undefined],
    ['.5', undefined],
    ['e1.-5', undefined],
    ['e1.5x', undefined],
    ['e1.99999999999999999999', undefined],
    [`${'e'.repeat(200)}.5`, undefined],
  ])('read the id %s', (id, read) => expect(eventIdOf(id)).toEqual(read))
})
