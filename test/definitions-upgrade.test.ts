// Objects of the first definitions stay whole under those of now, and what a kind that was left as it was drops is told.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { silentLog } from '#kube/log.ts'
import { absentFields } from '#kube/schema/absent-fields.ts'
import { startTestTwin } from '#twin/twin-for-tests.ts'
import { installOurs } from '../src/process/controller/controller-install.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { oldDefinitions, upgradeOld } from './old-definitions.ts'

const definitions = new Map(
  enabledCapabilities.flatMap(({ kinds }) =>
    kinds.flatMap(({ definition }) => (definition === undefined ? [] : [[definition.metadata.name, definition] as const])),
  ),
)

test('the definitions of now have every field of the first ones', () => {
  for (const old of oldDefinitions) {
    const now = definitions.get(old.metadata.name)
    expect(now).toBeDefined()
    if (now !== undefined) expect(absentFields(now, old)).toEqual([])
  }
})

test('what the first ones lack is named', () => {
  const old = oldDefinitions.find(({ metadata }) => metadata.name === 'rebalancepolicies.ballast.dev')
  const now = definitions.get('rebalancepolicies.ballast.dev')
  if (old === undefined || now === undefined) throw new Error('there is no such definition')
  const fields = absentFields(old, now)
  expect(fields.length).toBeGreaterThan(5)
  expect(fields).toContain('spec.goals[].spread')
})

test('objects with every field stay as they are, and can be written', async () => {
  await using twin = await startTestTwin()
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const count = await upgradeOld(async (verb, at, body) => await twin.client.call(verb, at, body === undefined ? {} : { body }), {
    upgrade: async () => {
      for (const { metadata } of oldDefinitions) {
        const applied = await twin.client.apply(`${path}/${metadata.name}`, 'helm', definitions.get(metadata.name), {
          force: true,
        })
        expect(applied.status).toBe(200)
      }
    },
  })
  expect(count).toBeGreaterThan(8)
})

test('a controller leaves kinds that are there as they are, and tells which fields they lack', async () => {
  await using twin = await startTestTwin()
  for (const definition of oldDefinitions)
    expect((await twin.client.post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)).status).toBe(201)
  const told: { readonly kind?: string; readonly fields?: readonly string[] }[] = []
  const log = { ...silentLog, warn: (facts: object) => void told.push(facts) }
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const api = openApi(twin.twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const stop = new AbortController()
  const emitted: EmittedEvent[] = []
  const events = { emit: (event: EmittedEvent) => void emitted.push(event) }
  await installOurs(api, { capabilities: enabledCapabilities, namespace: 'ballast', clock, log, events }, stop.signal)
  stop.abort()
  await api.close()
  expect([...new Set(told.map(({ kind }) => kind))].toSorted()).toEqual([
    'rebalanceplans.ballast.dev',
    'rebalancepolicies.ballast.dev',
  ])
  expect(told.flatMap(({ fields = [] }) => fields)).toContain('spec.goals[].spread')
  expect(emitted.map(({ type, reason, regarding }) => `${type} ${reason} ${regarding.kind} ${regarding.name}`)).toEqual(
    Array.from({ length: 2 }, () => 'Warning CRDOutdated Lease ballast-controller'),
  )
  const [note = ''] = emitted.map(event => event.note).filter(one => one.includes('rebalancepolicies'))
  expect(note).toMatch(
    /^CustomResourceDefinition rebalancepolicies\.ballast\.dev is older than this program: the API server drops (\S+, ){4}\S+ and \d+ more\. ballast manifests --only crds \| kubectl apply --server-side --force-conflicts -f -$/,
  )
})
