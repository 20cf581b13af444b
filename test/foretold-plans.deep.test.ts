import { appendFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Comparison, comparison } from './foretold-cluster.ts'

test('a hundred', { timeout: 900_000 }, async () => {
  const all: Comparison[] = []
  for (let seed = Number(process.env['BALLAST_SEED'] ?? 1), end = seed + Number(process.env['BALLAST_RUNS'] ?? 100); seed < end; seed++) {
    const one = await comparison(seed)
    appendFileSync('/tmp/foretold.log', `${JSON.stringify(one)}\n`)
    all.push(one)
  }
  expect(all.filter(({ differences }) => differences.length > 0)).toEqual([])
})
