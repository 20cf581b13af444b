// The recorded answers to bad input are still what a real server gives.
import { deepStrictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../check.ts'
import { inOneOrder } from './any-order.ts'
import type { BadInputGroup, RecordedCase, RecordedGroup } from './case.ts'
import { badInputGroups } from './groups.ts'
import { recordedGroup } from './record.ts'

const fixtures = join(import.meta.dirname, '../../fixtures/bad-input')

/** Groups that keep a server busy for good take minutes and change with no release: they are recorded by hand. */
export const badInputChecks: readonly Check[] = badInputGroups
  .filter(group => group.mayHang !== true)
  .map((group: BadInputGroup) => ({
    name: `bad input is answered as recorded: ${group.name}`,
    async run() {
      const { cases }: RecordedGroup = JSON.parse(readFileSync(join(fixtures, `${group.name}.json`), 'utf8'))
      const fresh = await recordedGroup(group)
      // What takes a busy server longer than we wait may be answered on an idle one.
      const isAnswered = ({ name }: RecordedCase) =>
        [...fresh.cases, ...cases].every(other => other.name !== name || other.status !== 0)
      deepStrictEqual(steady(fresh.cases.filter(isAnswered)), steady(cases.filter(isAnswered)))
      return `${fresh.cases.length} cases of ${fresh.server}`
    },
  }))

/** What no two runs share: drawn names and UIDs, revisions in tokens and in echoes of objects, ages in cells of tables. */
function steady(cases: readonly RecordedCase[]): unknown {
  const text = JSON.stringify(cases)
    .replaceAll(/(resourceVersion\\+":\\+")\d+/g, '$1VERSION')
    .replaceAll(/(resourceVersion: \\+")\d+/g, '$1VERSION')
    .replaceAll(/(uid: )[0-9a-f-]{36}/g, '$1UID')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
    .replaceAll(/"continue":"[^"]*"/g, '"continue":"TOKEN"')
    .replaceAll(/(?<=[[,])"\d+s"/g, '"AGE"')
    .replaceAll(/((?:Abc-|a{58}))[bcdfghjklmnpqrstvwxz2456789]{5}/g, '$1DRAWN')
  const equal: readonly RecordedCase[] = JSON.parse(text)
  return equal.map(inOneOrder)
}
