import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { upstreamText, upstreamTexts } from '#test/upstream-texts.ts'
import { lossesIn, pastEvent, scalesIn } from './past-events.ts'
import { at, noonMs, pod, workload } from './testdata/plain-cluster.ts'

interface Written {
  readonly reason: string
  readonly name?: string
  readonly kind?: string
  readonly note?: string
  readonly more?: Readonly<Record<string, unknown>>
}

function event({
  reason,
  name = 'cart-7c9f-abcde',
  kind = 'Pod',
  note = upstreamText('killing', 'main'),
  more = {},
}: Written): KubeObject {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'shop', creationTimestamp: at(-900) },
    reason,
    note,
    regarding: { kind, namespace: 'shop', name, uid: `uid-${name}` },
    deprecatedSource: { component: 'kubelet', host: 'n1' },
    deprecatedLastTimestamp: at(-60),
    ...more,
  }
}

const set = workload('ReplicaSet', 'cart-7c9f', { spec: { replicas: 2 } })
const db = workload('StatefulSet', 'db', { spec: { replicas: 2 } })

function losses(events: readonly KubeObject[], objects: readonly KubeObject[] = [set, db]): readonly string[] {
  const lookup = {
    pod: (uid: string) => (objects.some(({ kind }) => kind === 'Pod') ? pod('standing', { labels: { uid } }) : undefined),
    object: (kind: string, _namespace: string, name: string) =>
      objects.find(object => object.kind === kind && object.metadata.name === name),
  }
  return lossesIn(
    events.flatMap(one => pastEvent(one) ?? []),
    lookup,
  ).map(
    ({ pod: lost, cause, by, atMs }) =>
      `${lost.metadata.ownerReferences?.[0]?.kind ?? ''} ${lost.metadata.name} on ${lost.spec.nodeName ?? ''}: ${cause} by ${by} ${(atMs - noonMs) / 1000}`,
  )
}

const killing = event({ reason: 'Killing' })
const memory = upstreamText('low-on-resource', 'memory')
const stopped = (seconds: number, name = 'db-1') =>
  event({ reason: 'Killing', name, more: { deprecatedLastTimestamp: at(seconds) } })
const wished = (note: string, since = -60) =>
  event({
    reason: 'SuccessfulDelete',
    note,
    more: {
      deprecatedFirstTimestamp: at(since),
      regarding: { kind: 'StatefulSet', namespace: 'shop', name: 'db', uid: 'statefulset-db' },
    },
  })
const deletedDb1 = upstreamText('stateful-set-pod', 'db-1', 'db')
/** As the taint manager writes it: without a UID. */
const tainting = (id: string) =>
  event({
    reason: 'TaintManagerEviction',
    note: upstreamText(id, 'shop/cart-7c9f-abcde'),
    more: { regarding: { kind: 'Pod', namespace: 'shop', name: 'cart-7c9f-abcde' } },
  })

describe('pods that Events say were ended', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly string[]]>([
    ['stopped by its kubelet',                      [killing],                                                                       ['ReplicaSet cart-7c9f-abcde on n1: deleted by somebody -60']],
    ['… its controller says that it wanted that',   [killing, event({ reason: 'SuccessfulDelete', kind: 'ReplicaSet', name: 'cart-7c9f', note: upstreamText('deleted-pod', 'cart-7c9f-abcde') })], []],
    ['a StatefulSet\'s pod',                        [event({ reason: 'Killing', name: 'db-1' })],                                    ['StatefulSet db-1 on n1: deleted by somebody -60']],
    ['memory pressure, and the Killing after it',   [event({ reason: 'Evicted', note: memory }), killing],                           ['ReplicaSet cart-7c9f-abcde on n1: kubelet by kubelet (memory pressure) -60']],
    ['… the other way round',                       [killing, event({ reason: 'Evicted', note: memory })],                           ['ReplicaSet cart-7c9f-abcde on n1: kubelet by kubelet (memory pressure) -60']],
    ['preempted',                                   [event({ reason: 'Preempted', note: upstreamText('preempted', 'pod', 'x', 'n1') })],         ['ReplicaSet cart-7c9f-abcde on n1: preempted by kube-scheduler (preemption) -60']],
    ['by a VerticalPodAutoscaler',                  [event({ reason: 'EvictedByVPA', note: upstreamText('evicted-by-vpa') })],     ['ReplicaSet cart-7c9f-abcde on n1: evicted by VerticalPodAutoscaler -60']],
    ['by the descheduler, whatever its strategy',   [event({ reason: 'LowNodeUtilization', note: upstreamText('descheduled', 'n1'), more: { reportingController: 'sigs.k8s.io/descheduler' } })], ['ReplicaSet cart-7c9f-abcde on n1: evicted by descheduler -60']],
    ['… it failed to',                              [event({ reason: 'EvictionFailed', note: upstreamText('descheduled-not', 'n1', '3'), more: { reportingController: 'sigs.k8s.io/descheduler' } })], []],
    ['by the taint manager',                        [tainting('taint-marked'), killing],                                             ['ReplicaSet cart-7c9f-abcde on n1: tainted by taint-eviction-controller -60']],
    ['… which left it: somebody else did it',       [tainting('taint-cancelled'), killing],                                          ['ReplicaSet cart-7c9f-abcde on n1: deleted by somebody -60']],
    ['by a kubelet, for a critical pod',            [event({ reason: upstreamText('kubelet-preempting-reason'), note: upstreamText('kubelet-preempting') }), killing], ['ReplicaSet cart-7c9f-abcde on n1: kubelet by kubelet (preemption by a critical pod) -60']],
    ["… of a StatefulSet's rollout",                [stopped(-58), wished(deletedDb1)],                                              []],
    ['… ten minutes after it',                      [stopped(600), wished(deletedDb1)],                                              ['StatefulSet db-1 on n1: deleted by somebody 600']],
    ['its controller named only the last',          [stopped(-100, 'db-2'), wished(upstreamText('combined') + deletedDb1, -110)], []],
    ['nobody knows its controller',                 [event({ reason: 'Killing', name: 'lonely' }), event({ reason: 'Killing', name: 'gone-1234-abcde' })], []],
    ['something else',                              [event({ reason: 'BackOff' })],                                                  []],
    ['repeated: the last time counts',              [event({ reason: 'Killing', more: { series: { count: 3, lastObservedTime: at(-30) } } })], ['ReplicaSet cart-7c9f-abcde on n1: deleted by somebody -30']],
    ['hostile: nothing where it should be',         [{ apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, reason: 'Killing', regarding: [], note: 7 }], []],
  ])('%s', (_name, events, expected) => expect(losses(events)).toEqual(expected))

  test.each(upstreamTexts('stateful-set-pod', 'db-1', 'db'))('a StatefulSet says that it wanted that: %s', note =>
    expect(losses([stopped(-60), wished(note)])).toEqual([]),
  )

  test('a pod that stands lost a container, not itself', () => expect(losses([killing], [set, pod('standing')])).toEqual([]))
})

test("a Deployment's sizes, oldest first", () => {
  const scaling = (note: string, seconds: number) =>
    event({ reason: 'ScalingReplicaSet', kind: 'Deployment', name: 'cart', note, more: { deprecatedLastTimestamp: at(seconds) } })
  const events = [
    scaling(upstreamText('scaled-set', 'down', 'cart-7c9f', '3', '1'), -10),
    scaling(upstreamText('combined') + upstreamText('scaled-set', 'up', 'cart-7c9f', '1', '3'), -50),
    scaling('Scaled up replica set cart-7c9f to 3', -5),
  ].flatMap(one => pastEvent(one) ?? [])
  expect(scalesIn(events, 'uid-cart').map(({ set: name, from, to }) => `${name} ${from}→${to}`)).toEqual([
    'cart-7c9f 1→3',
    'cart-7c9f 3→1',
  ])
  expect(scalesIn(events, 'another')).toEqual([])
})
