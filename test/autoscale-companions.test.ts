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

const gpu = (priority?: number) => ({
  annotations: {
    'ballast.dev/one-awake': 'gpu',
    ...(priority === undefined ? {} : { 'ballast.dev/one-awake-priority': String(priority) }),
  },
})
const quick = { pollingInterval: 10, cooldownPeriod: 60 }

/** Every ten seconds: how many are awake or have pods, as they change. */
async function watched(site: AutoscaleSite, seconds: number, ...names: readonly string[]): Promise<readonly string[]> {
  const seen: string[] = []
  for (let left = seconds; left > 0; left -= 10) {
    await site.clock.advance(10_000)
    const { items } = await site.api.resource<KubeObject>(builtIn.pods).list({ namespace: 'default', signal: site.signal })
    const pods = names.map(name => items.filter(({ metadata }) => metadata.name.startsWith(`${name}-`)).length).join(' ')
    const now = `${await replicasOf(site, ...names)}, pods ${pods}`
    if (now !== seen.at(-1)) seen.push(now)
  }
  return seen
}

test('of a group one is awake: the higher priority puts the other to sleep, waits for its pods, and gives the place back', async () => {
  await using site = await AutoscaleSite.start(0, [deployment('llm')])
  await site.operator()
  await site.create(scaledObjects, scaled('web', { ...quick, triggers: [hourly('2 * * * *', '20 * * * *', 1)] }, gpu()))
  await site.create(scaledObjects, scaled('llm', { ...quick, triggers: [hourly('6 * * * *', '9 * * * *', 1)] }, gpu(10)))
  const seen = await watched(site, 14 * 60, 'web', 'llm')
  expect(seen.filter(one => /^1 1|pods 1 1/.test(one))).toEqual([])
  expect(seen.filter(one => /^(\d) (\d), pods \1 \2$/.test(one))).toEqual([
    '0 0, pods 0 0',
    '1 0, pods 1 0',
    '0 1, pods 0 1',
    '1 0, pods 1 0',
  ])
  const notes = site.events.map(({ note }) => note)
  expect(notes).toContainEqual(
    'Deactivated apps/v1.Deployment default/web from 1 to 0, ScaledObject default/llm has the turn, since its priority 10 is above 0 (ballast.dev/one-awake: gpu)',
  )
  const rule = '(ballast.dev/one-awake: gpu)'
  expect(site.events).toContainEqual({
    reason: 'ScalerWaitsForTurn',
    note: `Scaling is not performed: it waits until ScaledObject default/web has no pods any more ${rule}`,
  })
  expect(notes.filter(note => note.startsWith('Scaling is not performed')).length).toBeLessThan(6)
})

test('who had to yield wakes as soon as the other sleeps, not when it is polled next', async () => {
  await using site = await AutoscaleSite.start(0, [deployment('llm')])
  await site.operator()
  await site.create(scaledObjects, scaled('web', { ...quick, triggers: [hourly('2 * * * *', '4 * * * *', 1)] }, gpu(10)))
  const slow = { pollingInterval: 1200, cooldownPeriod: 60 }
  await site.create(scaledObjects, scaled('llm', { ...slow, triggers: [hourly('1 * * * *', '58 * * * *', 1)] }, gpu()))
  await site.clock.advance(4 * minute)
  expect(await replicasOf(site, 'web', 'llm')).toBe('1 0')
  await site.clock.advance(2.5 * minute)
  expect(await replicasOf(site, 'web', 'llm')).toBe('0 1')
})

test('the operator ends between the two writes: the next one goes on', async () => {
  await using site = await AutoscaleSite.start(0, [deployment('llm')])
  const first = await site.operator()
  await site.create(scaledObjects, scaled('web', { ...quick, triggers: [hourly('2 * * * *', '40 * * * *', 1)] }, gpu()))
  await site.create(scaledObjects, scaled('llm', { ...quick, triggers: [hourly('6 * * * *', '30 * * * *', 1)] }, gpu(10)))
  await site.clock.advance(5 * minute)
  expect(await replicasOf(site, 'web', 'llm')).toBe('1 0')
  const wasPut = (write: string) => /PUT .*\/web\/scale$/.test(write)
  for (let at = 0; at < 200 && first.wire.writes.filter(wasPut).length < 2; at++) await site.clock.advance(500)
  first.wire.isAway = true
  await first[Symbol.asyncDispose]()
  expect(await replicasOf(site, 'web', 'llm')).toBe('0 0')
  await site.operator({ isServed: false })
  await site.clock.advance(2 * minute)
  expect(await replicasOf(site, 'web', 'llm')).toBe('0 1')
})

test('a group spans only the namespaces that the configuration lists', async () => {
  const away = 'media'
  const elsewhere = (object: KubeObject): KubeObject => ({ ...object, metadata: { ...object.metadata, namespace: away } })
  const spanned = async (groups: { name: string; namespaces: string[] }[]) => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: away } }
    await using site = await AutoscaleSite.start(0, [namespace, elsewhere(deployment('llm'))])
    await site.operator({ isServed: false, groups })
    await site.create(scaledObjects, scaled('web', { ...quick, triggers: [hourly('2 * * * *', '20 * * * *', 1)] }, gpu()))
    await site.create(
      scaledObjects,
      elsewhere(scaled('llm', { ...quick, triggers: [hourly('2 * * * *', '20 * * * *', 1)] }, gpu(10))),
    )
    await site.clock.advance(4 * minute)
    const llm = site.api.resource<KubeObject & { readonly spec: { readonly replicas: number } }>(builtIn.deployments)
    return [await site.replicas(), (await llm.get('llm', { namespace: away, signal: site.signal })).spec.replicas]
  }
  expect(await spanned([])).toEqual([1, 1])
  expect(await spanned([{ name: 'gpu', namespaces: ['default', away] }])).toEqual([0, 1])
  expect(await spanned([{ name: 'gpu', namespaces: ['default', 'shop'] }])).toEqual([1, 1])
})
