import { describe, expect, test } from 'vitest'
import type { Observation } from '#coordination/observed/observation.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import { permit } from '#coordination/plans/testdata/objects.ts'
import { withoutOwn } from './own-losses.ts'

const atMs = 1_000_000_000
const workload = 'shop/Deployment/cart'

const loss = (change: Partial<Observation> = {}): Observation => ({
  kind: 'pod-lost',
  workload,
  namespace: 'shop',
  nodes: ['a'],
  atMs,
  by: 'somebody',
  evidence: 'pod shop/cart-1 has DisruptionTarget EvictionByEvictionAPI: Eviction API: evicting',
  ...change,
})

const granted = (change: Partial<PermitRecord> = {}): PermitRecord =>
  permit({
    workload,
    targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-1', uid: 'u1' }],
    createdMs: atMs - 1_000,
    grant: { token: 1, atMs: atMs - 500, expiresAtMs: atMs + 60_000 },
    releasedAtMs: undefined,
    ending: undefined,
    ...change,
  })

describe('what others did, less what we did', () => {
  test.each<[string, Partial<Observation>, PermitRecord[], boolean]>([
    ['a pod that our permit names', {}, [granted()], false],
    ['before the permit is read', {}, [], true],
    ['another pod of the workload', { evidence: 'pod shop/cart-10 was deleted' }, [granted()], true],
    ['a permit that was never granted', {}, [granted({ grant: undefined })], true],
    ['one that was withdrawn', {}, [granted({ ending: 'withdrawn' })], true],
    ['one of long ago', {}, [granted({ releasedAtMs: atMs - 60_000 })], true],
    ['one of later', {}, [granted({ createdMs: atMs + 60_000 })], true],
    ['a rollout', { kind: 'rollout' }, [granted()], true],
  ])('%s', (_name, change, permits, isShown) => {
    const one = loss(change)
    const seen = withoutOwn({ ofWorkload: () => [one], since: () => [one] }, () => viewOf(permits))
    expect([seen.since(0).length, seen.ofWorkload(workload).length]).toEqual(isShown ? [1, 1] : [0, 0])
  })
})
