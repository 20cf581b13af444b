import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFrame } from '#kube/client/protobuf.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import { StatusError } from '#kube/objects/status.ts'
import { integer, list, message, nested, sentText, textMap } from '#kube/protobuf-message.ts'
import { resourceAnswer } from '#kube/server/aggregated-answers.ts'
import { metadataMessage, objectMeta, timeMessage } from '#kube/server/meta-messages.ts'
import { requestInfo } from '#kube/server/request-info.ts'
import { readExposition } from '../decode/exposition-text.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import { emptyReading } from '../decode/reading.ts'
import { Points } from '../points/points.ts'
import { metricsApi } from './metrics-api.ts'
import { encodeMetrics, nodeMetrics, podMetrics } from './metrics-objects.ts'

const origin = Date.UTC(2026, 0, 1)
const mebi = 1024 ** 2

interface Container {
  readonly name: string
  readonly millicores: number
  readonly mebibytes: number
}

interface GivenPod {
  readonly name: string
  readonly namespace?: string
  readonly app?: string
  readonly phase?: string
  /** Ended by now. */
  readonly finished?: readonly string[]
  /** Measured: none where only the object is there. */
  readonly containers?: readonly Container[]
  readonly order?: readonly string[]
}

function informerOf<T extends KubeObject>(objects: readonly T[]): Pick<Informer<T>, 'store' | 'onChange'> {
  return {
    onChange(handler) {
      for (const object of objects)
        handler({ type: 'ADDED', object, previous: undefined, initial: true, finalStateUnknown: false })
      return () => undefined
    },
    store: {
      get: (namespace: string | undefined, name: string) =>
        objects.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
      list: (namespace?: string) =>
        objects.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace).values(),
      byUid: () => undefined,
      byIndex: () => [].values(),
      addIndex: () => undefined,
      size: objects.length,
      resourceVersion: '1',
    },
  }
}

/** The API over these objects; each measured container used the same for 15.5 s. */
function served(pods: readonly GivenPod[], nodes: readonly string[] = [], nodeSelector = '') {
  const clock = new VirtualClock(origin + 100_000)
  const points = new Points({ resolutionMs: 60_000, staleAfterMs: 150_000, isStrict: false })
  for (const second of [0, 15.5]) {
    const timeMs = origin + 80_000 + second * 1_000
    const containers = pods.flatMap(({ name, namespace = 'shop', containers: all = [] }) =>
      all.map(one => ({
        ...emptyReading(),
        namespace,
        pod: name,
        container: one.name,
        cpuNs: 1e9 + one.millicores * 1e6 * second,
        cpuMs: timeMs,
        memoryBytes: one.mebibytes * mebi,
      })),
    )
    for (const [at, name] of nodes.entries())
      points.store(
        name,
        {
          node: { ...emptyReading(), cpuNs: 1e9 + 1e9 * second, cpuMs: timeMs, memoryBytes: 64 * mebi },
          containers: at === 0 ? containers : [],
          rejected: new Map(),
        },
        { wallMs: timeMs, elapsedMs: clock.elapsed() },
      )
    if (nodes.length === 0)
      points.store('n', { node: emptyReading(), containers, rejected: new Map() }, { wallMs: timeMs, elapsedMs: clock.elapsed() })
  }
  const ages: number[] = []
  const selector = parseLabelSelector(nodeSelector)
  if (!selector.ok) throw new Error('no selector')
  const api = metricsApi({
    nodes: informerOf(
      [...nodes, 'silent'].map((name): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { zone: name } } })),
    ),
    pods: informerOf(
      pods.map(
        ({ name, namespace = 'shop', app = 'web', phase = 'Running', finished = [], containers = [], order }): Pod => ({
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, namespace, labels: { app } },
          spec: { containers: (order ?? containers.map(one => one.name)).map(one => ({ name: one })) },
          status: {
            phase,
            containerStatuses: finished.map(one => ({ name: one, state: { terminated: { exitCode: 0 } } })),
          },
        }),
      ),
    ),
    points,
    nodeSelector: selector.value,
    exposed: { swap: false, storage: false },
    clock,
    onServed: age => void ages.push(age),
  })
  const ask = async (path: string, accept = '') => {
    const [place = '', question = ''] = path.split('?')
    const query = new URLSearchParams(question)
    const info = requestInfo({ method: 'GET', path: `/apis/metrics.k8s.io/v1beta1${place}`, query })
    if (info.kind !== 'resource') throw new Error('no resource')
    try {
      const caller = { name: 'jane', groups: [], extra: {} }
      const { signal } = new AbortController()
      const { contentType, pieces } = await resourceAnswer([api], {
        info,
        caller,
        query,
        accept,
        signal,
        breathe: async () => undefined,
      })
      const all: Buffer[] = []
      for await (const piece of pieces) all.push(piece)
      const body = Buffer.concat(all)
      return { contentType, body, value: contentType === 'application/json' ? JSON.parse(body.toString()) : undefined }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      return { code: error.code, message: error.message }
    }
  }
  return { ask, ages }
}

const web: GivenPod = {
  name: 'web-1',
  order: ['b', 'a'],
  containers: [
    { name: 'a', millicores: 10, mebibytes: 5 },
    { name: 'b', millicores: 20, mebibytes: 10 },
  ],
}

test('a pod has what its clients read', async () => {
  const { ask, ages } = served([web])
  expect((await ask('/namespaces/shop/pods/web-1')).value).toEqual({
    kind: 'PodMetrics',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: { name: 'web-1', namespace: 'shop', creationTimestamp: '2026-01-01T00:01:40Z', labels: { app: 'web' } },
    timestamp: '2026-01-01T00:01:35Z',
    window: '15.5s',
    // In the order of the pod's spec.
    containers: [
      { name: 'b', usage: { cpu: '20m', memory: '10Mi' } },
      { name: 'a', usage: { cpu: '10m', memory: '5Mi' } },
    ],
  })
  expect(ages).toEqual([4.5])
})

test('a node has no namespace, and its usage directly', async () => {
  const { ask } = served([], ['n1'])
  expect((await ask('/nodes')).value).toEqual({
    kind: 'NodeMetricsList',
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: {},
    items: [
      {
        metadata: { name: 'n1', creationTimestamp: '2026-01-01T00:01:40Z', labels: { zone: 'n1' } },
        timestamp: '2026-01-01T00:01:35Z',
        window: '15.5s',
        usage: { cpu: '1', memory: '64Mi' },
      },
    ],
  })
})

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const one: readonly Container[] = [{ name: 'app', millicores: 10, mebibytes: 5 }]

describe('case', () => {
  test('17: selectors are taken together, and the list is sorted', async () => {
    const { ask } = served([
      { name: 'z', containers: one },
      { name: 'a', containers: one },
      { name: 'b', app: 'db', containers: one },
      { name: 'c', namespace: 'other', containers: one },
      { name: 'd' },
    ])
    const namesOf = async (path: string) =>
      (await ask(path)).value.items.map(({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`)
    expect(await namesOf('/pods?labelSelector=app%3Dweb&fieldSelector=metadata.namespace%3Dshop')).toEqual(['shop/a', 'shop/z'])
    expect(await namesOf('/pods?fieldSelector=metadata.name!%3Da')).toEqual(['other/c', 'shop/b', 'shop/z'])
    expect(await namesOf('/pods?limit=1&continue=x&resourceVersion=5')).toHaveLength(4)
    expect(await namesOf('/namespaces/other/pods')).toEqual(['other/c'])
    expect(await namesOf('/namespaces/none/pods')).toEqual([])
  })

  test('18: another field is none that is known', async () => {
    const { ask } = served([], ['n1'])
    const message = '"spec.nodeName" is not a known field selector: only "metadata.name", "metadata.namespace"'
    expect(await ask('/pods?fieldSelector=spec.nodeName%3Da')).toEqual({ code: 400, message })
    expect(await ask('/nodes?fieldSelector=spec.nodeName%3Da')).toEqual({ code: 400, message })
    expect(await ask('/pods?labelSelector=%3D')).toMatchObject({ code: 400 })
  })

  test('19: a table has the sums of a pod', async () => {
    const { ask } = served([web])
    const { value } = await ask('/namespaces/shop/pods', table)
    expect(value.columnDefinitions.map(({ name, type, format }: Record<string, unknown>) => [name, type, format])).toEqual([
      ['Name', 'string', 'name'],
      ['cpu', 'string', 'quantity'],
      ['memory', 'string', 'quantity'],
      ['Window', 'string', 'duration'],
    ])
    expect(value.rows[0].cells).toEqual(['web-1', '30m', '15Mi', '15.5s'])
    const empty = (await ask('/namespaces/none/pods', table)).value
    expect(empty).toMatchObject({ columnDefinitions: [], rows: [] })
  })

  test('23: kubectl gets protobuf, which says what JSON says', async () => {
    const { ask } = served([web], ['n1'])
    const { contentType, body } = await ask('/pods', 'application/vnd.kubernetes.protobuf, */*')
    expect(contentType).toBe('application/vnd.kubernetes.protobuf')
    const frame = decodeFrame(body ?? Buffer.of())
    if (!frame.ok) throw new Error(frame.problem.expected)
    expect(frame.value.kind).toBe('PodMetricsList')
    const [item] = podList.decode(frame.value.raw).items
    expect(item).toMatchObject({
      metadata: { name: 'web-1', namespace: 'shop', labels: new Map([['app', 'web']]) },
      timestamp: { seconds: (origin + 95_000) / 1_000 },
      window: { nanos: 15_500_000_000 },
      containers: [{ name: 'b' }, { name: 'a' }],
    })
  })

  test('24: nothing of ours is accepted', async () => {
    const { ask } = served([web])
    expect(await ask('/pods', 'text/html')).toEqual({
      code: 406,
      message:
        'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    })
  })

  test('27: a pod that ended is not there, whatever a kubelet says', async () => {
    const { ask } = served([{ name: 'x', phase: 'Succeeded', containers: one }])
    expect((await ask('/pods')).value.items).toEqual([])
    expect(await ask('/namespaces/shop/pods/x')).toEqual({ code: 404, message: 'pods "x" not found' })
  })
})

test('whatever kubelets measure, lists of all can be written', async () => {
  const number = fc.oneof(fc.double({ min: 0, max: 2 ** 63, noNaN: true }), fc.nat(), fc.constantFrom(0, 1e-9, 2 ** 53, 2 ** 63))
  const time = fc.oneof(fc.nat({ max: 8.64e15 }), fc.constantFrom(0, 1, 253_402_300_799_999, 8.64e15))
  const said = fc.record({
    cpu: number,
    memory: number,
    swap: number,
    start: fc.option(number, { nil: undefined }),
    timeMs: time,
  })
  await fc.assert(
    fc.asyncProperty(fc.array(said, { minLength: 1, maxLength: 4 }), fc.boolean(), async (answers, isStrict) => {
      const clock = new VirtualClock(origin)
      const points = new Points({ resolutionMs: 60_000, staleAfterMs: 150_000, isStrict })
      for (const { cpu, memory, swap, start, timeMs } of answers) {
        const series = (kind: string, labels: string) =>
          [`${kind}_cpu_usage_seconds_total`, `${kind}_memory_working_set_bytes`, `${kind}_swap_usage_bytes`]
            .map((name, at) => `${name}${labels} ${[cpu, memory, swap][at]} ${timeMs}\n`)
            .join('')
        const labels = '{container="app",namespace="shop",pod="web-1"}'
        const text = `${series('node', '')}${series('container', labels)}${start === undefined ? '' : `container_start_time_seconds${labels} ${start}\n`}`
        const reading = await readExposition(Buffer.from(text), { known: new KnownContainers(), sentMs: 0 })
        points.store('n1', reading, { wallMs: Math.min(timeMs, Date.UTC(9999, 0)), elapsedMs: clock.elapsed() })
      }
      const found = points.podUsage({ namespace: 'shop', name: 'web-1' }, new Set(), clock.elapsed())
      const usage = points.nodeUsage('n1', clock.elapsed())
      const told = { nowMs: origin, exposed: { swap: true, storage: false } }
      const objects = [
        ...('kind' in found ? [] : [podMetrics({ name: 'web-1', namespace: 'shop' }, found, [], told)]),
        ...(usage === undefined ? [] : [nodeMetrics({ name: 'n1' }, usage, told)]),
      ]
      for (const object of objects) {
        expect(encodeMetrics(object).length).toBeGreaterThan(0)
        expect(JSON.parse(JSON.stringify(object))).toMatchObject({ window: expect.stringMatching(/s$/) })
      }
    }),
    { numRuns: 300 },
  )
})

test('a container that ended is left out of its pod', async () => {
  const { ask } = served([{ ...web, finished: ['a'] }])
  expect((await ask('/namespaces/shop/pods/web-1')).value.containers).toMatchObject([{ name: 'b' }])
})

test.each([
  ['/nodes/none', 'node "none" not found'],
  ['/nodes/silent', 'nodemetrics.metrics.k8s.io "silent" not found'],
  ['/namespaces/shop/pods/none', 'pods "none" not found'],
  ['/namespaces/shop/pods/quiet', 'podmetrics.metrics.k8s.io "shop/quiet" not found'],
])('%s is not found: %s', async (path, message) => {
  const { ask } = served([{ name: 'quiet' }], ['n1'])
  expect(await ask(path)).toEqual({ code: 404, message })
})

test('nodes outside of the selector are not there', async () => {
  const { ask } = served([], ['n1', 'n2'], 'zone=n2')
  expect((await ask('/nodes')).value.items).toMatchObject([{ metadata: { name: 'n2' } }])
  expect(await ask('/nodes/n1')).toEqual({ code: 404, message: 'nodemetrics.metrics.k8s.io "n1" not found' })
})

const quantity = message({ text: sentText(1) })
const amount = message({ key: sentText(1), value: nested(2, quantity) })
const windowMessage = message({ nanos: integer(1) })
const node = message({
  metadata: nested(1, objectMeta),
  timestamp: nested(2, timeMessage),
  window: nested(3, windowMessage),
  usage: list(4, amount),
})
const container = message({ name: sentText(1), usage: list(2, amount) })
const pod = message({
  metadata: nested(1, objectMeta),
  timestamp: nested(2, timeMessage),
  window: nested(3, windowMessage),
  containers: list(4, container),
})
const podList = message({ metadata: nested(1, message({ labels: textMap(99) })), items: list(2, pod) })

test('what is written by hand is what the library reads', () => {
  const amounts = fc.record({
    cpuNanocores: fc.maxSafeNat(),
    memoryBytes: fc.maxSafeNat(),
    windowNs: fc.integer({ min: 1, max: 2 ** 47 }),
  })
  const given = fc.record({
    name: fc.string({ unit: 'grapheme', maxLength: 5_000 }),
    labels: fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
    containers: fc.array(fc.tuple(fc.string(), amounts), { minLength: 1, maxLength: 5 }),
    timeMs: fc.integer({ min: 0, max: 2 ** 41 }),
    swapBytes: fc.option(fc.nat(), { nil: undefined }),
    storageBytes: fc.option(fc.maxSafeNat(), { nil: undefined }),
    exposed: fc.record({ swap: fc.boolean(), storage: fc.boolean() }),
  })
  fc.assert(
    fc.property(given, ({ name, labels, containers, timeMs, swapBytes, storageBytes, exposed }) => {
      const told = { nowMs: timeMs + 1, exposed }
      const usages = containers.map(([container_, of]) => ({
        name: container_,
        usage: { ...of, timeMs, swapBytes, storageBytes },
      }))
      const object = podMetrics({ name, namespace: 'ns', labels }, usages, [], told)
      const decoded = pod.decode(encodeMetrics(object))
      const seconds = { seconds: Math.floor(timeMs / 1_000), nanos: 0 }
      expect(decoded.metadata).toEqual(metadataMessage(object))
      expect(decoded.timestamp).toEqual(seconds)
      expect(decoded.window?.nanos).toBe(usages[0]?.usage.windowNs)
      expect(decoded.containers.map(one => ({ name: one.name, usage: amountsOf(one.usage) }))).toEqual(object['containers'])
      const [first] = usages
      if (first === undefined) return
      const nodeObject = nodeMetrics({ name, labels }, first.usage, told)
      const decodedNode = node.decode(encodeMetrics(nodeObject))
      expect(decodedNode.metadata).toEqual(metadataMessage(nodeObject))
      expect(amountsOf(decodedNode.usage)).toEqual(nodeObject['usage'])
      expect(Object.hasOwn(Object(nodeObject['usage']), 'ephemeral-storage')).toBe(exposed.storage && storageBytes !== undefined)
      expect(Object.hasOwn(Object(nodeObject['usage']), 'swap')).toBe(exposed.swap && swapBytes !== undefined)
    }),
    { numRuns: 50 },
  )
})

function amountsOf(all: readonly { readonly key: string; readonly value: { readonly text: string } | undefined }[]) {
  return Object.fromEntries(all.map(({ key, value }) => [key, value?.text]))
}
