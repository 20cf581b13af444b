// docs/simulate.md against what it speaks of: its scenario, its operations, the files that it names.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { readScenario } from '#planning/simulation/read-scenario.ts'
import { operationNames, operationSchema } from '#planning/simulation/scenario.ts'

const root = dirname(import.meta.dirname)
const manual = readFileSync(join(root, 'docs', 'simulate.md'), 'utf8')
const blocks = (language: string) =>
  [...manual.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(found => found[1] === language).map(found => found[2] ?? '')

test('its scenario is one, and so is every one of the examples', () => {
  const folders = readdirSync(join(root, 'examples')).map(name => join(root, 'examples', name, 'scenarios'))
  const files = folders
    .filter(folder => existsSync(folder))
    .flatMap(folder => readdirSync(folder).map(name => join(folder, name)))
  expect(files.length).toBeGreaterThan(2)
  for (const text of [...blocks('yaml'), ...files.map(file => readFileSync(file, 'utf8'))])
    expect(readScenario('manual', text)).toMatchObject({ ok: true })
})

test('its table has every operation with every field', () => {
  const rows = new Map(
    [...manual.matchAll(/^\| (`\w+`(?:, `\w+`)?) \| (.*?) \|/gm)].flatMap(([, names = '', fields = '']) =>
      [...names.matchAll(/\w+/g)].map(([name]) => [name, fields] as const),
    ),
  )
  const choice = ['pods', 'workload', 'node', 'namespaces', 'labelSelector']
  for (const name of operationNames) {
    const said = rows.get(name) ?? ''
    const own = [...said.matchAll(/`(\w+)`/g)].map(([, word = '']) => word)
    const words = new Set([...own, ...(said.includes('choice of pods') ? [...choice, 'order', 'most'] : [])])
    expect([name, [...words].toSorted()]).toEqual([name, Object.keys(operationSchema(name).shape).toSorted()])
  }
})
