import { expect, test } from 'vitest'
import { buildClusterState, type PodState, podState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { factsFor } from '../facts/facts.ts'
import { intent, reload } from '../policy/testdata/question.ts'
import type { Observation, ObservationKind } from './observation.ts'
import { at, node, noonMs, PlainCluster, pod, workload } from './testdata/plain-cluster.ts'
import { underWay } from './under-way.ts'

function seen(kind: ObservationKind, nodes: readonly string[] = []): Observation {
  return { kind, workload: 'w', namespace: 'shop', nodes, atMs: noonMs, by: 'kubectl', evidence: 'e' }
}

const rollout = [seen('rollout')]
const drain = [seen('drain', ['n1'])]
const eviction = [seen('pod-lost', ['n1'])]

/** A pod on `on` that is Ready and not new, but for what `changes` say. */
function onNode(
  on: string,
  changes: { readonly isReady?: boolean; readonly seconds?: number; readonly isLeaving?: boolean } = {},
): PodState {
  const { isReady = true, seconds = -86_400, isLeaving = false } = changes
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }] as const
  const leaving = isLeaving ? { deletionTimestamp: at(0) } : {}
  return podState(new PlainCluster([]), pod('w-1', { node: on, conditions, creationTimestamp: at(seconds), ...leaving }))
}

const whole = { replicas: 2, updatedReplicas: 2, availableReplicas: 2, readyReplicas: 2 }
const deployment = (status: object, spec: object = {}) =>
  workload('Deployment', 'w', {
    generation: 2,
    spec: { replicas: 2, ...spec },
    status: { observedGeneration: 2, ...whole, ...status },
  })
const statefulSet = (status: object, spec: object = {}) =>
  workload('StatefulSet', 'w', {
    spec: { replicas: 2, ...spec },
    status: { ...whole, currentRevision: 'a', updateRevision: 'b', ...status },
  })
const daemonSet = (status: object) =>
  workload('DaemonSet', 'w', { status: { desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3, ...status } })
const failed = { conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }] }
const partitioned = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }
const half = deployment({ updatedReplicas: 1 })
const young = [onNode('n2', { seconds: 500 })]
const cordoned = [node('n1', { unschedulable: true })]
const open = [node('n1')]
const both = [onNode('n2'), onNode('n2')]

interface Row {
  readonly name: string
  readonly observed: readonly Observation[]
  readonly of: KubeObject | undefined
  readonly pods?: readonly PodState[]
  readonly nodes?: readonly Node[]
  /** After noon. */
  readonly seconds: number
  readonly expected: 'rollout' | 'drain' | undefined
}

// biome-ignore format: a table
const rows: readonly Row[] = [
  { name: 'nobody did anything',                        observed: [],                  of: half,                                                seconds: 10,    expected: undefined },
  { name: 'scaled only',                                observed: [seen('scaled')],    of: half,                                                seconds: 10,    expected: undefined },
  { name: 'of no kind that is watched',                 observed: rollout,             of: undefined,                                           seconds: 10,    expected: undefined },
  { name: 'not noticed by its controller yet',          observed: rollout,             of: deployment({ observedGeneration: 1 }),               seconds: 1,     expected: 'rollout' },
  { name: 'half of its pods are new',                   observed: rollout,             of: half,                                                seconds: 10,    expected: 'rollout' },
  { name: 'an old one is there still',                  observed: rollout,             of: deployment({ replicas: 3 }),                         seconds: 10,    expected: 'rollout' },
  { name: 'a new one is not Ready',                     observed: rollout,             of: deployment({ availableReplicas: 1 }),                seconds: 10,    expected: 'rollout' },
  { name: 'done',                                       observed: rollout,             of: deployment({}),                                      seconds: 10,    expected: undefined },
  { name: 'paused',                                     observed: rollout,             of: deployment({ updatedReplicas: 1 }, { paused: true }), seconds: 10,   expected: undefined },
  { name: 'failed by its own word',                     observed: rollout,             of: deployment({ updatedReplicas: 1, ...failed }),       seconds: 10,    expected: undefined },
  { name: 'just before ten minutes',                    observed: rollout,             of: half,                                                seconds: 599,   expected: 'rollout' },
  { name: 'stuck for ten minutes',                      observed: rollout,             of: half,                                                seconds: 600,   expected: undefined },
  { name: 'stuck for its own deadline',                 observed: rollout,             of: deployment({ updatedReplicas: 1 }, { progressDeadlineSeconds: 60 }), seconds: 60, expected: undefined },
  { name: 'going on: a pod is young',                   observed: rollout,             of: half,                    pods: young,                seconds: 1_000, expected: 'rollout' },
  { name: 'not for ever, whatever it says',             observed: rollout,             of: deployment({ updatedReplicas: 1 }, { progressDeadlineSeconds: 86_400 }), seconds: 3_600, expected: undefined },
  { name: 'StatefulSet: one is old',                    observed: rollout,             of: statefulSet({ updatedReplicas: 1 }),                 seconds: 10,    expected: 'rollout' },
  { name: '... above its partition all are new',        observed: rollout,             of: statefulSet({ updatedReplicas: 1 }, partitioned),    seconds: 10,    expected: undefined },
  { name: '... the last is not Ready',                  observed: rollout,             of: statefulSet({ readyReplicas: 1 }),                   seconds: 10,    expected: 'rollout' },
  { name: '... done',                                   observed: rollout,             of: statefulSet({ updatedReplicas: 0, currentRevision: 'b' }), seconds: 10, expected: undefined },
  { name: 'DaemonSet: one is old',                      observed: rollout,             of: daemonSet({ updatedNumberScheduled: 2 }),            seconds: 10,    expected: 'rollout' },
  { name: '... one is not Ready',                       observed: rollout,             of: daemonSet({ numberAvailable: 2 }),                   seconds: 10,    expected: 'rollout' },
  { name: '... done',                                   observed: rollout,             of: daemonSet({}),                                       seconds: 10,    expected: undefined },
  { name: 'a drain that will take its other pod',       observed: drain,               of: deployment({}), pods: [onNode('n1'), onNode('n2')], nodes: cordoned, seconds: 10, expected: 'drain' },
  { name: 'a drain whose pod is not replaced yet',      observed: drain,               of: deployment({}), pods: [onNode('n2'), onNode('n2', { isReady: false })], nodes: cordoned, seconds: 10, expected: 'drain' },
  { name: '... still leaving',                          observed: drain,               of: deployment({}), pods: [...both, onNode('n1', { isLeaving: true })], nodes: open, seconds: 10, expected: 'drain' },
  { name: '... and its node is gone',                   observed: drain,               of: deployment({}), pods: [onNode('n2')],                seconds: 10, expected: 'drain' },
  { name: 'a drain that is over for it',                observed: drain,               of: deployment({}), pods: both,        nodes: cordoned,  seconds: 10,    expected: undefined },
  { name: 'a node that takes pods again',               observed: drain,               of: deployment({}), pods: [onNode('n1'), onNode('n2')], nodes: open, seconds: 10, expected: undefined },
  { name: 'a drain that stands still',                  observed: drain,               of: deployment({}), pods: [onNode('n1'), onNode('n2')], nodes: cordoned, seconds: 600, expected: undefined },
  { name: 'the first pod of a drain',                   observed: eviction,            of: deployment({}), pods: [onNode('n2')], nodes: cordoned, seconds: 10,  expected: 'drain' },
  { name: 'a pod lost without one',                     observed: eviction,            of: deployment({}), pods: [onNode('n2')], nodes: open,   seconds: 10,    expected: undefined },
]

test.each(rows)('$name', ({ observed, of, pods = [], nodes = [], seconds, expected }) => {
  const found = underWay({
    observed,
    workload: of,
    pods,
    node: name => nodes.find(({ metadata }) => metadata.name === name),
    nowMs: noonMs + seconds * 1000,
  })
  expect(found).toEqual(expected && { kind: expected, by: 'kubectl', sinceMs: noonMs })
})

test('the facts of an intent say so', () => {
  const { state } = buildClusterState([deployment({ updatedReplicas: 1 })])
  const of = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'w', uid: 'deployment-w' }
  const context = { state, ledger: [], ownerLabel: defaultOwnerLabel, ownNamespace: 'ballast-system', nowMs: noonMs + 5_000 }
  const asked = intent({ ...reload, workload: of })
  const observed = { ofWorkload: (key: string) => (key === 'shop/Deployment/w' ? rollout : []), since: () => [] }
  expect(factsFor(asked, { ...context, observed }).underWay).toEqual({ kind: 'rollout', by: 'kubectl', sinceMs: noonMs })
  expect(factsFor(asked, context).underWay).toBe(undefined)
})
