// The table of other people's packages in docs/twin.md is that of the records. `test/real/other-people/record.ts` records.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { otherPeopleTable, recordedPackages } from './other-people.ts'

test('docs/twin.md has the table as it was recorded', () => {
  const docs = readFileSync(new URL('../docs/twin.md', import.meta.url), 'utf8')
  const [, section = ''] = docs.split("## Other people's manifests\n")
  const rows = section.split('\n## ')[0]?.match(/^\|.*$/gm) ?? []
  expect(rows.join('\n')).toBe(otherPeopleTable(recordedPackages()))
})

test('whatever is not available says why, and nothing is left of what was removed', () => {
  for (const [name, { rest }] of recordedPackages())
    expect({ name, odd: rest?.waiting.filter(line => line.endsWith('it has not started')), left: rest?.left ?? 0 }).toEqual({
      name,
      odd: rest === undefined ? undefined : [],
      left: 0,
    })
})
