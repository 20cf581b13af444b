import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { nothing, parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { OrderedObjects } from './ordered-objects.ts'

const sharedLabels = [undefined, {}, { app: 'a' }, { app: 'b', tier: 'x' }, { app: 'b' }] as const

function harness() {
  const all = new Map<string, KubeObject>()
  const handlers: ((change: Change<KubeObject>) => void)[] = []
  const ordered = new OrderedObjects<KubeObject>({
    onChange(handler) {
      handlers.push(handler)
      return () => undefined
    },
  })
  const tell = (change: Pick<Change<KubeObject>, 'type' | 'object' | 'previous'>) => {
    for (const handler of handlers) handler({ ...change, initial: false, finalStateUnknown: false })
  }
  return {
    ordered,
    all,
    put(namespace: string, name: string, labels: Readonly<Record<string, string>> | undefined) {
      const object = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, ...(labels === undefined ? {} : { labels }) } }
      const previous = all.get(`${namespace}/${name}`)
      all.set(`${namespace}/${name}`, object)
      tell({ type: previous === undefined ? 'ADDED' : 'MODIFIED', object, previous })
    },
    remove(namespace: string, name: string) {
      const previous = all.get(`${namespace}/${name}`)
      if (previous === undefined) return
      all.delete(`${namespace}/${name}`)
      // The last state is told of, which is another object than the one before.
      tell({ type: 'DELETED', object: { ...previous, metadata: { ...previous.metadata, labels: { app: 'gone' } } }, previous })
    },
  }
}

const nameOf = ({ metadata: { namespace = '', name } }: KubeObject) => `${namespace}/${name}`

function selectorOf(text: string): Selector {
  const selector = parseLabelSelector(text)
  if (!selector.ok) throw new Error(selector.problem.expected)
  return selector.value
}

function asked(objects: Iterable<KubeObject>, namespace: string | undefined, selector: Selector): readonly string[] {
  return [...objects]
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
    .filter(({ metadata }) => selector.matches(metadata.labels))
    .map(object => ({ namespace: object.metadata.namespace ?? '', name: object.metadata.name }))
    .toSorted((a, b) => (a.namespace === b.namespace ? (a.name < b.name ? -1 : 1) : a.namespace < b.namespace ? -1 : 1))
    .map(({ namespace: at, name }) => `${at}/${name}`)
}

const places = ['', 'a', 'a-b', 'b']
const step = fc.record({
  isRemoval: fc.boolean(),
  namespace: fc.constantFrom(...places),
  name: fc.stringMatching(/^[ab-]{1,3}$/),
  labels: fc.constantFrom(...sharedLabels, 'own'),
})

test('whatever comes and goes, what is selected is what filtering and sorting all of it gives', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const { ordered, all, put, remove } = harness()
      for (const { isRemoval, namespace, name, labels } of steps) {
        if (isRemoval) remove(namespace, name)
        else put(namespace, name, labels === 'own' ? { app: 'a' } : labels)
      }
      for (const selector of [...['', 'app=a', 'app!=a', '!app', 'app in (a,b),tier'].map(selectorOf), nothing])
        for (const namespace of [undefined, ...places, 'none']) {
          const found = [...ordered.selected(namespace, selector)].flatMap(object => (object === undefined ? [] : nameOf(object)))
          expect(found).toEqual(asked(all.values(), namespace, selector))
        }
    }),
    { numRuns: 60 },
  )
})

test('few or most of many: each in order, with a chance for a pause after a thousand looks', () => {
  const { ordered, all, put } = harness()
  const shared = { app: 'most' }
  for (let at = 0; at < 6_000; at++)
    put('n', `pod-${(at * 7919) % 6_000}`, at % 2 === 0 ? shared : { app: 'few', own: String(at) })
  for (const [text, pauses] of [
    ['app=most', 6_000],
    ['own=4001', 3_000],
    ['app=few', 6_000],
  ] as const) {
    const given = [...ordered.selected('n', selectorOf(text))]
    const found = given.flatMap(object => (object === undefined ? [] : nameOf(object)))
    expect(found).toEqual(asked(all.values(), 'n', selectorOf(text)))
    expect(given.length - found.length).toBeGreaterThanOrEqual(pauses / 1_000)
  }
})

test('what comes and goes while a list pauses harms neither the list nor the next one', () => {
  const { ordered, all, put, remove } = harness()
  for (let at = 1_000; at < 2_000; at++) put('n', `pod-${at}`, sharedLabels[2])
  const list = ordered.selected(undefined, selectorOf(''))
  const found: string[] = []
  for (const object of list) {
    if (object === undefined) continue
    found.push(nameOf(object))
    const [, at] = object.metadata.name.split('-')
    remove('n', `pod-${Number(at) - 1}`)
    put('n', `pod-${at}-x`, sharedLabels[2])
  }
  expect(new Set(found).size).toBe(found.length)
  expect(found).toEqual(found.toSorted())
  expect(found).toHaveLength(1_000)
  const after = [...ordered.selected(undefined, selectorOf(''))].flatMap(object => (object === undefined ? [] : nameOf(object)))
  expect(after).toEqual(asked(all.values(), undefined, selectorOf('')))
})
