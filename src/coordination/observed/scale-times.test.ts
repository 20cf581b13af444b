import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import type { PastEvent } from './past-events.ts'
import { scaleDate } from './scale-times.ts'
import { at, noonMs, PlainCluster, pod, workload, wrote } from './testdata/plain-cluster.ts'
import { frameOf } from './workload-frame.ts'

const long = -86_400

/** When `objects[0]` was scaled, in seconds after noon, and what says so. */
function scaledAt(
  objects: readonly KubeObject[],
  events: readonly PastEvent[] = [],
  { isOfScaler = false, rolledAt }: { readonly isOfScaler?: boolean; readonly rolledAt?: number } = {},
): string {
  const [first] = objects
  if (first === undefined) return 'nothing'
  const frame = frameOf(first, { cluster: new PlainCluster(objects), events, nowMs: noonMs })
  const rolledMs = rolledAt === undefined ? undefined : noonMs + rolledAt * 1000
  const date = scaleDate(first, { ...frame, rolledMs, isOfScaler }, events)
  return date === undefined ? 'nothing' : `${(date.atMs - noonMs) / 1000} ${date.source}`
}

function said(kind: string, note: string, seconds: number, reason = 'SuccessfulDelete'): PastEvent {
  const name = kind === 'StatefulSet' ? 'db' : 'cart'
  const uid = `${kind.toLowerCase()}-${name}`
  const atMs = noonMs + seconds * 1000
  return { reason, kind, namespace: 'shop', name, uid, note, reporter: 'c', host: '', sinceMs: atMs, atMs }
}

function sizing(from: number, to: number, seconds: number, set = 'cart-1'): PastEvent {
  const note = upstreamText('scaled-set', to > from ? 'up' : 'down', set, String(from), String(to))
  return said('Deployment', note, seconds, 'ScalingReplicaSet')
}

function pods(kind: 'ReplicaSet' | 'StatefulSet', name: string, seconds: readonly number[]): readonly Pod[] {
  return seconds.map((each, ordinal) => pod(`${name}-${ordinal}`, { under: { kind, name }, creationTimestamp: at(each) }))
}

function deployment(doneAt = long): KubeObject {
  const progress = { type: 'Progressing', reason: 'NewReplicaSetAvailable', lastUpdateTime: at(doneAt) }
  return workload('Deployment', 'cart', {
    creationTimestamp: at(long),
    spec: { replicas: 2 },
    status: { conditions: [progress] },
  })
}

function set(...sizedAt: readonly number[]): KubeObject {
  const managedFields = sizedAt.map(seconds => wrote('kube-controller-manager', ['replicas'], { seconds }))
  return workload('ReplicaSet', 'cart-1', {
    under: { kind: 'Deployment', name: 'cart' },
    creationTimestamp: at(long),
    managedFields,
    spec: { replicas: 2 },
  })
}

describe('a Deployment', () => {
  const old = pods('ReplicaSet', 'cart-1', [long, long])
  const woken = pods('ReplicaSet', 'cart-1', [-300, -298])
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly PastEvent[], Parameters<typeof scaledAt>[2], string]>([
    ['nothing tells',                               [deployment(), set(), ...old],       [],                                       {},                   'nothing'],
    ['an Event',                                    [deployment(), set(), ...old],       [sizing(1, 2, -300)],                     {},                   '-300 by its Events'],
    ['of several the last',                         [deployment(), set(), ...old],       [sizing(1, 3, -300), sizing(3, 2, -200)], {},                   '-200 by its Events'],
    ['an Event of a size that it has no more',      [deployment(), set(), ...old],       [sizing(2, 3, -300)],                     {},                   'nothing'],
    ['an Event of another ReplicaSet',              [deployment(), set(), ...old],       [sizing(1, 2, -300, 'cart-0')],           {},                   'nothing'],
    ['an Event of its rollout',                     [deployment(-299), set(), ...old],   [sizing(1, 2, -300)],                     {},                   'nothing'],
    ['the entry of its ReplicaSet',                 [deployment(), set(-300), ...old],   [],                                       {},                   '-300 when ReplicaSet shop/cart-1 was written'],
    ['… an Event is more exact',                    [deployment(), set(-200), ...old],   [sizing(1, 2, -300)],                     {},                   '-300 by its Events'],
    ['… the entry as its rollout left it',          [deployment(-299), set(-300), ...old], [],                                     {},                   'nothing'],
    ['… and as one left it that is not yet told',   [deployment(), set(-300), ...old],   [],                                       { rolledAt: -300 },   'nothing'],
    ['… the ReplicaSet as it was made',             [deployment(), set(long), ...old],   [],                                       {},                   'nothing'],
    ['all pods came in one go',                     [deployment(), set(), ...woken],     [],                                       {},                   '-300 when all its pods came'],
    ['… as old as their ReplicaSet',                [deployment(), set(), ...old],       [],                                       { isOfScaler: true }, 'nothing'],
    ['pods that were replaced at several times',    [deployment(), set(), ...pods('ReplicaSet', 'cart-1', [-3_000, -300])], [],    {},                   'nothing'],
    ['one pod may have replaced another',           [deployment(), set(), ...pods('ReplicaSet', 'cart-1', [-300])], [],            {},                   'nothing'],
    ['… but where a scaler wakes it',               [deployment(), set(), ...pods('ReplicaSet', 'cart-1', [-300])], [],            { isOfScaler: true }, '-300 when all its pods came'],
  ])('%s', (_name, objects, events, options, expected) => expect(scaledAt(objects, events, options)).toBe(expected))
})

describe('others', () => {
  const db = workload('StatefulSet', 'db', { creationTimestamp: at(long), spec: { replicas: 3 } })
  const bare = workload('ReplicaSet', 'cart', { creationTimestamp: at(long), spec: { replicas: 1 } })
  const ofDb = (...seconds: readonly number[]) => pods('StatefulSet', 'db', seconds)
  const gone = (ordinal: number, seconds: number) =>
    said('StatefulSet', upstreamText('stateful-set-pod', `db-${ordinal}`, 'db'), seconds)
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly PastEvent[], string]>([
    ['a StatefulSet, nothing tells',                [db, ...ofDb(long, long, long)],        [],                            'nothing'],
    ['it deletes ordinals that are too many',       [db, ...ofDb(long, long, long)],        [gone(4, -300), gone(3, -290)], '-300 by its Events'],
    ['… twice: the last time',                      [db, ...ofDb(long, long, long)],        [gone(4, -3_000), gone(3, -290)], '-290 by its Events'],
    ['… one that it renews',                        [db, ...ofDb(long, long, long)],        [gone(2, -300)],               'nothing'],
    ['its highest ordinals came last',              [db, ...ofDb(long, -300, -280)],        [],                            '-300 when its last pods came'],
    ['… one of them may have replaced another',     [db, ...ofDb(long, long, -300)],        [],                            'nothing'],
    ['… they are not the highest',                  [db, ...ofDb(-300, -280, long)],        [],                            'nothing'],
    ['all of them came long after it',              [db, ...ofDb(-300, -290, -280)],        [],                            '-300 when all its pods came'],
    ['a bare ReplicaSet deletes only to shrink',    [bare, ...pods('ReplicaSet', 'cart', [long])], [said('ReplicaSet', upstreamText('deleted-pod', 'cart-x'), -300)], '-300 by its Events'],
    ['… another one did',                           [bare, ...pods('ReplicaSet', 'cart', [long])], [gone(4, -300)],        'nothing'],
  ])('%s', (_name, objects, events, expected) => expect(scaledAt(objects, events)).toBe(expected))

  test('pods that all came by a rollout were not woken', () => {
    expect(scaledAt([db, ...ofDb(-300, -290, -280)], [], { rolledAt: -310 })).toBe('nothing')
    expect(scaledAt([db, ...ofDb(-300, -290, -280)], [], { rolledAt: -7_200 })).toBe('-300 when all its pods came')
  })
})
