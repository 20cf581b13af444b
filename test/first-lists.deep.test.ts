// A start that does not know everything yet takes nothing away: each capability beside reload, which has tests of its own, x each kind that
// its start lists x refusals and answers that do not come, for five minutes. A run has a part, `BALLAST_TROUBLES=1/1` has all.
import { expect, test } from 'vitest'
import { firstListsRows, listsOf, playFirstLists } from './first-lists.ts'
import { shareOf } from './long-share.ts'

const kinds = ['403', '404', '500', 'half an answer that ends', 'no answer in time'] as const

test.each(Object.entries(firstListsRows))('%s', { timeout: 3_600_000 }, async (name, row) => {
  const runs = (await listsOf(row)).flatMap(path => kinds.map(kind => ({ path, kind })))
  const wrong: string[] = []
  for (const run of shareOf(runs, '1/30')) {
    const { gone } = await playFirstLists(row, run)
    if (gone.length > 0) wrong.push(`${name}: ${run.path}: ${run.kind}: ${gone.join(', ')}`)
  }
  expect(wrong).toEqual([])
})
