import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
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
  note = 'Stopping container main',
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
const memory = 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 20Mi.'

describe('pods that Events say were ended', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly string[]]>([
    ['stopped by its kubelet',                      [killing],                                                                       ['ReplicaSet cart-7c9f-abcde on n1: deleted by somebody -60']],
    ['… its controller says that it wanted that',   [killing, event({ reason: 'SuccessfulDelete', kind: 'ReplicaSet', name: 'cart-7c9f', note: 'Deleted pod: cart-7c9f-abcde' })], []],
    ['… a StatefulSet says so in other words',      [event({ reason: 'Killing', name: 'db-1' }), event({ reason: 'SuccessfulDelete', kind: 'StatefulSet', name: 'db', note: 'delete Pod db-1 in StatefulSet db successful' })], []],
    ['a StatefulSet\'s pod',                        [event({ reason: 'Killing', name: 'db-1' })],                                    ['StatefulSet db-1 on n1: deleted by somebody -60']],
    ['memory pressure, and the Killing after it',   [event({ reason: 'Evicted', note: memory }), killing],                           ['ReplicaSet cart-7c9f-abcde on n1: kubelet by kubelet (memory pressure) -60']],
    ['… the other way round',                       [killing, event({ reason: 'Evicted', note: memory })],                           ['ReplicaSet cart-7c9f-abcde on n1: kubelet by kubelet (memory pressure) -60']],
    ['preempted',                                   [event({ reason: 'Preempted', note: 'Preempted by pod x on node n1' })],         ['ReplicaSet cart-7c9f-abcde on n1: preempted by kube-scheduler (preemption) -60']],
    ['by a VerticalPodAutoscaler',                  [event({ reason: 'EvictedByVPA', note: 'Pod was evicted by VPA Updater' })],     ['ReplicaSet cart-7c9f-abcde on n1: evicted by VerticalPodAutoscaler -60']],
    ['by the descheduler, whatever its strategy',   [event({ reason: 'LowNodeUtilization', note: 'pod evicted', more: { reportingController: 'sigs.k8s.io/descheduler' } })], ['ReplicaSet cart-7c9f-abcde on n1: evicted by descheduler -60']],
    ['nobody knows its controller',                 [event({ reason: 'Killing', name: 'lonely' }), event({ reason: 'Killing', name: 'gone-1234-abcde' })], []],
    ['something else',                              [event({ reason: 'BackOff' })],                                                  []],
    ['repeated: the last time counts',              [event({ reason: 'Killing', more: { series: { count: 3, lastObservedTime: at(-30) } } })], ['ReplicaSet cart-7c9f-abcde on n1: deleted by somebody -30']],
    ['hostile: nothing where it should be',         [{ apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, reason: 'Killing', regarding: [], note: 7 }], []],
  ])('%s', (_name, events, expected) => expect(losses(events)).toEqual(expected))

  test('a pod that stands lost a container, not itself', () => expect(losses([killing], [set, pod('standing')])).toEqual([]))
})

test("a Deployment's sizes, oldest first", () => {
  const scaling = (note: string, seconds: number) =>
    event({ reason: 'ScalingReplicaSet', kind: 'Deployment', name: 'cart', note, more: { deprecatedLastTimestamp: at(seconds) } })
  const events = [
    scaling('Scaled down replica set cart-7c9f from 3 to 1', -10),
    scaling('Scaled up replica set cart-7c9f from 1 to 3', -50),
    scaling('Scaled up replica set cart-7c9f to 3', -5),
  ].flatMap(one => pastEvent(one) ?? [])
  expect(scalesIn(events, 'uid-cart').map(({ set: name, from, to }) => `${name} ${from}→${to}`)).toEqual([
    'cart-7c9f 1→3',
    'cart-7c9f 3→1',
  ])
  expect(scalesIn(events, 'another')).toEqual([])
})
