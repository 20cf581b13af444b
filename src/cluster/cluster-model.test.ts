// The law of the model: after any changes, told in any order and worked off in any pieces, it is what `buildClusterState` makes of the
// objects; and what it handed out before is what it was.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { ClusterModel } from './cluster-model.ts'
import { buildClusterState, type ClusterReading } from './cluster-state.ts'
import { node, object, type PodOptions, pod, running } from './testdata/objects.ts'

const namespaces = ['a', 'default', '']
const names = ['x', 'y', 'z']
const kinds = ['Pod', 'Node', 'ReplicaSet', 'Deployment', 'Deployment.shop.example', 'Tenant', 'Job', 'Namespace']

const reference = fc
  .record({
    type: fc.constantFrom(
      ['v1', 'Pod'],
      ['v1', 'Node'],
      ['apps/v1', 'ReplicaSet'],
      ['apps/v1', 'Deployment'],
      ['batch/v1', 'Job'],
      ['shop.example/v1', 'Deployment'],
      ['shop.example/v1', 'Tenant'],
    ),
    name: fc.constantFrom(...names),
    uid: fc.constantFrom('1', '1', '1', '2', ''),
    controller: fc.constantFrom(true, true, true, false),
  })
  .map(({ type: [apiVersion = '', kind = ''], ...rest }) => ({ apiVersion, kind, ...rest }))
const owned = fc.record({ uid: fc.constantFrom('1', '1', '1', '2'), ownerReferences: fc.array(reference, { maxLength: 1 }) })

const podObject = fc
  .record({
    namespace: fc.constantFrom(...namespaces),
    name: fc.constantFrom(...names),
    metadata: owned,
    cpu: fc.constantFrom('1', '1', '2', '-1'),
    node: fc.constantFrom('x', 'y', 'z', undefined),
    phase: fc.constantFrom('Running', 'Succeeded'),
  })
  .map(({ namespace, name, metadata, cpu, node: nodeName, phase }): KubeObject => {
    const options: PodOptions = { cpu, ...(nodeName && { node: nodeName }), status: { ...running, phase } }
    const plain = pod(`${namespace}/${name}`, options)
    const { namespace: _, ...rest } = plain.metadata
    return { ...plain, metadata: { ...(namespace === '' ? rest : plain.metadata), ...metadata } }
  })
const nodeObject = fc
  .record({ name: fc.constantFrom(...names), cpu: fc.constantFrom('4', '8', '-1') })
  .map(({ name, cpu }): KubeObject => node(name, { cpu }))
const controllerObject = fc
  .record({
    type: fc.constantFrom(
      ['apps/v1', 'ReplicaSet'],
      ['apps/v1', 'ReplicaSet'],
      ['apps/v1', 'Deployment'],
      ['batch/v1', 'Job'],
      ['shop.example/v1', 'Deployment'],
      ['shop.example/v1', 'Tenant'],
      ['v1', 'Namespace'],
      ['apps/v1', 'Deploymnet'],
    ),
    namespace: fc.constantFrom(...namespaces),
    name: fc.constantFrom(...names),
    metadata: owned,
  })
  .map(({ type: [apiVersion = '', kind = ''], namespace, name, metadata }): KubeObject => {
    const made = object(apiVersion, kind, namespace === '' ? name : `${namespace}/${name}`, { spec: { template: {} } })
    return { ...made, metadata: { ...made.metadata, ...metadata } }
  })
const anyObject = fc.oneof({ weight: 4, arbitrary: podObject }, nodeObject, { weight: 3, arbitrary: controllerObject })

/** What holds one object after the other under one name, as informers' stores do. */
function identityOf({ apiVersion, kind, metadata }: KubeObject): string {
  return `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`
}

/** The stores of informers, the model behind them, and the order in which what they hold came. */
class Watched {
  readonly model = new ClusterModel()
  readonly #objects = new Map<string, KubeObject>()

  put(given: KubeObject): void {
    const identity = identityOf(given)
    this.model.change({ previous: this.#objects.get(identity), object: given })
    this.#objects.delete(identity)
    this.#objects.set(identity, given)
  }

  delete(identity: string): void {
    const previous = this.#objects.get(identity)
    if (previous === undefined) return
    this.#objects.delete(identity)
    this.model.change({ previous, object: undefined })
  }

  relist(objects: readonly KubeObject[]): void {
    const listed = new Set(objects.map(identityOf))
    for (const one of objects) this.put(one)
    for (const identity of [...this.#objects.keys()]) if (!listed.has(identity)) this.delete(identity)
  }

  fromScratch(): ClusterReading {
    return buildClusterState(this.#objects.values())
  }
}

/** Everything that can be asked of a reading. */
function answersOf({ state, problems }: ClusterReading): unknown {
  const uids = ['', '1', '2', ...Array.from(state.pods.values(), one => one.workload?.uid ?? '')]
  return {
    nodes: [...state.nodes],
    pods: [...state.pods],
    sizes: [state.nodes.size, state.pods.size],
    keys: [[...state.nodes.keys()], [...state.pods.keys()]],
    values: [[...state.nodes.values()], [...state.pods.values()]],
    byKey: Array.from(state.pods.keys(), key => [state.pods.get(key), state.pods.has(key), state.pods.has(`${key}-`)]),
    podsOn: names.map(name => state.podsOn(name)),
    podsOf: uids.map(uid => state.podsOf(uid)),
    objects: kinds.map(kind => state.objects(kind)),
    objectsIn: kinds.map(kind => namespaces.map(namespace => state.objectsIn(kind, namespace))),
    object: kinds.map(kind =>
      [undefined, ...namespaces].map(namespace => names.map(name => state.object(kind, namespace, name))),
    ),
    problems: problems.map(problem => JSON.stringify(problem)).toSorted(),
  }
}

/** One thing that happens, and whether the state is asked for after it. */
const happening = fc.oneof(
  { weight: 12, arbitrary: anyObject.map(given => (watched: Watched) => watched.put(given)) },
  { weight: 4, arbitrary: anyObject.map(given => (watched: Watched) => watched.delete(identityOf(given))) },
  { weight: 1, arbitrary: fc.array(anyObject, { maxLength: 12 }).map(given => (watched: Watched) => watched.relist(given)) },
  { weight: 6, arbitrary: fc.nat(5).map(count => (watched: Watched) => void watched.model.step(count)) },
)
const step = fc.record({ happen: happening, isRead: fc.constantFrom(true, false, false) })

test('it is what building from scratch gives, and what was handed out does not change', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), steps => {
      const watched = new Watched()
      const handedOut: { readonly reading: ClusterReading; readonly answers: unknown }[] = []
      for (const { happen, isRead } of steps) {
        happen(watched)
        if (!isRead) continue
        const reading = watched.model.reading()
        const answers = answersOf(reading)
        expect(answers).toEqual(answersOf(watched.fromScratch()))
        handedOut.push({ reading, answers })
      }
      expect(answersOf(watched.model.reading())).toEqual(answersOf(watched.fromScratch()))
      for (const { reading, answers } of handedOut) expect(answersOf(reading)).toEqual(answers)
    }),
    { numRuns: 500 },
  )
})

test('a pod that comes to stand above itself is asked as it is now', () => {
  const owner = (kind: string) => ({
    apiVersion: kind === 'Pod' ? 'v1' : 'batch/v1',
    kind,
    name: 'x',
    uid: '1',
    controller: true,
  })
  const owned = (kind: string): KubeObject => {
    const plain = pod('a/x')
    return { ...plain, metadata: { ...plain.metadata, uid: '1', ownerReferences: [owner(kind)] } }
  }
  const [before, after] = [owned('Job'), owned('Pod')]
  const model = new ClusterModel()
  model.change({ previous: undefined, object: before })
  model.change({ previous: before, object: after })
  expect(model.reading().state.pods.get('a/x')?.workload).toEqual(buildClusterState([after]).state.pods.get('a/x')?.workload)
})

describe('what a change costs', () => {
  const workloads = 20
  const replicas = 50
  const podNamed = (at: number, phase = 'Running') =>
    pod(`shop/app-${at % workloads}-${at}`, {
      cpu: '1',
      node: `n${at % 10}`,
      owner: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `app-${at % workloads}` },
      status: { ...running, phase },
    })
  const setNamed = (at: number, generation = 1) => ({
    ...object('apps/v1', 'ReplicaSet', `shop/app-${at}`),
    metadata: {
      namespace: 'shop',
      name: `app-${at}`,
      uid: `app-${at}`,
      generation,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: `app-${at}`, uid: `d-${at}`, controller: true }],
    },
  })
  const full = () => {
    const model = new ClusterModel()
    const pods = Array.from({ length: workloads * replicas }, (_, at) => podNamed(at))
    const sets = Array.from({ length: workloads }, (_, at) => setNamed(at))
    const nodes = Array.from({ length: 10 }, (_, at) => node(`n${at}`))
    for (const one of [...nodes, ...sets, ...pods]) model.change({ previous: undefined, object: one })
    const { state } = model.reading()
    return { model, pods, sets, nodes, state, before: model.counts }
  }
  const spent = (model: ClusterModel, before: ClusterModel['counts']) => ({
    checked: model.counts.checked - before.checked,
    derived: model.counts.derived - before.derived,
    linked: model.counts.linked - before.linked,
  })

  test('a pod: one derivation, and all other pods are the very same values', () => {
    const { model, pods, state, before } = full()
    model.change({ previous: pods[7], object: podNamed(7, 'Succeeded') })
    const after = model.reading().state
    expect(spent(model, before)).toEqual({ checked: 1, derived: 1, linked: 0 })
    expect(
      Array.from(after.pods)
        .filter(([key, one]) => state.pods.get(key) !== one)
        .map(([key]) => key),
    ).toEqual(['shop/app-7-7'])
    expect(Array.from(after.nodes.keys()).filter(name => after.podsOn(name) !== state.podsOn(name))).toEqual(['n7'])
  })

  test('the status of a controller or of a node: no pod', () => {
    const { model, sets, nodes, before } = full()
    model.change({ previous: sets[3], object: setNamed(3, 2) })
    model.change({ previous: nodes[3], object: node('n3', { cpu: '8' }) })
    expect(model.reading().state.nodes.get('n3')?.allocatable['cpu']).toBe(8000)
    expect(spent(model, before)).toEqual({ checked: 2, derived: 0, linked: 0 })
  })

  test('a controller that goes: its pods are linked anew, not derived', () => {
    const { model, sets, before } = full()
    model.change({ previous: sets[3], object: undefined })
    const { state } = model.reading()
    expect([state.podsOf('d-3').length, state.podsOf('app-3').length]).toEqual([0, replicas])
    expect(spent(model, before)).toEqual({ checked: 0, derived: 0, linked: replicas })
  })

  test('pods that came before their nodes and controllers: each derived once', () => {
    const { pods, sets, nodes } = full()
    const model = new ClusterModel()
    for (const one of [...pods, ...sets, ...nodes]) {
      model.change({ previous: undefined, object: one })
      model.step(10)
    }
    expect(model.reading().problems).toEqual([])
    expect(model.counts).toEqual({ checked: pods.length + sets.length + nodes.length, derived: pods.length, linked: pods.length })
  })

  test('nothing: the very same reading', () => {
    const { model } = full()
    expect(model.reading()).toBe(model.reading())
    expect(model.step(1)).toBe(false)
  })

  test('equal amounts and workloads are kept once', () => {
    const { state } = full()
    const [first, ...others] = state.podsOf('d-3')
    expect(others.every(one => one.requests === first?.requests && one.workload === first.workload)).toBe(true)
  })
})
