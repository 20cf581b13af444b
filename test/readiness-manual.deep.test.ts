// docs/readiness.md against what it speaks of: configurations that are taken, objects that the server takes, and all settings.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readiness } from '#capabilities/readiness'
import type { KubeObject } from '#kube/objects/objects.ts'
import { readControllerConfiguration } from '../src/process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { controlledCluster } from './controlled-cluster.ts'

const manual = readFileSync(join(import.meta.dirname, '..', 'docs', 'readiness.md'), 'utf8')
const samples = [...manual.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(found => found[1] ?? '')
const configurations = samples.filter(text => text.includes('BallastConfiguration'))

test('every configuration is taken', () => {
  expect(configurations).toHaveLength(2)
  for (const text of configurations)
    expect(readControllerConfiguration({ file: 'readiness.md', text, overrides: [] }, enabledCapabilities)).toMatchObject({
      ok: true,
    })
})

test('every rule is taken by the server', async () => {
  await using cluster = await controlledCluster({ objects: [], capabilities: [readiness] })
  const objects: readonly KubeObject[] = samples.filter(text => !configurations.includes(text)).map(text => parse(text))
  expect(objects).toHaveLength(1)
  const { signal } = new AbortController()
  const resource = { group: 'readiness.node.x-k8s.io', version: 'v1alpha1', resource: 'nodereadinessrules' }
  for (const object of objects)
    expect((await cluster.admin.resource(resource).create(object, { signal })).metadata.uid).toBeDefined()
})

test('every setting has its row', () => {
  const keys = readiness.config instanceof z.ZodObject ? Object.keys(readiness.config.shape) : []
  const settings = manual.split(/^## /m).find(part => part.startsWith('Settings\n')) ?? ''
  const rows = settings.split('\n').filter(line => line.startsWith('| `'))
  const named = rows.flatMap(line => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(found => found[1]))
  expect(named.toSorted()).toEqual(keys.toSorted())
})
