import fc from 'fast-check'
import { expect, test } from 'vitest'
import { buildClusterState, type PodState } from '#cluster/cluster-state.ts'
import { node, object, type PodOptions, pod, running } from '#cluster/testdata/objects.ts'
import type { KubeObject, OwnerReference, Pod } from '#kube/objects/objects.ts'
import { everything, parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import type { Evictor, Refusals } from '../contract.ts'
import { CyclePods } from '../cycle-pods.ts'
import type { DefaultEvictorArgs, PodProtection } from '../policy/args.ts'
import { allOf, defaultEvictor } from './default-evictor.ts'
import { CompatNodeFit } from './node-fit.ts'

const now = Date.UTC(2026, 0, 1)
const defaults: readonly PodProtection[] = ['PodsWithLocalStorage', 'SystemCriticalPods', 'FailedBarePods', 'DaemonSetPods']
const owner: OwnerReference = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs' }

function argsOf(changes: Partial<DefaultEvictorArgs> = {}): DefaultEvictorArgs {
  return {
    plugin: 'DefaultEvictor',
    nodeFit: false,
    nodeSelector: everything,
    minReplicas: 0,
    priorityThreshold: 2_000_000_000,
    isPreferNoEvictionMandatory: false,
    protections: new Set(defaults),
    protectedStorageClasses: [],
    ...changes,
  }
}

const without = (protection: PodProtection) => ({ protections: new Set(defaults.filter(one => one !== protection)) })
const also = (protection: PodProtection) => ({ protections: new Set([...defaults, protection]) })

function selector(text: string): Selector {
  const parsed = parseLabelSelector(text)
  if (!parsed.ok) throw new Error(text)
  return parsed.value
}

interface Given extends PodOptions {
  readonly annotations?: Readonly<Record<string, string>>
  readonly owners?: readonly OwnerReference[]
}

/** A pod of one ReplicaSet on node `a`. */
function owned(key: string, { annotations, owners = [owner], ...options }: Given = {}): Pod {
  const made = pod(key, { node: 'a', ...options })
  return { ...made, metadata: { ...made.metadata, ownerReferences: owners, ...(annotations && { annotations }) } }
}

function evictorOf(args: DefaultEvictorArgs, objects: readonly KubeObject[]) {
  const { state, problems } = buildClusterState([node('a'), ...objects])
  expect(problems).toEqual([])
  const pods = new CyclePods(state)
  const evictor = defaultEvictor(args, { pods, fit: new CompatNodeFit(pods), nowMs: now })
  return { pods, state, evictor }
}

function refusals(args: Partial<DefaultEvictorArgs>, given: Given, others: readonly KubeObject[] = []): Refusals {
  const { state, evictor } = evictorOf(argsOf(args), [owned('shop/web', given), ...others])
  return evictor.filter(podOf(state, 'shop/web'))
}

function podOf(state: { readonly pods: ReadonlyMap<string, PodState> }, key: string): PodState {
  const found = state.pods.get(key)
  if (found === undefined) throw new Error(key)
  return found
}

const volume = (source: object) => ({ volumes: [{ name: 'data', ...source }] })
const claim = { persistentVolumeClaim: { claimName: 'data' } }
const daemon: OwnerReference = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid: 'ds' }
const evict = { 'descheduler.alpha.kubernetes.io/evict': 'false' }
const prefersNot = { 'descheduler.alpha.kubernetes.io/prefer-no-eviction': '' }

const texts = {
  mirror: 'pod is a mirror pod',
  static: 'pod is a static pod',
  terminating: 'pod is terminating',
  critical: 'pod has system critical priority and is protected against eviction',
  threshold: 'pod has higher priority than specified priority class threshold',
  bare: 'pod does not have any ownerRefs',
  bareAlive: 'pod does not have any ownerRefs and is not in failed phase',
  local: 'pod has local storage and is protected against eviction',
  daemon: 'daemonset pods are protected against eviction',
  claim: 'pod with PVC is protected against eviction',
  budget: 'pod does not have a PodDisruptionBudget and is protected against eviction',
  resourceClaims: 'pod has ResourceClaims and descheduler is configured to protect ResourceClaims pods',
  labels: 'pod labels do not match the labelSelector filter in the policy parameter',
}

test.each<[string, Partial<DefaultEvictorArgs>, Given, readonly string[]]>([
  ['an ordinary pod', {}, {}, []],
  ['a mirror pod', {}, { annotations: { 'kubernetes.io/config.mirror': 'x' } }, [texts.mirror]],
  ['a static pod', {}, { annotations: { 'kubernetes.io/config.source': 'file' } }, [texts.static]],
  ['a pod whose source is the API', {}, { annotations: { 'kubernetes.io/config.source': 'api' } }, []],
  ['a terminating pod', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }, [texts.terminating]],
  ['priority 2000000000', {}, { priority: 2_000_000_000 }, [texts.critical, texts.threshold]],
  ['priority below it', {}, { priority: 1_999_999_999 }, []],
  ['priority at the threshold', { priorityThreshold: 10 }, { priority: 10 }, [texts.threshold]],
  ['priority below the threshold', { priorityThreshold: 10 }, { priority: 9 }, []],
  ['no priority, threshold below 0', { priorityThreshold: -5 }, {}, []],
  ['critical, protection off', { ...without('SystemCriticalPods'), priorityThreshold: 10 }, { priority: 2_000_001_000 }, []],
  ['no owner', {}, { owners: [] }, [texts.bare]],
  ['no owner, failed', {}, { owners: [], status: { phase: 'Failed' } }, [texts.bare]],
  ['no owner, failed, protection off', without('FailedBarePods'), { owners: [], status: { phase: 'Failed' } }, []],
  ['no owner, running, protection off', without('FailedBarePods'), { owners: [] }, [texts.bareAlive]],
  ['emptyDir', {}, volume({ emptyDir: {} }), [texts.local]],
  ['emptyDir in memory', {}, volume({ emptyDir: { medium: 'Memory' } }), [texts.local]],
  ['hostPath', {}, volume({ hostPath: { path: '/var' } }), [texts.local]],
  ['local storage, protection off', without('PodsWithLocalStorage'), volume({ hostPath: { path: '/var' } }), []],
  ['a DaemonSet among the owners', {}, { owners: [owner, daemon] }, [texts.daemon]],
  ['a DaemonSet, protection off', without('DaemonSetPods'), { owners: [daemon] }, []],
  ['a claim', {}, volume(claim), []],
  ['a claim, protected', also('PodsWithPVC'), volume(claim), [texts.claim]],
  ['a generic ephemeral volume, protected', also('PodsWithPVC'), volume({ ephemeral: {} }), []],
  ['no budget, protected', also('PodsWithoutPDB'), {}, [texts.budget]],
  ['resource claims', {}, { resourceClaims: [{ name: 'gpu' }] }, []],
  ['resource claims, protected', also('PodsWithResourceClaims'), { resourceClaims: [{ name: 'gpu' }] }, [texts.resourceClaims]],
  ['other labels', { labelSelector: selector('app=web') }, { labels: { app: 'db' } }, [texts.labels]],
  ['no labels', { labelSelector: selector('app=web') }, {}, [texts.labels]],
  ['the labels', { labelSelector: selector('app=web') }, { labels: { app: 'web' } }, []],
  ['prefers no eviction', {}, { annotations: prefersNot }, []],
  [
    'prefers no eviction, mandatory',
    { isPreferNoEvictionMandatory: true },
    { annotations: prefersNot },
    ['pod prefers no eviction and the noEvictionPolicy is Mandatory'],
  ],
  [
    'wants eviction whatever else it is',
    { isPreferNoEvictionMandatory: true, labelSelector: selector('app=web') },
    {
      annotations: { ...evict, ...prefersNot, 'kubernetes.io/config.mirror': 'x' },
      owners: [daemon],
      priority: 2_000_000_000,
      deletionTimestamp: '2026-01-01T00:00:00Z',
    },
    [],
  ],
  [
    'all reasons at once, in their order',
    {
      labelSelector: selector('app=web'),
      protections: new Set<PodProtection>([...defaults, 'PodsWithPVC', 'PodsWithoutPDB']),
      minReplicas: 3,
    },
    {
      annotations: { 'kubernetes.io/config.mirror': 'x', 'kubernetes.io/config.source': 'file' },
      deletionTimestamp: '2026-01-01T00:00:00Z',
      priority: 2_000_000_000,
      owners: [daemon],
      volumes: [
        { name: 'a', emptyDir: {} },
        { name: 'b', ...claim },
      ],
    },
    [
      texts.mirror,
      texts.static,
      texts.terminating,
      texts.critical,
      texts.threshold,
      texts.local,
      texts.daemon,
      texts.claim,
      texts.budget,
      texts.labels,
      'owner has 1 replicas which is less than minReplicas of 3',
    ],
  ],
])('Filter: %s', (_, args, given, expected) => {
  expect(refusals(args, given)).toEqual(expected)
})

const budget = (key: string, spec: object) => object('policy/v1', 'PodDisruptionBudget', key, { spec })

test.each<[string, KubeObject, boolean]>([
  ['one that selects it', budget('shop/web', { selector: { matchLabels: { app: 'web' } } }), true],
  ['one that selects all', budget('shop/web', { selector: {} }), true],
  ['one without a selector', budget('shop/web', {}), false],
  ['one of another namespace', budget('else/web', { selector: { matchLabels: { app: 'web' } } }), false],
  ['one that selects others', budget('shop/web', { selector: { matchLabels: { app: 'web', tier: 'back' } } }), false],
  ['one by expression', budget('shop/web', { selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }), true],
  [
    'one by a list of one',
    budget('shop/web', { selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] } }),
    true,
  ],
])('budget: %s', (_, given, isCovered) => {
  const found = refusals(also('PodsWithoutPDB'), { labels: { app: 'web' } }, [given])
  expect(found).toEqual(isCovered ? [] : [texts.budget])
})

const volumeClaim = (spec: object) => object('v1', 'PersistentVolumeClaim', 'shop/data', { spec })
const protectedClass = { ...also('PodsWithPVC'), protectedStorageClasses: ['fast'] }

test.each<[string, readonly KubeObject[], readonly string[]]>([
  ['of a protected class', [volumeClaim({ storageClassName: 'fast' })], ['pod using protected storage class "fast"']],
  ['of another class', [volumeClaim({ storageClassName: 'slow' })], []],
  ['without a class', [volumeClaim({})], ['failed to resolve storage class for pod "shop"/"data"']],
  ['of the empty class', [volumeClaim({ storageClassName: '' })], ['failed to resolve storage class for pod "shop"/"data"']],
  ['that is not there', [], ['failed to get persistent volume claim "shop"/"data": persistentvolumeclaim "data" not found']],
])('a claim %s, classes named', (_, objects, expected) => {
  expect(refusals(protectedClass, volume(claim), objects)).toEqual(expected)
})

test('without claims the classes say nothing', () => {
  expect(refusals(protectedClass, volume({ configMap: { name: 'a' } }))).toEqual([])
})

const two: OwnerReference = { ...owner, name: 'two', uid: 'two' }

test.each<[string, number, readonly OwnerReference[], number, readonly string[]]>([
  ['enough', 2, [owner], 1, []],
  ['too few', 3, [owner], 1, ['owner has 2 replicas which is less than minReplicas of 3']],
  ['1 is no rule', 1, [owner], 0, []],
  ['0 is no rule', 0, [owner], 0, []],
  ['two owners', 9, [owner, two], 0, []],
])('minReplicas: %s', (_, minReplicas, owners, others, expected) => {
  const siblings = Array.from({ length: others }, (_unused, index) =>
    owned(`shop/sibling-${index}`, { status: { phase: 'Succeeded' } }),
  )
  expect(refusals({ minReplicas }, { owners }, siblings)).toEqual(expected)
})

test('minReplicas does not hold for bare pods, and sees what left', () => {
  expect(refusals({ minReplicas: 2, ...without('FailedBarePods') }, { owners: [], status: { phase: 'Failed' } })).toEqual([])
  const { state, pods, evictor } = evictorOf(argsOf({ minReplicas: 2 }), [owned('shop/web'), owned('shop/web-2')])
  expect(evictor.filter(podOf(state, 'shop/web'))).toEqual([])
  pods.leave(podOf(state, 'shop/web-2'), 'gone', now)
  expect(evictor.filter(podOf(state, 'shop/web'))).toEqual(['owner has 1 replicas which is less than minReplicas of 2'])
})

const young = 'pod age is not older than MinPodAge: 5m0s seconds'

test.each<[string, string | undefined, readonly string[]]>([
  ['no start', undefined, [young]],
  ['too young', new Date(now - 299_999).toISOString(), [young]],
  ['old enough', new Date(now - 300_000).toISOString(), []],
  ['from the future', new Date(now + 1_000).toISOString(), [young]],
  ['no time at all', 'yesterday', [young]],
])('minPodAge: %s', (_, startTime, expected) => {
  const status = { ...running, ...(startTime !== undefined && { startTime }) }
  expect(refusals({ minPodAge: { ms: 300_000, text: '5m0s' } }, { status })).toEqual(expected)
})

const noFit = 'pod does not fit on any other node because of nodeSelector(s), Taint(s), or nodes marked as unschedulable'
const notReady = { conditions: [{ type: 'Ready', status: 'Unknown' as const }] }

test.each<[string, Partial<DefaultEvictorArgs>, readonly KubeObject[], readonly string[]]>([
  ['off', {}, [], []],
  ['no other node', { nodeFit: true }, [], [noFit]],
  ['another node', { nodeFit: true }, [node('b')], []],
  [
    'a node of the selector',
    { nodeFit: true, nodeSelector: selector('pool=blue') },
    [node('b', { labels: { pool: 'blue' } })],
    [],
  ],
  ['no node of the selector', { nodeFit: true, nodeSelector: selector('pool=blue') }, [node('b')], [noFit]],
  ['a node that is not ready', { nodeFit: true }, [{ ...node('b'), status: { ...node('b').status, ...notReady } }], [noFit]],
])('nodeFit before eviction: %s', (_, args, nodes, expected) => {
  const { state, evictor } = evictorOf(argsOf(args), [...nodes, owned('shop/web', { annotations: evict })])
  expect(evictor.preEvictionFilter(podOf(state, 'shop/web'))).toEqual(expected)
})

const otherNamespace = 'pod namespace do not match the namespaceLabelSelector filter in the policy parameter'
const namespace = (labels: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels },
})

test.each<[string, readonly KubeObject[], readonly string[]]>([
  ['whose labels match', [namespace({ team: 'a' })], []],
  ['whose labels do not', [namespace({ team: 'b' })], [otherNamespace]],
  ['that nobody knows', [], [otherNamespace]],
])('a namespace %s', (_, objects, expected) => {
  const { state, evictor } = evictorOf(argsOf({ namespaceLabelSelector: selector('team=a') }), [...objects, owned('shop/web')])
  expect(evictor.preEvictionFilter(podOf(state, 'shop/web'))).toEqual(expected)
  expect(evictor.filter(podOf(state, 'shop/web'))).toEqual([])
})

test('before eviction the first rule that refuses speaks alone', () => {
  const args = argsOf({ nodeFit: true, namespaceLabelSelector: selector('team=a') })
  const { state, evictor } = evictorOf(args, [owned('shop/web')])
  expect(evictor.preEvictionFilter(podOf(state, 'shop/web'))).toEqual([noFit])
})

test('several evictors must all let a pod pass', () => {
  const { state } = evictorOf(argsOf(), [owned('shop/web')])
  const web = podOf(state, 'shop/web')
  const answers = fc.array(fc.array(fc.string({ minLength: 1 }), { maxLength: 2 }), { maxLength: 4 })
  fc.assert(
    fc.property(answers, answers, (filters, preFilters) => {
      const saying = (index: number): Evictor => ({
        filter: () => filters[index] ?? [],
        preEvictionFilter: () => preFilters[index] ?? [],
      })
      const evictor = allOf([saying(0), saying(1), saying(2), saying(3)])
      expect(evictor.filter(web)).toEqual(filters.find(list => list.length > 0) ?? [])
      expect(evictor.preEvictionFilter(web)).toEqual(preFilters.find(list => list.length > 0) ?? [])
    }),
  )
})

test('annotations and labels of hostile names are names like any other', () => {
  const hostile: Readonly<Record<string, string>> = JSON.parse('{"__proto__":"x","constructor":"y"}')
  expect(refusals({ labelSelector: selector('constructor=y') }, { labels: hostile, annotations: hostile })).toEqual([])
  expect(refusals({ labelSelector: selector('constructor') }, {})).toEqual([texts.labels])
})
