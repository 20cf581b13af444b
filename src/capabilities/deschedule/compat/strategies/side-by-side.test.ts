// Ours evicts what upstream was seen to evict: recorded by `node test/real/descheduler/record.ts`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { strategyPoints } from './strategies.ts'
import { messyRevision } from './testdata/messy-cluster.ts'
import { policyCases } from './testdata/policies.ts'
import { difference, type SideBySide, sideOf } from './testdata/side-by-side.ts'

const directory = join(import.meta.dirname, '../../../../../test/fixtures/descheduler')
/** Ages are relative to it: any time does. */
const nowMs = Date.UTC(2026, 10, 1)

// What is in the repository was written by the recorder.
const recordings = readdirSync(directory)
  .filter(name => name.endsWith('.json'))
  .map(name => JSON.parse(readFileSync(join(directory, name), 'utf8')) as SideBySide)

test('every strategy and every policy is recorded, on the clusters of this revision', () => {
  expect(recordings.map(({ strategy }) => strategy).sort()).toEqual(Object.keys(strategyPoints).sort())
  expect(recordings.map(({ revision }) => revision)).toEqual(recordings.map(() => messyRevision))
  const recorded = recordings.flatMap(({ strategy, cases }) => cases.map(({ policy }) => `${strategy}: ${policy}`))
  expect([...new Set(recorded)].sort()).toEqual(policyCases.map(({ strategy, name }) => `${strategy}: ${name}`).sort())
})

describe.each(recordings)('$strategy evicts what $version does', ({ strategy, cases }) => {
  test.each(cases)('$policy, cluster $seed', recorded => {
    expect(difference(sideOf(strategy, recorded, nowMs), recorded)).toBeUndefined()
  })
})
