import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { attemptOf } from './their-events.ts'

function event(changes: Readonly<Record<string, unknown>> = {}): KubeObject {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { namespace: 'shop', name: 'web-1.1' },
    reportingController: 'sigs.k8s.io.descheduler',
    action: 'Descheduled',
    type: 'Normal',
    reason: 'PodLifeTime',
    regarding: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'u1' },
    note: 'pod eviction from n1 node by sigs.k8s.io/descheduler',
    ...changes,
  }
}

const failedNote = 'pod eviction from n1 node by sigs.k8s.io/descheduler failed: Cannot evict pod\nas it would violate the budget'

test.each<[string, Readonly<Record<string, unknown>>, unknown]>([
  ['an eviction', {}, { pod: 'shop/web-1', uid: 'u1', node: 'n1', strategy: 'PodLifeTime' }],
  ['one without a reason', { reason: 'NotSet' }, { pod: 'shop/web-1', uid: 'u1', node: 'n1' }],
  [
    'of a pod without a node',
    { note: 'pod eviction from  node by sigs.k8s.io/descheduler' },
    { pod: 'shop/web-1', uid: 'u1', strategy: 'PodLifeTime' },
  ],
  [
    'one that failed',
    { type: 'Warning', reason: 'EvictionFailed', note: failedNote },
    { pod: 'shop/web-1', uid: 'u1', node: 'n1', failure: 'Cannot evict pod\nas it would violate the budget' },
  ],
  [
    'one that failed, in other words',
    { type: 'Warning', note: 'no' },
    { pod: 'shop/web-1', uid: 'u1', failure: 'the eviction failed' },
  ],
  ['another controller', { reportingController: 'kubelet' }, undefined],
  ['another action', { action: 'Scheduled' }, undefined],
  ['of something else than a pod', { regarding: { kind: 'Node', name: 'n1' } }, undefined],
  ['of nothing', { regarding: 'web-1' }, undefined],
])('%s', (_, changes, expected) => {
  expect(attemptOf(event(changes))).toEqual(expected)
})
