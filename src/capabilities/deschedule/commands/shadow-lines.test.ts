import fc from 'fast-check'
import { expect, test } from 'vitest'
import { linesOf } from './shadow-lines.ts'

async function linesFrom(pieces: readonly string[]): Promise<readonly string[]> {
  const stream = (async function* () {
    for (const piece of pieces) yield piece
  })()
  const lines: string[] = []
  for await (const line of linesOf(stream)) lines.push(line)
  return lines
}

test.each<[string, readonly string[], readonly string[]]>([
  ['nothing', [], []],
  ['a line in pieces', ['o', 'ne\ntw', 'o\n'], ['one', 'two']],
  ['no end', ['one\ntwo'], ['one', 'two']],
  ['empty lines, and those of another system', ['\n\r\none\r\n'], ['', '', 'one']],
  ['a line that is too long', ['a'.repeat(600_000), `${'a'.repeat(600_000)}\nnext\n`], ['next']],
  ['one that never ends', ['a'.repeat(2_000_000)], []],
])('%s', async (_, pieces, lines) => {
  expect(await linesFrom(pieces)).toEqual(lines)
})

test('where the pieces are cut changes nothing', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n') })
  await fc.assert(
    fc.asyncProperty(fc.array(text), async pieces => {
      expect(await linesFrom(pieces)).toEqual(await linesFrom([pieces.join('')]))
    }),
  )
})
