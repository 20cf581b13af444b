// The law of the cache: whatever is cut, repeated, compacted or garbled on the way, the store becomes what the server has, and
// the changes told to handlers add up to the store at every moment. And the rules of §3.3 for single events; case 28.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answer, Feed, refusal, type Scripted, ScriptedTransport, type SeenRequest, statusOf } from '#test/scripted-transport.ts'
import { openApi } from '../client/api.ts'
import { VirtualClock } from '../clock.ts'
import type { KubeObject, Pod } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { seededRandom } from '../random.ts'
import { Informers } from './informer.ts'
import { SharedParts, sharingProjection, wholeProjection } from './projection.ts'
import { type Change, Store } from './store.ts'

function pod(name: string, uid: string, resourceVersion: number, more: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid, resourceVersion: String(resourceVersion) },
    ...more,
  }
}

/** A collection on a server that keeps its history, and breaks its watches on demand. */
class CollectionServer {
  readonly #objects = new Map<string, KubeObject>()
  readonly #history: { readonly version: number; readonly event: { readonly type: string; readonly object: KubeObject } }[] = []
  readonly #watches = new Set<Feed>()
  #version = 1
  #compacted = 0
  readonly #knowsStreaming: boolean
  readonly transport = new ScriptedTransport(request => this.#answer(request))

  constructor(knowsStreaming: boolean) {
    this.#knowsStreaming = knowsStreaming
  }

  put(name: string): KubeObject {
    const known = this.#objects.get(name)
    this.#version++
    const object = pod(name, known?.metadata.uid ?? `${name}-${this.#version}`, this.#version)
    this.#objects.set(name, object)
    this.#happen(known === undefined ? 'ADDED' : 'MODIFIED', object)
    return object
  }

  remove(name: string): void {
    const known = this.#objects.get(name)
    if (known === undefined) return
    this.#version++
    this.#objects.delete(name)
    this.#happen('DELETED', { ...known, metadata: { ...known.metadata, resourceVersion: String(this.#version) } })
  }

  bookmark(): void {
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { resourceVersion: String(this.#version) } }
    for (const feed of this.#watches) feed.say({ type: 'BOOKMARK', object })
  }

  /** What some write was answered with. */
  written(index: number): KubeObject | undefined {
    const { type, object } = this.#history[index]?.event ?? {}
    return type === 'DELETED' ? undefined : object
  }

  /** Says the last events once more. */
  repeat(count: number): void {
    for (const { event } of this.#history.slice(-count)) for (const feed of this.#watches) feed.say(event)
  }

  expire(): void {
    this.#compacted = this.#version
    this.#end(feed => feed.say({ type: 'ERROR', object: statusOf(410, 'Expired') }))
  }

  cut(how: 'close' | 'break' | 'garbage'): void {
    this.#end(feed => {
      if (how === 'close') feed.close()
      else if (how === 'break') feed.break()
      else feed.raw('{"type":"MODI\n')
    })
  }

  get state(): Record<string, string> {
    return stateOf(this.#objects.values())
  }

  #end(how: (feed: Feed) => void): void {
    for (const feed of this.#watches) how(feed)
    this.#watches.clear()
  }

  #happen(type: string, object: KubeObject): void {
    const event = { type, object }
    this.#history.push({ version: this.#version, event })
    for (const feed of this.#watches) feed.say(event)
  }

  #answer({ query }: SeenRequest): Scripted {
    if (query['watch'] !== 'true') {
      return answer(200, {
        kind: 'PodList',
        apiVersion: 'v1',
        metadata: { resourceVersion: String(this.#version) },
        items: [...this.#objects.values()],
      })
    }
    const feed = new Feed()
    if (query['sendInitialEvents'] === 'true') {
      if (!this.#knowsStreaming) return refusal(422, 'Invalid', 'sendInitialEvents: Forbidden')
      for (const object of this.#objects.values()) feed.say({ type: 'ADDED', object })
      const metadata = { resourceVersion: String(this.#version), annotations: { 'k8s.io/initial-events-end': 'true' } }
      feed.say({ type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Pod', metadata } })
    } else {
      const from = Number(query['resourceVersion'])
      if (from < this.#compacted) return refusal(410, 'Expired')
      for (const { version, event } of this.#history) if (version > from) feed.say(event)
    }
    this.#watches.add(feed)
    return { kind: 'feed', feed }
  }
}

function stateOf(objects: Iterable<KubeObject>): Record<string, string> {
  const entries = [...objects].map(({ metadata }) => [metadata.name, `${metadata.uid}@${metadata.resourceVersion}`] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Adds changes up. One that does not fit what was told before, or tells something older, is an error. */
class Fold {
  readonly objects = new Map<string, KubeObject>()
  readonly #newest = new Map<string, number>()

  add(change: Change<KubeObject>): void {
    const { name, uid, resourceVersion } = change.object.metadata
    const known = this.objects.get(name)
    if (change.type === 'ADDED') expect(known).toBeUndefined()
    else expect(known?.metadata.uid).toBe(uid)
    if (change.type === 'MODIFIED') expect(change.previous).toBe(known)
    if (change.type === 'DELETED') this.objects.delete(name)
    else {
      expect(Number(resourceVersion)).toBeGreaterThan(this.#newest.get(name) ?? 0)
      this.objects.set(name, change.object)
    }
    this.#newest.set(name, Math.max(this.#newest.get(name) ?? 0, Number(resourceVersion)))
  }
}

const name = fc.constantFrom('a', 'b', 'c')
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), name, isObserved: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('bookmark' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('late-answer' as const), index: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
      how: fc.constantFrom('close' as const, 'break' as const, 'garbage' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(2000) }) },
)

test('law: the store is the fold of the events under any cut of the stream', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), fc.nat(1000), async (steps, knowsStreaming, seed) => {
      const clock = new VirtualClock(0)
      const server = new CollectionServer(knowsStreaming)
      const stop = new AbortController()
      const api = openApi(server.transport, { clock, userAgent: 'test' })
      await using informers = new Informers(api, { clock, random: seededRandom(seed), signal: stop.signal })
      const informer = informers.of(builtIn.pods)
      const told = new Fold()
      const faults: unknown[] = []
      informer.onChange(change => {
        try {
          told.add(change)
          expect(stateOf(told.objects.values())).toEqual(stateOf(informer.store.list()))
        } catch (error) {
          faults.push(error)
        }
      })
      for (const each of steps) {
        if (each.kind === 'put') {
          const object = server.put(each.name)
          if (each.isObserved) informers.observe(builtIn.pods, object)
          if (each.isObserved && informer.isSynced) {
            const seen = informer.store.get('shop', each.name)
            expect(Number(seen?.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(object.metadata.resourceVersion))
          }
        } else if (each.kind === 'remove') server.remove(each.name)
        else if (each.kind === 'bookmark') server.bookmark()
        else if (each.kind === 'repeat') server.repeat(each.count)
        else if (each.kind === 'late-answer') {
          const object = server.written(each.index)
          if (object !== undefined) informers.observe(builtIn.pods, object)
        } else if (each.kind === 'expire') server.expire()
        else if (each.kind === 'cut') server.cut(each.how)
        else await clock.advance(each.ms)
      }
      // Longest back-off and then some; nothing else goes wrong any more.
      await clock.advance(70_000)
      if (faults.length > 0) throw faults[0]
      expect(stateOf(informer.store.list())).toEqual(server.state)
      expect(informer.store.size).toBe(Object.keys(server.state).length)
      for (const object of informer.store.list()) expect(informer.store.byUid(object.metadata.uid ?? '')).toBe(object)
      stop.abort(new Error('the run is over'))
    }),
    { numRuns: 1000 },
  )
})

describe('single events', () => {
  function storeWith(known: KubeObject): { store: Store<KubeObject>; changes: string[] } {
    const changes: string[] = []
    const store = new Store<KubeObject>({
      clock: new VirtualClock(0),
      projection: wholeProjection(),
      onChange: ({ type, object }) => changes.push(`${type} ${object.metadata.uid} ${object.metadata.resourceVersion}`),
    })
    store.replace([known], '50')
    changes.length = 0
    return { store, changes }
  }

  test.each<[string, (store: Store<KubeObject>) => void, string[]]>([
    ['an older copy is a replay', store => store.upsert(pod('a', '1', 9)), []],
    ['the same copy is a replay', store => store.upsert(pod('a', '1', 10)), []],
    ['a version of more digits is newer', store => store.upsert(pod('a', '1', 100)), ['MODIFIED 1 100']],
    ['a new incarnation is deletion and creation', store => store.upsert(pod('a', '2', 11)), ['DELETED 1 10', 'ADDED 2 11']],
    ['what the watch has passed and is not there was deleted since', store => store.upsert(pod('b', '1', 50)), []],
    ['a deletion of the stored incarnation always counts', store => store.remove(pod('a', '1', 3)), ['DELETED 1 3']],
    ['a late deletion of an earlier incarnation does not', store => store.remove(pod('a', '0', 9)), []],
    ['a later deletion of an unknown incarnation does', store => store.remove(pod('a', '0', 11)), ['DELETED 1 10']],
    ['a deletion of what is not there', store => store.remove(pod('b', '1', 60)), []],
    ['an own write that the watch has passed was deleted since', store => store.observe(pod('b', '1', 50)), []],
    ['an own write ahead of the watch', store => store.observe(pod('b', '1', 51)), ['ADDED 1 51']],
  ])('%s', (_, happen, expected) => {
    const { store, changes } = storeWith(pod('a', '1', 10))
    happen(store)
    expect(changes).toEqual(expected)
  })

  test('an own write outlives a list that is older, for a minute', async () => {
    const clock = new VirtualClock(0)
    const store = new Store<KubeObject>({ clock, projection: wholeProjection(), onChange: () => undefined })
    store.replace([pod('a', '1', 10)], '50')
    store.observe(pod('a', '1', 60))
    store.observe(pod('b', '2', 61))
    store.replace([pod('a', '1', 10)], '55')
    expect(stateOf(store.list())).toEqual({ a: '1@60', b: '2@61' })
    await clock.advance(60_001)
    store.replace([pod('a', '1', 10)], '55')
    expect(stateOf(store.list())).toEqual({ a: '1@10' })
  })
})

test('indexes follow every change', () => {
  const store = new Store<KubeObject>({ clock: new VirtualClock(0), projection: wholeProjection(), onChange: () => undefined })
  const onNode = (node: string) => [...store.byIndex('node', node)].map(object => object.metadata.name)
  store.upsert(pod('a', '1', 1, { spec: { nodeName: 'talos00' } }))
  store.upsert(pod('b', '2', 2, { spec: {} }))
  expect(onNode('talos00')).toEqual(['a'])
  store.upsert(pod('b', '2', 3, { spec: { nodeName: 'talos00' } }))
  store.upsert(pod('a', '1', 4, { spec: { nodeName: 'talos01' } }))
  expect(onNode('talos00')).toEqual(['b'])
  store.addIndex('version', object => [object.metadata.resourceVersion ?? ''])
  expect([...store.byIndex('version', '4')]).toHaveLength(1)
  store.remove(pod('b', '2', 5))
  expect(onNode('talos00')).toEqual([])
  expect(() => [...store.byIndex('none', '')]).toThrow('no index "none"')
})

describe('7.28 projection', () => {
  function replica(index: number): Pod {
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `web-${index}`,
        namespace: 'shop',
        uid: `u${index}`,
        resourceVersion: String(index + 1),
        labels: { app: 'web' },
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"i":${index}}`, kept: 'yes' },
        managedFields: [{ manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }],
      },
      spec: {
        tolerations: [{ key: 'a', operator: 'Exists' }],
        containers: [{ name: 'web', resources: { requests: { cpu: '250m' } } }],
      },
    }
  }

  test('a thousand replicas share their equal parts, and deleting them leaves none behind', () => {
    const parts = new SharedParts()
    const store = new Store<Pod>({ clock: new VirtualClock(0), projection: sharingProjection(parts), onChange: () => undefined })
    for (let index = 0; index < 1000; index++) store.upsert(replica(index))
    const all = [...store.list()]
    const [first] = all
    for (const object of all) {
      expect(object.metadata.labels).toBe(first?.metadata.labels)
      expect(object.spec.tolerations).toBe(first?.spec.tolerations)
      expect(object.spec.containers[0]?.resources).toBe(first?.spec.containers[0]?.resources)
    }
    // labels, annotations, tolerations, resources
    expect(parts.size).toBe(4)
    for (let index = 0; index < 1000; index++)
      store.upsert({ ...replica(index), metadata: { ...replica(index).metadata, resourceVersion: '5000' } })
    expect(parts.size).toBe(4)
    for (let index = 0; index < 1000; index++) store.remove(replica(index))
    expect(parts.size).toBe(0)
  })

  test('law: what is stored reads as what came', () => {
    const projection = sharingProjection<KubeObject>(new SharedParts())
    const part = fc.jsonValue({ maxDepth: 4 })
    const object = fc.record({
      spec: fc.record({ containers: fc.array(part), volumes: part, tolerations: part, other: part }),
      status: part,
    })
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), objects => {
        for (const one of objects) {
          const came: unknown = JSON.parse(JSON.stringify({ ...pod('a', '1', 1), ...one }))
          expect(projection.project(came as KubeObject)).toEqual(came)
        }
      }),
    )
  })

  test('of a Deployment it is kept who wrote template and replicas', () => {
    const entry = (manager: string, fields: Readonly<Record<string, unknown>>) =>
      ({ manager, operation: 'Update', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1: fields }) as const
    const stored = sharingProjection<KubeObject>(new SharedParts()).project({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: 'cart',
        managedFields: [
          entry('kubectl-scale', { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } }),
          entry('flux', { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': {} } } } }),
          entry('kube-controller-manager', { 'f:status': {} }),
        ],
      },
    })
    expect(stored.metadata.managedFields).toEqual([
      entry('kubectl-scale', { 'f:spec': { 'f:replicas': {} } }),
      entry('flux', { 'f:spec': { 'f:template': {} } }),
    ])
  })

  test.each([
    ['that has pods', { replicas: 2 }, 1],
    ['of an earlier revision', { replicas: 0 }, 0],
  ])('of a ReplicaSet %s: who gave it its size is kept while it has one', (_name, spec, kept) => {
    const entry = {
      manager: 'kube-controller-manager',
      operation: 'Update',
      apiVersion: 'apps/v1',
      fieldsType: 'FieldsV1',
    } as const
    const managedFields = [{ ...entry, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }]
    const projection = sharingProjection<KubeObject>(new SharedParts())
    const stored = projection.project({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'cart-1', managedFields },
      spec,
    })
    expect(stored.metadata.managedFields ?? []).toEqual(managedFields.slice(0, kept))
  })

  test('of other kinds managed fields are dropped, and the last applied configuration; nothing else', () => {
    const stored = sharingProjection<Pod>(new SharedParts()).project(replica(1))
    const { managedFields, annotations, ...metadata } = replica(1).metadata
    expect(stored).toEqual({ ...replica(1), metadata: { ...metadata, annotations: { kept: 'yes' } } })
    expect(Object.isFrozen(stored.metadata.labels)).toBe(true)
  })

  test('of the status of containers everything is kept but what only tells them apart', () => {
    const kept = {
      name: 'main',
      restartCount: 3,
      lastState: { terminated: { reason: 'OOMKilled' } },
      resources: { requests: { cpu: '1' } },
    }
    const identity = { containerID: 'containerd://1', imageID: 'sha256:2', volumeMounts: [{ name: 'kube-api-access-x7k2p' }] }
    const status = (container: object) => ({
      phase: 'Running',
      containerStatuses: [container],
      initContainerStatuses: [container],
    })
    const projection = sharingProjection<KubeObject>(new SharedParts())
    const stored = projection.project(pod('a', '1', 1, { status: status({ ...kept, ...identity }) }))
    expect(stored).toEqual(pod('a', '1', 1, { status: status(kept) }))
    const other = { ...pod('a', '1', 1), kind: 'Deployment', status: status({ ...kept, ...identity }) }
    expect(projection.project(other)).toEqual(other)
  })
})
