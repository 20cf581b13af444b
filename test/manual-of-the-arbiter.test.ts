// docs/arbiter.md against the rules as they are: names, reasons, modes, order; keys and defaults of the configuration.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { arbiterConfiguration } from '#coordination/arbiter/arbiter-configuration.ts'
import { objectionReasons } from '#coordination/arbiter/sentences.ts'
import { disruptionClasses, verbs } from '#coordination/intent.ts'
import { arbitrationModes, gateKeys } from '#coordination/policy/arbiter-policy.ts'
import { rules } from '#coordination/policy/judge.ts'

const manual = readFileSync(join(import.meta.dirname, '..', 'docs', 'arbiter.md'), 'utf8')

/** The cells of the table rows below a heading, without those of its head. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const section = manual.split(/^#+ /m).find(text => text.startsWith(`${heading}\n`)) ?? expect.fail(`no heading ${heading}`)
  const lines = section.split('\n').filter(line => line.startsWith('|'))
  return lines.slice(2).map(line =>
    line
      .slice(1, -1)
      .split('|')
      .map(cell => cell.trim().replace(/^`([^`]*)`$/, '$1')),
  )
}

/** Rules of the policy whose objection has another name, or several. */
const objectionsOf: Readonly<Record<string, readonly string[]>> = {
  'owner-matrix': ['owner'],
  protection: ['protected'],
  'workload-lock': ['lock'],
  'disruption-budget': ['budget-never-allows', 'budgets-overlap', 'disruption-budget'],
  caps: ['cap'],
  // It never objects: it says with what a wish goes along.
  joining: [],
}

describe('the table of rules', () => {
  const rows = rowsBelow('The rules')

  test('has every rule in the order of speaking, with its reason and mode', () => {
    const expected = rules.flatMap(({ name, from }) =>
      (objectionsOf[name] ?? [name]).map(rule => [
        rule,
        Object.entries(objectionReasons).find(([known]) => known === rule)?.[1],
        from,
      ]),
    )
    expect(rows.map(row => row.slice(0, 3))).toEqual(expected)
  })

  test('has every objection there is', () => {
    expect(rows.map(([rule]) => rule).toSorted()).toEqual(Object.keys(objectionReasons).toSorted())
  })

  test('says of each when it objects and the way out', () => {
    expect(rows.filter(row => row.length !== 5 || row.some(cell => cell === ''))).toEqual([])
  })
})

test('the configuration: every key with its default', () => {
  const leaves = (value: unknown, path: string): readonly (readonly [string, string])[] =>
    typeof value === 'object' && value !== null && Object.keys(value).length > 0
      ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`))
      : [[path, String(value)]]
  const rows = rowsBelow('Configuration').map(([key = '', value = '']) => [key, value])
  const inWords = ['arbiter.caps.concurrent', 'arbiter.windows']
  expect(rows.filter(([key = '']) => !inWords.includes(key))).toEqual(
    leaves(arbiterConfiguration([]).parse({}), 'arbiter').filter(([key]) => !inWords.includes(key)),
  )
  expect(rows.map(([key]) => key)).toEqual(expect.arrayContaining(inWords))
})

test('classes, verbs, gates and modes', () => {
  expect(rowsBelow('What passes the door').map(([number, name]) => `${number} ${name}`)).toEqual(
    disruptionClasses.map((name, number) => `${number} ${name}`),
  )
  for (const verb of verbs) expect(manual).toContain(`\`${verb}\``)
  expect(rowsBelow('Gates').map(([name, , key]) => [name, key])).toEqual(
    Object.entries(gateKeys).map(([name, key]) => [name, `arbiter.gates.${key}: false`]),
  )
  expect(rowsBelow('Modes').map(([mode]) => mode)).toEqual(arbitrationModes)
})
