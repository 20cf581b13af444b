// Bad input for the drop-in descheduler, object by object (rebalancing.md §4): clusters that are hardly any, odd amounts, hostile objects.
// All ten strategies look at each.
import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node, object, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject, Node, Pod, Toleration } from '#kube/objects/objects.ts'
import { messyCluster } from '../src/capabilities/deschedule/compat/strategies/testdata/messy-cluster.ts'
import { oneCycle } from '../src/capabilities/deschedule/compat/strategies/testdata/one-cycle.ts'
import { policyCases, policyText } from '../src/capabilities/deschedule/compat/strategies/testdata/policies.ts'

const nowMs = Date.UTC(2026, 10, 1)
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }
const namespace = object('v1', 'Namespace', 'shop')

/** Every strategy under every policy of theirs; `evictor` replaces what the policies say of DefaultEvictor. */
const policies = policyCases.map(one => [`${one.strategy}, ${one.name}`, policyText(one)] as const)

/** One of each strategy. */
const first = policies.filter(([name], at) => policies.findIndex(([other]) => other.split(',')[0] === name.split(',')[0]) === at)

const keysOf = (objects: readonly KubeObject[], policy: string) =>
  oneCycle(objects, policy, { nowMs }).evicted.map(({ key }) => key)
const everything = { podProtections: { defaultDisabled: ['PodsWithLocalStorage', 'DaemonSetPods', 'FailedBarePods'] } }
const low = (args: object, evictor: object = {}) =>
  policyText({ strategy: 'LowNodeUtilization', name: '', args: { ...args }, evictor: { ...evictor } })

describe.each(policies)('%s', (_, policy) => {
  const alone = pod('shop/web-1', { node: 'n1', owner, labels: { app: 'web' }, cpu: '3' })

  test.each<[string, readonly KubeObject[]]>([
    ['nothing at all', []],
    ['a pod without a cluster', [pod('shop/web-1', { owner })]],
    ['one node', [namespace, node('n1'), alone]],
    ['two nodes, of which one is not ready', [namespace, node('n1'), notReady('n2'), alone]],
  ])('%s: nothing is evicted, and that is no error', (_name, objects) => {
    const { evicted, report } = oneCycle(objects, policy, { nowMs })
    expect({ evicted, errors: report.errors, skipped: report.skipped }).toEqual({
      evicted: [],
      errors: [],
      skipped: 'requires >=2 nodes',
    })
  })

  test('owners that are gone, namespaces that nobody has: what is evicted is the same', () => {
    const objects = messyCluster(7, nowMs)
    const owners = objects.flatMap(({ metadata }) => metadata.ownerReferences ?? [])
    const standing = owners.map(({ kind, name, uid }) => ({
      apiVersion: 'apps/v1',
      kind,
      metadata: { namespace: 'alpha', name, uid },
      spec: {},
    }))
    const unique = [...new Map(standing.map(one => [`${one.kind} ${one.metadata.name}`, one])).values()]
    expect(keysOf([...objects, ...unique], policy)).toEqual(keysOf(objects, policy))
    expect(
      keysOf(
        objects.filter(({ kind }) => kind !== 'Namespace'),
        policy,
      ),
    ).toEqual(keysOf(objects, policy))
  })

  test('pods without labels, nodes without amounts, status or spec: no strategy fails', () => {
    const bare = messyCluster(8, nowMs).map(one => {
      if (one.kind === 'Pod') return { ...one, metadata: without(one.metadata, 'labels') }
      return one.metadata.name === 'n0' ? { ...one, status: without(Object(one['status']), 'allocatable', 'capacity') } : one
    })
    const empty: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'empty' } }
    expect(oneCycle([...bare, empty], policy, { nowMs }).report.errors).toEqual([])
  })

  test('hostile labels, annotations and names are like any other', () => {
    const keys = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    const hostile = Object.fromEntries(keys.map(key => [key, key]))
    const objects = messyCluster(9, nowMs)
    const dressed = objects.map(one => ({
      ...one,
      metadata: {
        ...one.metadata,
        labels: withOwn({ ...one.metadata.labels }, hostile),
        annotations: withOwn({ ...one.metadata.annotations }, hostile),
      },
    }))
    expect(keysOf(dressed, policy)).toEqual(keysOf(objects, policy))
  })
})

/** `JSON.parse` makes `__proto__` a key of its own, as the API server's answers do. */
function withOwn(texts: Record<string, string>, more: Readonly<Record<string, string>>): Record<string, string> {
  return JSON.parse(
    `{${[...Object.entries(texts), ...Object.entries(more), ['__proto__', 'own'] as const].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`,
  )
}

function without<Fields extends object>(fields: Fields, ...names: readonly string[]): Fields {
  // What is left out is optional in every use here.
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))) as Fields
}

function notReady(name: string): Node {
  const made = node(name)
  return { ...made, status: { ...made.status, conditions: [{ type: 'Ready', status: 'False' }] } }
}

describe('amounts', () => {
  const cpuLow = low({ thresholds: { cpu: 20 }, targetThresholds: { cpu: 50 } })
  /** What is told of n1's usage. */
  const usage = (objects: readonly KubeObject[], policy = cpuLow) =>
    oneCycle(objects, policy, { nowMs }).told.find(
      ({ message, fields }) => message === 'node has been classified' && fields['node'] === 'n1',
    )?.fields

  test.each<[string, string, string, string]>([
    ['1e3', '1e3', '1000000', '1000'],
    ['0.5', '0.5', '500', '1'],
    ['100Mi', '100m', '100', '104857600'],
    ['1.5Gi', '1.5', '1500', '1610612736'],
    ['a thousandth of a byte', '1m', '1', '1'],
  ])('%s is counted in whole thousandths and bytes', (memory, cpu, millicores, bytes) => {
    const asked = memory.startsWith('a ') ? '1m' : memory
    const objects = [node('n1', { cpu: '1000000' }), node('n2'), pod('shop/a', { node: 'n1', cpu, memory: asked })]
    expect(usage(objects)).toMatchObject({ cpu: millicores, memory: bytes })
  })

  test('sums have no fractions: ten times 100m and a byte over', () => {
    const pods = Array.from({ length: 10 }, (_, at) => pod(`shop/a-${at}`, { node: 'n1', cpu: '0.1', memory: '0.1' }))
    expect(usage([node('n1'), node('n2'), ...pods])).toMatchObject({ cpu: '1000', memory: '10' })
  })

  test('a node of 10^15 bytes is filled to the byte', () => {
    const nodes = [node('n1', { memory: '1000000000000000' }), node('n2', { memory: '1000000000000000' })]
    const pods = [
      pod('shop/a', { node: 'n1', memory: '499999999999999', owner }),
      pod('shop/b', { node: 'n1', memory: '1', owner }),
    ]
    const policy = low({ thresholds: { memory: 10 }, targetThresholds: { memory: 50 } })
    expect(usage([...nodes, ...pods], policy)).toMatchObject({ memory: '500000000000000' })
    // Exactly the target is not above it; one byte more is.
    expect(keysOf([...nodes, ...pods], policy)).toEqual([])
    expect(keysOf([...nodes, ...pods, pod('shop/c', { node: 'n1', memory: '1', owner })], policy)).toHaveLength(1)
  })

  test('negative free space: what is there counts, nothing fits there', () => {
    const policy = policyText({ strategy: 'RemovePodsViolatingNodeTaints', name: '', args: {}, evictor: { nodeFit: true } })
    const tainted = node('n1', { taints: [{ key: 'gone', effect: 'NoSchedule' }] })
    const over = pod('shop/big', { node: 'n2', cpu: '5' })
    const leaving = pod('shop/web-1', { node: 'n1', cpu: '1m', owner })
    expect(keysOf([tainted, node('n2'), over, leaving], policy)).toEqual([])
    expect(keysOf([tainted, node('n2'), leaving], policy)).toEqual(['shop/web-1'])
  })

  test.each([
    ['9223372036854775807', 'a quantity of at most 2^53-1'],
    ['-1', 'a quantity of 0 or more'],
    ['1e30', 'a quantity of at most 2^53-1'],
    ['NaN', 'a quantity such as "500m" or "1.5Gi"'],
  ])('%s bytes of a pod: it is set aside by name and never evicted, the others are', (memory, expected) => {
    const objects = [
      node('n1'),
      node('n2'),
      pod('shop/odd', { node: 'n1', memory, owner }),
      pod('shop/web-1', { node: 'n1', owner }),
    ]
    expect(buildClusterState(objects).problems).toEqual([
      expect.objectContaining({ where: 'Pod shop/odd: spec.containers[0].resources.requests.memory', expected }),
    ])
    const policy = policyText({ strategy: 'PodLifeTime', name: '', args: { states: ['Running'] } })
    expect(keysOf(objects, policy)).toEqual(['shop/web-1'])
  })
})

describe('hostile objects', () => {
  const many = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))
  const taints = many(50, at => ({ key: `taint-${at}`, value: 'x', effect: 'NoSchedule' }))
  const tolerations: Toleration[] = many(5_000, at => ({
    key: `other-${at}`,
    operator: 'Equal',
    value: 'x',
    effect: 'NoSchedule',
  }))
  const values = many(10_000, at => `v${at}`)
  const crowd = (options: PodOptions): readonly Pod[] =>
    many(40, at => pod(`shop/web-${at}`, { node: 'n1', owner, cpu: '50m', ...options }))

  test('5,000 tolerations of each pod against fifty taints of each node: every strategy comes to its end', () => {
    const nodes = many(10, at => node(`n${at}`, { taints }))
    for (const [, policy] of first) {
      const { report } = oneCycle([...nodes, ...crowd({ tolerations })], policy, { nowMs })
      expect(report.errors).toEqual([])
    }
    const untolerated = policyText({ strategy: 'RemovePodsViolatingNodeTaints', name: '', args: {} })
    expect(keysOf([...nodes, ...crowd({ tolerations })], untolerated)).toHaveLength(40)
  })

  test('selectors with 10,000 values, in pods, budgets and the policy', () => {
    const labelSelector = { matchExpressions: [{ key: 'app', operator: 'In' as const, values }] }
    const spread = {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector,
    } as const
    const term = { topologyKey: 'kubernetes.io/hostname', labelSelector }
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
    const pods = crowd({ labels: { app: 'v9999' }, topologySpreadConstraints: [spread], affinity })
    const budget = object('policy/v1', 'PodDisruptionBudget', 'shop/web', {
      spec: { selector: labelSelector, maxUnavailable: 1 },
    })
    for (const [, policy] of first) {
      const { report } = oneCycle([node('n1'), node('n2'), ...pods, budget], policy, { nowMs })
      expect(report.errors).toEqual([])
    }
    const args = { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'], labelSelector }
    expect(
      keysOf([node('n1'), node('n2'), ...pods], policyText({ strategy: 'RemovePodsViolatingNodeAffinity', name: '', args })),
    ).toEqual([])
  })

  test('annotations of 1 MB: the pod is set aside by name and stays, the others are looked at', () => {
    const [one, ...others] = crowd({})
    const heavy: Pod = {
      ...pod('shop/heavy', { node: 'n1', owner }),
      metadata: { ...one?.metadata, name: 'heavy', namespace: 'shop', annotations: { blob: 'x'.repeat(1_048_576) } },
    }
    const { problems, state } = buildClusterState([node('n1'), node('n2'), heavy, ...others])
    expect(problems).toEqual([expect.objectContaining({ where: expect.stringMatching(/^Pod shop\/heavy/) })])
    expect(state.pods.size).toBe(others.length)
    const policy = policyText({ strategy: 'PodLifeTime', name: '', args: { states: ['Running'] } })
    expect(keysOf([node('n1'), node('n2'), heavy, ...others], policy)).toHaveLength(others.length)
  })

  test.each(['', 'NaN', '-1e400', '{}', '9'.repeat(400)])(
    'annotations %j of cost and protection of others mean nothing to upstream, and nothing to ours',
    value => {
      const annotations = {
        'controller.kubernetes.io/pod-deletion-cost': value,
        'karpenter.sh/do-not-disrupt': value,
        'cluster-autoscaler.kubernetes.io/safe-to-evict': value,
      }
      const marked = crowd({}).map(one => ({ ...one, metadata: { ...one.metadata, annotations } }))
      const policy = low({ thresholds: { pods: 10 }, targetThresholds: { pods: 20 } }, everything)
      expect(keysOf([node('n1'), node('n2'), ...marked], policy)).toEqual(keysOf([node('n1'), node('n2'), ...crowd({})], policy))
      expect(keysOf([node('n1'), node('n2'), ...marked], policy).length).toBeGreaterThan(0)
    },
  )
})
