import { describe, expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Target } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { grantedPermit, scripted } from '../testdata/scripted-api.ts'
import { isFinished } from './finished.ts'

const db: Target = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: 'db', uid: 'uid-db' }
const gone: Target = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'db-0', uid: 'uid-old' }

function recordOf(change: Partial<PermitRecord>): PermitRecord {
  const { record } = grantedPermit(scripted({}), {
    targets: [gone],
    verb: 'evict',
    workload: 'shop/StatefulSet/db',
    siblings: ['uid-old', 'uid-db-1'],
  })
  return { ...record, ...change }
}

const pod = (name: string, uid: string, isReady: boolean): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid,
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'uid-db', controller: true }],
  },
  spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
})

const restarted = { 'kubectl.kubernetes.io/restartedAt': '2026-03-02T04:00:00.000Z' }
function workload(status: object, annotations: object = restarted, replicas = 2): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'shop', uid: 'uid-db', generation: 4 },
    spec: { replicas, selector: {}, template: { metadata: { annotations } } },
    status,
  }
}

const n1: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
}
const stateOf = (objects: readonly KubeObject[]) =>
  buildClusterState([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }, n1, ...objects]).state
const whole = { observedGeneration: 4, replicas: 2, updatedReplicas: 2, readyReplicas: 2 }

describe('an eviction', () => {
  const other = pod('db-1', 'uid-db-1', true)
  test.each<[string, readonly KubeObject[], boolean]>([
    ['has not begun', [pod('db-0', 'uid-old', true), other], false],
    ['has no replacement yet', [other], false],
    ['has a replacement that is not Ready', [pod('db-0', 'uid-new', false), other], false],
    ['has a replacement that is Ready, another is not', [pod('db-0', 'uid-new', true), pod('db-1', 'uid-db-1', false)], false],
    ['is over', [pod('db-0', 'uid-new', true), other], true],
  ])('%s', (_name, pods, expected) => {
    expect(isFinished(recordOf({}), stateOf([workload(whole), ...pods]))).toBe(expected)
  })
})

describe('a rollout', () => {
  const rollout = recordOf({ verb: 'restart', targets: [db] })
  test.each<[string, KubeObject, boolean]>([
    ['is not ours', workload(whole, {}), false],
    ['is not seen by its controller', workload({ ...whole, observedGeneration: 3 }), false],
    ['has old pods', workload({ ...whole, replicas: 3 }), false],
    ['has pods that are not Ready', workload({ ...whole, readyReplicas: 1 }), false],
    ['is over', workload(whole), true],
  ])('%s', (_name, object, expected) => {
    expect(isFinished(rollout, stateOf([object]))).toBe(expected)
  })
})

test.each([
  [2, true],
  [3, false],
])('a scale to %s replicas of a workload that has 2', (replicas, expected) => {
  expect(isFinished(recordOf({ verb: 'scale', targets: [db], replicas }), stateOf([workload(whole)]))).toBe(expected)
})

test('what only its requester knows is never found finished', () => {
  expect(isFinished(recordOf({ verb: 'taint', targets: [{ apiVersion: 'v1', kind: 'Node', name: 'n1' }] }), stateOf([]))).toBe(
    false,
  )
})
