import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDocuments } from '#cluster/documents.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type SnapshotFormat, snapshotText } from './snapshot-text.ts'

async function textOf(objects: readonly KubeObject[], format: SnapshotFormat): Promise<string> {
  async function* one() {
    yield* objects
  }
  let text = ''
  for await (const piece of snapshotText(one(), format)) text += piece
  return text
}

const map = (name: string, data: object): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

describe.each(['yaml', 'json'] as const)('as %s', format => {
  const readBack = async (objects: readonly KubeObject[]) => {
    const { objects: read, problems } = readDocuments(`snapshot.${format}`, await textOf(objects, format))
    expect(problems).toEqual([])
    return read.map(({ object }) => object)
  }

  test('nothing is nothing', async () => expect(await readBack([])).toEqual([]))

  // biome-ignore format: a table
  test.each<[string, object]>([
    ['words that YAML 1.1 reads as something else', { yes: 'no', on: 'off', null: 'null', '~': '~', '1e3': '0x10', '012': '1:30', '2026-01-01': '<<' }],
    ['the start of a document',                     { a: '---\napiVersion: v1\n...\n', '---': '--- x' }],
    ['tabs, ends of lines, blanks at the end',      { a: '\t- a: b \r\n# no comment\n\n', b: ' x ', c: '\u2028\u0085\ufeff' }],
    ['control characters',                          { a: '\u0000\u0001\u001b[2J\u007f' }],
    ['quotes and signs',                            { a: `'"\\ & * ! | > % @ \` { } [ ] , ? : - #` }],
    ['names of objects of the language',            JSON.parse('{"__proto__": "a", "constructor": "b", "toString": "c"}')],
    ['a line of 1.5 MB',                            { a: 'x'.repeat(1_500_000) }],
    ['1 MB that has to be written as escapes',      { a: '\u0001'.repeat(1_000_000) }],
    ['emoji, and half of one',                      { a: '\u{1f6a2}', b: '\ud83d' }],
  ])('%s', async (_name, data) => {
    const objects = [map('a', data), map('b', {})]
    const read = await readBack(objects)
    expect(JSON.stringify(read)).toBe(JSON.stringify(objects))
  })

  test('any text in any place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), async data => {
        const objects = [map('a', { ...data })]
        expect(JSON.stringify(await readBack(objects))).toBe(JSON.stringify(objects))
      }),
      { numRuns: 200 },
    )
  })
})
