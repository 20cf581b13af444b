// Plans beside the best ones, which another solver proved of a model that shares nothing with ours (scripts/optima): a share of them.
import { expect, test } from 'vitest'
import { solveInChild } from './solving/solve.ts'
import { knownOptima } from './testdata/optima.ts'
import { checkOptimum } from './testdata/optima-check.ts'

test('each third cluster of up to 14 nodes, of the full ones up to 5: as near to the goals as can be, for as little as can be', {
  timeout: 600_000,
}, async () => {
  const share = knownOptima().filter(({ family, nodes }, at) => at % 3 === 1 && nodes <= (family === 'full' ? 5 : 14))
  expect(share.length).toBeGreaterThan(30)
  using session = solveInChild.session()
  const differences: string[] = []
  let stops = 0
  for (const known of share) {
    const checked = await checkOptimum(known, session.solve)
    differences.push(...checked.differences)
    if (checked.plan.moves.some(({ follows }) => follows !== undefined)) stops++
  }
  expect(differences).toEqual([])
  // Rings are among them that only a stop on the way opens.
  expect(stops).toBeGreaterThan(0)
})
