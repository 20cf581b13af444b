import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { runsOf } from '#test/runs.ts'
import type { StoreEvent } from './access.ts'
import { objectKey, Store } from './store.ts'

function configMap(namespace: string, name: string, value = ''): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data: { value } }
}

const keysOf = (objects: Iterable<KubeObject>) =>
  [...objects].map(({ metadata }) => `${objectKey(metadata.namespace, metadata.name)}@${metadata.resourceVersion}`)

// `a` and `a-b`: their keys are not in the order of the namespaces alone.
const place = fc.record({
  namespace: fc.constantFrom('a', 'a-b', 'b'),
  name: fc.constantFrom('x', 'x-1', 'y', 'y.z', 'z'),
  resource: fc.constantFrom('configmaps', 'secrets'),
})
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), at: place, value: fc.constantFrom('1', '2') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), at: place }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), back: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('keep' as const), back: fc.nat(20) }) },
)

/** Every state there was, kept whole. */
class NaiveStore {
  readonly states: Map<string, string>[] = []
  revision = 1
  #now = new Map<string, string>()

  constructor() {
    this.states[1] = new Map()
  }

  write(key: string, isThere: boolean): void {
    this.#now = new Map(this.#now)
    this.revision++
    if (isThere) this.#now.set(key, `${key.slice(key.indexOf(' ') + 1)}@${this.revision}`)
    else this.#now.delete(key)
    this.states[this.revision] = this.#now
  }

  has(key: string): boolean {
    return this.#now.has(key)
  }

  at(resource: string, namespace: string | undefined, revision: number): readonly string[] {
    const prefix = `${resource} ${namespace === undefined ? '' : `${namespace}/`}`
    return [...(this.states[revision] ?? [])]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, shown]) => shown)
  }
}

describe('the store', () => {
  test('agrees with one that keeps every state whole', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 60 }), (steps, historyLimit) => {
        const store = new Store({ historyLimit })
        const naive = new NaiveStore()
        const seen: StoreEvent[] = []
        store.subscribe('configmaps', event => seen.push(event))
        for (const one of steps) {
          if (one.do === 'compact') store.compact(store.revision - one.back)
          else if (one.do === 'keep') store.snapshotAt('configmaps', store.revision - one.back, true)
          else {
            const { namespace, name, resource } = one.at
            const key = `${resource} ${namespace}/${name}`
            if (one.do === 'put') {
              store.put(resource, configMap(namespace, name, one.value))
              naive.write(key, true)
            } else if (store.remove(resource, namespace, name) !== undefined) naive.write(key, false)
            else expect(naive.has(key)).toBe(false)
          }
        }
        expect(store.revision).toBe(naive.revision)
        for (const resource of ['configmaps', 'secrets']) {
          expect(keysOf(store.list(resource))).toEqual(naive.at(resource, undefined, naive.revision))
          expect(store.count(resource)).toBe(store.list(resource).length)
          for (let revision = 1; revision <= store.revision; revision++) {
            const snapshot = store.snapshotAt(resource, revision)
            if (revision < store.compactedRevision) expect(snapshot).toBeUndefined()
            else agree(snapshot, naive, resource, revision)
            // What was then, and all that happened since, is what is now.
            const changes = store.changesSince(resource, revision)
            expect(changes === undefined).toBe(snapshot === undefined)
            if (changes !== undefined)
              expect(applied(naive.at(resource, undefined, revision), changes)).toEqual(keysOf(store.list(resource)))
          }
        }
        expect(seen.map(event => event.revision)).toEqual(seen.map(event => event.revision).toSorted((a, b) => a - b))
        const known = store.changesSince('configmaps', store.compactedRevision) ?? []
        expect(known).toEqual(seen.slice(seen.length - known.length))
        expect(known.length).toBeLessThanOrEqual(historyLimit)
      }),
      { numRuns: runsOf(200) },
    )
  })

  test.each([
    ['in order', (index: number) => index],
    ['backwards', (index: number) => 5000 - index],
    ['here and there', (index: number) => (index * 7919) % 5000],
  ])('keeps many in order that come %s', (_how, numberOf) => {
    const store = new Store()
    const named = (index: number) => `p-${String(numberOf(index)).padStart(5, '0')}`
    for (let index = 0; index < 5000; index++) store.put('pods', configMap('a', named(index)))
    const names = store.list('pods').map(({ metadata }) => metadata.name)
    expect(names).toEqual(names.toSorted())
    expect(new Set(names).size).toBe(5000)
    const snapshot = store.snapshotAt('pods', store.revision)
    for (let index = 0; index < 5000; index += 3) store.remove('pods', 'a', named(index))
    expect(store.list('pods')).toHaveLength(5000 - 1667)
    expect(snapshot?.size).toBe(5000)
    expect([...(snapshot?.objects() ?? [])]).toHaveLength(5000)
  })

  test('forgets by bytes too, and goes on', () => {
    const store = new Store({ historyBytes: 20_000 })
    for (let index = 0; index < 100; index++) store.put('configmaps', configMap('a', 'x', `${index} `.repeat(400)))
    const known = store.changesSince('configmaps', store.compactedRevision) ?? []
    expect(known.length).toBeGreaterThan(5)
    expect(known.length).toBeLessThan(30)
    expect(store.changesSince('configmaps', store.compactedRevision - 1)).toBeUndefined()
  })

  test('lets versions of an object share what did not change', () => {
    const store = new Store()
    const pod = (phase: string): KubeObject => ({
      ...configMap('a', 'x'),
      spec: { containers: [{ name: 'main' }] },
      status: { phase },
    })
    const before = store.put('pods', pod('Pending'))
    const after = store.put('pods', pod('Running'))
    expect(after['spec']).toBe(before['spec'])
  })

  test('tells everybody in one order, also of what is written while it tells', () => {
    const store = new Store()
    const order: string[] = []
    store.subscribe('configmaps', event => {
      order.push(`one ${event.revision}`)
      if (event.object.metadata.name === 'first') store.put('configmaps', configMap('a', 'second'))
    })
    store.subscribe('configmaps', event => order.push(`two ${event.revision}`))
    store.put('configmaps', configMap('a', 'first'))
    expect(order).toEqual(['one 2', 'two 2', 'one 3', 'two 3'])
  })
})

/** A list as names with versions, after the changes. */
function applied(before: readonly string[], changes: readonly StoreEvent[]): readonly string[] {
  const objects = new Map(before.map(shown => [shown.slice(0, shown.indexOf('@')), shown]))
  for (const { type, object } of changes) {
    const [shown = ''] = keysOf([object])
    const key = shown.slice(0, shown.indexOf('@'))
    if (type === 'DELETED') objects.delete(key)
    else objects.set(key, shown)
  }
  return [...objects.keys()].sort().map(key => objects.get(key) ?? '')
}

/** Whole, by namespace, from any object on: list, count and single objects. */
function agree(snapshot: ReturnType<Store['snapshotAt']>, naive: NaiveStore, resource: string, revision: number): void {
  if (snapshot === undefined) throw new Error(`revision ${revision} should be known`)
  for (const namespace of [undefined, 'a', 'a-b']) {
    const expected = naive.at(resource, namespace, revision)
    const prefix = namespace === undefined ? '' : `${namespace}/`
    expect(keysOf(snapshot.objects(prefix))).toEqual(expected)
    expect(snapshot.count(prefix)).toBe(expected.length)
    for (const [index, shown] of expected.entries()) {
      const key = shown.slice(0, shown.indexOf('@'))
      expect(keysOf(snapshot.objects(prefix, key))).toEqual(expected.slice(index + 1))
      expect(snapshot.count(prefix, key)).toBe(expected.length - index - 1)
      expect(snapshot.get(key)?.metadata.name).toBe(key.slice(key.indexOf('/') + 1))
    }
    expect(keysOf(snapshot.objects(prefix, 'a/x-0'))).toEqual(
      expected.filter(shown => shown.slice(0, shown.indexOf('@')) > 'a/x-0'),
    )
  }
}
