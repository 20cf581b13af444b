// A cluster in which each pod has one trait that DefaultEvictor asks about, every option of it as a policy, and what of a policy is not the evictor's: which pods are spared is
// upstream's to say (recorded by `node test/real/descheduler/evictor-options.ts`) and ours to repeat.
import { buildClusterState } from '#cluster/cluster-state.ts'
import { node, object, type PodOptions, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { decide } from '../src/capabilities/deschedule/shadow/decisions.ts'
import { readShadowedPolicy } from '../src/capabilities/deschedule/shadow/read-shadowed-policy.ts'

/** What upstream evicted under each option, by key. */
export interface RecordedOptions {
  readonly version: string
  readonly evicted: Readonly<Record<string, readonly string[]>>
}

const hourMs = 3_600_000
const evict = { 'descheduler.alpha.kubernetes.io/evict': '' }
const prefersToStay = { 'descheduler.alpha.kubernetes.io/prefer-no-eviction': 'true' }

interface Trait extends PodOptions {
  readonly annotations?: Readonly<Record<string, string>>
  /** Default: a ReplicaSet of its own name. */
  readonly owners?: readonly { readonly kind: string; readonly name: string }[]
  readonly phase?: string
  /** Default: as old as the pod. */
  readonly startedHoursAgo?: number | null
}

const claim = (claimName: string): PodOptions => ({ volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] })
const two = [
  { kind: 'ReplicaSet', name: 'two' },
  { kind: 'Job', name: 'two' },
]

/** By the pod's name; those of `shop` first, then of `back`. */
const traits: Readonly<Record<string, Trait>> = {
  plain: {},
  labelled: { labels: { app: 'cart' } },
  'prefers-to-stay': { annotations: prefersToStay },
  'prefers-to-stay-and-marked': { annotations: { ...prefersToStay, ...evict } },
  mirror: { annotations: { 'kubernetes.io/config.mirror': 'x' } },
  'mirror-marked': { annotations: { 'kubernetes.io/config.mirror': 'x', ...evict } },
  static: { annotations: { 'kubernetes.io/config.source': 'file' } },
  'from-api': { annotations: { 'kubernetes.io/config.source': 'api' } },
  'priority-5': { priority: 5 },
  'priority-1000': { priority: 1_000 },
  'priority-critical': { priority: 2_000_000_000 },
  'priority-critical-marked': { priority: 2_000_000_000, annotations: evict },
  'priority-negative': { priority: -5 },
  bare: { owners: [] },
  'bare-failed': { owners: [], phase: 'Failed' },
  'bare-marked': { owners: [], annotations: evict },
  failed: { phase: 'Failed' },
  'empty-dir': { volumes: [{ name: 'cache', emptyDir: {} }] },
  'empty-dir-in-memory': { volumes: [{ name: 'cache', emptyDir: { medium: 'Memory' } }] },
  'host-path': { volumes: [{ name: 'host', hostPath: { path: '/var' } }] },
  'config-map': { volumes: [{ name: 'settings', configMap: { name: 'settings' } }] },
  daemon: { owners: [{ kind: 'DaemonSet', name: 'daemon' }] },
  'daemon-marked': { owners: [{ kind: 'DaemonSet', name: 'daemon' }], annotations: evict },
  job: { owners: [{ kind: 'Job', name: 'job' }] },
  'claim-fast': claim('fast'),
  'claim-slow': claim('slow'),
  'claim-without-class': claim('classless'),
  'claim-gone': claim('gone'),
  'claim-ephemeral': { volumes: [{ name: 'data', ephemeral: { volumeClaimTemplate: { spec: {} } } }] },
  budgeted: { labels: { budget: 'yes' } },
  'with-resource-claims': { resourceClaims: [{ name: 'gpu' }] },
  young: { startedHoursAgo: 0.5 },
  'never-started': { startedHoursAgo: null },
  'two-owners': { owners: two },
  'pair-1': { owners: [{ kind: 'ReplicaSet', name: 'pair' }] },
  'pair-2': { owners: [{ kind: 'ReplicaSet', name: 'pair' }] },
  'trio-1': { owners: [{ kind: 'ReplicaSet', name: 'trio' }] },
  'trio-2': { owners: [{ kind: 'ReplicaSet', name: 'trio' }] },
  'trio-3': { owners: [{ kind: 'ReplicaSet', name: 'trio' }], phase: 'Failed' },
  pinned: { nodeSelector: { disk: 'ssd' } },
  'pinned-nowhere': { nodeSelector: { disk: 'tape' } },
  huge: { cpu: '7' },
}

const protecting = (podProtections: object) => ({ podProtections })
const without = (...defaultDisabled: readonly string[]) => protecting({ defaultDisabled })
const withExtra = (...extraEnabled: readonly string[]) => protecting({ extraEnabled })
const classes = (...names: readonly string[]) => ({
  podProtections: {
    extraEnabled: ['PodsWithPVC'],
    config: { PodsWithPVC: { protectedStorageClasses: names.map(name => ({ name })) } },
  },
})

/** By a name that says it. */
const evictorOptions: Readonly<Record<string, object>> = {
  'nothing said': {},
  'local storage not protected': without('PodsWithLocalStorage'),
  'daemon pods not protected': without('DaemonSetPods'),
  'critical pods not protected': without('SystemCriticalPods'),
  'critical pods not protected, with a threshold': { ...without('SystemCriticalPods'), priorityThreshold: { value: 10 } },
  'failed bare pods not protected': without('FailedBarePods'),
  'nothing protected': without('PodsWithLocalStorage', 'DaemonSetPods', 'SystemCriticalPods', 'FailedBarePods'),
  'claims protected': withExtra('PodsWithPVC'),
  'claims of one class protected': classes('fast'),
  'claims of two classes protected': classes('fast', 'slow'),
  'pods without a budget protected': withExtra('PodsWithoutPDB'),
  'pods with resource claims protected': withExtra('PodsWithResourceClaims'),
  'deprecated: local storage': { evictLocalStoragePods: true },
  'deprecated: daemon pods': { evictDaemonSetPods: true },
  'deprecated: critical pods': { evictSystemCriticalPods: true },
  'deprecated: failed bare pods': { evictFailedBarePods: true },
  'deprecated: claims': { ignorePvcPods: true },
  'deprecated: no budget': { ignorePodsWithoutPDB: true },
  'threshold by value': { priorityThreshold: { value: 1_000 } },
  'threshold of 0': { priorityThreshold: { value: 0 } },
  'threshold by name': { priorityThreshold: { name: 'low' } },
  'a label selector': { labelSelector: { matchLabels: { app: 'cart' } } },
  'a label selector by expression': { labelSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } },
  'an empty label selector': { labelSelector: {} },
  'labels of the namespace': { namespaceLabelSelector: { matchLabels: { team: 'front' } } },
  'labels that no namespace has': { namespaceLabelSelector: { matchLabels: { team: 'nobody' } } },
  'two replicas at least': { minReplicas: 2 },
  'three replicas at least': { minReplicas: 3 },
  'one replica at least': { minReplicas: 1 },
  'an hour old at least': { minPodAge: '1h' },
  'preferring to stay is binding': { noEvictionPolicy: 'Mandatory' },
  'preferring to stay is a wish': { noEvictionPolicy: 'Preferred' },
  'room elsewhere': { nodeFit: true },
  'room on some nodes': { nodeFit: true, nodeSelector: 'disk=ssd' },
  'room on no node': { nodeFit: true, nodeSelector: 'disk=tape' },
}

/**
 * What ours evicts besides: upstream up to v0.36.0 never lists PodDisruptionBudgets, so that it takes every pod for one without a budget
 * (kubernetes-sigs/descheduler issue 1882). Ours does what the policy says.
 */
export const brokenUpstream: ReadonlyMap<string, readonly string[]> = new Map([
  ['pods without a budget protected', ['shop/budgeted']],
  ['deprecated: no budget', ['shop/budgeted']],
])

const lowClass = { name: 'low', value: 10 } as const

/** Objects as they are at `nowMs`, all pods more than an hour old. */
export function evictorCluster(nowMs: number): readonly KubeObject[] {
  const namespaces = [
    { ...object('v1', 'Namespace', 'shop'), metadata: { name: 'shop', uid: 'namespace-shop', labels: { team: 'front' } } },
    { ...object('v1', 'Namespace', 'back'), metadata: { name: 'back', uid: 'namespace-back', labels: { team: 'back' } } },
  ]
  const claims = [
    ['fast', 'fast'],
    ['slow', 'slow'],
    ['classless', undefined],
  ].map(([name, storageClassName]) => ({
    ...object('v1', 'PersistentVolumeClaim', `shop/${name}`, {
      spec: { accessModes: ['ReadWriteOnce'], ...(storageClassName && { storageClassName }) },
    }),
  }))
  const budget = object('policy/v1', 'PodDisruptionBudget', 'shop/budget', {
    spec: { maxUnavailable: 1, selector: { matchLabels: { budget: 'yes' } } },
    status: { disruptionsAllowed: 9, currentHealthy: 9, desiredHealthy: 0, expectedPods: 9, observedGeneration: 1 },
  })
  const priorityClass = {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: lowClass.name },
    value: lowClass.value,
  }
  const nodes = [ready('n1', 'hdd'), ready('n2', 'ssd'), ready('n3', 'hdd', { unschedulable: true })]
  const pods = Object.entries(traits).map(([name, trait]) => podOf(`shop/${name}`, trait, nowMs))
  return [...namespaces, ...claims, budget, priorityClass, ...nodes, ...pods, podOf('back/plain', {}, nowMs)]
}

function ready(name: string, disk: string, spec: object = {}): KubeObject {
  const made = node(name, { cpu: '8', labels: { disk }, ...spec })
  return {
    ...made,
    metadata: { ...made.metadata, uid: `node-${name}` },
    status: { ...made.status, conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }] },
  }
}

function podOf(key: string, trait: Trait, nowMs: number): Pod {
  const [, name = ''] = key.split('/')
  const { annotations, owners = [{ kind: 'ReplicaSet', name }], phase = 'Running', startedHoursAgo = 48, ...options } = trait
  // Every stored pod has a priority.
  const made = pod(key, { node: 'n1', priority: 0, ...options })
  const ownerReferences = owners.map(({ kind, name: owner }) => ({
    apiVersion: 'apps/v1',
    kind,
    name: owner,
    uid: `${kind}-${owner}`.toLowerCase(),
  }))
  const startTime = startedHoursAgo === null ? {} : { startTime: formatTime(nowMs - startedHoursAgo * hourMs) }
  return {
    ...made,
    metadata: {
      ...made.metadata,
      ...(annotations && { annotations }),
      ownerReferences,
      creationTimestamp: formatTime(nowMs - 48 * hourMs),
    },
    status: { phase, conditions: [{ type: 'Ready', status: phase === 'Running' ? 'True' : 'False' }], ...startTime },
  }
}

type Fields = Readonly<Record<string, unknown>>

interface ProfileOf {
  readonly evictor?: object
  /** Arguments of PodLifeTime. */
  readonly args?: Fields
  readonly plugins?: object
}

function profileOf(name: string, { evictor = {}, args = {}, plugins = {} }: ProfileOf): object {
  return {
    name,
    pluginConfig: [
      { name: 'DefaultEvictor', args: evictor },
      { name: 'PodLifeTime', args: { maxPodLifeTimeSeconds: 3_600, ...args } },
    ],
    plugins: { deschedule: { enabled: ['PodLifeTime'] }, ...plugins },
  }
}

const shielded = { podProtections: { extraEnabled: ['PodsWithPVC'] } }
const onlyCart = { labelSelector: { matchLabels: { app: 'cart' } } }

/** What is not the evictor's: namespaces, nodes and profiles. */
const policies: Readonly<Record<string, Fields>> = {
  'namespaces to include': { profiles: [profileOf('a', { args: { namespaces: { include: ['back', 'nowhere'] } } })] },
  'namespaces to exclude': { profiles: [profileOf('a', { args: { namespaces: { exclude: ['shop'] } } })] },
  'a label selector of the strategy': { profiles: [profileOf('a', { args: onlyCart })] },
  'nodes of the policy': { nodeSelector: 'disk=hdd', profiles: [profileOf('a', {})] },
  'nodes of the policy, none with pods': { nodeSelector: 'disk!=nothing,disk!=hdd', profiles: [profileOf('a', {})] },
  'two profiles, the second with a stricter evictor': {
    profiles: [profileOf('a', { args: onlyCart }), profileOf('b', { evictor: shielded })],
  },
  'two profiles of one name': {
    profiles: [profileOf('a', { args: onlyCart, evictor: shielded }), profileOf('a', { evictor: shielded })],
  },
  'the evictor in no list, and in both': {
    profiles: [
      profileOf('a', {
        plugins: { filter: { enabled: ['DefaultEvictor'] }, preevictionfilter: { enabled: ['DefaultEvictor'] } },
      }),
    ],
  },
  'a plugin that is disabled too': {
    profiles: [profileOf('a', { plugins: { deschedule: { enabled: ['PodLifeTime'], disabled: ['PodLifeTime'] } } })],
  },
  'all disabled': { profiles: [profileOf('a', { plugins: { deschedule: { enabled: ['PodLifeTime'], disabled: ['*'] } } })] },
  'states and owners': {
    profiles: [
      profileOf('a', {
        args: { states: ['Failed'], ownerKinds: { exclude: ['ReplicaSet'] } },
        evictor: without('FailedBarePods'),
      }),
    ],
  },
  'a grace period of 0': { gracePeriodSeconds: 0, profiles: [profileOf('a', {})] },
}

/** Every pod is old enough: who is not evicted was spared. */
export function evictorPolicy(option: string): string {
  const header = { apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy' }
  return JSON.stringify({
    ...header,
    ...(policies[option] ?? { profiles: [profileOf('side', { evictor: evictorOptions[option] ?? {} })] }),
  })
}

/** Names of all options that are tried. */
export const optionNames: readonly string[] = [...Object.keys(evictorOptions), ...Object.keys(policies)]

/** What ours evicts, by key, sorted. */
export function ourEvictions(option: string, nowMs: number): readonly string[] {
  const { state } = buildClusterState(evictorCluster(nowMs))
  const { policy } = readShadowedPolicy(evictorPolicy(option), 'policy.json', state.objects('PriorityClass'))
  const nobody = { failures: new Map(), about: new Set<string>() }
  return [...decide({ policy, state, nowMs, isDryRun: false, ...nobody }).wished.keys()].sort()
}
