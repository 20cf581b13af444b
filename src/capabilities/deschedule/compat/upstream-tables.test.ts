// Every row of upstream's own tests of its plugins, by facts: ours evicts what upstream was seen to evict, lets go the pods that upstream
// lets go, refuses the arguments that upstream refuses and has the same defaults. Rows have the numbers of the fixture.
import { describe, expect, test } from 'vitest'
import { readPolicy } from './policy/read-policy.ts'
import {
  answeredByOurs,
  type CheckedRow,
  type DefaultedRow,
  evictedByOurs,
  fitsByOurs,
  type PolicyRow,
  policyOf,
  type RanRow,
  type RecordedRow,
  recordedTables,
} from './testdata/upstream-tables.ts'

const neverChecked = 'its arguments are those that upstream and ours refuse at the start: that test never checks them'
const builtLater = 'a plugin has no entry in pluginConfig: upstream reads that and fails as it builds the profile, ours at once'

/** Rows where ours differs on purpose, or for what no cluster has. */
const otherwise: ReadonlyMap<string, string> = new Map([
  ['descheduler 3', builtLater],
  ['descheduler 4', builtLater],
  ['nodeutilization 24', neverChecked],
  ['nodeutilization 25', neverChecked],
  ['podlifetime 53', 'its pods have no creationTimestamp, which every server sets: to upstream they are as old as can be'],
  ['removeduplicates 17', 'its pods have two owners each, and upstream counts and evicts a pod once for each of them'],
])

const { tables } = recordedTables()

describe.each(Object.entries(tables))('%s', (name, rows) => {
  test.each(rows.map((row, at) => ({ number: at + 1, row })))('row $number', ({ number, row }) => {
    const why = otherwise.get(`${name} ${number}`)
    if (why === undefined) check(row)
    // A row that agrees after all is to leave the list.
    else expect(() => check(row), why).toThrow()
  })
})

function check(row: RecordedRow): void {
  if ('plugin' in row) checkRun(row)
  else if ('question' in row) expect(answeredByOurs(row)).toBe(row.answer)
  else if ('fit' in row) expect(fitsByOurs(row)).toBe(row.answer)
  else if ('checked' in row) checkRefusal(row)
  else if ('policy' in row) checkPolicy(row)
  else checkDefaults(row)
}

/** Which of equals upstream takes is chance: then the number is one that was seen, with the pods that always go. */
function checkRun(row: RanRow): void {
  const { evicted, hasFailed } = evictedByOurs(row)
  expect(hasFailed).toBe(row.hasFailed === true)
  if (row.sometimes === undefined) expect(evicted).toEqual(row.always)
  expect(row.counts).toContain(evicted.length)
  expect(evicted).toEqual(expect.arrayContaining([...row.always]))
  expect([...row.always, ...(row.sometimes ?? [])]).toEqual(expect.arrayContaining([...evicted]))
}

const pluginOf = (type: string): string => type.replace(/Args$/, '')

function checkRefusal({ checked, args, isRefused }: CheckedRow): void {
  const read = policyOf({ plugin: pluginOf(checked), args })
  expect(read.ok, read.ok ? '' : JSON.stringify(read.problems)).toBe(!isRefused)
}

function checkPolicy({ policy, isRefused }: PolicyRow): void {
  const read = readPolicy(JSON.stringify(policy), { file: 'row.json', priorityOf: () => undefined })
  expect(read.ok, read.ok ? '' : JSON.stringify(read.problems)).toBe(!isRefused)
}

/** Arguments before and after upstream sets its defaults say the same to ours. */
function checkDefaults({ defaulted, args, with: completed }: DefaultedRow): void {
  const [before, after] = [args, completed].map(one => said(policyOf({ plugin: pluginOf(defaulted), args: one })))
  expect(before).toBe(after)
}

const said = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => (inner instanceof Map || inner instanceof Set ? [...inner] : inner))
