// Objects that no API server would store: whatever a field is, reading and placing go on without it.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject, LabelSelector } from '#kube/objects/objects.ts'
import { leastCpuMs } from '#kube/testdata/least-cpu.ts'
import { runsOf } from '#test/runs.ts'
import { BudgetLedger } from './budget-ledger.ts'
import { buildClusterState, podState } from './cluster-state.ts'
import { readDocuments } from './documents.ts'
import { defaultOwnerLabel, effectiveOwner } from './ownership.ts'
import { Placement } from './placement.ts'
import { defaultSettings } from './scheduler-settings.ts'
import { node, object, pod } from './testdata/objects.ts'
import { nodeUtilisation } from './utilisation.ts'

const labelSelector: LabelSelector = {
  matchLabels: { app: 'cart' },
  matchExpressions: [{ key: 'app', operator: 'In', values: ['cart'] }],
}
const term = {
  topologyKey: 'kubernetes.io/hostname',
  labelSelector,
  namespaceSelector: labelSelector,
  namespaces: ['shop'],
  matchLabelKeys: ['app'],
}
const nodeTerm = {
  matchExpressions: [{ key: 'disk', operator: 'Gt', values: ['1'] }],
  matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n0'] }],
}
const terms = {
  requiredDuringSchedulingIgnoredDuringExecution: [term],
  preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: term }],
}
const container = {
  name: 'main',
  image: 'app:1',
  resources: { requests: { cpu: '1', memory: '1Gi' } },
  ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }],
}
const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart' }

const rich: readonly KubeObject[] = [
  node('n0', {
    labels: { disk: '2' },
    taints: [{ key: 'a', effect: 'PreferNoSchedule' }],
    images: [{ names: ['app:1'], sizeBytes: 90_000_000 }],
  }),
  node('n1', { unschedulable: true }),
  pod('shop/cart', {
    node: 'n0',
    labels: { app: 'cart' },
    owner,
    containers: [container],
    initContainers: [{ ...container, restartPolicy: 'Always' }],
    overhead: { cpu: '1m' },
    resources: { requests: { cpu: '2' } },
    priority: 3,
    nodeSelector: { disk: '2' },
    tolerations: [{ key: 'a', operator: 'Equal', value: '', effect: 'NoSchedule' }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: nodeTerm }],
      },
      podAffinity: terms,
      podAntiAffinity: terms,
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'disk',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector,
        minDomains: 2,
        matchLabelKeys: ['app'],
      },
      { maxSkew: 1, topologyKey: 'disk', whenUnsatisfiable: 'ScheduleAnyway', labelSelector },
    ],
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'tmp', ephemeral: {} },
      { name: 'i', image: { reference: 'x' } },
    ],
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'main', resources: { requests: { cpu: '1' } }, allocatedResources: { cpu: '1' } }],
    },
  }),
  object('v1', 'Namespace', 'shop', { metadata: { name: 'shop', labels: { app: 'cart' } } }),
  object('v1', 'Service', 'shop/cart', { spec: { selector: { app: 'cart' } } }),
  object('apps/v1', 'ReplicaSet', 'shop/cart', { spec: { replicas: 1, selector: labelSelector } }),
  object('policy/v1', 'PodDisruptionBudget', 'shop/cart', {
    spec: { minAvailable: '50%', selector: labelSelector },
    status: { disruptedPods: { cart: '2026-01-01T00:00:00Z' } },
  }),
  object('v1', 'PersistentVolumeClaim', 'shop/data', {
    spec: {
      storageClassName: 'slow',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      selector: labelSelector,
    },
    status: { phase: 'Pending' },
  }),
  object('v1', 'PersistentVolumeClaim', 'shop/cart-tmp', {
    spec: { volumeName: 'v', storageClassName: 'slow' },
    status: { phase: 'Bound' },
  }),
  object('v1', 'PersistentVolume', 'v', {
    metadata: { name: 'v', labels: { app: 'cart', 'topology.kubernetes.io/zone': 'a' } },
    spec: {
      storageClassName: 'slow',
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      csi: { driver: 'd', volumeHandle: 'h' },
      nodeAffinity: { required: { nodeSelectorTerms: [nodeTerm] } },
      claimRef: { namespace: 'shop', name: 'data' },
    },
    status: { phase: 'Available' },
  }),
  object('storage.k8s.io/v1', 'StorageClass', 'slow', {
    provisioner: 'd',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'disk', values: ['2'] }] }],
  }),
  object('storage.k8s.io/v1', 'CSINode', 'n0', { spec: { drivers: [{ name: 'd', nodeID: 'n0', allocatable: { count: 3 } }] } }),
  object('storage.k8s.io/v1', 'CSIDriver', 'd', { spec: { storageCapacity: true } }),
  object('storage.k8s.io/v1', 'CSIStorageCapacity', 'shop/c', {
    storageClassName: 'slow',
    capacity: '5Gi',
    nodeTopology: labelSelector,
  }),
  object('storage.k8s.io/v1', 'VolumeAttachment', 'a', {
    spec: { attacher: 'd', nodeName: 'n0', source: { persistentVolumeName: 'v' } },
  }),
  object('keda.sh/v1alpha1', 'ScaledObject', 'shop/s', { spec: { scaleTargetRef: { name: 'cart', kind: 'ReplicaSet' } } }),
]

/** Everything the room does with a cluster. */
function useAll(objects: readonly KubeObject[]): number {
  const { state, problems } = buildClusterState(objects)
  const ledger = new BudgetLedger(state, { nowMs: 0 })
  for (const version of ['1.34', '1.36'] as const) {
    const placement = new Placement(state, defaultSettings(version))
    for (const one of state.pods.values()) {
      effectiveOwner(state, one, defaultOwnerLabel)
      ledger.evict(one)
      const pending = placement.asPending(one)
      if (placement.nodeOf(one.key) !== undefined) placement.remove(one.key)
      const { landing, verdicts, message, preemption } = placement.evaluate(pending)
      expect(landing.length === 0).toBe(message !== '' || preemption !== '')
      expect(verdicts.size).toBe(state.nodes.size)
      placement.bind(pending, placement.nodes[0] ?? '')
      placement.evaluate(pending)
    }
  }
  for (const name of state.nodes.keys()) nodeUtilisation(state, name).percent('cpu')
  return problems.length
}

type Path = readonly (string | number)[]

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, Array.isArray(value) ? Number(key) : key]))
  return path.length === 0 ? inner : [path, ...inner]
}

function withValue(target: unknown, path: Path, replacement: unknown): unknown {
  const [first, ...rest] = path
  if (first === undefined) return replacement
  if (Array.isArray(target)) return target.map((item, index) => (index === first ? withValue(item, rest, replacement) : item))
  if (typeof target !== 'object' || target === null) return replacement
  return Object.fromEntries(
    Object.entries(target).map(([key, item]) => [key, key === first ? withValue(item, rest, replacement) : item]),
  )
}

const odd = [
  undefined,
  7,
  -1,
  1.5,
  1e300,
  Number.NaN,
  '',
  'x',
  '-1',
  '1e400',
  true,
  [],
  {},
  [7],
  ['x'],
  [[]],
  { a: 1 },
  { a: 'x' },
  [{}],
  [{ key: 'a' }],
  '__proto__',
] as const

describe('whatever a field holds', () => {
  test('the untouched cluster has nothing wrong with it', () => {
    expect(useAll(rich)).toBe(0)
  })

  const places = rich.flatMap((one, index) => pathsOf(one).map(path => ({ index, path })))
  test('one odd value anywhere never breaks the rest', () => {
    // Up to four of the values for each place, so that neighbouring places have had all of them.
    const values = runsOf(4)
    for (const [turn, { index, path }] of places.entries()) {
      for (let step = 0; step < values; step++) {
        const value = odd[(turn * values + step) % odd.length]
        const objects = rich.map((one, at) => (at === index ? (withValue(one, path, value) as KubeObject) : one))
        expect(() => useAll(objects), `${rich[index]?.kind} ${path.join('.')} = ${JSON.stringify(value)}`).not.toThrow()
      }
    }
  })

  test('several odd values, written down and read again, neither', () => {
    const change = fc.record({
      place: fc.constantFrom(...places),
      value: fc.oneof(fc.constantFrom(...odd, null), fc.jsonValue({ maxDepth: 2 })),
    })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), changes => {
        const objects = rich.map((one, at) =>
          changes
            .filter(({ place }) => place.index === at)
            .reduce<unknown>((changed, { place, value }) => withValue(changed, place.path, value), one),
        )
        const read = readDocuments('f.json', JSON.stringify(objects.filter(one => one !== undefined))).objects
        useAll(read.map(({ object }) => object))
      }),
      { numRuns: runsOf(100) },
    )
  })
})

describe('sizes that no cluster has', () => {
  test('5,000 tolerations, a selector of 10,000 values and 1,000 taints are read in reasonable time', () => {
    const tolerations = Array.from({ length: 5_000 }, (_, index) => ({ key: `k${index}`, operator: 'Exists' }))
    const taints = Array.from({ length: 1_000 }, (_, index) => ({ key: `k${index}`, effect: 'NoSchedule' }))
    const values = Array.from({ length: 10_000 }, (_, index) => `v${index}`)
    const budget = object('policy/v1', 'PodDisruptionBudget', 'shop/b', {
      spec: { selector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values }] } },
    })
    const objects = [
      node('n0', { taints }),
      budget,
      ...Array.from({ length: 50 }, (_, index) =>
        pod(`shop/p${index}`, { node: 'n0', labels: { app: `a${index}` }, tolerations }),
      ),
    ]
    expect(leastCpuMs(() => useAll(objects))).toBeLessThan(10_000)
  })

  test('a file with an annotation of 50 MB is read without it', () => {
    const big = `kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: big\n  annotations:\n    big: "${'x'.repeat(50_000_000)}"\n`
    const small = 'kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n'
    const { objects, problems } = readDocuments('big.yaml', `${small}---\n${big}---\n${small}---\n: x: y`)
    expect(problems.map(({ code, where }) => [code, where])).toEqual([
      ['line-too-long', 'big.yaml: document 2'],
      ['yaml-syntax', 'big.yaml: document 4: line 16 column 3'],
    ])
    expect(objects.map(({ where }) => where)).toEqual(['big.yaml: document 1', 'big.yaml: document 3'])
  })

  test('numbers up to 2^53 stay exact', () => {
    const placement = new Placement(
      buildClusterState([node('n0', { memory: '9007199254740991' }), node('n1', { memory: '1000000000000000' })]).state,
      defaultSettings('1.34'),
    )
    const asked = podState(buildClusterState([]).state, pod('shop/cart', { cpu: '1', memory: '999999999999999' }))
    placement.bind(asked, 'n0')
    expect(placement.freeOf('n0')['memory']).toBe(8_007_199_254_740_992)
    expect(placement.fits({ ...asked, key: 'shop/other' }, 'n1').kind).toBe('feasible')
  })
})
