import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClusterModel } from '#cluster/cluster-model.ts'
import { buildClusterState, type ClusterState, type PodState } from '#cluster/cluster-state.ts'
import { node, pod } from '#cluster/testdata/objects.ts'
import { fieldProjection, SharedParts } from '#kube/informers/projection.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { runCycle } from './cycle.ts'
import { CyclePods } from './cycle-pods.ts'
import { PodShapes } from './pod-shapes.ts'
import { readPolicy } from './policy/read-policy.ts'
import { strategyPodFields } from './strategies/pod-fields.ts'
import { strategyMaker } from './strategies/strategies.ts'
import { messyCluster } from './strategies/testdata/messy-cluster.ts'
import { policyCases, policyText } from './strategies/testdata/policies.ts'

const nowMs = Date.UTC(2026, 10, 1)

/** As informers keep them: equal parts once. */
function kept(objects: readonly KubeObject[]): readonly KubeObject[] {
  const projection = fieldProjection(strategyPodFields, new SharedParts())
  return objects.map(object => (object.kind === 'Pod' ? projection.project(JSON.parse(JSON.stringify(object))) : object))
}

function find(state: ClusterState, key: string): PodState {
  const found = state.pods.get(key)
  if (found === undefined) throw new Error(key)
  return found
}

/** All that pods of one shape have in common. */
function sharedText({ namespace, object }: PodState): string {
  const { labels, annotations, ownerReferences } = object.metadata
  const { nodeName: _, ...spec } = object.spec
  return JSON.stringify([namespace, labels, annotations, ownerReferences, spec])
}

function selector(text: string): Selector {
  const parsed = parseLabelSelector(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

test('pods of one template share what is worked out for one of them, wherever they are and whatever became of them', () => {
  const options = { labels: { app: 'web' }, priority: 5 }
  const objects = [node('a'), node('b'), ...['1', '2', '3'].map(name => pod(`shop/web-${name}`, { node: 'a', ...options }))]
  const { state } = buildClusterState(
    kept([
      ...objects,
      pod('shop/other', { node: 'b', ...options, labels: { app: 'other' } }),
      pod('blog/web', { node: 'b', ...options }),
    ]),
  )
  const shapes = new PodShapes(state)
  const made: string[] = []
  const name = shapes.memo(sample => {
    made.push(sample.key)
    return sample.key
  })
  expect(Array.from(state.pods.values(), name)).toEqual(['blog/web', 'shop/other', 'shop/web-1', 'shop/web-1', 'shop/web-1'])
  expect(made).toEqual(['blog/web', 'shop/other', 'shop/web-1'])
  const leaving = { ...find(state, 'shop/web-2'), isTerminating: true }
  expect([leaving, leaving].map(name)).toEqual(['shop/web-1', 'shop/web-1'])
})

test('groups answer a selector with the pods of one namespace', () => {
  const { state } = buildClusterState([
    node('a'),
    pod('shop/web', { node: 'a', labels: { app: 'web' } }),
    pod('shop/api', { node: 'a', labels: { app: 'api' } }),
    pod('shop/bare', { node: 'a' }),
    pod('blog/web', { node: 'a', labels: { app: 'web' } }),
  ])
  const groups = new PodShapes(state).grouped(state.pods.values())
  const keys = (namespace: string, text: string) =>
    Array.from(groups.matching(namespace, selector(text)), ({ key }) => key).sort()
  expect(keys('shop', 'app=web')).toEqual(['shop/web'])
  expect(keys('shop', 'app!=web')).toEqual(['shop/api', 'shop/bare'])
  expect(keys('nowhere', 'app=web')).toEqual([])
})

test('whatever is asked in whatever order, a pod is told what holds for itself', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.boolean(),
      fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 120 }),
      (seed, isShared, asked) => {
        const objects = messyCluster(seed, nowMs)
        const { state } = buildClusterState(isShared ? kept(objects) : objects)
        const cycle = new CyclePods(state)
        const text = cycle.shapes.memo(sharedText)
        const pods = [...state.pods.values()]
        for (const [number, isEvicted] of asked) {
          const one = pods[number % pods.length]
          if (one === undefined) continue
          if (isEvicted) cycle.leave(one, 'terminating', nowMs)
          const now = cycle.activePods(one.nodeName ?? '')
          expect(now.map(text)).toEqual(now.map(sharedText))
          expect(text(one)).toBe(sharedText(one))
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('cycle after cycle of a cluster that changes, what was known of its pods makes no difference', () => {
  const policies = policyCases.map(one => policyText(one))
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.nat({ max: policies.length - 1 }),
      fc.array(
        fc.array(fc.tuple(fc.nat(), fc.constantFrom('gone', 'moved', 'relabelled', 'taken from another')), { maxLength: 8 }),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
      (seed, number, rounds) => {
        const model = new ClusterModel()
        const objects = [...kept(messyCluster(seed, nowMs))]
        for (const object of objects) model.change({ previous: undefined, object })
        const pods = objects.filter(isPod)
        let shapes: PodShapes | undefined
        for (const changes of [[], ...rounds]) {
          for (const [at, change] of changes) {
            const previous = pods[at % pods.length]
            if (previous === undefined) continue
            const object = changed(previous, change, pods[(at * 7) % pods.length])
            model.change({ previous, object })
            pods.splice(pods.indexOf(previous), 1, ...(object === undefined ? [] : [object]))
          }
          const { state } = model.reading()
          shapes ??= new PodShapes(state)
          expect(entriesOf(state, policies[number] ?? '', shapes)).toEqual(entriesOf(state, policies[number] ?? ''))
        }
      },
    ),
    { numRuns: 60 },
  )
})

function isPod(object: KubeObject): object is Pod {
  return object.kind === 'Pod'
}

function changed(one: Pod, change: string, other: Pod | undefined): Pod | undefined {
  switch (change) {
    case 'gone':
      return undefined
    case 'moved':
      return { ...one, spec: { ...one.spec, nodeName: 'n0' } }
    case 'relabelled':
      return { ...one, metadata: { ...one.metadata, labels: { app: 'web', changed: 'yes' } } }
    default:
      return { ...one, spec: { ...(other ?? one).spec } }
  }
}

/** What a cycle asks for and how it ended; everything is granted. */
function entriesOf(state: ClusterState, text: string, shapes?: PodShapes): readonly (readonly [string, string])[] {
  const read = readPolicy(text, { file: 'policy.json', priorityOf: () => undefined })
  if (!read.ok) throw new Error(text)
  const cycle = runCycle({
    policy: read.policy,
    state,
    strategies: strategyMaker({}),
    nowMs,
    isDryRun: false,
    ...(shapes !== undefined && { shapes }),
    verbosity: 0,
    tell: () => undefined,
  })
  let step = cycle.next()
  while (step.done !== true) step = cycle.next(step.value.kind === 'evict' ? { kind: 'evicted' } : undefined)
  return step.value.entries.map(({ wish, result }) => [wish.pod.key, result])
}
