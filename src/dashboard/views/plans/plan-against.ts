// A plan against what happened: each move with where it was meant and where it landed, each node with what was planned for it and what it got.
import type { KeptPermit } from '#coordination/account/book.ts'
import type { NodePercent, PlanMove, PlanStep, RebalancePlan } from '#coordination/api.ts'
import { purposeRows } from '#coordination/intent.ts'
import { isActive } from '#coordination/permits/permit-record.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import { quarantines } from '#coordination/plans/quarantine.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { acceptance } from '#planning/sequence/acceptance.ts'
import type { MoveOutcome, MoveResult, NodeOutcome, PlanAgainst, Sentence, ShareOutcome } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { together } from '../../words/en.ts'
import * as words from '../../words/en-rebalancing.ts'
import { rfc3339 } from '../../words/time.ts'
import { permitId } from '../ledger/permits-kept.ts'
import { nodeRows } from '../nodes/nodes.ts'
import type { Sees } from '../viewing.ts'
import { landingOfStep, planOutcomeOf } from './landings.ts'
import { newestFirst } from './plan-at-hand.ts'
import { firstTime, isEnded, replacementOf } from './plan-facts.ts'

/** Moves and nodes that are told one by one; all moves are in the CSV. */
const mostMoves = 100
const mostNodes = 40
/** Nodes that a move was meant for, named. */
const mostMeant = 20

/** The plan called `name`; without a name the newest that has begun, else the newest. */
export function planToCompare(picture: Picture, name: string | undefined): RebalancePlan | undefined {
  const plans = newestFirst(picture)
  if (name !== undefined) return plans.find(plan => plan.metadata.name === name)
  return plans.find(({ status }) => (status?.steps ?? []).length > 0) ?? plans[0]
}

export function planAgainstOf(picture: Picture, plan: RebalancePlan, sees: Pick<Sees, 'permits'>): PlanAgainst {
  const outcome = planOutcomeOf(plan)
  const nodes = nodeOutcomes(picture, plan)
  return {
    outcome,
    sentences: sentencesOf(picture, plan, outcome),
    moves: plan.spec.moves.slice(0, mostMoves).map(moveReader(picture, plan, sees)),
    nodes: nodes.slice(0, mostNodes),
    nodeCount: nodes.length,
  }
}

/** Every move of the plan. */
export function moveOutcomes(picture: Picture, plan: RebalancePlan, sees: Pick<Sees, 'permits'>): readonly MoveOutcome[] {
  return plan.spec.moves.map(moveReader(picture, plan, sees))
}

function sentencesOf(picture: Picture, plan: RebalancePlan, outcome: PlanAgainst['outcome']): readonly Sentence[] {
  const { moves, counts, failed, skipped, startedAt, finishedAt } = outcome
  const began = firstTime(startedAt ?? undefined)
  const ended = firstTime(finishedAt ?? undefined)
  const tookMs = began === undefined || ended === undefined ? undefined : Math.max(0, ended - began)
  const hasBegun = (plan.status?.steps ?? []).length > 0 || began !== undefined
  const replaced = replacementOf(picture, plan)
  return [
    hasBegun
      ? words.planHappened({ moves, counts, failed, skipped, tookMs })
      : words.planNotBegun({ plan: plan.metadata.name, moves }),
    ...(replaced === undefined ? [] : [words.planFollowed({ by: replaced.name })]),
  ]
}

function moveReader(picture: Picture, plan: RebalancePlan, sees: Pick<Sees, 'permits'>): (move: PlanMove) => MoveOutcome {
  const steps = new Map((plan.status?.steps ?? []).map(step => [step.id, step]))
  const permits = sees.permits ? permitsByKey(picture) : noPermits
  let leftAlone: ReadonlyMap<string, number> | undefined
  const leftAloneUntil = (workload: PlanMove['workload']) => {
    leftAlone ??= quarantines(picture.book.plans, picture.nowMs)
    return leftAlone.get(workloadKey(workload))
  }
  const replaced = replacementOf(picture, plan)
  return move => {
    const step = steps.get(move.id)
    const permit = permits.get(moveKey(plan, move))
    const { kind, namespace, name } = move.workload
    const result = resultOf({ plan, move, step, permit })
    const releasedMs = step?.landedOn === undefined ? undefined : permit?.record.releasedAtMs
    const followed = { leftAlone: result === 'back' ? leftAloneUntil(move.workload) : undefined, by: replaced?.name }
    return {
      id: move.id,
      workload: { kind, namespace, name },
      pod: { namespace: move.pod.namespace, name: move.pod.name },
      from: move.from,
      meant: move.acceptable.slice(0, mostMeant),
      meantCount:
        move.closed === undefined
          ? move.acceptable.length
          : Array.from(picture.state.nodes.keys()).filter(acceptance(plan.spec, move)).length,
      landedOn: step?.landedOn ?? null,
      result,
      at: releasedMs === undefined ? null : rfc3339(releasedMs),
      permit: permit === undefined ? null : permitId(permit.record),
      ms: step?.seconds === undefined ? null : step.seconds * 1_000,
      because: becauseOf(result, step, followed),
    }
  }
}

interface MoveFacts {
  readonly plan: RebalancePlan
  readonly move: PlanMove
  readonly step: PlanStep | undefined
  readonly permit: KeptPermit | undefined
}

function resultOf({ plan, move, step, permit }: MoveFacts): MoveResult {
  const landing = step === undefined ? undefined : landingOfStep(step, move)
  if (landing !== undefined) return landing
  if (step?.state === 'Failed') return 'failed'
  if (step?.state === 'Skipped') return 'skipped'
  if (permit !== undefined && isActive(permit.record)) return 'running'
  if (isEnded(plan)) return 'skipped'
  if (step === undefined) return 'planned'
  return step.state === 'Waiting' ? 'waiting' : 'running'
}

/** Why it was not done, and what followed where it landed elsewhere. */
function becauseOf(
  result: MoveResult,
  step: PlanStep | undefined,
  { leftAlone, by }: { readonly leftAlone: number | undefined; readonly by: string | undefined },
): Sentence | null {
  if (result === 'expected' || result === 'planned' || result === 'running') return null
  const said = [step?.reason, step?.message].filter(text => text !== undefined && text !== '').join(': ')
  const isElsewhere = result === 'other' || result === 'back' || result === 'unheld'
  const parts = [
    ...(said === '' ? [] : [words.saidOfMove({ text: `${said.replace(/[.\s]+$/, '')}.` })]),
    ...(leftAlone === undefined ? [] : [words.leftAloneUntil({ time: rfc3339(leftAlone) })]),
    ...(isElsewhere && by !== undefined ? [words.planFollowed({ by })] : []),
  ]
  return parts.length === 0 ? null : together('move-followed', parts)
}

const noPermits: ReadonlyMap<string, KeptPermit> = new Map()
const keyed = new WeakMap<readonly KeptPermit[], ReadonlyMap<string, KeptPermit>>()

/** Permits of moves, by the key of the wish that each was granted for or that goes along; of several the newest. */
export function permitsByKey({ book: { permits } }: Picture): ReadonlyMap<string, KeptPermit> {
  const known = keyed.get(permits)
  if (known !== undefined) return known
  const byKey = new Map<string, KeptPermit>()
  const put = (key: string, permit: KeptPermit) => {
    const other = byKey.get(key)
    if (other === undefined || grantedMs(other) < grantedMs(permit)) byKey.set(key, permit)
  }
  for (const permit of permits) {
    const { record } = permit
    if (purposeRows[record.purpose].movesPods === true) put(record.idempotencyKey, permit)
    for (const { idempotencyKey, purpose } of record.joined)
      if (purposeRows[purpose].movesPods === true) put(idempotencyKey, permit)
  }
  keyed.set(permits, byKey)
  return byKey
}

const grantedMs = ({ record }: KeptPermit): number => record.grant?.atMs ?? record.createdMs

interface Sum {
  cpu: number
  memory: number
}

/** Nodes that lose or gain by the plan or did, by name; of many those that change most first. */
function nodeOutcomes(picture: Picture, plan: RebalancePlan): readonly NodeOutcome[] {
  const { spec, status } = plan
  const planned = new Map<string, Sum>()
  const landed = new Map<string, Sum>()
  const steps = new Map((status?.steps ?? []).map(step => [step.id, step]))
  for (const move of spec.moves) {
    shift(planned, move, move.to)
    const step = steps.get(move.id)
    if (step !== undefined && landingOfStep(step, move) !== undefined) shift(landed, move, step.landedOn)
  }
  const before = sharesBy(status?.before)
  // What was planned to be is replaced by what was measured when the plan ends.
  const measured = isEnded(plan) && status?.finishedAt !== undefined ? sharesBy(status.after) : noShares
  const rows = new Map(nodeRows(picture).map(row => [row.name, row]))
  const changeOf = (node: string) => Math.abs(planned.get(node)?.cpu ?? 0) + Math.abs(landed.get(node)?.cpu ?? 0)
  const names = [...new Set([...planned.keys(), ...landed.keys()])].toSorted()
  const ordered = names.length <= mostNodes ? names : names.toSorted((a, b) => changeOf(b) - changeOf(a))
  const shareOf = (node: string, resource: 'cpu' | 'memory'): ShareOutcome => {
    const at = before.get(node)?.get(resource)
    const row = rows.get(node)?.[resource]
    const afterwards = measured.get(node)?.get(resource)
    const by = (sum: Sum | undefined) => (at === undefined ? null : share(at.requested + (sum?.[resource] ?? 0), at.allocatable))
    return {
      before: by(undefined),
      planned: by(planned.get(node)),
      landed: by(landed.get(node)),
      measured: afterwards === undefined ? null : share(afterwards.requested, afterwards.allocatable),
      now: row === undefined || row.requested === null ? null : share(row.requested, row.allocatable),
    }
  }
  return ordered.map(node => ({ node, cpu: shareOf(node, 'cpu'), memory: shareOf(node, 'memory') }))
}

/** The pod leaves `from` and comes to `to`; undefined: to no node. */
function shift(sums: Map<string, Sum>, { from, certificate: { requests } }: PlanMove, to: string | undefined): void {
  const add = (node: string, sign: number) => {
    const sum = sums.get(node) ?? { cpu: 0, memory: 0 }
    sum.cpu += sign * (requests['cpu'] ?? 0)
    sum.memory += sign * (requests['memory'] ?? 0)
    sums.set(node, sum)
  }
  add(from, -1)
  if (to !== undefined) add(to, 1)
}

interface Stored {
  readonly requested: number
  readonly allocatable: number
}

type StoredShares = ReadonlyMap<string, ReadonlyMap<string, Stored>>
const noShares: StoredShares = new Map()

function sharesBy(shares: readonly NodePercent[] | undefined): StoredShares {
  const nodes = new Map<string, Map<string, Stored>>()
  for (const { node, resource, requested, allocatable } of shares ?? []) {
    const of = nodes.get(node) ?? new Map<string, Stored>()
    of.set(resource, { requested: Number(requested), allocatable: Number(allocatable) })
    nodes.set(node, of)
  }
  return nodes
}

/** In thousandths, truncated; null where nothing can be said. */
function share(requested: number, allocatable: number): number | null {
  const thousandths = Math.trunc((requested * 1_000) / allocatable)
  return allocatable > 0 && Number.isSafeInteger(thousandths) ? thousandths + 0 : null
}
