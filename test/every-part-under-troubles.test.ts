// A share of test/every-part-under-troubles.deep.test.ts: what a server, a network or one object does stops one unit, for as long as it does.
import { describe, expect, test } from 'vitest'
import { partsIn } from '#coordination/part-hosts.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { troubleRows } from './part-trouble-rows.ts'
import { drawn, nameOf, outcomeOf, type Run, requestsOf, runsOf } from './part-troubles.ts'

const runsEach = 1
/** Drawn anew with each change of it. */
const seed = 16

test('each capability with a part in the controller has a row', () => {
  const hosted = enabledCapabilities.filter(capability => partsIn('controller', capability).length > 0).map(({ name }) => name)
  expect(Object.keys(troubleRows).toSorted()).toEqual(hosted.toSorted())
})

// What was met once, or is the only run of its kind.
test.each<Run>([
  {
    capability: 'reload',
    key: 'GET configmaps ballast-reload-baseline-#',
    kind: '404',
    moment: 'at start',
    length: 'long',
  },
  { capability: 'isolate', key: 'PATCH nodes', kind: '404', moment: 'under way', length: 'burst' },
])('$capability: $key answered $kind, $length $moment', async run => {
  const row = troubleRows[run.capability]
  const outcome = row && (await outcomeOf(row, run))
  expect([outcome?.faults, (outcome?.fired ?? 0) > 0]).toEqual([[], true])
})

describe.each(Object.entries(troubleRows))('%s', (capability, row) => {
  test('a few troubles, drawn', async () => {
    const runs = drawn(runsOf(capability, row, await requestsOf(row)), runsEach, seed)
    for (const run of runs) expect([nameOf(run), ...(await outcomeOf(row, run)).faults]).toEqual([nameOf(run)])
  })
})
