// What was refused or waits without being kept as a permit: the arbiter's events, steps of plans that were left out, and what planners do
// not ask for because the arbiter would refuse it. Each wish once.
import type { ClusterEvent } from '#coordination/account/cluster-events.ts'
import { remedyOf } from '#coordination/account/plan-entries.ts'
import type { RebalancePlan } from '#coordination/api.ts'
import { objectionReasons } from '#coordination/arbiter/sentences.ts'
import { classNumber, disruptionClasses } from '#coordination/intent.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import { askingOf } from '#coordination/plans/names.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { Decision, Permit, Ref } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-permits.ts'
import { rfc3339 } from '../../words/time.ts'
import { firstTime, isEnded, madeAtMs } from '../plans/plan-facts.ts'
import type { LedgerEntry } from './permits-entry.ts'
import { refOfKey, whyOf } from './permits-kept.ts'
import { ownerRule, scalerOf } from './permits-owner.ts'

interface Refusal {
  readonly id: string
  readonly atMs: number
  readonly decision: Extract<Decision, 'denied' | 'queued'>
  readonly rule: string
  readonly why: string
  readonly wayOut: string | undefined
  readonly capability: string
  readonly verb: string
  readonly class: number
  readonly target: Ref
  readonly pods: readonly Ref[]
  readonly retryAt: string | null
}

/** In no order. `granted`: keys of wishes that were granted, asked of the ledger. */
export function refusedEntries(picture: Picture): readonly LedgerEntry[] {
  const told = toldRefusals(picture)
  const keys = new Set(told.flatMap(({ key }) => key ?? []))
  const refusals = told.map(({ refusal }) => refusal)
  const steps = stepRefusals(picture, keys)
  const known = new Set([...refusals, ...steps].map(subjectOf))
  const planned = plannerRefusals(picture).filter(refusal => !known.has(subjectOf(refusal)))
  return [...refusals, ...steps, ...planned].map(entryOf)
}

function subjectOf({ capability, target, rule }: Refusal): string {
  return JSON.stringify([capability, target.kind, target.namespace, target.name, rule])
}

function entryOf(refusal: Refusal): LedgerEntry {
  const { id, atMs, decision, rule, capability, target } = refusal
  return {
    id,
    atMs,
    decision,
    rule,
    capability,
    workload: target.namespace === null ? undefined : `${target.namespace}/${target.kind}/${target.name}`,
    namespace: target.namespace ?? undefined,
    make: () => rowOf(refusal),
  }
}

function rowOf(refusal: Refusal): Permit {
  const { id, atMs, decision, rule, why, wayOut, capability, verb, target, pods, retryAt } = refusal
  return {
    id,
    at: rfc3339(atMs),
    capability,
    verb,
    class: refusal.class,
    target,
    pods,
    decision,
    wouldBe: null,
    rule,
    because: words.refusedBy({ rule, why }),
    remedy: wayOut === undefined ? null : words.remedy(wayOut),
    retryAt,
    token: null,
    releasedAt: null,
    waitedMs: null,
    outcome: null,
    into: null,
  }
}

/** What the arbiter told: denials, and what still waits. Of one wish and rule the last. */
function toldRefusals(picture: Picture): readonly { readonly key: string | undefined; readonly refusal: Refusal }[] {
  const { events } = picture.book
  const asked = new Set(events.flatMap(({ verdict }) => verdict?.key ?? []))
  if (asked.size === 0 && !events.some(({ verdict }) => verdict !== undefined)) return []
  const granted = new Map<string, number>()
  const requested = new Set<string>()
  for (const { record } of picture.book.permits) {
    for (const { idempotencyKey } of [record, ...record.joined])
      if (asked.has(idempotencyKey))
        if (record.grant === undefined) requested.add(idempotencyKey)
        else granted.set(idempotencyKey, record.grant.atMs)
  }
  const over = overKeys(picture)
  const last = new Map<string, { key: string | undefined; refusal: Refusal }>()
  for (const event of events) {
    const { verdict } = event
    if (verdict === undefined) continue
    const { key } = verdict
    // What another process asked for is in the ledger with its answer.
    if (key !== undefined && requested.has(key)) continue
    const isOver = key !== undefined && (granted.has(key) || over.has(key))
    if (verdict.decision === 'Queued' && isOver) continue
    const refusal = toldRefusal(picture, event, verdict)
    last.set(JSON.stringify([refusal.decision, verdict.requester, key ?? refusal.target, verdict.rule]), { key, refusal })
  }
  // A wish that was denied after it had waited is denied.
  const denied = new Set([...last.values()].flatMap(({ key, refusal }) => (refusal.decision === 'denied' ? (key ?? []) : [])))
  return [...last.values()].filter(({ key, refusal }) => refusal.decision === 'denied' || key === undefined || !denied.has(key))
}

/** Keys of steps that are over, or whose plan is: nobody asks for them any more. */
function overKeys({ book }: Picture): ReadonlySet<string> {
  return new Set(
    book.plans.flatMap(plan => {
      const final = new Set((plan.status?.steps ?? []).filter(({ state }) => state !== 'Waiting').map(({ id }) => id))
      return plan.spec.moves.filter(({ id }) => isEnded(plan) || final.has(id)).map(move => moveKey(plan, move))
    }),
  )
}

function toldRefusal(picture: Picture, event: ClusterEvent, verdict: NonNullable<ClusterEvent['verdict']>): Refusal {
  const { regarding, note } = event
  const ref: Ref = { kind: regarding.kind, namespace: regarding.namespace ?? null, name: regarding.name }
  const pod = podOf(verdict.target)
  const workload = regarding.kind === 'Pod' ? workloadOf(picture, ref) : ref
  const sentence = note.replace(/ \[\w+\]$/, '')
  const owned = verdict.rule === 'owner' ? ownerWords(picture, workload, verdict) : undefined
  const number = disruptionClasses.find(name => name === verdict.class)
  return {
    id: `event:${JSON.stringify([verdict.requester, verdict.key ?? `${ref.namespace}/${ref.name}`, verdict.rule])}`,
    atMs: event.atMs,
    decision: verdict.decision === 'Denied' ? 'denied' : 'queued',
    rule: owned?.rule ?? verdict.reason,
    why: owned?.why ?? whyOf(sentence, verdict.wayOut),
    wayOut: owned?.wayOut ?? verdict.wayOut,
    capability: verdict.requester,
    verb: verdict.verb,
    class: number === undefined ? disruptionClasses.length - 1 : classNumber(number),
    target: workload,
    pods: pod === undefined ? [] : [pod],
    retryAt: verdict.decision === 'Queued' ? (verdict.until ?? null) : null,
  }
}

/** Reads `Pod shop/cart-a`. */
function podOf(target: string): Ref | undefined {
  const [, namespace, name] = /^Pod ([^/\s]+)\/(\S+)$/.exec(target) ?? []
  return namespace === undefined || name === undefined ? undefined : { kind: 'Pod', namespace, name }
}

function workloadOf({ state }: Picture, pod: Ref): Ref {
  const workload = state.pods.get(`${pod.namespace ?? ''}/${pod.name}`)?.workload
  return workload === undefined ? pod : { kind: workload.kind, namespace: workload.namespace, name: workload.name }
}

/** The owner matrix by the words that planning has for it, so that one reason has one name. Without its data the rule keeps its own. */
function ownerWords(
  picture: Picture,
  workload: Ref,
  { data, purpose, wayOut }: NonNullable<ClusterEvent['verdict']>,
): { readonly rule: string; readonly why: string | undefined; readonly wayOut: string } | undefined {
  if (data === undefined) return undefined
  const rule = ownerRule(data['owner'])
  if (rule !== 'KedaManaged') return { rule, why: undefined, wayOut }
  return {
    rule,
    why: words.ownedByKeda({ by: scalerOf(picture, workload) }),
    wayOut: purpose === 'move' ? words.movesAtZero : wayOut,
  }
}

const arbitersReasons: ReadonlySet<string> = new Set(Object.values(objectionReasons))

/** Moves that the arbiter kept from being made, where its event is not kept any more; when, is not written down: at the plan's last progress. */
function stepRefusals({ book }: Picture, told: ReadonlySet<string>): readonly Refusal[] {
  return book.plans.flatMap(plan => {
    const skipped = new Map(
      (plan.status?.steps ?? [])
        .filter(({ state, reason }) => state === 'Skipped' && arbitersReasons.has(reason ?? ''))
        .map(step => [step.id, step]),
    )
    if (skipped.size === 0) return []
    const { requester, class: urgency } = askingOf(plan)
    return plan.spec.moves.flatMap((move): readonly Refusal[] => {
      const step = skipped.get(move.id)
      if (step === undefined || told.has(moveKey(plan, move))) return []
      return [
        {
          id: `step:${plan.metadata.name}/${move.id}`,
          atMs: firstTime(plan.status?.finishedAt, plan.status?.progressAt) ?? madeAtMs(plan),
          decision: 'denied',
          rule: step.reason ?? '',
          why: step.message ?? '',
          wayOut: undefined,
          capability: requester,
          verb: move.action === 'surge' ? 'restart' : 'evict',
          class: classNumber(urgency),
          target: refOfKey(workloadKey(move.workload)),
          pods: [{ kind: 'Pod', namespace: move.pod.namespace, name: move.pod.name }],
          retryAt: null,
        },
      ]
    })
  })
}

/** Reasons of planners for leaving something alone for which the arbiter has a rule; other reasons are told by the plan alone. */
const asked: ReadonlySet<string> = new Set([
  'KedaManaged',
  'NoPDB',
  'PDBNeverAllows',
  'PDBExhausted',
  'Frozen',
  'DoNotDisrupt',
  'Quarantined',
  'RecentlyMoved',
])

/** One a workload and reason, of the newest plan of each policy. */
function plannerRefusals(picture: Picture): readonly Refusal[] {
  const newest = [...Map.groupBy(picture.book.plans, plan => plan.spec.policyRef.name).values()].flatMap(plans =>
    plans.toSorted((a, b) => madeAtMs(b) - madeAtMs(a)).slice(0, 1),
  )
  return newest.flatMap(plan => planRefusals(picture, plan))
}

function planRefusals(picture: Picture, plan: RebalancePlan): readonly Refusal[] {
  const { requester, class: urgency } = askingOf(plan)
  const held = (plan.status?.unmovable ?? []).filter(({ reason }) => asked.has(reason))
  return [...Map.groupBy(held, ({ workload, reason }) => `${workload} ${reason}`).values()].flatMap(
    (pods): readonly Refusal[] => {
      const [first] = pods
      const [kind = '', key = ''] = first?.workload.split(' ') ?? []
      const [namespace = '', name = ''] = key.split('/')
      if (first === undefined) return []
      const target: Ref = { kind, namespace, name }
      const isKeda = first.reason === 'KedaManaged'
      return [
        {
          id: `plan:${plan.metadata.name}/${namespace}/${kind}/${name}/${first.reason}`,
          atMs: madeAtMs(plan),
          decision: 'denied',
          rule: first.reason,
          why: isKeda ? words.ownedByKeda({ by: scalerOf(picture, target) }) : (first.message ?? ''),
          wayOut: isKeda ? words.movesAtZero : remedyOf(first, picture.ownerLabel),
          capability: requester,
          verb: 'evict',
          class: classNumber(urgency),
          target,
          pods: pods.flatMap(({ pod }) => (pod === undefined ? [] : [podRef(pod)])),
          retryAt: null,
        },
      ]
    },
  )
}

function podRef(key: string): Ref {
  const [namespace = '', name = ''] = key.split('/')
  return { kind: 'Pod', namespace, name }
}
