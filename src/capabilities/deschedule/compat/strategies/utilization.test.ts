// Low and high utilisation: classes of nodes, sources of usage, and how many pods go.
import { expect, test } from 'vitest'
import { node as nodeOf, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { referenceCluster } from '#planning/testdata/reference-cluster.ts'
import type { MeasuredFigures } from './low-node-utilization.ts'
import { type NodeAverages, nextAverages } from './measured-usage.ts'
import { oneCycle } from './testdata/one-cycle.ts'
import { policyText } from './testdata/policies.ts'

const nowMs = Date.UTC(2026, 10, 1)
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs' }

function lowPolicy(args: Readonly<Record<string, unknown>>, limits: Readonly<Record<string, unknown>> = {}): string {
  return policyText({ strategy: 'LowNodeUtilization', name: '', args, limits })
}

function keysOf(objects: readonly KubeObject[], policy: string, measured: MeasuredFigures = {}): readonly string[] {
  return oneCycle(objects, policy, { nowMs, measured }).evicted.map(({ key }) => key)
}

/** Pods `x/<name>0`, … on a node. */
function pods(name: string, count: number, options: PodOptions): readonly KubeObject[] {
  return Array.from({ length: count }, (_, at) => pod(`x/${name}${at}`, { cpu: '500m', owner, ...options }))
}

/** `A` with ten pods of 500m of which three are not evictable, `B` with one, `C` cordoned. */
function threeNodes(more: readonly KubeObject[] = []): readonly KubeObject[] {
  return [
    nodeOf('A', { cpu: '6', pods: '13' }),
    nodeOf('B', { cpu: '6', pods: '12' }),
    nodeOf('C', { cpu: '6', pods: '12', unschedulable: true }),
    ...pods('a', 7, { node: 'A' }),
    ...Array.from({ length: 3 }, (_, at) => pod(`x/bare${at}`, { cpu: '500m', node: 'A' })),
    ...pods('b', 1, { node: 'B' }),
    ...more,
  ]
}

/** What is told of each node: its class. */
function classesOf(
  objects: readonly KubeObject[],
  policy: string,
  measured: MeasuredFigures = {},
): Readonly<Record<string, unknown>> {
  const { told } = oneCycle(objects, policy, { nowMs, measured })
  const rows = told
    .filter(({ message }) => message === 'node has been classified')
    .map(({ fields }) => [fields['node'], fields['category']])
  return Object.fromEntries(rows)
}

const cpuAndPods = { thresholds: { cpu: 30, pods: 30 }, targetThresholds: { cpu: 50, pods: 50 } }

test('case 4: on the reference cluster one full resource stops it all, and the next cycle does nothing more', () => {
  const policy = lowPolicy({ thresholds: { cpu: 20, memory: 20, pods: 20 }, targetThresholds: { cpu: 50, memory: 50, pods: 50 } })
  const objects = referenceCluster()
  const first = oneCycle(objects, policy, { nowMs })
  expect(classesOf(objects, policy)).toEqual({
    talos00: 'overutilized',
    talos01: 'overutilized',
    'talos02-gpu': 'appropriately utilized',
    talos03: 'underutilized',
  })
  const capacity = first.told.find(({ message }) => message === 'total capacity to be moved')?.fields
  // 7,320 m, 4,661 Mi and 46 pods.
  expect(capacity).toMatchObject({ cpu: '7320', memory: String(4_661 * 2 ** 20), pods: '46' })
  expect(first.told.filter(({ message }) => message === 'pods on node').map(({ fields }) => fields['node'])).toEqual([
    'talos01',
    'talos00',
  ])
  expect(new Set(first.evicted.map(({ nodeName }) => nodeName))).toEqual(new Set(['talos01']))
  const gone = new Set(first.evicted.map(({ object }) => object.metadata.uid))
  // They land where there is room: on the one node that was under.
  const landed = objects.map(object =>
    object.kind === 'Pod' && gone.has(object.metadata.uid)
      ? { ...object, spec: { ...Object(object['spec']), nodeName: 'talos03' } }
      : object,
  )
  expect(oneCycle(landed, policy, { nowMs }).evicted).toEqual([])
  expect(Object.values(classesOf(landed, policy))).not.toContain('underutilized')
})

test('case 8: four pods go until neither CPU nor pods are above the target', () => {
  const { evicted, told } = oneCycle(threeNodes(), lowPolicy(cpuAndPods), { nowMs })
  expect(told.find(({ message }) => message === 'total capacity to be moved')?.fields).toMatchObject({ cpu: '2500', pods: '5' })
  expect(evicted.map(({ key }) => key)).toEqual(['x/a0', 'x/a1', 'x/a2', 'x/a3'])
  const why = told.filter(({ message }) => message === 'pod stays').map(({ fields }) => fields['pod'])
  expect(why).toEqual(['x/a4', 'x/a5', 'x/a6'])
})

test('case 9: exactly the threshold is under, exactly the target is not over', () => {
  const objects = threeNodes([
    ...pods('more', 1, { node: 'B', cpu: '1300m' }),
    nodeOf('D', { cpu: '6', pods: '12' }),
    ...pods('d', 1, { node: 'D', cpu: '3' }),
  ])
  expect(classesOf(objects, lowPolicy(cpuAndPods))).toEqual({
    A: 'overutilized',
    B: 'underutilized',
    C: 'appropriately utilized',
    D: 'appropriately utilized',
  })
})

test('case 10: deviations are from the mean of all nodes', () => {
  const objects = [
    nodeOf('n1'),
    nodeOf('n2'),
    nodeOf('n3'),
    ...[3200, 800, 800].flatMap((cpu, at) => pods(`p${at}`, 1, { node: `n${at + 1}`, cpu: `${cpu}m` })),
  ]
  const args = { thresholds: { cpu: 10 }, targetThresholds: { cpu: 10 }, useDeviationThresholds: true }
  expect(classesOf(objects, lowPolicy(args))).toEqual({ n1: 'overutilized', n2: 'underutilized', n3: 'underutilized' })
})

const vector = (values: Readonly<Record<string, string>>): MeasuredFigures => ({
  prometheus: () => ({
    status: 'success',
    data: {
      resultType: 'vector',
      result: Object.entries(values).map(([instance, value]) => ({ metric: { instance }, value: [0, value] })),
    },
  }),
})

const queried = (more: Readonly<Record<string, unknown>> = {}) =>
  lowPolicy(
    {
      thresholds: { MetricResource: 30 },
      targetThresholds: { MetricResource: 50 },
      metricsUtilization: { source: 'Prometheus', prometheus: { query: 'load' } },
      ...more,
    },
    { metricsProviders: [{ source: 'Prometheus', prometheus: { url: 'http://prometheus.example' } }] },
  )

const measuredNodes: readonly KubeObject[] = ['n1', 'n2', 'n3'].flatMap(name => [
  nodeOf(name),
  ...pods(`${name}-`, 5, { node: name }),
])

test('case 11: a query says shares, cut to whole percent; without figures of pods one goes, or as many as the limit says', () => {
  const shares = vector({ n1: '0.81', n2: '0.29', n3: '0.5' })
  const { told } = oneCycle(measuredNodes, queried(), { nowMs, measured: shares })
  const usage = told.filter(({ message }) => message === 'node has been classified').map(({ fields }) => fields['MetricResource'])
  expect(usage).toEqual(['81', '28', '50'])
  expect(keysOf(measuredNodes, queried(), shares)).toEqual(['x/n1-0'])
  expect(keysOf(measuredNodes, queried({ evictionLimits: { node: 3 } }), shares)).toEqual(['x/n1-0', 'x/n1-1', 'x/n1-2'])
})

const badAnswers: readonly (readonly [string, MeasuredFigures, string])[] = [
  ['case 11: a value above 1', vector({ n1: '1.2', n2: '0.1', n3: '0.5' }), 'outside of <0; 1> interval'],
  ['case 11: a node that is missing', vector({ n1: '0.9', n2: '0.1' }), 'unable to find metric entry for n3'],
  ['a value that is no number', vector({ n1: 'NaN', n2: '0.1', n3: '0.5' }), 'outside of <0; 1> interval'],
  ['an empty vector', vector({}), 'unable to find metric entry for n1'],
  [
    'a scalar',
    { prometheus: () => ({ status: 'success', data: { resultType: 'scalar', result: [0, '1'] } }) },
    'to be of type "vector", got "scalar"',
  ],
  [
    'an error of the query',
    { prometheus: () => ({ status: 'error', error: 'parse error' }) },
    'unable to capture prometheus metrics: parse error',
  ],
  ['something that is no answer', { prometheus: () => '<html>' }, 'unable to capture prometheus metrics'],
  [
    'two samples of a node',
    {
      prometheus: () => ({
        status: 'success',
        data: { resultType: 'vector', result: [1, 2].map(() => ({ metric: { instance: 'n1' }, value: [0, '0.5'] })) },
      }),
    },
    'more than one sample for "n1"',
  ],
  [
    'a sample without a node',
    { prometheus: () => ({ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [0, '0.5'] }] } }) },
    "missing 'instance' key",
  ],
  ['no provider', {}, 'prometheus client not initialized'],
]

test.each(badAnswers)('%s: the plugin fails, nothing is evicted', (_, measured, text) => {
  const { report, evicted } = oneCycle(measuredNodes, queried(), { nowMs, measured })
  expect(report.errors.map(({ error }) => error)).toEqual([expect.stringContaining(text)])
  expect(evicted).toEqual([])
})

const measuredPolicy = lowPolicy(
  { thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 }, metricsUtilization: { source: 'KubernetesMetrics' } },
  { metricsProviders: [{ source: 'KubernetesMetrics' }] },
)

function sampled(rounds: readonly Readonly<Record<string, { readonly cpu: string; readonly memory: string }>>[]): NodeAverages {
  return rounds.reduce<NodeAverages>((averages, samples) => nextAverages(averages, new Map(Object.entries(samples))), new Map())
}

test('averages: the first sample as it is, a tenth of each later one, rounded; a missing sample keeps what was', () => {
  const averages = sampled([
    { n1: { cpu: '1', memory: '1000' }, n2: { cpu: '250m', memory: '7' } },
    { n1: { cpu: '1505m', memory: '1005' } },
  ])
  expect(Object.fromEntries(averages.get('n1') ?? [])).toEqual({ cpu: 1051n, memory: 1001n })
  expect(Object.fromEntries(averages.get('n2') ?? [])).toEqual({ cpu: 250n, memory: 7n })
})

test('live usage: what pods use at the moment goes from the node; a pod that nobody measured stays', () => {
  const memory = '1Gi'
  const averages = sampled([{ n1: { cpu: '3', memory }, n2: { cpu: '100m', memory }, n3: { cpu: '1500m', memory } }])
  const podSamples = ({ name }: { readonly name: string }) =>
    name === 'n1-0'
      ? { problem: 'not found' }
      : name === 'n1-1'
        ? { containers: [{ name: 'main', usage: { memory } }] }
        : { containers: [{ name: 'main', usage: { cpu: '600m', memory: '10Mi' } }] }
  const { evicted, told } = oneCycle(measuredNodes, measuredPolicy, { nowMs, measured: { metrics: { averages, podSamples } } })
  expect(evicted.map(({ key }) => key)).toEqual(['x/n1-2', 'x/n1-3'])
  const reasons = told
    .filter(({ fields }) => fields['pod'] === 'x/n1-0' || fields['pod'] === 'x/n1-1')
    .map(({ fields }) => fields['reason'])
  expect(reasons).toEqual([
    'unable to get pod usage: unable to get podmetrics for "x"/"n1-0": not found',
    'unable to get pod usage: pod x/n1-1: container "main" is missing "cpu" resource',
  ])
})

test('a node that was never sampled is an error of the plugin', () => {
  const metrics = { averages: sampled([{ n1: { cpu: '1', memory: '1' } }]), podSamples: () => ({ containers: [] }) }
  const { report } = oneCycle(measuredNodes, measuredPolicy, { nowMs, measured: { metrics } })
  expect(report.errors.map(({ error }) => error)).toEqual([
    expect.stringContaining('unable to find node "n2" in the collected metrics'),
  ])
})

test('case 14: one toleration of everything does not do for a node with two taints', () => {
  const taints = [
    { key: 'a', effect: 'NoSchedule' },
    { key: 'b', effect: 'PreferNoSchedule' },
  ]
  const cluster = (onTarget: readonly { key: string; effect: string }[]) => [
    nodeOf('full'),
    nodeOf('free', { taints: onTarget }),
    ...pods('p', 3, { node: 'full', cpu: '1', tolerations: [{ operator: 'Exists' }] }),
  ]
  const policy = lowPolicy({ thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 } })
  expect(keysOf(cluster(taints), policy)).toEqual([])
  expect(keysOf(cluster(taints.slice(0, 1)), policy)).toEqual(['x/p0'])
})

test('case 15: the sum of a node counts the dearest moment of starting up', () => {
  const amount = (cpu: string) => ({ resources: { requests: { cpu } } })
  const heavy = pod('x/heavy', {
    node: 'n1',
    owner,
    containers: [
      { name: 'a', ...amount('1') },
      { name: 'b', ...amount('1') },
    ],
    initContainers: [
      { name: 'i', ...amount('2') },
      { name: 's', restartPolicy: 'Always', ...amount('1') },
      { name: 'j', ...amount('3') },
    ],
    overhead: { cpu: '250m' },
  })
  const { told } = oneCycle(
    [nodeOf('n1', { cpu: '8' }), nodeOf('n2'), heavy],
    lowPolicy({ thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 } }),
    { nowMs },
  )
  expect(told.find(({ fields }) => fields['node'] === 'n1')?.fields).toMatchObject({ cpu: '4250' })
})

test('nodes without anything allocatable, or of 10^15 bytes, are counted exactly', () => {
  const empty: Node = { ...nodeOf('empty'), status: {} }
  const huge = ['h1', 'h2'].map(name => nodeOf(name, { memory: String(9_007_199_254_740_991) }))
  const big = pods('p', 2, { node: 'h1', memory: String(9_007_199_254_740_991 / 2 - 0.5) })
  const policy = lowPolicy({ thresholds: { memory: 20 }, targetThresholds: { memory: 50 } })
  const { told, evicted } = oneCycle([empty, ...huge, ...big], policy, { nowMs })
  expect(told.find(({ fields }) => fields['node'] === 'h1')?.fields).toMatchObject({ memory: '9007199254740990' })
  // The node without memory is under, and gives no room.
  expect(evicted.map(({ key }) => key)).toEqual(['x/p0'])
})

const highPolicy = (args: Readonly<Record<string, unknown>>) => policyText({ strategy: 'HighNodeUtilization', name: '', args })

test('high utilisation: the emptiest node is emptied first, cordoned ones too, while the others have room', () => {
  const objects = [
    nodeOf('n1'),
    nodeOf('n2', { unschedulable: true }),
    nodeOf('n3'),
    ...pods('a', 2, { node: 'n1', memory: '256Mi' }),
    ...pods('b', 1, { node: 'n2', memory: '64Mi' }),
    ...pods('c', 6, { node: 'n3', memory: '1Gi' }),
  ]
  expect(keysOf(objects, highPolicy({ thresholds: { cpu: 40, memory: 40 } }))).toEqual(['x/b0', 'x/a0'])
})
