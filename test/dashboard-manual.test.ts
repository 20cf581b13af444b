// docs/dashboard.md against what it speaks of: keys of the configuration, actions with their commands
// and rights, metrics, pictures.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { kubectlLine } from '#dashboard/actions/kubectl-lines.ts'
import { rightsOf } from '#dashboard/actions/needed-rights.ts'
import { dashboardProblems, dashboardSchema } from '#dashboard/configuration.ts'
import { freezeActions, planActions, twinActions } from '#dashboard/contract-names.ts'
import { RequestMetrics } from '#dashboard/http/request-metrics.ts'
import { StreamMetrics } from '#dashboard/stream/stream-metrics.ts'
import { readControllerConfiguration } from '../src/process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'

const root = join(import.meta.dirname, '..')
const manual = readFileSync(join(root, 'docs', 'dashboard.md'), 'utf8')
const blocks = (language: string) =>
  [...manual.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(found => found[1] === language).map(found => found[2] ?? '')
const section = (title: string) => manual.split(/^##+ /m).find(part => part.startsWith(`${title}\n`)) ?? ''
/** Cells of the rows of a section's tables. */
const rows = (title: string) =>
  section(title)
    .split('\n')
    .filter(line => line.startsWith('| `') || line.startsWith('| '))
    .map(line => line.split('|').map(cell => cell.trim()))

test('every configuration is taken, and nothing of it stands open', () => {
  const samples = blocks('yaml')
  expect(samples).toHaveLength(2)
  for (const text of samples) {
    const read = readControllerConfiguration({ file: 'dashboard.md', text, overrides: [] }, enabledCapabilities)
    expect(read).toMatchObject({ ok: true })
    if (read.ok) expect(dashboardProblems(read.configuration.sections.dashboard)).toEqual([])
  }
})

test('every key of the section is there, with its default', () => {
  const told = new Map(
    rows('Configuration')
      .filter(cells => cells.length === 5 && cells[1]?.startsWith('`'))
      .map(cells => [cells[1]?.replaceAll('`', '') ?? '', cells[2]]),
  )
  const heads = new Set([...told.keys()].map(key => key.split('.')[0]))
  for (const key of Object.keys(dashboardSchema.shape)) expect(heads).toContain(key)
  const { enabled, listen, basePath, auth } = dashboardSchema.parse({})
  const defaults = { enabled, listen, basePath, 'auth.mode': auth.mode }
  for (const [key, value] of Object.entries(defaults)) expect(told.get(key)).toBe(`\`${value}\``)
})

test('every action is there with its command and its right', () => {
  const told = rows('Actions').filter(cells => cells.length === 7 && cells[1]?.startsWith('`'))
  const names = told.flatMap(cells => [...(cells[1] ?? '').matchAll(/`([\w/]+)`/g)].map(([, name = '']) => ({ name, cells })))
  expect(new Set(names.map(({ name }) => name))).toEqual(new Set([...planActions, ...freezeActions, ...twinActions]))
  for (const action of [...planActions, ...twinActions]) {
    const [, , , , command = '', right = ''] = names.find(({ name }) => name === action)?.cells ?? []
    const needed = rightsOf(action)
    if (needed === undefined) continue
    expect(right).toContain(needed.resource)
    expect(right).toContain(needed.verb)
    expect(command).toContain(
      /kubectl (?:-n \S+ )?(annotate|patch|create|delete)/.exec(kubectlLine(action, {}).replace(/^echo .* \| /, ''))?.[1],
    )
  }
})

test('every metric is there, and every picture', async () => {
  const registry = new Registry()
  new StreamMetrics(registry)
  new RequestMetrics(registry)
  for (const { name } of await registry.getMetricsAsJSON()) expect(section('Metrics')).toContain(`\`${name}\``)
  const pictures = [...manual.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, path = '']) => path)
  expect(pictures.filter(path => !existsSync(join(root, 'docs', path)))).toEqual([])
})
