import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type PartialPolicy, policyWithDefaults } from '../goals/policy.ts'
import type { PlanInput } from '../plan-input.ts'
import { reasonText, remedySentence, staySentence } from '../sentences.ts'
import {
  boundVolume,
  claimVolume,
  type NodeOptions,
  namespace,
  node,
  type WorkloadOptions,
  workload,
} from '../testdata/objects.ts'
import { Budgets } from './budgets.ts'
import { sortPods } from './movable.ts'
import { StaticFit } from './static-fit.ts'

interface Given {
  readonly pod?: Partial<WorkloadOptions>
  readonly policy?: Omit<PartialPolicy, 'name'>
  readonly objects?: readonly KubeObject[]
  /** The node the pod runs on. */
  readonly source?: NodeOptions
  /** The only other node. */
  readonly target?: NodeOptions
  readonly input?: Partial<PlanInput>
  readonly space?: KubeObject
}

/** What is said of the one pod of shop/web on node-a: `movable`, or its reason. */
function check(given: Given) {
  const options: WorkloadOptions = { on: ['node-a'], owner: 'descheduler', budget: { maxUnavailable: 1 }, ...given.pod }
  const objects = [
    node('node-a', given.source),
    node('node-b', given.target),
    given.space ?? namespace('shop'),
    ...workload('shop/web', options),
    ...(given.objects ?? []),
  ]
  const { state, problems } = buildClusterState(objects)
  expect(problems).toEqual([])
  const input: PlanInput = {
    state,
    policy: policyWithDefaults({ name: 'p', ...given.policy }),
    settings: defaultSettings('1.34'),
    nowMs: Date.parse('2026-01-01T12:00:00Z'),
    ...given.input,
  }
  const { candidates, unmovable } = sortPods(input, {
    budgets: Budgets.of(state, input.nowMs),
    fit: new StaticFit(state, input.settings),
  })
  if (candidates.some(each => each.pod.key.startsWith('shop/web'))) return 'movable'
  const held = unmovable.find(each => each.pod.name.startsWith('web'))
  // Every code has words, whatever its facts.
  if (held !== undefined) {
    expect(staySentence(held).length + (remedySentence(held.code, held.data)?.length ?? 0)).toBeGreaterThan(10)
    expect(staySentence(held)).not.toMatch(/[:,(] *$/)
  }
  return held && reasonText(held)
}

const annotated = (annotations: Readonly<Record<string, string>>) => ({ podMetadata: { annotations } })
const emptyDir = { spec: { volumes: [{ name: 'tmp', emptyDir: {} }] } }

// biome-ignore format: a table
const cases: readonly (readonly [string, Given, string])[] = [
  ['a labelled pod with a budget',                      {}, 'movable'],
  ['an excluded namespace, before all else',            { policy: { scope: { namespaces: { exclude: ['shop'] } } }, pod: { owner: 'none' } }, 'NamespaceExcluded'],
  ['a namespace that is not among the included',        { policy: { scope: { namespaces: { include: ['other'] } } } }, 'NamespaceExcluded'],
  ['a label selector that does not match',              { policy: { scope: { labelSelector: { matchLabels: { a: 'b' } } } } }, 'OutOfScope'],
  ['a node selector that does not match its node',      { policy: { scope: { nodeSelector: { matchLabels: { role: 'b' } } } }, target: { labels: { role: 'b' } } }, 'NodeOutOfScope'],
  ['owner none',                                        { pod: { owner: 'none' } }, 'OwnerNone'],
  ['owner keda',                                        { pod: { owner: 'keda' } }, 'KedaManaged'],
  ['the label of the workload before the namespace',    { space: namespace('shop', { 'scaling.talos.io/managed-by': 'none' }) }, 'movable'],
  ['owners are not asked without enforce',              { pod: { owner: 'none' }, policy: { coordination: { enforce: false } } }, 'movable'],
  ['a DaemonSet',                                       { pod: { kind: 'DaemonSet' } }, 'DaemonSet'],
  ['a mirror pod',                                      { pod: annotated({ 'kubernetes.io/config.mirror': 'x' }) }, 'Mirror'],
  ['a static pod',                                      { pod: annotated({ 'kubernetes.io/config.source': 'file' }) }, 'Static'],
  ['a critical priority',                               { pod: { spec: { priority: 2_000_000_000 } } }, 'Critical'],
  ['a high priority',                                   { pod: { spec: { priority: 1_999_999_999 } } }, 'movable'],
  ['a terminating pod',                                 { pod: { podMetadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } } }, 'Terminating'],
  ['a pod of a Job',                                    { pod: { podMetadata: { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'j', controller: true }] } }, policy: { coordination: { enforce: false } } }, 'JobOwned'],
  ['a bare pod',                                        { pod: { podMetadata: { ownerReferences: [] } }, policy: { coordination: { enforce: false } } }, 'NoOwner'],
  ['an emptyDir',                                       { pod: emptyDir }, 'LocalStorage'],
  ['an emptyDir whose pod is annotated to be evicted',  { pod: { ...emptyDir, ...annotated({ 'descheduler.alpha.kubernetes.io/evict': '' }) } }, 'movable'],
  ['resource claims',                                   { pod: { spec: { resourceClaims: [{ name: 'gpu' }] } } }, 'ResourceClaims'],
  ['do-not-disrupt',                                    { pod: annotated({ 'karpenter.sh/do-not-disrupt': 'true' }) }, 'DoNotDisrupt'],
  ['do-not-disrupt for an hour that has passed',        { pod: { ...annotated({ 'karpenter.sh/do-not-disrupt': '1h' }), podStatus: { startTime: '2026-01-01T10:00:00Z' } } }, 'movable'],
  ['do-not-disrupt for an hour that has not',           { pod: { ...annotated({ 'karpenter.sh/do-not-disrupt': '1h' }), podStatus: { startTime: '2026-01-01T11:30:00Z' } } }, 'DoNotDisrupt'],
  ['safe-to-evict false',                               { pod: annotated({ 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }) }, 'NotSafeToEvict'],
  ['frozen for a reason',                               { pod: annotated({ 'ballast.dev/freeze': 'audit' }) }, 'Frozen'],
  ['frozen until a time that has passed',               { pod: annotated({ 'ballast.dev/freeze': '2026-01-01T00:00:00Z' }) }, 'movable'],
  ['frozen: false',                                     { pod: annotated({ 'ballast.dev/freeze': 'false' }) }, 'movable'],
  ['a node that is being taken away',                   { source: { taints: [{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule' }] } }, 'SourceLeaving'],
  ['no budget, and one is required',                    { pod: { budget: {}, podMetadata: { labels: {} } } }, 'NoPDB'],
  ['no budget, and none is required',                   { pod: { podMetadata: { labels: {} } }, policy: { coordination: { requirePDB: false } } }, 'movable'],
  ['a budget that never allows',                        { pod: { budget: { minAvailable: '100%' } } }, 'PDBNeverAllows'],
  ['a budget that allows nothing now',                  { pod: { on: ['node-a', 'node-a'], budget: { minAvailable: 1 }, podStatus: { conditions: [{ type: 'Ready', status: 'False' }] } } }, 'PDBExhausted'],
  ['two budgets',                                       { objects: [{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'all', namespace: 'shop' }, spec: { maxUnavailable: 1, selector: {} } }] }, 'PDBNeverAllows'],
  ['the only replica, to be skipped',                   { policy: { singleReplica: 'skip' } }, 'SingleReplica'],
  ['quarantined',                                       { input: { quarantined: new Map([['shop/Deployment/web', Date.parse('2026-01-01T13:00:00Z')]]) } }, 'Quarantined'],
  ['quarantined until now',                             { input: { quarantined: new Map([['shop/Deployment/web', Date.parse('2026-01-01T12:00:00Z')]]) } }, 'movable'],
  ['moved here from the only other node today',         { input: { recentMoves: [{ workload: 'shop/Deployment/web', from: 'node-b', to: 'node-a', atMs: Date.parse('2026-01-01T00:00:00Z') }] } }, 'RecentlyMoved'],
  ['moved here two days ago',                           { input: { recentMoves: [{ workload: 'shop/Deployment/web', from: 'node-b', to: 'node-a', atMs: Date.parse('2025-12-30T00:00:00Z') }] } }, 'movable'],
  ['a local volume',                                    { pod: { spec: claimVolume('data') }, objects: boundVolume('shop', 'data', { volume: 'disk-1', pinnedTo: 'node-a' }) }, 'VolumePinned:disk-1'],
  ['a network volume',                                  { pod: { spec: claimVolume('data') }, objects: boundVolume('shop', 'data', { volume: 'disk-1' }) }, 'movable'],
  ['a node selector for its own node',                  { pod: { spec: { nodeSelector: { 'kubernetes.io/hostname': 'node-a' } } } }, 'NodeAffinityPinned'],
  ['the other node is cordoned',                        { target: { unschedulable: true } }, 'NoFeasibleNode'],
  ['the other node is too small',                       { target: { cpu: 50 } }, 'NoFeasibleNode'],
  ['the other node has a taint',                        { target: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }, 'NoFeasibleNode'],
  ['the other node is full now, which may change',      { objects: workload('shop/other', { on: ['node-b'], cpu: 3950 }) }, 'movable'],
]

test.each(cases)('%s', (_, given, expected) => {
  expect(check(given)).toBe(expected)
})
