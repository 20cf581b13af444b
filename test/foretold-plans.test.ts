// A few of the clusters of `foretold-plans.deep.test.ts`: moves at once, moves that wait, a plan of which a part has to wait for later.
import { expect, test } from 'vitest'
import { comparison } from './foretold-cluster.ts'

test.each([4, 8, 17, 23])('the plan of cluster %i ends as it was foretold', { timeout: 120_000 }, async seed => {
  const { differences } = await comparison(seed)
  expect(differences).toEqual([])
})
