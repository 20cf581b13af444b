// ScaledObjects that need one another, and those of which one is awake at a time, on the twin.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { testWorkload } from '#twin/components/cluster-for-tests.ts'
import type { ScaledObject } from '../src/capabilities/autoscale/kinds/scaled-object.ts'
import { scaledObjects } from '../src/capabilities/autoscale/names.ts'
import { AutoscaleSite, hourly, scaled } from './autoscale-site.ts'

const minute = 60_000
const deployment = (name: string) => testWorkload('Deployment', name, { replicas: 0 })
const late = [hourly('50 * * * *', '51 * * * *', 1)]

async function replicasOf(site: AutoscaleSite, ...names: readonly string[]): Promise<string> {
  const found = await Promise.all(
    names.map(name => site.get<KubeObject & { readonly spec: { readonly replicas: number } }>(builtIn.deployments, name)),
  )
  return found.map(({ spec }) => spec.replicas).join(' ')
}

test('who is awake keeps those that it needs awake, and those that they need; all sleep after it', async () => {
  await using site = await AutoscaleSite.start(0, ['indexer', 'db'].map(deployment))
  await site.operator()
  const slow = { pollingInterval: 300, cooldownPeriod: 60 }
  const needing = (wakes: string) => ({ annotations: { 'ballast.dev/wakes': wakes } })
  await site.create(scaledObjects, scaled('db', { ...slow, triggers: late }))
  await site.create(scaledObjects, scaled('indexer', { ...slow, triggers: late }, needing('db, gone')))
  await site.create(
    scaledObjects,
    scaled(
      'web',
      { pollingInterval: 10, cooldownPeriod: 120, triggers: [hourly('5 * * * *', '10 * * * *', 1)] },
      needing('indexer'),
    ),
  )
  await site.clock.advance(4.5 * minute)
  expect(await replicasOf(site, 'web', 'indexer', 'db')).toBe('0 0 0')
  expect(site.events).toContainEqual({
    reason: 'ScaledObjectAnnotationIgnored',
    note: 'annotation ballast.dev/wakes names gone, and there is no such ScaledObject in this namespace',
  })
  // Not when they would be looked at next, but with the one that needs them.
  await site.clock.advance(0.7 * minute)
  expect(await replicasOf(site, 'web', 'indexer', 'db')).toBe('1 1 1')
  const notes = site.events
    .filter(({ reason }) => reason === 'KEDAScaleTargetActivated')
    .map(({ note }) => note.replace(/.*, /, ''))
  expect(notes.toSorted()).toEqual([
    'since ScaledObject web needs it',
    'since ScaledObject web needs it by way of indexer',
    'triggered by s0-cron-Etc-UTC-5xxxx-10xxxx',
  ])
  const { status } = await site.get<ScaledObject>(scaledObjects, 'db')
  expect(status?.conditions?.find(({ type }) => type === 'Active')).toMatchObject({ status: 'True', reason: 'ScalerNeeded' })
  // It is no longer active, but awake: whom it needs stays.
  await site.clock.advance(6 * minute)
  expect(await replicasOf(site, 'web', 'indexer', 'db')).toBe('1 1 1')
  await site.clock.advance(14 * minute)
  expect(await replicasOf(site, 'web', 'indexer', 'db')).toBe('0 0 0')
})

test('a circle wakes as one, sleeps as one, and is told', async () => {
  await using site = await AutoscaleSite.start(0, [deployment('db')])
  await site.operator()
  const quick = { pollingInterval: 10, cooldownPeriod: 60 }
  const wakes = (name: string) => ({ annotations: { 'ballast.dev/wakes': name } })
  await site.create(scaledObjects, scaled('db', { ...quick, triggers: late }, wakes('web')))
  await site.create(scaledObjects, scaled('web', { ...quick, triggers: [hourly('2 * * * *', '4 * * * *', 1)] }, wakes('db')))
  await site.clock.advance(3 * minute)
  expect(await replicasOf(site, 'web', 'db')).toBe('1 1')
  expect(site.events.map(({ note }) => note)).toContainEqual(expect.stringContaining('leads in a circle (db, web)'))
  await site.clock.advance(4 * minute)
  expect(await replicasOf(site, 'web', 'db')).toBe('0 0')
})
