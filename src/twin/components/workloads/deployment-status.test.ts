import { describe, expect, test } from 'vitest'
import type { Deployment } from '#kube/objects/objects.ts'
import { type DeploymentCondition, deploymentStatus, type StatusInput, untilDeadlineMs } from './deployment-status.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')

function deployment(
  status: Record<string, unknown>,
  conditions: readonly DeploymentCondition[] = [],
  spec: Partial<Deployment['spec']> = {},
): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', generation: 3 },
    spec: { replicas: 10, selector: {}, template: { spec: { containers: [] } }, progressDeadlineSeconds: 600, ...spec },
    status: { ...status, conditions },
  }
}

function input(given: Deployment, counts: Partial<StatusInput> = {}): StatusInput {
  return {
    deployment: given,
    all: { desired: 13, replicas: 13, ready: 8, available: 8, terminating: 0 },
    current: { name: 'web-new', desired: 5, replicas: 5, ready: 0, available: 0, terminating: 0 },
    unavailable: 2,
    failure: undefined,
    collisionCount: undefined,
    minorVersion: 34,
    nowMs: startMs,
    ...counts,
  }
}

const stuck = { desired: 13, replicas: 13, updatedReplicas: 5, readyReplicas: 8, availableReplicas: 8 }
const updated: DeploymentCondition = {
  type: 'Progressing',
  status: 'True',
  reason: 'ReplicaSetUpdated',
  lastUpdateTime: '2026-01-01T00:00:00Z',
  lastTransitionTime: '2025-12-31T00:00:00Z',
}
const find = (conditions: readonly DeploymentCondition[], type: string) => conditions.find(condition => condition.type === type)

describe('Progressing', () => {
  test('a rollout that stands still is late after its deadline, not before (case 22)', () => {
    const before = deploymentStatus(input(deployment(stuck, [updated]), { nowMs: startMs + 599_000 }))
    expect(find(before.conditions, 'Progressing')).toEqual(updated)
    const after = deploymentStatus(input(deployment(stuck, [updated]), { nowMs: startMs + 600_000 }))
    expect(find(after.conditions, 'Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: 'ReplicaSet "web-new" has timed out progressing.',
      lastTransitionTime: '2026-01-01T00:10:00Z',
    })
  })

  test('one more available pod starts the deadline again and keeps the time of transition', () => {
    const status = deploymentStatus(
      input(deployment({ ...stuck, availableReplicas: 7 }, [updated]), { nowMs: startMs + 500_000 }),
    )
    expect(find(status.conditions, 'Progressing')).toMatchObject({
      reason: 'ReplicaSetUpdated',
      lastUpdateTime: '2026-01-01T00:08:20Z',
      lastTransitionTime: '2025-12-31T00:00:00Z',
    })
  })

  test('stands after what changed before it', () => {
    const { conditions } = deploymentStatus(input(deployment({ ...stuck, availableReplicas: 7 }, [updated])))
    expect(conditions.map(({ type }) => type)).toEqual(['Available', 'Progressing'])
  })

  test('all pods new and available: done', () => {
    const all = { desired: 10, replicas: 10, ready: 10, available: 10, terminating: 1 }
    const status = deploymentStatus(
      input(deployment(stuck, [updated]), { all, current: { name: 'web-new', ...all }, minorVersion: 35 }),
    )
    expect(find(status.conditions, 'Progressing')).toMatchObject({ reason: 'NewReplicaSetAvailable', status: 'True' })
    expect(status).toMatchObject({ updatedReplicas: 10, unavailableReplicas: 0, terminatingReplicas: 1, observedGeneration: 3 })
  })

  test('a finished rollout stays finished when a pod is lost', () => {
    const done: DeploymentCondition = { ...updated, reason: 'NewReplicaSetAvailable' }
    const all = { desired: 10, replicas: 10, ready: 9, available: 9, terminating: 0 }
    const status = deploymentStatus(
      input(deployment({}, [done]), { all, current: { name: 'web-new', ...all }, nowMs: startMs + 7_000_000 }),
    )
    expect(find(status.conditions, 'Progressing')).toEqual(done)
  })
})

// biome-ignore format: a table
test.each([
  ['8 of 10 with 2 allowed to be missing', 8, 'True', 'MinimumReplicasAvailable'],
  ['7 of 10 with 2 allowed to be missing', 7, 'False', 'MinimumReplicasUnavailable'],
])('Available: %s', (_, available, status, reason) => {
  const result = deploymentStatus(input(deployment(stuck), { all: { desired: 13, replicas: 13, ready: available, available, terminating: 0 } }))
  expect(find(result.conditions, 'Available')).toMatchObject({ status, reason })
})

// biome-ignore format: a table
test.each([
  ['running', deployment(stuck, [updated]), 600_000],
  ['finished', deployment(stuck, [{ ...updated, reason: 'NewReplicaSetAvailable' }]), undefined],
  ['paused', deployment(stuck, [updated], { paused: true }), undefined],
  ['without a deadline', deployment(stuck, [updated], { progressDeadlineSeconds: 2_147_483_647 }), undefined],
])('time left of a rollout: %s', (_, given, expected) => {
  expect(untilDeadlineMs(given, startMs)).toBe(expected)
})
