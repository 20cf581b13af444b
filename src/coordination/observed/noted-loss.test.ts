import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { noteLoss } from './noted-loss.ts'
import { ObservationBook } from './observation-book.ts'
import { podLoss } from './pod-losses.ts'
import { rolloutId, wantedRevision } from './template-changes.ts'
import { at, noonMs, PlainCluster, pod, workload } from './testdata/plain-cluster.ts'

const revision = (of: number) => ({ 'deployment.kubernetes.io/revision': String(of) })
const deployment = workload('Deployment', 'cart', { annotations: revision(2), spec: { replicas: 2 } })
const set = (of: number, replicas: number) =>
  workload('ReplicaSet', `cart-${of}`, {
    under: { kind: 'Deployment', name: 'cart' },
    annotations: revision(of),
    spec: { replicas },
  })
const ofSet = (of: number) => pod('a', { under: { kind: 'ReplicaSet', name: `cart-${of}` } })
const statefulSet = (replicas: number) => workload('StatefulSet', 'db', { spec: { replicas }, status: { updateRevision: 'v2' } })
const ofDb = (of: string) =>
  pod('db-1', { under: { kind: 'StatefulSet', name: 'db' }, labels: { 'controller-revision-hash': of } })
const daemonSet = workload('DaemonSet', 'agent', { annotations: { 'deprecated.daemonset.template.generation': '2' } })
const ofAgent = (of: string) =>
  pod('agent-x', { under: { kind: 'DaemonSet', name: 'agent' }, labels: { 'pod-template-generation': of } })

/** What is in the book, in seconds after the rollout began, after `lost` was deleted a minute into it. */
function afterwards(lost: Pod, objects: readonly KubeObject[], knows = true): readonly string[] {
  const [top] = objects
  const to = top && wantedRevision(top)
  if (top === undefined || to === undefined) throw new Error('the case is wrong: nothing rolls out')
  const book = new ObservationBook()
  const key = `shop/${top.kind}/${top.metadata.name}`
  const rollout = {
    kind: 'rollout',
    workload: key,
    namespace: 'shop',
    nodes: [],
    atMs: noonMs,
    by: 'flux',
    evidence: '',
  } as const
  if (knows) book.put(rolloutId(top, to), rollout)
  const going = { deletionTimestamp: at(90), deletionGracePeriodSeconds: 30 }
  const loss = podLoss(
    { previous: lost, next: { ...lost, metadata: { ...lost.metadata, ...going } }, isGone: false },
    noonMs + 60_000,
  )
  if (loss === undefined) throw new Error('the case is wrong: the pod is not lost at all')
  noteLoss(book, loss, new PlainCluster([...objects, lost]))
  return book.ofWorkload(key).map(({ kind, atMs }) => `${kind} ${(atMs - noonMs) / 1000}`)
}

describe('a rollout moves on with each pod that it replaces', () => {
  // biome-ignore format: a table
  test.each<[string, Pod, readonly KubeObject[], readonly string[]]>([
    ['a pod of the old ReplicaSet',                ofSet(1),      [deployment, set(1, 0), set(2, 2)],  ['rollout 60']],
    ['… of the new one: the Deployment shrank',    ofSet(2),      [deployment, set(1, 0), set(2, 0)],  ['rollout 0']],
    ['… of the new one, by hand',                  ofSet(2),      [deployment, set(1, 0), set(2, 2)],  ['rollout 0', 'pod-lost 60']],
    ['a StatefulSet\'s pod of the old revision',   ofDb('v1'),    [statefulSet(2)],                    ['rollout 60']],
    ['… of the new one: it was scaled down',       ofDb('v2'),    [statefulSet(0)],                    ['rollout 0']],
    ['a DaemonSet\'s pod of the old template',     ofAgent('1'),  [daemonSet],                         ['rollout 60']],
  ])('%s', (_name, lost, objects, expected) => expect(afterwards(lost, objects)).toEqual(expected))

  test('one that is not known, because it is ours, is not made up', () =>
    expect(afterwards(ofSet(1), [deployment, set(1, 0), set(2, 2)], false)).toEqual([]))
})
