// Which pods a stopped plan leads back to where, and why others are left.
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import type { PlanStep, RebalancePlan } from '../../api.ts'
import { move, nowMs, plan } from '../testdata/objects.ts'
import { undoingSentence } from './undone.ts'
import { hasMoved, isToBeUndone, isTooLate, rollBackWithinMs, waysBackOf } from './ways-back.ts'

const pods = ['cart-abcde12345-xxxx0', 'cart-abcde12345-xxxx1', 'cart-abcde12345-xxxx2']
const uid = (at: number) => `pod-shop-${pods[at]}`
const landed = (at: number, change: Partial<PlanStep> = {}): PlanStep => ({
  id: `m${at}`,
  state: 'Landed',
  landedOn: 'n2',
  replacement: { name: pods[at] ?? '', uid: uid(at) },
  ...change,
})
const moves = [0, 1, 2].map(at =>
  move({ id: `m${at}`, wave: at + 1, pod: { namespace: 'shop', name: `old-${at}`, uid: `old-${at}` } }),
)
const stopped = (steps: readonly PlanStep[], change: Partial<RebalancePlan['spec']> = {}): RebalancePlan => {
  const made = plan({ moves, steps })
  return { ...made, spec: { ...made.spec, ...change } }
}

const cluster = (on: readonly string[] = ['n2', 'n2', 'n2'], n1: Parameters<typeof node>[1] = {}) => [
  namespace('shop'),
  node('n1', n1),
  node('n2'),
  node('n3'),
  ...workload('shop/cart', { on }),
]
const stateOf = (objects: readonly KubeObject[]) => buildClusterState(objects).state
const withNew = (change: (pod: KubeObject) => KubeObject | undefined) =>
  cluster().flatMap(object => (object.kind === 'Pod' ? (change(object) ?? []) : [object]))
const renamed = (pod: KubeObject, hash: string, createdAt: string): KubeObject => ({
  ...pod,
  metadata: {
    ...pod.metadata,
    name: pod.metadata.name.replace('abcde12345', hash),
    uid: `${pod.metadata.uid}-${hash}`,
    labels: { ...pod.metadata.labels, 'pod-template-hash': hash },
    creationTimestamp: createdAt,
  },
})
const notReady = (objects: readonly KubeObject[]) =>
  objects.map(object =>
    object.metadata.name === 'n1'
      ? { ...object, status: { ...(object['status'] as object), conditions: [{ type: 'Ready', status: 'False' }] } }
      : object,
  )
const all = [landed(0), landed(1), landed(2)]

// biome-ignore format: a table
test.each<[string, readonly PlanStep[], readonly KubeObject[], readonly string[]]>([
  ['all of them, the last first',                all,                                                cluster(),                    ['2>n1', '1>n1', '0>n1']],
  ['only what has landed',                       [landed(0), landed(1, { state: 'Landing' }), landed(2, { state: 'Skipped' })], cluster(), ['0>n1']],
  ['what landed elsewhere too',                  [landed(0, { state: 'Mismatch', landedOn: 'n3' })], cluster(['n3']),              ['0>n1']],
  ['not what landed back by itself',             [landed(0, { state: 'Mismatch', landedOn: 'n1' })], cluster(['n1']),              []],
  ['not what is back already',                   all,                                                cluster(['n1', 'n2', 'n2']),  ['2>n1', '1>n1']],
  ['a pod that is gone',                         all,                                                cluster(['n2', 'n2']),        ['1>n1', '0>n1', '2 PodGone']],
  ['its node is gone',                           [landed(0)],                                        cluster().filter(({ metadata }) => metadata.name !== 'n1'), ['0 NodeGone']],
  ['its node is cordoned',                       [landed(0)],                                        cluster(undefined, { unschedulable: true }), ['0 NodeCordoned']],
  ['its node is not ready',                      [landed(0)],                                        notReady(cluster()),          ['0 NodeNotReady']],
  ['its node is being taken away',               [landed(0)],                                        cluster(undefined, { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] }), ['0 NodeLeaving']],
  ['its workload was rolled out since',          [landed(0)],                                        withNew(pod => renamed(pod, 'fffff', '2026-03-02T05:00:00Z')), ['0 RolledOut']],
  ['its workload is being rolled out',           [landed(0)],                                        [...cluster(), ...cluster().filter(({ kind }) => kind === 'Pod').slice(0, 1).map(pod => renamed(pod, 'fffff', '2026-03-02T05:00:00Z'))].map(object => object.kind === 'Pod' && object.metadata.creationTimestamp === undefined ? { ...object, metadata: { ...object.metadata, creationTimestamp: '2026-03-02T04:00:00Z' } } : object), ['0 RolledOut']],
  ['another pod has its name',                   [landed(0, { replacement: { name: pods[0] ?? '', uid: 'another' } })], cluster(), ['0 PodGone']],
])('%s', (_name, steps, objects, expected) => {
  const { ways, left } = waysBackOf(stopped(steps), [], stateOf(objects))
  const at = (pod: string) => pods.findIndex(name => pod === `shop/${name}`)
  expect([...ways.map(({ pod, to }) => `${at(pod)}>${to}`), ...left.map(({ pod, reason }) => `${at(pod)} ${reason}`)]).toEqual(expected)
})

test('what a plan moved whose place was taken goes back too, and a pod that was moved on goes to where it was first', () => {
  const first = { ...stopped([landed(0), landed(1)]), metadata: { name: 'first' } }
  const on = move({ id: 'n0', pod: { namespace: 'shop', name: pods[1] ?? '', uid: uid(1) }, from: 'n2', to: 'n3' })
  const step = { id: 'n0', state: 'Landed', landedOn: 'n3', replacement: { name: pods[2] ?? '', uid: uid(2) } } as const
  const made = plan({ name: 'second', moves: [on], steps: [step] })
  const second = { ...made, spec: { ...made.spec, replaces: 'first' } }
  const { ways } = waysBackOf(second, [first, second], stateOf(cluster(['n2', 'n2', 'n3'])))
  expect(ways).toEqual([
    { pod: `shop/${pods[2]}`, to: 'n1' },
    { pod: `shop/${pods[0]}`, to: 'n1' },
  ])
  expect([hasMoved(second, [first, second]), hasMoved(stopped([]), [])]).toEqual([true, false])
})

const at = new Date(nowMs).toISOString()
const over = (change: Partial<RebalancePlan['status']> = {}, rollsBack?: string): RebalancePlan => ({
  ...stopped([], rollsBack === undefined ? {} : { rollsBack }),
  status: { phase: 'Failed', trial: { stopped: { at, rollsBack: true } }, ...change },
})

// biome-ignore format: a table
test.each<[string, RebalancePlan, boolean]>([
  ['a stopped plan',                    over(),                                                              true],
  ['one whose policy only stops',       over({ trial: { stopped: { at, rollsBack: false } } }),              false],
  ['one that failed by itself',         over({ trial: {} }),                                                 false],
  ['one that is undone already',        over({ conditions: [{ type: 'RolledBack', status: 'True' }] }),      false],
  ['one that undoes another',           over({}, 'another'),                                                 false],
  ['one that is not over',              over({ phase: 'Running' }),                                          false],
])('%s is to be undone', (_name, given, expected) => expect(isToBeUndone(given)).toBe(expected))

test('it is undone within the hour or not at all', () => {
  expect([rollBackWithinMs, rollBackWithinMs + 1].map(ms => isTooLate(over(), nowMs + ms))).toEqual([false, true])
})

test('a plan says what it undoes, and which pods stay', () => {
  const left = [0, 1, 2, 3].map(one => ({
    pod: `shop/p${one}`,
    workload: move().workload,
    reason: 'PodGone' as const,
    message: 'it is gone',
  }))
  const pod = { namespace: 'shop', name: 'q', uid: 'q' }
  const stays = { pod, node: 'n2', workload: undefined, code: 'NoPDB', data: {}, also: [] } as const
  expect(undoingSentence({ moves: [], unmovable: [] }, { plan: 'x', left: [] })).toBe('no moves undo x')
  expect(undoingSentence({ moves: [], unmovable: [stays] }, { plan: 'x', left: [] })).toBe(
    'no moves undo x; 1 pod stays: shop/q (NoPDB)',
  )
  expect(undoingSentence({ moves: [], unmovable: [stays] }, { plan: 'x', left })).toBe(
    'no moves undo x; 5 pods stay: shop/p0 (PodGone), shop/p1 (PodGone), shop/p2 (PodGone) and 2 more',
  )
})
