// Which checks CI has: by what changed, by what passed here before, by turn.
import { describe, expect, test } from 'vitest'
import { choose, type Pass, type Row, toldOf } from './choose.ts'

const row = (name: string, files: readonly string[] = [`${name}.ts`]): Row => ({ name, files, hash: `${name} now` })
const passed = (name: string, hash = `${name} now`): Readonly<Record<string, Pass>> => ({
  [name]: { hash, at: '2026-01-01T00:00:00Z' },
})
// Row 0 has turn 1, row 1 turn 2; nothing here is row 3's.
const standings = (known: Partial<Parameters<typeof choose>[1]>) =>
  choose([row('a'), row('b', ['b.ts', 'shared.ts'])], { passes: {}, changed: new Set(), turn: 4, ...known }).map(
    ({ standing }) => standing,
  )

describe('a row', () => {
  test.each([
    ['never seen, not reached', {}, ['open', 'open']],
    ['never seen, reached by a file of its graph', { changed: new Set(['shared.ts']) }, ['open', 'reached']],
    ['passed on the same files', { passes: { ...passed('a'), ...passed('b') } }, ['seen', 'seen']],
    ['passed on others', { passes: { ...passed('a', 'before'), ...passed('b') } }, ['reached', 'seen']],
    [
      'passed on the same files, though the change names them: the run before had them',
      { passes: { ...passed('a'), ...passed('b') }, changed: new Set(['a.ts', 'b.ts']) },
      ['seen', 'seen'],
    ],
    ['by turn, whatever is known', { passes: { ...passed('a'), ...passed('b') }, turn: 1 }, ['turn', 'seen']],
    ['by turn, the next', { turn: 2 }, ['open', 'turn']],
    ['reached in its turn', { changed: new Set(['a.ts']), turn: 1 }, ['reached', 'open']],
  ])('%s', (_what, known, expected) => {
    expect(standings(known)).toEqual(expected)
  })

  test('four turns have each of them', () => {
    const rows = Array.from({ length: 10 }, (_, at) => row(`r${at}`))
    const seen = [1, 2, 3, 4].flatMap(turn =>
      choose(rows, { passes: {}, changed: new Set(), turn }).flatMap(({ row: { name }, standing }) =>
        standing === 'turn' ? [name] : [],
      ),
    )
    expect(seen.toSorted()).toEqual(rows.map(({ name }) => name).toSorted())
  })

  test('is counted', () => {
    const choices = choose([row('a'), row('b')], { passes: passed('a'), changed: new Set(['b.ts']), turn: 4 })
    expect(toldOf(choices)).toBe('1 reached by the change, 0 by turn, 1 seen passing on the same files, 0 open')
  })
})
