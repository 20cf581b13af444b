// Questions to the rules for tables of cases: everything passes, and a row says only what differs.
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import type { Intent, Target } from '../../intent.ts'
import { viewOf } from '../../permits/ledger-view.ts'
import type { Observation, Observations } from '../../observed/observation.ts'
import type { Joined, PermitRecord } from '../../permits/permit-record.ts'
import { type ArbiterPolicy, defaultPolicy } from '../arbiter-policy.ts'
import type { Answer, Pending, Question, TargetFacts, Verdict } from '../question.ts'

export const nowMs = Date.parse('2026-03-02T04:00:00Z')
export const second = 1_000
export const minute = 60_000
export const hour = 3_600_000

export function pod(name: string): Target {
  return { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` }
}

export function node(name: string): Target {
  return { apiVersion: 'v1', kind: 'Node', name, uid: `uid-${name}` }
}

export function deployment(name: string, namespace = 'shop') {
  return { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name, uid: `uid-${name}` }
}

const moved = pod('cart-a')

/** A plan's move of `cart-a`, one of two replicas, from n1 to n2. With another verb it is no move, and no step of a plan. */
export function intent(change: Partial<Intent> = {}): Intent {
  const wish: Intent = {
    requester: 'deschedule',
    verb: 'evict',
    purpose: 'move',
    class: 'balance',
    targets: [moved],
    workload: deployment('cart'),
    disrupts: [moved],
    reasons: [{ code: 'goal', message: 'cp-light wants it elsewhere' }],
    idempotencyKey: 'plan-1/m01',
    deadlineMs: nowMs + hour,
    timeToLiveMs: 600_000,
    ...(change.verb === undefined || change.verb === 'evict' ? ofMoves : {}),
    ...change,
  }
  const { batch, ...withoutBatch } = wish
  return batch === single.batch ? withoutBatch : wish
}

const ofMoves = {
  batch: 'plan-1',
  proof: { snapshotHash: 'abc', nodes: ['n2'] },
  relocation: { from: 'n1', to: ['n2'] },
  unlabelled: 'none',
  requireBudget: true,
} as const satisfies Partial<Intent>

/** What makes a move one that no plan made. */
export const single = { batch: '' } as const

/** What makes an intent a rollout of `cart` after a changed secret. */
export const reload = {
  requester: 'reload',
  verb: 'restart',
  purpose: 'reload',
  class: 'correctness',
  targets: [deployment('cart')],
  idempotencyKey: 'cart/secret-7',
  change: { annotations: { 'ballast.dev/hash': '7' } },
} as const satisfies Partial<Intent>

/** What makes an intent a rollout of `cart` at another size. */
export const resize = {
  requester: 'rightsize',
  verb: 'resize',
  purpose: 'resize',
  class: 'cost',
  targets: [deployment('cart')],
  idempotencyKey: 'cart/size-3',
  change: { resources: [{ container: 'main', requests: { cpu: '200m' } }] },
} as const satisfies Partial<Intent>

/** What makes an intent the emptying of n1. */
export const drain = {
  requester: 'provision',
  verb: 'drain',
  purpose: 'drain',
  class: 'cost',
  targets: [node('n1')],
  workload: undefined,
  idempotencyKey: 'drain/n1',
  proof: { snapshotHash: 'abc', nodes: ['n2'] },
} as const satisfies Partial<Intent>

/** What makes an intent KEDA's: to no replicas. */
export const toZero = {
  requester: 'autoscale',
  verb: 'scale',
  purpose: 'scale-to-zero',
  class: 'cost',
  targets: [deployment('cart')],
  idempotencyKey: 'cart/0',
  replicas: 0,
} as const satisfies Partial<Intent>

/** What makes an intent ask for more replicas. */
export const upscale = { ...toZero, purpose: 'provide', class: 'capacity', replicas: 5 } as const satisfies Partial<Intent>

/** What makes an intent a taint that only says "rather not". */
export const steer = {
  verb: 'taint',
  purpose: 'steer',
  batch: 'plan-1',
  targets: [node('n3')],
  workload: undefined,
  disrupts: [],
} as const satisfies Partial<Intent>

function facts(change: Partial<TargetFacts> = {}): TargetFacts {
  return {
    presence: [{ target: moved, presence: 'present' }],
    replicas: 2,
    owner: { value: 'descheduler', source: 'workload' },
    ownerLabel: defaultOwnerLabel,
    contradictions: [],
    freeze: undefined,
    protection: undefined,
    budgets: [{ pod: moved, answer: { kind: 'allowed', budget: 'shop/cart' } }],
    nodes: ['n1'],
    zones: { n1: '' },
    nodeCount: 4,
    gates: [],
    waking: undefined,
    underWay: undefined,
    ...change,
  }
}

/** The permit of another plan's move of another pod of `cart`, out since a minute. */
export function permit(change: Partial<PermitRecord> = {}): PermitRecord {
  return {
    name: 'evict-cart-b-1000001',
    namespace: 'shop',
    resourceVersion: '7',
    requester: 'deschedule',
    class: 'balance',
    verb: 'evict',
    purpose: 'move',
    targets: [pod('cart-b')],
    workload: 'shop/Deployment/cart',
    reasons: [],
    idempotencyKey: 'plan-0/m07',
    batch: 'plan-0',
    change: undefined,
    relocation: undefined,
    nodes: ['n1'],
    joined: [],
    dropped: [],
    deadlineMs: nowMs + hour,
    siblings: ['uid-cart-a', 'uid-cart-b'],
    grant: { token: 1_000_001, atMs: nowMs - minute, expiresAtMs: nowMs + 9 * minute },
    epoch: 1,
    releasedAtMs: undefined,
    ending: undefined,
    landing: undefined,
    createdMs: nowMs - minute,
    ...change,
  }
}

/** What makes a permit one that was granted and done `ms` ago. */
export function doneFor(ms: number) {
  const atMs = nowMs - ms
  return {
    grant: { token: 1_000_001, atMs, expiresAtMs: atMs + 10 * minute },
    createdMs: atMs,
    releasedAtMs: atMs,
    ending: 'done',
  } as const satisfies Partial<PermitRecord>
}

/** What makes a permit one on another workload, on another node. */
export function elsewhere(name: string, namespace = 'web') {
  return {
    name: `evict-${name}`,
    namespace,
    workload: `${namespace}/Deployment/${name}`,
    targets: [{ ...pod(name), namespace }],
    idempotencyKey: `plan-0/${name}`,
    nodes: ['n4'],
  } as const satisfies Partial<PermitRecord>
}

/** A pod of `cart` that the kubelet evicted `ms` ago. */
export function seen(ms: number, change: Partial<Observation> = {}): Observation {
  return {
    kind: 'pod-lost',
    workload: 'shop/Deployment/cart',
    namespace: 'shop',
    nodes: ['n1'],
    atMs: nowMs - ms,
    by: 'kubelet (memory pressure)',
    evidence: 'Pod shop/cart-c: DisruptionTarget',
    ...change,
  }
}

/** A wish of somebody else that has waited for `ms`. */
export function waiting(ms: number, wish: Partial<Intent>, waitsFor: Pending['waitsFor'] = 'lock'): Pending {
  return { intent: intent(wish), firstAskedMs: nowMs - ms, lastAskedMs: nowMs - second, waitsFor }
}

/** What a row may say. */
export interface Asked {
  readonly intent?: Partial<Intent>
  readonly facts?: Partial<TargetFacts>
  readonly ledger?: readonly PermitRecord[]
  readonly observed?: readonly Observation[]
  readonly pending?: readonly Pending[]
  readonly waitedMs?: number
  readonly policy?: Partial<ArbiterPolicy>
  readonly nowMs?: number
}

export function question(asked: Asked): Question {
  const atMs = asked.nowMs ?? nowMs
  return {
    intent: intent(asked.intent),
    facts: facts(asked.facts),
    ledger: viewOf(asked.ledger ?? []),
    observed: observationsOf(asked.observed ?? []),
    pending: asked.pending ?? [],
    firstAskedMs: atMs - (asked.waitedMs ?? 0),
    policy: { ...defaultPolicy, ...asked.policy },
    nowMs: atMs,
  }
}

function observationsOf(list: readonly Observation[]): Observations {
  return {
    ofWorkload: workload => list.filter(one => one.workload === workload),
    since: ms => list.filter(one => one.atMs >= ms),
  }
}

/** A verdict in a word or three: `defer lock 540 s`. */
export function short(answer: Answer | Verdict, atMs = nowMs): string {
  switch (answer.kind) {
    case 'pass':
      return 'pass'
    case 'grant':
      return answer.wouldBe === undefined
        ? 'grant'
        : `grant, would be ${answer.wouldBe.decision} by ${answer.wouldBe.objection.rule}`
    case 'same':
      return `same ${answer.permit.name}`
    case 'defer':
      return `defer ${answer.objection.rule} ${(answer.untilMs - atMs) / second} s`
    case 'deny':
      return `deny ${answer.objection.rule}`
    case 'no-op':
      return `no-op ${answer.objection.rule}`
    case 'coalesced':
      return `coalesced ${answer.into.name}`
    case 'absorbed':
      return `absorbed ${answer.into.idempotencyKey}`
  }
}

/** A wish as the permit names it that it goes along with. */
export function joinedBy(wish: Partial<Intent>): Joined {
  const { requester, class: name, verb, purpose, reasons, idempotencyKey, change, relocation } = intent(wish)
  return { requester, class: name, verb, purpose, reasons, idempotencyKey, change, relocation }
}
