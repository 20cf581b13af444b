// The view over real stores: whatever comes, is repeated, replayed or listed anew, its state is what building from scratch gives.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { type Clock, systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { HandFedInformers } from '../testdata/hand-fed-informers.ts'
import { ClusterView } from './cluster-view.ts'

interface Sketch {
  readonly resource: 'pods' | 'nodes' | 'replicasets' | 'deployments'
  readonly name: string
  readonly uid: string
  readonly version: number
  readonly node: string
  readonly isOwned: boolean
  readonly cpu: string
}

const sketch: fc.Arbitrary<Sketch> = fc.record({
  resource: fc.constantFrom('pods', 'pods', 'nodes', 'replicasets', 'deployments'),
  name: fc.constantFrom('x', 'y', 'z'),
  uid: fc.constantFrom('x', 'x', 'y'),
  version: fc.integer({ min: 1, max: 60 }),
  node: fc.constantFrom('', 'x', 'y', 'z'),
  isOwned: fc.boolean(),
  cpu: fc.constantFrom('1', '1', '2', '-1'),
})

const kinds = {
  pods: ['v1', 'Pod'],
  nodes: ['v1', 'Node'],
  replicasets: ['apps/v1', 'ReplicaSet'],
  deployments: ['apps/v1', 'Deployment'],
} as const
const owners = { pods: 'ReplicaSet', nodes: undefined, replicasets: 'Deployment', deployments: undefined } as const

function drawn({ resource, name, uid, version, node, isOwned, cpu }: Sketch): KubeObject {
  const [apiVersion, kind] = kinds[resource]
  const owner = isOwned ? owners[resource] : undefined
  const base = {
    name,
    uid: `${kind}-${uid}`,
    resourceVersion: String(version),
    ...(owner && { ownerReferences: [{ apiVersion: 'apps/v1', kind: owner, name, uid: `${owner}-x`, controller: true }] }),
  }
  if (resource === 'nodes') return { apiVersion, kind, metadata: base, status: { allocatable: { cpu } } }
  const metadata = { ...base, namespace: 'shop' }
  if (resource !== 'pods') return { apiVersion, kind, metadata, spec: {} }
  const containers = [{ name: 'main', resources: { requests: { cpu } } }]
  return {
    apiVersion,
    kind,
    metadata,
    spec: { containers, ...(node !== '' && { nodeName: node }) },
    status: { phase: 'Running' },
  }
}

type Happening = (informers: HandFedInformers, view: ClusterView) => void
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 6,
    arbitrary: sketch.map(
      (one): Happening =>
        informers =>
          informers.store(one.resource).upsert(drawn(one)),
    ),
  },
  {
    weight: 2,
    arbitrary: sketch.map(
      (one): Happening =>
        informers =>
          informers.store(one.resource).remove(drawn(one)),
    ),
  },
  {
    weight: 1,
    arbitrary: sketch.map(
      (one): Happening =>
        informers =>
          informers.store(one.resource).observe(drawn(one)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        resource: fc.constantFrom('pods', 'nodes', 'replicasets', 'deployments'),
        sketches: fc.array(sketch, { maxLength: 8 }),
      })
      .map(
        ({ resource, sketches }): Happening =>
          informers => {
            const store = informers.store(resource)
            const named = new Map(sketches.filter(one => one.resource === resource).map(one => [one.name, one]))
            store.replace(
              Array.from(named.values(), one => store.project(drawn(one))),
              '61',
            )
          },
      ),
  },
  { weight: 3, arbitrary: fc.constant<Happening>((_, view) => void view.state()) },
)

test('its state is what building from scratch gives', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), happenings => {
      const informers = new HandFedInformers(new VirtualClock(0))
      using view = new ClusterView(informers, informers.clock)
      for (const happen of happenings) happen(informers, view)
      const scratch = buildClusterState(informers.objects())
      const { state, problems } = view.reading()
      expect([...state.pods]).toEqual([...scratch.state.pods])
      expect([...state.nodes]).toEqual([...scratch.state.nodes])
      for (const [, kind] of Object.values(kinds)) expect(state.objects(kind)).toEqual(scratch.state.objects(kind))
      expect(problems.map(({ where }) => where).toSorted()).toEqual(scratch.problems.map(({ where }) => where).toSorted())
    }),
    { numRuns: 500 },
  )
})

const podNamed = (name: string, version: number) =>
  drawn({ resource: 'pods', name, uid: name, version, node: '', isOwned: false, cpu: '1' })

test('a snapshot comes in slices and has everything told until it is handed out', async () => {
  const informers = new HandFedInformers(new VirtualClock(0))
  using view = new ClusterView(informers, informers.clock)
  const pods = informers.store('pods')
  for (let at = 0; at < 1_000; at++) pods.upsert(podNamed(`p${at}`, at + 1))
  expect(view.counts.derived).toBe(0)
  const state = await view.snapshot(new AbortController().signal)
  expect([state.pods.size, view.counts.derived]).toEqual([1_000, 1_000])
  pods.upsert(podNamed('p7', 2_000))
  expect(state.pods.get('shop/p7')?.object.metadata.resourceVersion).toBe('8')
  expect(view.state().pods.get('shop/p7')?.object.metadata.resourceVersion).toBe('2000')
  expect(view.counts.derived).toBe(1_001)
})

test('changes are worked off before anybody asks', async () => {
  const clock = new VirtualClock(0)
  const informers = new HandFedInformers(clock)
  using view = new ClusterView(informers, clock)
  for (let at = 0; at < 1_000; at++) informers.store('pods').upsert(podNamed(`p${at}`, at + 1))
  await clock.quiet()
  expect(view.counts.derived).toBe(1_000)
})

test('a snapshot that nobody wants any more is not finished', async () => {
  const informers = new HandFedInformers(new VirtualClock(0))
  // Every look at the clock is 3 ms later than the one before.
  let elapsedMs = 0
  const clock: Clock = { ...systemClock, elapsed: () => (elapsedMs += 3) }
  using view = new ClusterView(informers, clock)
  for (let at = 0; at < 1_000; at++) informers.store('pods').upsert(podNamed(`p${at}`, at + 1))
  await expect(view.snapshot(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  expect(view.counts.derived).toBeLessThan(1_000)
})

test('what is known of a kind whose watch fails counts for a minute; a quiet watch counts as long as it is quiet', async () => {
  const clock = new VirtualClock(0)
  const informers = new HandFedInformers(clock)
  using view = new ClusterView(informers, clock)
  informers.problems.set('nodes', 'etcd is away')
  await clock.advance(60_000)
  expect(view.staleness()).toBeUndefined()
  await clock.advance(1_000)
  expect(view.staleness()).toBe('what is known of nodes is 61 s old: etcd is away')
  informers.problems.clear()
  await clock.advance(600_000)
  expect(view.staleness()).toBeUndefined()
})
