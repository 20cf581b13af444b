// Every case of the specs is a test: the table says which, and here it is looked for.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { reloadCases } from './reload-cases.ts'
import { machineryCases, type SpecCase, twinCases } from './spec-cases.ts'

const root = join(import.meta.dirname, '..')
const texts = new Map<string, string>()

function textOf(file: string): string {
  const text = texts.get(file) ?? readFileSync(join(root, file), 'utf8')
  texts.set(file, text)
  return text
}

/** Whether the source has a string of exactly this text, as the name of a test is. */
function isNamedIn(file: string, name: string): boolean {
  return ["'", '"', '`'].some(quote => textOf(file).includes(`${quote}${name}${quote}`))
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
const tables = { H: 9, D: 21, C: 5, S: 10, F: 2 }

describe.each<[string, readonly SpecCase[], readonly (number | string)[]]>([
  ['the twin', twinCases, upTo(40)],
  ['the machinery', machineryCases, upTo(35)],
  ['restart on change', reloadCases, Object.entries(tables).flatMap(([table, count]) => upTo(count).map(at => `${table}${at}`))],
])('cases of %s', (_, cases, numbers) => {
  test('are all in the table, in order', () => {
    expect(cases.map(({ number }) => number)).toEqual(numbers)
  })

  test.each(cases.flatMap(({ number, what, heldBy }) => heldBy.map(([file, name]) => [number, what, file, name] as const)))(
    '%s, %s: %s has %s',
    (_number, _what, file, name) => expect(isNamedIn(file, name)).toBe(true),
  )
})

test('one case is not built: to keep what is stored over a restart', () => {
  const open = [...twinCases, ...machineryCases, ...reloadCases].filter(({ heldBy }) => heldBy.length === 0)
  expect(open.map(({ what }) => what)).toEqual(['persistence by --state'])
})
