// All clusters whose best plan another solver proved, beside the plans that are made here.
import { expect, test } from 'vitest'
import { solveInChild } from './solving/solve.ts'
import { knownOptima } from './testdata/optima.ts'
import { checkOptimum } from './testdata/optima-check.ts'
import { families } from './testdata/optimum-clusters.ts'

test('every cluster is in the fixture once', () => {
  const expected = Object.entries(families).flatMap(([family, count]) =>
    Array.from({ length: count }, (_, at) => `${family} ${at + 1}`),
  )
  expect(knownOptima().map(({ family, seed }) => `${family} ${seed}`)).toEqual(expected)
})

test.each(Object.keys(families))(
  'family %s: as near to the goals as can be, for as little as can be',
  { timeout: 1_800_000 },
  async family => {
    using session = solveInChild.session()
    const differences: string[] = []
    for (const known of knownOptima().filter(each => each.family === family)) {
      differences.push(...(await checkOptimum(known, session.solve)).differences)
    }
    expect(differences).toEqual([])
  },
)
