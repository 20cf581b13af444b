// Every row of bad input is a test: the table says which, and here it is looked for.
import { describe, expect, test } from 'vitest'
import { isNamedIn } from './named-tests.ts'
import { type BadInputRow, compatRows, plannedRows } from './rebalancing-bad-input.ts'

describe.each<[string, readonly BadInputRow[]]>([
  ['the drop-in', compatRows],
  ['planned mode', plannedRows],
])('bad input of %s', (_, rows) => {
  test('every row is held, and told once', () => {
    expect(rows.filter(({ heldBy }) => heldBy.length === 0)).toEqual([])
    expect(new Set(rows.map(({ situation }) => situation)).size).toBe(rows.length)
  })

  test.each(rows.map(row => [row.situation, row.heldBy] as const))('%s', (_situation, heldBy) => {
    expect(heldBy.filter(([file, name]) => !isNamedIn(file, name))).toEqual([])
  })
})
