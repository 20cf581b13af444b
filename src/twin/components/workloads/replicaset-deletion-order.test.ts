import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { deletionOrder, type RankedPod } from './replicaset-deletion-order.ts'

const nowMs = Date.parse('2026-01-01T12:00:00Z')

interface Shape {
  readonly node?: string
  readonly phase?: string
  readonly readyForMs?: number
  readonly cost?: string
  readonly doubled?: number
  readonly restarts?: number
  readonly ageMs?: number
}

function ranked(name: string, shape: Shape = {}): RankedPod {
  const { node = 'n1', phase = 'Running', readyForMs, cost, doubled = 1, restarts = 0, ageMs = 7_200_000 } = shape
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: name,
      creationTimestamp: new Date(nowMs - ageMs).toISOString(),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node === '' ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions:
        readyForMs === undefined
          ? []
          : [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(nowMs - readyForMs).toISOString() }],
      containerStatuses: [{ name: 'a', restartCount: restarts }],
    },
  }
  return { pod, doubled }
}

const hour = 3_600_000
const ready = { readyForMs: hour }

describe('what is deleted before what', () => {
  // biome-ignore format: a table
  test.each<[string, Shape, Shape]>([
    ['a pod without a node', { node: '' }, {}],
    ['a pending pod', { phase: 'Pending' }, { phase: 'Unknown' }],
    ['a pod of unknown phase', { phase: 'Unknown' }, {}],
    ['a pod that is not ready', {}, ready],
    ['the cheaper one', { ...ready, cost: '-5' }, ready],
    ['costs are numbers, not text', { ...ready, cost: '9' }, { ...ready, cost: '10' }],
    ['a cost that is no number is 0', { ...ready, cost: '01' }, { ...ready, cost: '1' }],
    ['one on a node with more of its kin', { ...ready, doubled: 2 }, ready],
    ['the one ready for a shorter time by log2', { readyForMs: hour }, { readyForMs: 3 * hour }],
    ['the more restarted one', { ...ready, restarts: 3 }, ready],
    ['the younger one by log2', { ageMs: hour }, { ageMs: 3 * hour }],
  ])('%s', (_, first, second) => {
    // Names would decide the other way round.
    expect(deletionOrder([ranked('a', second), ranked('z', first)], nowMs).map(pod => pod.metadata.name)).toEqual(['z', 'a'])
  })

  test('about the same age: the lower uid, whoever is older', () => {
    const order = deletionOrder([ranked('b', { readyForMs: hour }), ranked('a', { readyForMs: hour + 60_000 })], nowMs)
    expect(order.map(pod => pod.metadata.name)).toEqual(['a', 'b'])
  })
})

test('4 → 2 takes the one not ready and the cheap one, 4 → 1 one of the doubled ones too (case 24)', () => {
  const pods = [
    ranked('p1', { ...ready, doubled: 2 }),
    ranked('p2', { ...ready, doubled: 2 }),
    ranked('p3', { ...ready, node: 'n2', cost: '-5' }),
    ranked('p4', { node: 'n3' }),
  ]
  expect(deletionOrder(pods, nowMs).map(pod => pod.metadata.name)).toEqual(['p4', 'p3', 'p1', 'p2'])
})
