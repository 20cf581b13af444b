// Builders of what the tests of this room speak of: a row shows only what matters to it.
import type { PlanMove, PlanStep, RebalancePlan } from '../../api.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import type { Pod } from '#kube/objects/objects.ts'

export const nowMs = Date.parse('2026-03-02T04:00:00Z')

const cart = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'deployment-shop-cart' }

/** A move of pod `shop/cart-a` from `n1` to `n2`. */
export function move(change: Partial<PlanMove> = {}): PlanMove {
  return {
    id: 'm01',
    wave: 1,
    pod: { namespace: 'shop', name: 'cart-a', uid: 'uid-cart-a' },
    workload: cart,
    from: 'n1',
    to: 'n2',
    acceptable: ['n2'],
    action: 'evict',
    certificate: {
      snapshotHash: 'sha256:0',
      podUid: 'uid-cart-a',
      requests: {},
      from: 'n1',
      to: 'n2',
      freeBefore: {},
      freeAfter: {},
      filters: {},
      landing: { mode: 'prefer', nodes: ['n2'], totals: {} },
    },
    ...change,
  }
}

export function plan(change: { readonly name?: string; readonly moves?: readonly PlanMove[]; readonly steps?: readonly PlanStep[]; readonly finishedAt?: string } = {}): RebalancePlan {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name: change.name ?? 'talos-0', uid: 'uid-plan' },
    spec: {
      policyRef: { name: 'talos' },
      snapshotHash: 'sha256:0',
      attempt: 0,
      outcome: 'met',
      method: 'milp',
      purpose: 'move',
      landing: 'prefer',
      moves: change.moves ?? [move()],
      approved: true,
    },
    status: { phase: 'Running', steps: change.steps ?? [], ...(change.finishedAt === undefined ? {} : { finishedAt: change.finishedAt }) },
  }
}

export function permit(change: Partial<PermitRecord> = {}): PermitRecord {
  return {
    name: 'evict-cart-a-1000001',
    namespace: 'shop',
    resourceVersion: '1',
    requester: 'deschedule',
    class: 'balance',
    verb: 'evict',
    purpose: 'move',
    targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'uid-cart-a' }],
    workload: 'shop/Deployment/cart',
    reasons: [],
    idempotencyKey: 'uid-plan/m01',
    batch: 'talos-0',
    change: undefined,
    relocation: undefined,
    nodes: ['n1'],
    joined: [],
    dropped: [],
    deadlineMs: nowMs + 900_000,
    siblings: ['uid-cart-a', 'uid-cart-b'],
    grant: { token: 1_000_001, atMs: nowMs, expiresAtMs: nowMs + 600_000 },
    epoch: 1,
    releasedAtMs: undefined,
    ending: undefined,
    landing: undefined,
    createdMs: nowMs,
    ...change,
  }
}

/** A pod of the workload, created `atSeconds` after `nowMs`. */
export function cartPod(name: string, options: { readonly uid?: string; readonly atSeconds?: number; readonly isLeaving?: boolean; readonly phase?: string } = {}): Pod {
  const createdMs = nowMs + (options.atSeconds ?? 0) * 1000
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: options.uid ?? `uid-${name}`,
      creationTimestamp: new Date(createdMs).toISOString(),
      ...(options.isLeaving === true ? { deletionTimestamp: new Date(createdMs).toISOString() } : {}),
    },
    spec: { containers: [{ name: 'main' }] },
    status: { phase: options.phase ?? 'Running' },
  }
}
