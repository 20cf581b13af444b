// The arbiter's policy: from an intent, what is known about its targets, and the ledger, to a verdict. Pure: no clock, no wire.
// The rules are asked in order; the first that objects names itself in the answer.
import { workloadKey } from '#planning/policy.ts'
import { classNumber, type DisruptionClass, type Intent, type Purpose, type Target } from './intent.ts'
import { isActive, type PermitRecord } from './permit-record.ts'

/** `observe`: acts as its upstream would, the ledger records what the policy would have said. `coordinate`: also owners and locks. `enforce`: all. */
export const arbitrationModes = ['observe', 'coordinate', 'enforce'] as const
type ArbitrationMode = (typeof arbitrationModes)[number]

type Owner = 'keda' | 'descheduler' | 'none'

export interface ArbiterPolicy {
  /** Everything voluntary stands still; a text is the reason. */
  readonly freeze: boolean | string
  /** How long after a pod of a workload was replaced the same class leaves it alone, in milliseconds. */
  readonly coolDownMs: Readonly<Record<DisruptionClass, number>>
  /** By capability; default `enforce`. */
  readonly modes: Readonly<Record<string, ArbitrationMode>>
}

const minute = 60_000

/** The figures of the design: balance waits six hours, cost two, availability half an hour, capacity a quarter. */
export const defaultPolicy: ArbiterPolicy = {
  freeze: false,
  coolDownMs: {
    safety: 0,
    correctness: 0,
    availability: 30 * minute,
    capacity: 15 * minute,
    cost: 120 * minute,
    balance: 360 * minute,
  },
  modes: {},
}

export type TargetPresence = 'present' | 'terminating' | 'replaced' | 'gone'

/** Why nothing may be touched: where it is written, why, and until when (`undefined`: until it is taken away). */
export interface Freeze {
  readonly where: string
  readonly reason: string
  readonly untilMs: number | undefined
}

/** What the API server would answer to the eviction of one pod now, counting what is granted but not yet seen. */
export type BudgetAnswer =
  | { readonly kind: 'no-budget' }
  | { readonly kind: 'allowed'; readonly budget: string }
  | { readonly kind: 'exhausted'; readonly budget: string; readonly message: string }
  | { readonly kind: 'never-allows'; readonly budget: string }
  | { readonly kind: 'several'; readonly budgets: readonly string[] }

/** What the cluster says about an intent's targets at this moment. */
export interface TargetFacts {
  readonly presence: readonly { readonly target: Target; readonly presence: TargetPresence }[]
  /** Desired replicas of the workload; `undefined` for a kind without that number. */
  readonly replicas: number | undefined
  readonly owner: { readonly value: Owner | undefined; readonly source: string }
  readonly freeze: Freeze | undefined
  /** The first annotation on a target that asks not to be disturbed. */
  readonly protection: { readonly target: Target; readonly annotation: string } | undefined
  readonly budgets: readonly { readonly pod: Target; readonly answer: BudgetAnswer }[]
}

export type Objection =
  | { readonly rule: 'repeat'; readonly permit: string }
  | { readonly rule: 'stale'; readonly target: Target; readonly presence: Exclude<TargetPresence, 'present'> }
  | { readonly rule: 'late'; readonly deadlineMs: number }
  | { readonly rule: 'nothing-runs'; readonly workload: string }
  | {
      readonly rule: 'owner'
      readonly owner: Owner | undefined
      readonly source: string
      readonly purpose: Purpose
      readonly workload: string
    }
  | { readonly rule: 'protected'; readonly target: Target; readonly annotation: string }
  | { readonly rule: 'budget-required'; readonly pod: Target; readonly workload: string }
  | { readonly rule: 'budget-never-allows'; readonly pod: Target; readonly budget: string }
  | { readonly rule: 'freeze'; readonly freeze: Freeze }
  | { readonly rule: 'lock'; readonly workload: string; readonly permit: string; readonly requester: string }
  | { readonly rule: 'cool-down'; readonly workload: string; readonly permit: string }
  | { readonly rule: 'disruption-budget'; readonly pod: Target; readonly budget: string; readonly message: string }
  | { readonly rule: 'budgets-overlap'; readonly pod: Target; readonly budgets: readonly string[] }
  | { readonly rule: 'fit-proof'; readonly workload: string | undefined }

export type Verdict =
  | {
      readonly kind: 'grant'
      readonly wouldBe: { readonly decision: 'Queued' | 'Denied' | 'NoOp'; readonly objection: Objection } | undefined
    }
  /** The same wish is granted already: this is that permit. */
  | { readonly kind: 'same'; readonly permit: PermitRecord }
  | { readonly kind: 'defer'; readonly objection: Objection; readonly untilMs: number }
  | { readonly kind: 'deny'; readonly objection: Objection }
  | { readonly kind: 'no-op'; readonly objection: Objection }
  | { readonly kind: 'coalesced'; readonly into: string }

interface Question {
  readonly intent: Intent
  readonly facts: TargetFacts
  readonly ledger: readonly PermitRecord[]
  readonly policy: ArbiterPolicy
  readonly nowMs: number
}

type Answer =
  | { readonly kind: 'pass' }
  | { readonly kind: 'same'; readonly permit: PermitRecord }
  | { readonly kind: 'defer'; readonly objection: Objection; readonly untilMs: number }
  | { readonly kind: 'deny'; readonly objection: Objection }
  | { readonly kind: 'no-op'; readonly objection: Objection }

const pass: Answer = { kind: 'pass' }
const deny = (objection: Objection): Answer => ({ kind: 'deny', objection })

/** Each rule with the mode from which on it holds. The order is the order of speaking. */
const rules: readonly { readonly from: ArbitrationMode; readonly ask: (question: Question) => Answer }[] = [
  { from: 'observe', ask: repeated },
  { from: 'observe', ask: late },
  { from: 'observe', ask: stale },
  { from: 'observe', ask: nothingRuns },
  { from: 'coordinate', ask: notOurs },
  { from: 'enforce', ask: protectedByAnnotation },
  { from: 'enforce', ask: withoutBudget },
  { from: 'observe', ask: frozen },
  { from: 'coordinate', ask: locked },
  { from: 'enforce', ask: coolingDown },
  { from: 'observe', ask: overBudget },
  { from: 'enforce', ask: unproven },
]

/**
 * The policy's answer to one intent. Same question, same answer.
 *
 * A rule that does not hold in the requester's mode is asked all the same: what it would have said is `wouldBe` of the grant.
 * A deferral past the intent's deadline is a denial.
 */
export function judge(question: Question): Verdict {
  const mode = question.policy.modes[question.intent.requester] ?? 'enforce'
  let wouldBe: { decision: 'Queued' | 'Denied' | 'NoOp'; objection: Objection } | undefined
  for (const rule of rules) {
    const answer = withinDeadline(rule.ask(question), question.intent.deadlineMs)
    if (answer.kind === 'pass') continue
    if (answer.kind === 'same') return answer
    if (holds(rule.from, mode)) return answer
    wouldBe ??= { decision: decisionWords[answer.kind], objection: answer.objection }
  }
  return { kind: 'grant', wouldBe }
}

const decisionWords = { defer: 'Queued', deny: 'Denied', 'no-op': 'NoOp' } as const

function holds(from: ArbitrationMode, mode: ArbitrationMode): boolean {
  return arbitrationModes.indexOf(mode) >= arbitrationModes.indexOf(from)
}

function withinDeadline(answer: Answer, deadlineMs: number): Answer {
  return answer.kind === 'defer' && answer.untilMs > deadlineMs ? deny(answer.objection) : answer
}

function repeated({ intent, ledger }: Question): Answer {
  const earlier = ledger.filter(
    permit => permit.idempotencyKey === intent.idempotencyKey && permit.requester === intent.requester,
  )
  const active = earlier.find(isActive)
  if (active !== undefined) return { kind: 'same', permit: active }
  // Steering is a level, not a deed: a wave that is taken up again is steered again.
  const done = intent.purpose === 'steer' ? undefined : earlier.find(permit => permit.ending === 'done')
  return done === undefined ? pass : { kind: 'no-op', objection: { rule: 'repeat', permit: done.name } }
}

function late({ intent, nowMs }: Question): Answer {
  if (nowMs >= intent.deadlineMs) return deny({ rule: 'late', deadlineMs: intent.deadlineMs })
  return pass
}

function stale({ facts }: Question): Answer {
  for (const { target, presence } of facts.presence) {
    if (presence !== 'present') return deny({ rule: 'stale', target, presence })
  }
  return pass
}

function nothingRuns({ intent, facts }: Question): Answer {
  if (facts.replicas !== 0 || intent.workload === undefined || intent.purpose === 'provide') return pass
  return { kind: 'no-op', objection: { rule: 'nothing-runs', workload: workloadKey(intent.workload) } }
}

/** Who may do what to whom: `policy` is the rebalancing policy's word on workloads without a label. */
type Cell = 'yes' | 'no' | 'while-running' | 'urgent-only' | 'policy'
// biome-ignore format: a table
const ownerMatrix: Readonly<Record<Owner | 'unlabelled', Readonly<Record<Exclude<Purpose, 'steer' | 'provide'>, Cell>>>> = {
  //             reload                  resize                   move              isolate         scale-to-zero         drain
  keda:        { reload: 'while-running', resize: 'while-running', move: 'no',      isolate: 'no',  'scale-to-zero': 'no', drain: 'urgent-only' },
  descheduler: { reload: 'yes',           resize: 'yes',           move: 'yes',     isolate: 'yes', 'scale-to-zero': 'no', drain: 'yes' },
  none:        { reload: 'yes',           resize: 'no',            move: 'no',      isolate: 'yes', 'scale-to-zero': 'no', drain: 'urgent-only' },
  unlabelled:  { reload: 'yes',           resize: 'yes',           move: 'policy',  isolate: 'yes', 'scale-to-zero': 'no', drain: 'yes' },
}

function notOurs({ intent, facts }: Question): Answer {
  const { workload, purpose } = intent
  if (workload === undefined || purpose === 'steer' || purpose === 'provide') return pass
  const { value, source } = facts.owner
  // Whoever owns the replicas may scale them; nobody else may.
  if (purpose === 'scale-to-zero' && value === 'keda' && intent.requester === 'autoscale') return pass
  const cell = ownerMatrix[value ?? 'unlabelled'][purpose]
  const isAllowed =
    cell === 'yes' ||
    (cell === 'while-running' && facts.replicas !== 0) ||
    (cell === 'urgent-only' && classNumber(intent.class) <= 1) ||
    (cell === 'policy' && intent.unlabelled === 'descheduler')
  return isAllowed ? pass : deny({ rule: 'owner', owner: value, source, purpose, workload: workloadKey(workload) })
}

function protectedByAnnotation({ intent, facts }: Question): Answer {
  if (facts.protection === undefined || classNumber(intent.class) <= 1 || intent.disrupts.length === 0) return pass
  return deny({ rule: 'protected', ...facts.protection })
}

function withoutBudget({ intent, facts }: Question): Answer {
  if (intent.requireBudget !== true || intent.workload === undefined) return pass
  for (const { pod, answer } of facts.budgets) {
    if (answer.kind === 'no-budget') return deny({ rule: 'budget-required', pod, workload: workloadKey(intent.workload) })
  }
  return pass
}

function frozen({ facts, policy, nowMs }: Question): Answer {
  const everything: Freeze | undefined =
    policy.freeze === false
      ? undefined
      : {
          where: 'arbiter.freeze',
          reason: policy.freeze === true ? 'frozen by configuration' : policy.freeze,
          untilMs: undefined,
        }
  const freeze = everything ?? facts.freeze
  if (freeze === undefined) return pass
  if (freeze.untilMs === undefined) return deny({ rule: 'freeze', freeze })
  return freeze.untilMs > nowMs ? { kind: 'defer', objection: { rule: 'freeze', freeze }, untilMs: freeze.untilMs } : pass
}

function locked({ intent, ledger, nowMs }: Question): Answer {
  if (intent.workload === undefined || intent.disrupts.length === 0) return pass
  const workload = workloadKey(intent.workload)
  const holder = ledger.find(permit => isActive(permit) && permit.workload === workload)
  if (holder === undefined) return pass
  return {
    kind: 'defer',
    objection: { rule: 'lock', workload, permit: holder.name, requester: holder.requester },
    untilMs: Math.max(nowMs, Math.min(holder.grant?.expiresAtMs ?? nowMs, intent.deadlineMs)),
  }
}

/** The steps of one batch count once: what was replaced for the same plan holds nobody up. */
function coolingDown({ intent, ledger, policy, nowMs }: Question): Answer {
  const coolDownMs = policy.coolDownMs[intent.class]
  if (coolDownMs === 0 || intent.workload === undefined || intent.disrupts.length === 0) return pass
  const workload = workloadKey(intent.workload)
  const isOther = (permit: PermitRecord) => intent.batch === undefined || permit.batch !== intent.batch
  const latest = ledger
    .filter(permit => permit.workload === workload && permit.ending === 'done' && isOther(permit))
    .reduce<PermitRecord | undefined>(
      (best, permit) => ((permit.releasedAtMs ?? 0) > (best?.releasedAtMs ?? 0) ? permit : best),
      undefined,
    )
  const untilMs = (latest?.releasedAtMs ?? 0) + coolDownMs
  if (latest === undefined || untilMs <= nowMs) return pass
  return { kind: 'defer', objection: { rule: 'cool-down', workload, permit: latest.name }, untilMs }
}

/** How long to wait before a budget is asked again, in milliseconds. */
const budgetRetryMs = 5_000

function overBudget({ intent, facts, nowMs }: Question): Answer {
  // A rollout is paced by the workload's own strategy; budgets speak of evictions.
  if (intent.verb !== 'evict' && intent.verb !== 'drain') return pass
  for (const { pod, answer } of facts.budgets) {
    switch (answer.kind) {
      case 'allowed':
      case 'no-budget':
        break
      case 'several':
        return deny({ rule: 'budgets-overlap', pod, budgets: answer.budgets })
      case 'never-allows':
        return deny({ rule: 'budget-never-allows', pod, budget: answer.budget })
      case 'exhausted':
        return {
          kind: 'defer',
          objection: { rule: 'disruption-budget', pod, budget: answer.budget, message: answer.message },
          untilMs: Math.min(nowMs + budgetRetryMs, intent.deadlineMs),
        }
      default:
        answer satisfies never
    }
  }
  return pass
}

function unproven({ intent }: Question): Answer {
  if (intent.verb !== 'evict' && intent.verb !== 'drain') return pass
  if (intent.proof !== undefined && intent.proof.nodes.length > 0) return pass
  return deny({ rule: 'fit-proof', workload: intent.workload === undefined ? undefined : workloadKey(intent.workload) })
}
