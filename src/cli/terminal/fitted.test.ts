import fc from 'fast-check'
import { expect, test } from 'vitest'
import { columnsOf, table } from '#dashboard/terminal/lines.ts'
import { type FittedColumn, fittedTable, fittedText } from './fitted.ts'

const columns: readonly FittedColumn[] = [
  { title: 'MOVE' },
  { title: 'POD' },
  { title: 'CPU', align: 'right' },
  { title: 'BECAUSE', isBelow: true },
]
const rows = [
  [
    'm01',
    'monitoring/mimir-querier-22xh8sr5tb-cdgl9',
    '300m',
    'neither it nor its workload has the label that says who may move it',
  ],
  ['m02', 'a/b', '1m', ''],
]

test('where nobody says how wide, a row is a line', () =>
  expect(fittedTable(columns, rows, undefined)).toBe(table(columns, rows)))

test('what is too wide goes on below, and no word is lost', () =>
  expect(fittedTable(columns, rows, 40).split('\n')).toEqual([
    'MOVE  POD                            CPU',
    'm01   monitoring/mimir-querier-     300m',
    '      22xh8sr5tb-cdgl9',
    '    neither it nor its workload has the',
    '    label that says who may move it',
    'm02   a/b                             1m',
  ]))

test.each([
  ['a line that fits', 'a line that fits'],
  ['  goal even: talos00 cpu below 70 %: 93.4 % now', '  goal even: talos00 cpu below\n    70 %: 93.4 % now'],
])('%s', (text, told) => expect(fittedText(text, 30)).toBe(told))

test('all letters of all cells are there, and no line is wider than asked', () => {
  const cell = fc.stringMatching(/^[a-z/ -]{0,60}$/)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell, cell), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 90, max: 120 }),
      (given, width) => {
        const shown = fittedTable(
          columns.map(({ align: _, ...column }) => column),
          given,
          width,
        )
        const letters = (text: string) => [...text.replaceAll(/[^a-z]/g, '')].sort().join('')
        expect(letters(shown)).toBe(letters(given.flat().join('')))
        if (given.every(([, , , prose]) => prose.split(' ').every(word => word.length <= width - 4)))
          expect(Math.max(...shown.split('\n').map(columnsOf))).toBeLessThanOrEqual(width)
      },
    ),
  )
})
