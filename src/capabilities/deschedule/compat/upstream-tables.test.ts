// Every row of upstream's own tests of its plugins, by facts: ours evicts what upstream was seen to evict, lets go the pods that upstream
// lets go, refuses the arguments that upstream refuses and has the same defaults. Rows have the numbers of the fixture.
import { describe, expect, test } from 'vitest'
import {
  answeredByOurs,
  type CheckedRow,
  type DefaultedRow,
  evictedByOurs,
  policyOf,
  type RanRow,
  type RecordedRow,
  recordedTables,
} from './testdata/upstream-tables.ts'

/** Rows where ours differs on purpose or by what the row is. */
const otherwise: ReadonlyMap<string, string> = new Map([
  ['nodeutilization 23', 'its arguments are those that upstream and ours refuse at the start: they were never checked'],
  ['nodeutilization 24', 'its arguments are those that upstream and ours refuse at the start: they were never checked'],
  ['podlifetime 53', 'its pods have no creationTimestamp, which no server leaves out: they are infinitely old to upstream'],
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
  else if ('checked' in row) checkRefusal(row)
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

/** Arguments before and after upstream sets its defaults say the same to ours. */
function checkDefaults({ defaulted, args, with: completed }: DefaultedRow): void {
  const [before, after] = [args, completed].map(one => said(policyOf({ plugin: pluginOf(defaulted), args: one })))
  expect(before).toBe(after)
}

const said = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => (inner instanceof Map || inner instanceof Set ? [...inner] : inner))
