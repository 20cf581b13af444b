import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { isClear, lossVerdict } from './loss-cause.ts'
import { type LossCause, podLoss } from './pod-losses.ts'
import { at, node, noonMs, PlainCluster, permit, pod, target, workload, wrote } from './testdata/plain-cluster.ts'

const set = { kind: 'ReplicaSet', name: 'cart-7c9f' } as const
const deployment = workload('Deployment', 'cart', { spec: { replicas: 3 } })
const replicaSet = (replicas: number) =>
  workload('ReplicaSet', set.name, { under: { kind: 'Deployment', name: 'cart' }, spec: { replicas } })
const old = (name: string) => pod(name, { under: set })
const young = (name: string) => pod(name, { under: set, creationTimestamp: at(1) })
const cart = [deployment, replicaSet(3), old('cart-b'), old('cart-c')]

const reasons: Readonly<Record<Exclude<LossCause, 'deleted'>, string>> = {
  evicted: 'EvictionByEvictionAPI',
  preempted: 'PreemptionByScheduler',
  tainted: 'DeletionByTaintManager',
  'node-gone': 'DeletionByPodGC',
  kubelet: 'TerminationByKubelet',
}

/** `pod` begins to go at noon, by `cause`. */
function lossOf(lost: Pod, cause: LossCause) {
  const conditions = cause === 'deleted' ? [] : [target(reasons[cause])]
  const next: Pod = {
    ...lost,
    metadata: { ...lost.metadata, deletionTimestamp: at(30), deletionGracePeriodSeconds: 30 },
    status: { ...lost.status, conditions },
  }
  const loss = podLoss({ previous: lost, next, isGone: false }, noonMs)
  if (loss === undefined) throw new Error('the case is wrong: the pod is not lost at all')
  return loss
}

function verdictOf(lost: Pod, cause: LossCause, objects: readonly KubeObject[], permits: readonly PermitRecord[] = []): string {
  const verdict = lossVerdict(lossOf(lost, cause), new PlainCluster(objects, permits))
  return verdict.kind === 'none' ? verdict.because : `${verdict.workload} by ${verdict.by}`
}

const lost = old('cart-a')
const named = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'pod-cart-a' }
const grantedAt = (seconds: number) => ({ token: 1, atMs: noonMs + seconds * 1000, expiresAtMs: noonMs + (seconds + 600) * 1000 })
const somebodys = 'shop/Deployment/cart by somebody'

describe('a pod of a ReplicaSet', () => {
  // biome-ignore format: a table
  test.each<[string, LossCause, readonly KubeObject[], readonly PermitRecord[], string]>([
    ['deleted by hand',                             'deleted',   cart,                                                             [],                                 somebodys],
    ['… and replaced in the same second',           'deleted',   [...cart, pod('cart-d', { under: set, creationTimestamp: at(0) })], [],                             somebodys],
    ['its Deployment was scaled down',              'deleted',   [deployment, replicaSet(2), old('cart-b'), old('cart-c')],        [],                                 'scaled-down'],
    ['a rollout shrinks its ReplicaSet',            'deleted',   [deployment, replicaSet(0)],                                      [],                                 'scaled-down'],
    ['one of two taken by hand is still missed',    'deleted',   [deployment, replicaSet(3), old('cart-b'), young('cart-d')],      [],                                 somebodys],
    ['its ReplicaSet is gone',                      'deleted',   [deployment],                                                     [],                                 'owner-gone'],
    ['its Deployment is being deleted',             'deleted',   [workload('Deployment', 'cart', { deletionTimestamp: at(0) }), replicaSet(3)], [],                   'owner-gone'],
    ['its namespace is being deleted',              'deleted',   [...cart, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', deletionTimestamp: at(0) } }], [], 'owner-gone'],
    ['evicted',                                     'evicted',   cart,                                                             [],                                 somebodys],
    ['evicted though there are enough',             'evicted',   [deployment, replicaSet(2), old('cart-b'), old('cart-c')],        [],                                 somebodys],
    ['evicted by us',                               'evicted',   cart,                                                             [permit({ targets: [named] })],     'ours'],
    ['… the permit is released',                    'evicted',   cart,                                                             [permit({ targets: [named], releasedAtMs: noonMs + 9_000, ending: 'done' })], 'ours'],
    ['… under a clock of ours an hour ahead',       'evicted',   cart,                                                             [permit({ targets: [named], grant: grantedAt(3_600) })], 'ours'],
    ['… an hour behind, and released',              'evicted',   cart,                                                             [permit({ targets: [named], grant: grantedAt(-3_600), releasedAtMs: noonMs - 3_590_000, ending: 'done' })], 'ours'],
    ['… our permit was withdrawn',                  'evicted',   cart,                                                             [permit({ targets: [named], releasedAtMs: noonMs, ending: 'withdrawn' })], somebodys],
    ['a permit for another pod of it',              'evicted',   cart,                                                             [permit({ targets: [{ ...named, uid: 'pod-cart-b' }] })], somebodys],
    ['a permit that is granted later',              'evicted',   cart,                                                             [permit({ targets: [named], createdMs: noonMs + 60_000 })], somebodys],
    ['our drain of its node',                       'evicted',   cart,                                                             [permit({ verb: 'drain', workload: undefined, targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n1' }] })], 'ours'],
    ['our drain of another node',                   'evicted',   cart,                                                             [permit({ verb: 'drain', workload: undefined, targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n2' }] })], somebodys],
    ['our taint',                                   'tainted',   cart,                                                             [permit({ verb: 'taint', workload: undefined, targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n1' }] })], 'ours'],
    ['our taint does not evict by the API',         'evicted',   cart,                                                             [permit({ verb: 'taint', workload: undefined, targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n1' }] })], somebodys],
    ['preempted',                                   'preempted', cart,                                                             [],                                 'shop/Deployment/cart by kube-scheduler (preemption)'],
    ['its node was deleted',                        'node-gone', cart,                                                             [],                                 'shop/Deployment/cart by pod garbage collector'],
    ['its node does not answer',                    'tainted',   [...cart, node('n1', { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] })], [],  'shop/Deployment/cart by node n1 (unreachable)'],
    ['evicted from a node that kubectl cordoned',   'evicted',   [...cart, node('n1', { unschedulable: true }, [wrote('kubectl', ['unschedulable'])])], [],              'shop/Deployment/cart by kubectl drain'],
    ['deleted by `kubectl drain --disable-eviction`', 'deleted', [...cart, node('n1', { unschedulable: true }, [wrote('kubectl', ['unschedulable'])])], [],              'shop/Deployment/cart by kubectl drain'],
    ['evicted from a node that Karpenter removes',  'evicted',   [...cart, node('n1', { taints: [{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule' }] })], [],      'shop/Deployment/cart by Karpenter'],
    ['the kubelet ends it on a cordoned node',      'kubelet',   [...cart, node('n1', { unschedulable: true }, [wrote('kubectl', ['unschedulable'])])], [],              'shop/Deployment/cart by kubelet'],
  ])('%s', (_name, cause, objects, permits, expected) => expect(verdictOf(lost, cause, objects, permits)).toBe(expected))
})

const db = { kind: 'StatefulSet', name: 'db' } as const
const agent = { kind: 'DaemonSet', name: 'agent' } as const
const job = { kind: 'Job', name: 'sync' } as const
const pg = { kind: 'Cluster', name: 'pg' } as const
const statefulSet = (replicas: number, updateRevision: string, strategy = 'RollingUpdate') =>
  workload('StatefulSet', 'db', { spec: { replicas, updateStrategy: { type: strategy } }, status: { updateRevision } })
const ofDb = pod('db-1', { under: db, labels: { 'controller-revision-hash': 'v1' } })
const daemonSet = (generation: string) =>
  workload('DaemonSet', 'agent', { annotations: { 'deprecated.daemonset.template.generation': generation } })
const ofAgent = pod('agent-x', { under: agent, labels: { 'pod-template-generation': '4' } })
const newOfAgent = pod('agent-y', { under: agent, creationTimestamp: at(2), labels: { 'pod-template-generation': '4' } })
const ofJob = pod('sync-1', { under: job })
const ofPg = pod('pg-1', { under: pg })

describe('a pod of another controller, or of none', () => {
  // biome-ignore format: a table
  test.each<[string, Pod, LossCause, readonly KubeObject[], string]>([
    ['StatefulSet: by hand',                         ofDb,       'deleted',   [statefulSet(2, 'v1'), pod('db-0', { under: db })],      'shop/StatefulSet/db by somebody'],
    ['StatefulSet: it rolls out',                    ofDb,       'deleted',   [statefulSet(2, 'v2'), pod('db-0', { under: db })],      'rolled-out'],
    ['StatefulSet OnDelete: a person rolls it',      ofDb,       'deleted',   [statefulSet(2, 'v2', 'OnDelete'), pod('db-0', { under: db })], 'shop/StatefulSet/db by somebody'],
    ['StatefulSet: scaled down',                     ofDb,       'deleted',   [statefulSet(1, 'v1'), pod('db-0', { under: db })],      'scaled-down'],
    ['StatefulSet: evicted in a rollout',            ofDb,       'evicted',   [statefulSet(2, 'v2')],                                  'shop/StatefulSet/db by somebody'],
    ['DaemonSet: by hand',                           ofAgent,    'deleted',   [daemonSet('4'), newOfAgent],                            'shop/DaemonSet/agent by somebody'],
    ['DaemonSet: it does not want the node any more', ofAgent,   'deleted',   [daemonSet('4')],                                        'not-replaced'],
    ['DaemonSet: a young pod on another node',       ofAgent,    'deleted',   [daemonSet('4'), pod('agent-z', { under: agent, node: 'n2', creationTimestamp: at(2), labels: { 'pod-template-generation': '4' } })], 'not-replaced'],
    ['DaemonSet: it rolls out',                      ofAgent,    'deleted',   [daemonSet('5'), newOfAgent],                            'rolled-out'],
    ['DaemonSet: dies with its node',                ofAgent,    'node-gone', [daemonSet('4')],                                        'gone-with-its-node'],
    ['DaemonSet: a taint it does not tolerate',      ofAgent,    'tainted',   [daemonSet('4')],                                        'gone-with-its-node'],
    ['DaemonSet: pressure',                          ofAgent,    'kubelet',   [daemonSet('4')],                                        'shop/DaemonSet/agent by kubelet'],
    ['Job: done, its other pods are ended',          ofJob,      'deleted',   [workload('Job', 'sync', { status: { conditions: [{ type: 'Complete', status: 'True' }] } })], 'job-over'],
    ['Job: suspended',                               ofJob,      'deleted',   [workload('Job', 'sync', { spec: { suspend: true } })],  'job-over'],
    ['Job: by hand',                                 ofJob,      'deleted',   [workload('Job', 'sync', {}), pod('sync-2', { under: job, creationTimestamp: at(3) })], 'shop/Job/sync by somebody'],
    ['Job: deleted by its CronJob',                  ofJob,      'deleted',   [],                                                      'owner-gone'],
    ['Job: evicted',                                 ofJob,      'evicted',   [workload('Job', 'sync', {})],                           'shop/Job/sync by somebody'],
    ['an operator\'s pod, not replaced',             ofPg,       'deleted',   [],                                                      'not-replaced'],
    ['an operator\'s pod, replaced',                 ofPg,       'deleted',   [pod('pg-2', { under: pg, creationTimestamp: at(4) })],  'shop/Cluster/pg by somebody'],
    ['an operator\'s pod, evicted',                  ofPg,       'evicted',   [],                                                      'shop/Cluster/pg by somebody'],
    ['a bare pod, deleted',                          pod('solo'), 'deleted',  [],                                                      'nobody-misses-it'],
    ['a bare pod, evicted',                          pod('solo'), 'evicted',  [],                                                      'shop/Pod/solo by somebody'],
  ])('%s', (_name, each, cause, objects, expected) => expect(verdictOf(each, cause, objects)).toBe(expected))
})

describe('a deletion can be judged before its time where the replacement is there', () => {
  // biome-ignore format: a table
  test.each<[string, Pod, readonly KubeObject[], boolean]>([
    ['it is',                          lost,       [...cart, young('cart-d')],                                                                              true],
    ['only older pods',                lost,       cart,                                                                                                    false],
    ['a StatefulSet\'s new revision',  ofDb,       [pod('db-1', { under: db, creationTimestamp: at(2), labels: { 'controller-revision-hash': 'v2' } })].map(each => ({ ...each, metadata: { ...each.metadata, uid: 'another' } })), false],
    ['a bare pod',                     pod('solo'), [pod('solo-2', { creationTimestamp: at(2) })],                                                          false],
  ])('%s', (_name, each, objects, expected) => expect(isClear(lossOf(each, 'deleted'), new PlainCluster(objects))).toBe(expected))
})
