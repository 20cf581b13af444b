import { expect, test } from 'vitest'
import { buildClusterState, type PodState } from '#cluster/cluster-state.ts'
import { node, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { CyclePods, departureOf } from './cycle-pods.ts'

const web = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' }
const objects: readonly KubeObject[] = [
  node('a'),
  node('b'),
  pod('shop/web-2', { node: 'a', owner: web }),
  pod('shop/web-1', { node: 'a', owner: web }),
  pod('shop/job', { node: 'a', owner: web, status: { phase: 'Succeeded' } }),
  pod('shop/other', { node: 'b' }),
  pod('shop/pending', { owner: web }),
]

function picture(): CyclePods {
  return new CyclePods(buildClusterState(objects).state)
}

function find(pods: CyclePods, key: string): PodState {
  const found = pods.state.pods.get(key)
  if (found === undefined) throw new Error(key)
  return found
}

const keys = (pods: readonly PodState[]) => pods.map(({ key }) => key)
const now = Date.UTC(2026, 0, 1)

test('at first the pods are those of the state, by key; finished ones among all alone', () => {
  const pods = picture()
  expect(keys(pods.activePods('a'))).toEqual(['shop/web-1', 'shop/web-2'])
  expect(keys(pods.allPods('a'))).toEqual(['shop/job', 'shop/web-1', 'shop/web-2'])
  expect(keys(pods.allPods('b'))).toEqual(['shop/other'])
  expect(pods.activePods('nowhere')).toEqual([])
  expect(pods.replicasOf('web')).toBe(4)
  expect(pods.replicasOf('nobody')).toBe(0)
})

test('a pod that is terminating stays active, and what was listed before does not change', () => {
  const pods = picture()
  const before = find(pods, 'shop/web-1')
  pods.leave(before, 'terminating', now)
  const [after] = pods.activePods('a')
  expect(after).toMatchObject({ key: 'shop/web-1', isTerminating: true })
  expect(after?.object.metadata.deletionTimestamp).toBe('2026-01-01T00:00:00.000Z')
  expect(before.isTerminating).toBe(false)
  expect(pods.replicasOf('web')).toBe(4)
  expect(pods.isGone(before)).toBe(false)
  expect(pods.shrunkNodes).toEqual([])
})

test('a pod that is gone counts no more, however often it is said', () => {
  const pods = picture()
  const gone = find(pods, 'shop/web-1')
  pods.leave(gone, 'gone', now)
  pods.leave(gone, 'gone', now)
  pods.leave(gone, 'terminating', now)
  pods.leave(find(pods, 'shop/job'), 'gone', now)
  pods.leave(find(pods, 'shop/pending'), 'gone', now)
  expect(keys(pods.allPods('a'))).toEqual(['shop/web-2'])
  expect(pods.replicasOf('web')).toBe(1)
  expect(pods.isGone(gone)).toBe(true)
  expect(pods.shrunkNodes).toEqual(['a', 'a'])
})

test('requests are those of the spec, whatever a resize says', () => {
  const resized = pod('shop/big', {
    node: 'a',
    cpu: '1',
    status: { phase: 'Running', containerStatuses: [{ name: 'main', resources: { requests: { cpu: '3' } } }] },
  })
  const pods = new CyclePods(buildClusterState([node('a'), resized, pod('shop/small', { node: 'a', cpu: '2' })]).state)
  expect({ ...pods.requests(find(pods, 'shop/big')) }).toEqual({ cpu: 1_000 })
  expect(pods.requests(find(pods, 'shop/big'))).toBe(pods.requests(find(pods, 'shop/big')))
  expect(find(pods, 'shop/big').requests).toMatchObject({ cpu: 3_000 })
  expect({ ...pods.requests(find(pods, 'shop/small')) }).toEqual({ cpu: 2_000 })
})

test.each<[string, string, { isDryRun: boolean; gracePeriodSeconds?: number }, string]>([
  ['live, a running pod', 'shop/web-1', { isDryRun: false }, 'terminating'],
  ['live, a finished pod', 'shop/job', { isDryRun: false }, 'gone'],
  ['live, a pod without a node', 'shop/pending', { isDryRun: false }, 'gone'],
  ['live, no grace', 'shop/web-1', { isDryRun: false, gracePeriodSeconds: 0 }, 'gone'],
  ['live, some grace', 'shop/web-1', { isDryRun: false, gracePeriodSeconds: 1 }, 'terminating'],
  ['dry run', 'shop/web-1', { isDryRun: true }, 'gone'],
])('%s: %s', (_, key, run, expected) => {
  expect(departureOf(find(picture(), key), run)).toBe(expected)
})

test("the pod's own grace of 0 counts where the policy has none", () => {
  const pods = new CyclePods(
    buildClusterState([node('a'), pod('shop/quick', { node: 'a', terminationGracePeriodSeconds: 0 })]).state,
  )
  expect(departureOf(find(pods, 'shop/quick'), { isDryRun: false })).toBe('gone')
  expect(departureOf(find(pods, 'shop/quick'), { isDryRun: false, gracePeriodSeconds: 30 })).toBe('terminating')
})
