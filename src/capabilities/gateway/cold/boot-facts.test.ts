import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { FieldPaths } from '#kube/objects/field-paths.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { Route } from '../routing/route.ts'
import { type BootObjects, bootFacts, type Objects } from './boot-facts.ts'
import { bootNeeds } from './boot-needs.ts'
import { bootPosition } from './boot-stage.ts'
import { BootWatch } from './boot-watch.ts'
import { ColdStarts } from './cold-start.ts'

const object = (kind: string, name: string, more: object = {}, namespace: string | undefined = 'llm') => {
  const { metadata = {}, ...rest } = more as { metadata?: object }
  return {
    apiVersion: 'v1',
    kind,
    metadata: { name, ...(namespace === '' ? {} : { namespace }), ...metadata },
    ...rest,
  } as KubeObject
}

const labels = { app: 'ollama' }
const service = object('Service', 'ollama', { spec: { selector: labels } })
const deployment = (name = 'ollama', replicas?: number, app = 'ollama') =>
  object('Deployment', name, { spec: { replicas, template: { metadata: { labels: { app, more: 'x' } } } } })
const pod = (name: string, more: object = {}) =>
  object('Pod', name, { metadata: { labels, uid: name }, spec: { containers: [{ name: 'ollama' }], ...more } }) as Pod
const route = { namespace: 'llm', target: { service: 'ollama', port: 11434 } }
const traffic = { endpoints: 0, loading: 0, isAsked: false }

function kind<T extends KubeObject>(...all: readonly T[]): Objects<T> {
  return {
    get: (namespace, name) => all.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    list: namespace => all.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
  }
}

const objects = (more: Partial<BootObjects> = {}): BootObjects => ({
  ...{ services: kind(service), pods: kind<Pod>(), deployments: kind(), statefulSets: kind(), nodes: kind(), claims: kind() },
  ...{ scaledObjects: kind(), events: kind() },
  ...more,
})
const facts = (more: Partial<BootObjects> = {}) => bootFacts(objects(more), route, traffic)

describe('the target of a route', () => {
  test('its pods are those that its Service selects, of its namespace', () => {
    const other = object('Pod', 'c', { metadata: { labels }, spec: { containers: [] } }, 'media') as Pod
    const { pods } = facts({ pods: kind(pod('a'), object('Pod', 'b', { spec: { containers: [] } }) as Pod, other) })
    expect(pods.map(({ metadata }) => metadata.name)).toEqual(['a'])
  })
  test('what makes them is found at zero too, by its template', () => {
    expect(facts({ deployments: kind(deployment('x', 1, 'x'), deployment('ollama', 0)) }).workload).toEqual({
      ...{ kind: 'Deployment', name: 'ollama', wanted: 0, conditions: [] },
    })
    expect(facts({ deployments: kind(deployment('b'), deployment('a')) }).workload).toMatchObject({ name: 'a', wanted: 1 })
    const set = object('StatefulSet', 'set', { spec: { template: { metadata: { labels } } } })
    expect(facts({ statefulSets: kind(set) }).workload).toMatchObject({ kind: 'StatefulSet', name: 'set' })
  })
  // biome-ignore format: a table
  test.each([
    ['no Service', kind<KubeObject>()],
    ['no selector', kind(object('Service', 'ollama'))],
    ['an empty one', kind(object('Service', 'ollama', { spec: { selector: {} } }))],
    ['one that is none', kind(object('Service', 'ollama', { spec: { selector: 'app' } }))],
    ['one of no texts', kind(object('Service', 'ollama', { spec: { selector: { app: 1 } } }))],
  ])('%s: nothing is known', (_name, services) => {
    const found = facts({ services, pods: kind(pod('a')), deployments: kind(deployment()) })
    expect(found.pods).toEqual([])
    expect(found).not.toHaveProperty('workload')
    expect(bootPosition(found)).toEqual({ stage: 'queued', sentence: 'a pod is waited for', trouble: undefined })
  })
  test('the pods of one target are bounded', () => {
    expect(facts({ pods: kind(...Array.from({ length: 101 }, (_none, at) => pod(`p${at}`))) }).pods).toHaveLength(100)
  })
})

describe('what scales it', () => {
  const scaled = (annotations: object, ref: object = { name: 'ollama' }) =>
    facts({
      deployments: kind(deployment()),
      scaledObjects: kind(object('ScaledObject', 'so', { metadata: { annotations }, spec: { scaleTargetRef: ref } })),
    }).scaledObject
  // biome-ignore format: a table
  test.each([
    [{}, false],
    [{ 'autoscaling.keda.sh/paused': 'true' }, true],
    [{ 'autoscaling.keda.sh/paused': 'yes' }, true],
    [{ 'autoscaling.keda.sh/paused': 'false' }, false],
    [{ 'autoscaling.keda.sh/paused-replicas': '0' }, true],
    [{ 'autoscaling.keda.sh/paused-replicas': '1', 'autoscaling.keda.sh/paused': 'true' }, false],
    [{ 'autoscaling.keda.sh/paused-scale-out': 'true' }, true],
    [{ 'autoscaling.keda.sh/paused-scale-in': 'true' }, false],
  ])('%j: paused %s', (annotations, isPaused) => {
    expect(scaled(annotations)).toEqual({ name: 'so', isPaused, conditions: [] })
  })
  test('is the one of its kind and name', () => {
    expect(scaled({}, { name: 'other' })).toBeUndefined()
    expect(scaled({}, { name: 'ollama', kind: 'StatefulSet' })).toBeUndefined()
    expect(scaled({}, undefined)).toMatchObject({ name: 'so' })
  })
})

test('nodes, claims and orders', () => {
  const ready = (status: string) => ({ status: { conditions: [{ type: 'Ready', status }] } })
  const initialized = { status: { conditions: [{ type: 'Initialized', status: 'True' }] } }
  const found = facts({
    nodes: kind(object('Node', 'a', ready('True'), ''), object('Node', 'b', ready('Unknown'), ''), object('Node', 'c', {}, '')),
    claims: kind(
      object('NodeClaim', 'there', initialized, ''),
      object('NodeClaim', 'going', { metadata: { deletionTimestamp: 'x' } }, ''),
      object('NodeClaim', 'coming', { status: 'odd' }, ''),
    ),
    events: kind(object('Event', 'e', { reason: 'TriggeredScaleUp', regarding: { uid: 'u1' } })),
  })
  expect(['a', 'b', 'c', 'd'].map(name => found.isNodeReady(name))).toEqual([true, false, undefined, undefined])
  expect(found.claims.map(({ metadata }) => metadata.name)).toEqual(['coming'])
  expect([...found.ordered]).toEqual(['u1'])
})

test('what is kept of a pod is all that its stage is told by', () => {
  const need = bootNeeds.find(({ kind: one }) => one === 'Pod')
  const whole = {
    ...pod('a', { nodeName: 'n', containers: [{ name: 'ollama', image: 'i', env: [{ name: 'KEY', value: 'secret' }] }] }),
    status: {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2027-01-03T04:00:00Z' }],
      containerStatuses: [
        {
          ...{ name: 'ollama', image: 'i', ready: false, restartCount: 2, imageID: 'x' },
          state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } },
          lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        },
      ],
    },
  } as KubeObject as Pod
  const kept = new FieldPaths(['metadata', ...(need?.fields ?? [])]).pick(whole) as Pod
  expect(JSON.stringify(kept)).not.toContain('secret')
  const position = (one: Pod) => bootPosition({ ...facts(), pods: [one] })
  expect(position(kept)).toEqual(position(whole))
  expect(position(kept).trouble?.sentence).toBe('container ollama has ended 2 times, last with exit code 137 (OOMKilled)')
})

test('a start is looked at when something changed, not more often than is of use, and not when none is under way', async () => {
  const clock = new VirtualClock(0)
  const starts = new ColdStarts({ clock })
  const handlers = new Set<(change: { readonly object: KubeObject }) => void>()
  let pods: Pod[] = []
  let looks = 0
  const key = 'llm/ollama'
  const all: BootObjects = { ...objects(), pods: { get: () => undefined, list: () => pods } }
  let known: Route | undefined = { ...route, key } as Route
  const watch = new BootWatch({
    ...{ clock, starts, objects: all, routeOf: () => known },
    changing: [
      {
        onChange: handler => {
          handlers.add(handler)
          return () => void handlers.delete(handler)
        },
      },
    ],
    trafficOf: () => {
      looks++
      return traffic
    },
  })
  const change = () => {
    for (const handler of handlers) handler({ object: service })
  }
  change()
  expect(clock.pending).toBe(0)
  starts.begin(key)
  watch.look(key)
  expect(starts.progress(key)).toMatchObject({ stage: 'queued' })
  pods = [pod('a', { nodeName: 'n' })]
  for (let at = 0; at < 100; at++) change()
  await clock.advance(100)
  expect(starts.progress(key)).toMatchObject({ stage: 'node-ready' })
  expect(looks).toBe(2)
  known = undefined
  change()
  await clock.advance(100)
  expect(starts.progress(key)).toBeUndefined()
  watch[Symbol.dispose]()
  expect(handlers.size).toBe(0)
  expect(clock.pending).toBe(0)
})
