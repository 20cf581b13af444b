// docs/reload.md against what it speaks of: samples that are taken, keys, flags, metrics and annotations that are there, and all of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { reload } from '#capabilities/reload'
import { startTestTwin } from '#twin/twin-for-tests.ts'
import { reloaderFlags } from '../src/capabilities/reload/commands/reloader-flags.ts'
import { readControllerConfiguration } from '../src/process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'

const manual = readFileSync(join(import.meta.dirname, '..', 'docs', 'reload.md'), 'utf8')
const blocks = (language: string) =>
  [...manual.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(found => found[1] === language).map(found => found[2] ?? '')
const section = (title: string) => manual.split(/^## /m).find(part => part.startsWith(`${title}\n`)) ?? ''

test('it has the seven headings of a capability, and what was measured', () => {
  expect([...manual.matchAll(/^## (.+)$/gm)].map(found => found[1])).toEqual([
    'What it does',
    'Turn it on',
    'Coming from Reloader',
    'Settings',
    'What it writes',
    'Metrics and events',
    'When it does nothing',
    'Measured',
  ])
})

test('every configuration is taken, and every object is taken by the twin', async () => {
  await using twin = await startTestTwin([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }])
  const samples = blocks('yaml')
  const configurations = samples.filter(text => text.includes('BallastConfiguration'))
  expect(configurations).toHaveLength(2)
  for (const text of configurations)
    expect(readControllerConfiguration({ file: 'reload.md', text, overrides: [] }, enabledCapabilities)).toMatchObject({
      ok: true,
    })
  const objects = samples.filter(text => !configurations.includes(text)).map(text => parse(text))
  expect(objects).toHaveLength(1)
  for (const object of objects)
    expect(await twin.client.post('/apis/apps/v1/namespaces/shop/deployments', object)).toMatchObject({ status: 201 })
})

test('every setting has its row', () => {
  const keys = reload.config instanceof z.ZodObject ? Object.keys(reload.config.shape) : []
  const rows = section('Settings')
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .flatMap(line => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(found => found[1]))
  expect(rows.toSorted()).toEqual(keys.toSorted())
})

test('every flag that is named is there', () => {
  const known = new Set(reloaderFlags.map(({ flag }) => flag))
  const others = new Set(['since', 'from', 'config', 'repo', 'cluster'])
  const ours = manual.replaceAll(/^kubectl .*$/gm, '')
  const named = [...ours.matchAll(/--([A-Za-z][A-Za-z-]+)/g)].map(found => found[1] ?? '')
  expect(named.length).toBeGreaterThan(15)
  expect(named.filter(flag => !known.has(flag) && !others.has(flag))).toEqual([])
})

test('every metric has its row, and no other', async () => {
  const registry = new Registry()
  reload.metrics?.(registry)
  const made = (await registry.getMetricsAsJSON()).map(({ name }) => name)
  const shown = [...section('Metrics and events').matchAll(/`((?:reloader|ballast_reload)_\w+)`/g)].map(found => found[1] ?? '')
  expect([...new Set(shown)].toSorted()).toEqual([...made, 'reloader_reload_executed_total_by_namespace'].toSorted())
})
