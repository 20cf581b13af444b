import { expect, test } from 'vitest'
import { type TheirCycle, TheirLog } from './their-log.ts'

const head = (level: string) => `${level}1121 09:03:17.123456       1 evictions.go:587]`
const end = `${head('I')} "Number of evictions/requests" totalEvicted=1 evictionRequests=0`

function cyclesOf(lines: readonly string[]): readonly TheirCycle[] {
  const log = new TheirLog()
  const cycles = lines.map(line => log.add(line)).filter(cycle => cycle !== undefined)
  const last = log.end()
  return last === undefined ? cycles : [...cycles, last]
}

test('the text format: what was evicted, refused and left alone, cycle by cycle', () => {
  const cycles = cyclesOf([
    `${head('I')} "Evicted pod in dry run mode" pod="shop/web-1" reason="" strategy="PodLifeTime" node="n1" profile="p"`,
    `${head('E')} "Error evicting pod" err="error when evicting pod (ignoring) \\"web-2\\": Cannot evict pod" pod="shop/web-2" reason=""`,
    `${head('E')} "Error evicting pod" err="maximum number of evicted pods per a descheduling cycle reached" limit=1`,
    `${head('I')} "Pod fails the following checks" plugin="DefaultEvictor" ExtensionPoint="Filter" pod="shop/db-0" checks="[pod has local storage and is protected against eviction, pod is terminating]"`,
    'what a log collector says of itself',
    end,
    end,
  ])
  expect(cycles).toEqual([
    {
      attempts: [
        { pod: 'shop/web-1', node: 'n1', profile: 'p', strategy: 'PodLifeTime' },
        { pod: 'shop/web-2', failure: 'error when evicting pod (ignoring) "web-2": Cannot evict pod' },
      ],
      stays: new Map([['shop/db-0', ['[pod has local storage and is protected against eviction, pod is terminating]']]]),
      isDryRun: true,
    },
    { attempts: [], stays: new Map(), isDryRun: true },
  ])
})

test('the JSON format, and a collector’s words before a line', () => {
  const cycles = cyclesOf([
    '{"ts":1795251797123.4,"caller":"evictions/evictions.go:589","msg":"Evicted pod","v":1,"pod":{"name":"web-1","namespace":"shop"},"reason":"","strategy":"PodLifeTime","node":"n1","profile":"p"}',
    '{"ts":1795251797125.1,"caller":"descheduler/descheduler.go:252","msg":"Number of evictions/requests","v":1,"totalEvicted":1,"evictionRequests":0}',
    `2026-11-21T09:03:17Z stderr F ${head('I')} "Evicted pod" pod="shop/web-2" reason="" strategy="PodLifeTime" node="n1" profile="p"`,
  ])
  expect(cycles).toEqual([
    {
      attempts: [{ pod: 'shop/web-1', node: 'n1', profile: 'p', strategy: 'PodLifeTime' }],
      stays: new Map(),
      isDryRun: false,
    },
    {
      attempts: [{ pod: 'shop/web-2', node: 'n1', profile: 'p', strategy: 'PodLifeTime' }],
      stays: new Map(),
      isDryRun: false,
    },
  ])
})

test('the first cycle of a dry run is known for what it is', () => {
  const cycles = cyclesOf([`${head('I')} Building a cached client from the cluster for the dry run`, end, end])
  expect(cycles.map(({ isHalfSeen }) => isHalfSeen)).toEqual([true, undefined])
})

test.each([
  ['half a JSON line', '{"msg":"Evicted pod","pod":{"name":'],
  ['a JSON list', '["Evicted pod"]'],
  ['a message without a text', '{"msg":7}'],
  ['a line of 2 MiB', `${head('I')} "Evicted pod" pod="${'a'.repeat(2_097_152)}"`],
  ['an unended quote', `${head('I')} "Evicted pod pod=`],
  ['nothing', ''],
])('%s is passed over', (_, line) => {
  expect(cyclesOf([line])).toEqual([])
})

test('keys of hostile lines are keys like any other', () => {
  const [cycle] = cyclesOf([`${head('I')} "Evicted pod" __proto__="x" pod="shop/web-1" node="n1"`, end])
  expect(cycle?.attempts).toEqual([{ pod: 'shop/web-1', node: 'n1' }])
})
