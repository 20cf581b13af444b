// A plan as a whole: what it changes, what it brings, what stays and why, how safe it is and when it begins.
import type { NodePercent, RebalancePlan } from '#coordination/api.ts'
import { freezeOf } from '#coordination/freeze.ts'
import { isApproved } from '#coordination/plans/plan-progress.ts'
import { runsAt } from '#coordination/plans/schedule.ts'
import { lengthText } from '#coordination/plans/timetable/expected.ts'
import { isUsual } from '#planning/goals/resources.ts'
import type { NodeShareRow, PlanHead, PlanView, Sentence } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as general from '../../words/en.ts'
import * as words from '../../words/en-plan.ts'
import { rfc3339 } from '../../words/time.ts'
import { planButtons } from '../buttons.ts'
import { leaderless } from '../leaderless.ts'
import type { Viewing } from '../viewing.ts'
import { flowsOf } from './flows.ts'
import { goalRows } from './goals.ts'
import { movePage, movesOf, stepTally } from './moves.ts'
import { newestFirst } from './plan-at-hand.ts'
import { goalsOfPlan, goalTally, isEnded, madeAtMs, phaseOf, policyOf, replacementOf } from './plan-facts.ts'
import { unmovableOf } from './plan-stays.ts'
import { type Verification, verificationOf } from './verification.ts'
import { wideGoals } from './wide-goals.ts'

/** The first so many moves come with the plan; `/moves` pages on. */
const mostMovesAtOnce = 500

/** Every plan, newest first. */
export function plansOf(picture: Picture): readonly PlanHead[] {
  return newestFirst(picture).map(plan => planHeadOf(picture, plan))
}

export function planHeadOf(picture: Picture, plan: RebalancePlan): PlanHead {
  const { metadata, spec, status } = plan
  const { done, failed } = stepTally(plan)
  const { objective } = status ?? {}
  const verification = verificationOf(picture, plan)
  const condition = status?.conditions?.find(({ type }) => type === 'GoalsMet')
  return {
    name: metadata.name,
    policy: spec.policyRef.name,
    phase: phaseOf(plan),
    createdAt: rfc3339(madeAtMs(plan)),
    // A proposal waits as long as its certificates hold: nothing of it runs out at a time that is known.
    expiresAt: null,
    moves: spec.moves.length,
    lowerBound: objective?.lowerBound ?? 0,
    optimal: isOptimal(plan),
    done,
    failed,
    waves: spec.moves.reduce((most, { wave }) => Math.max(most, wave), 0),
    goalsMet: condition === undefined || condition.status === 'Unknown' ? spec.outcome === 'met' : condition.status === 'True',
    proven: spec.moves.length > 0 && verification.kind === 'replayed' && verification.findings.length === 0,
    snapshotHash: spec.snapshotHash,
    replacedBy: replacementOf(picture, plan)?.name ?? null,
    sentences: headSentences(picture, plan, verification),
  }
}

/** Proven to have the fewest moves of all that reach as much: the relaxation, rounded up, is what it has. */
function isOptimal({ spec, status }: RebalancePlan): boolean {
  const { objective } = status ?? {}
  if (objective === undefined || spec.moves.length === 0 || objective.moves !== spec.moves.length) return false
  return objective.lowerBound > 0 && Math.ceil(objective.lowerBound - 1e-6) >= spec.moves.length
}

/** `15 moves, the fewest that keep the margins (bound 14.63).` `Both goals would be met.` `15 of 15 proofs checked by the verifier.` and how it stands. */
function headSentences(picture: Picture, plan: RebalancePlan, verification: Verification): readonly Sentence[] {
  const moves = plan.spec.moves.length
  const tally = goalTally(plan)
  return [
    general.planSize({
      moves,
      lowerBound: plan.status?.objective?.lowerBound ?? 0,
      optimal: isOptimal(plan),
      withMargins: plan.status?.objective?.withMargins === true,
    }),
    ...searchSentences(plan),
    ...(tally.goals === 0 ? [] : [words.planGoals({ ...tally, end: endOf(plan) })]),
    ...(moves === 0 || verification.kind === 'not-replayed' ? [] : [proofSentence(moves, verification.findings)]),
    ...expectedOf(plan),
    ...standingOf(picture, plan),
  ]
}

/** Where the search ended, and what is left of goals that are missed. */
function searchSentences({ status }: RebalancePlan): readonly Sentence[] {
  const { limits = [], shortfall } = status ?? {}
  return [
    ...(limits.length === 0 ? [] : [words.planLimits({ limits: limits.map(({ limit }) => limit) })]),
    ...(shortfall === undefined ? [] : [words.planShortfall(shortfall)]),
  ]
}

function expectedOf(plan: RebalancePlan): readonly Sentence[] {
  const { expected } = plan.status ?? {}
  if (expected === undefined || isEnded(plan) || plan.spec.moves.length === 0) return []
  const { seconds, rest, held = '' } = expected
  return [words.planExpected({ length: lengthText(seconds * 1000), rest: rest?.moves ?? 0, held })]
}

function endOf(plan: RebalancePlan): 'open' | 'done' | 'given-up' {
  if (!isEnded(plan)) return 'open'
  const phase = phaseOf(plan)
  return phase === 'Succeeded' || phase === 'Incomplete' ? 'done' : 'given-up'
}

function proofSentence(moves: number, findings: readonly { readonly move?: string }[]): Sentence {
  const ofPlan = findings.some(({ move }) => move === undefined)
  const refused = ofPlan ? moves : new Set(findings.map(({ move }) => move)).size
  return refused === 0 ? words.proofsChecked({ passed: moves, moves }) : words.proofsRefused({ refused, moves })
}

/** How it stands, by its phase: what waits for whom, what is being moved, how it ended. */
function standingOf(picture: Picture, plan: RebalancePlan): readonly Sentence[] {
  const { name } = plan.metadata
  const moves = plan.spec.moves.length
  const { done, failed } = stepTally(plan)
  const message = plan.status?.message?.split('\n')[0] ?? ''
  const nobody = leaderless(picture)
  switch (phaseOf(plan)) {
    case 'Pending':
      return []
    case 'Proposed':
      return moves === 0 ? [] : [general.planProposed({ plan: name, moves, ...goalTally(plan) })]
    case 'Approved':
      if (nobody !== undefined) return [nobody]
      return moves === 0 ? [] : [general.planApproved({ plan: name, moves, when: startOf(picture, plan) })]
    case 'Paused':
      return [
        general.planPaused({
          plan: name,
          done,
          moves,
          because: message === '' ? 'nothing says why' : message.replace(/\.$/, ''),
        }),
      ]
    case 'Running': {
      const all = movesOf(picture, plan)
      const move = all.find(({ state }) => state === 'running')
      if (move === undefined) return [general.planBetween({ plan: name, done, moves })]
      const { from, to, workload } = move
      const skipped = all.filter(({ state }) => state === 'skipped').length
      const n = done + failed + skipped + 1
      return [
        general.moving({ n, total: moves, workload: `${workload.namespace ?? ''}/${workload.name}`, from, to, done, failed }),
      ]
    }
    case 'Succeeded':
    case 'Incomplete':
    case 'Failed':
    case 'Expired':
      return moves === 0 ? [] : [words.planEnded({ phase: phaseOf(plan), done, moves, message })]
  }
}

/** `at 04:00 (Europe/Berlin), in 5h12m`. */
function startOf(picture: Picture, plan: RebalancePlan): string {
  const policy = policyOf(picture, plan)
  const window = policy === undefined ? undefined : runsAt(policy, picture.nowMs)
  if (policy === undefined || window === undefined || window.isOpen) return 'as soon as nothing else holds it'
  if (window.nextMs === undefined) return 'never: no window of its policy opens any more'
  return general.startWords({ atMs: window.nextMs, nowMs: picture.nowMs, zone: policy.spec.timeZone, displayZone: undefined })
}

/** `undefined`: no plan of that name. */
export function planViewOf(picture: Picture, name: string, viewing: Viewing): PlanView | undefined {
  const plan = picture.book.plans.find(one => one.metadata.name === name)
  if (plan === undefined) return undefined
  const { before, after } = sharesOf(picture, plan)
  return {
    head: planHeadOf(picture, plan),
    before,
    after,
    flows: flowsOf(plan),
    ...unmovableOf(picture, plan),
    goals: goalRows(picture, plan),
    wideGoals: wideGoals(picture, plan),
    buttons: planButtons(picture, plan, viewing),
    safety: safetyOf(picture, plan),
    risks: isEnded(plan) ? [] : (plan.status?.risks ?? []),
    notice: noticeOf(picture, plan, viewing),
    moves: movePage(picture, plan, undefined, mostMovesAtOnce).moves,
    moveCount: plan.spec.moves.length,
  }
}

/** The nodes that the plan changes or that a goal names, before and after, in order of name. */
function sharesOf(
  picture: Picture,
  plan: RebalancePlan,
): { readonly before: readonly NodeShareRow[]; readonly after: readonly NodeShareRow[] } {
  const before = shareRows(plan.status?.before ?? [])
  const after = shareRows(plan.status?.after ?? [])
  const changed = new Set([
    ...plan.spec.moves.flatMap(({ from, to }) => [from, to]),
    ...goalsOfPlan(picture, plan).flatMap(({ nodes }) => nodes),
  ])
  const shown = (rows: ReadonlyMap<string, NodeShareRow>) => [...changed].toSorted().flatMap(node => rows.get(node) ?? [])
  return { before: shown(before), after: shown(after) }
}

function shareRows(shares: readonly NodePercent[]): ReadonlyMap<string, NodeShareRow> {
  const rows = new Map<string, NodeShareRow>()
  const nothing = { requested: 0, allocatable: 0 }
  for (const { node, resource, requested, allocatable } of shares) {
    if (!isUsual(resource)) continue
    const row = rows.get(node) ?? { node, cpu: nothing, memory: nothing, pods: { allocatable: 0, count: 0 } }
    const share = { requested: Number(requested), allocatable: Number(allocatable) }
    rows.set(
      node,
      resource === 'pods'
        ? { ...row, pods: { allocatable: share.allocatable, count: share.requested } }
        : { ...row, [resource]: share },
    )
  }
  return rows
}

/** The clauses that are true of the plan, to be joined by semicolons; none of one that is over or moves nothing. */
export function safetyOf(picture: Picture, plan: RebalancePlan): readonly Sentence[] {
  const { moves } = plan.spec
  if (moves.length === 0 || isEnded(plan)) return []
  const verification = verificationOf(picture, plan)
  const isRefused = verification.kind === 'replayed' && verification.findings.length > 0
  const isCovered = moves.every(
    ({ action, certificate: { budget } }) => action === 'surge' || (budget !== undefined && budget.allowedBefore > 0),
  )
  const concurrent = policyOf(picture, plan)?.spec.limits.concurrent
  return [
    ...(isRefused ? [] : [words.everyProof({ plan: plan.metadata.name })]),
    ...(isCovered ? [words.budgetsHold()] : []),
    ...(concurrent === undefined ? [] : [words.atOnce({ concurrent }), words.canPause({ concurrent })]),
  ]
}

/** What stands in place of buttons, or above them: who took its place, what its policy says, when it starts, what holds it. */
function noticeOf(picture: Picture, plan: RebalancePlan, viewing: Pick<Viewing, 'displayZone'>): Sentence | null {
  const { nowMs } = picture
  const replaced = replacementOf(picture, plan)
  if (replaced !== undefined) {
    const agoMs = replaced.atMs === undefined ? 0 : nowMs - replaced.atMs
    const moves = replaced.plan?.spec.moves.length ?? 0
    return words.planReplaced({ by: replaced.name, moves, agoMs })
  }
  const phase = phaseOf(plan)
  if (isEnded(plan) || plan.spec.moves.length === 0) return null
  const policy = policyOf(picture, plan)
  if (policy === undefined) return words.policyGone({ policy: plan.spec.policyRef.name })
  const freeze = freezeOf(plan, nowMs) ?? freezeOf(policy, nowMs)
  if (freeze !== undefined) return words.planFrozen({ where: freeze.where, reason: freeze.reason })
  if (policy.spec.mode === 'Report') return general.policyOnlyReports()
  const nobody = leaderless(picture)
  if (nobody !== undefined) return nobody
  if (phase === 'Running') return null
  const window = runsAt(policy, nowMs)
  if (!window.isOpen && (phase !== 'Proposed' || policy.spec.mode === 'Auto')) {
    if (window.nextMs === undefined) return words.neverStarts()
    const start = { atMs: window.nextMs, nowMs, zone: policy.spec.timeZone, displayZone: viewing.displayZone }
    return policy.spec.mode === 'Auto' ? general.startsByItself(start) : general.startsAt(start)
  }
  if (phase === 'Paused') return words.planStandsStill({ message: plan.status?.message ?? '' })
  if (plan.spec.approved && !isApproved(plan)) return words.approvedOther({ plan: plan.metadata.name })
  if (policy.spec.mode === 'Auto') return general.startsNow()
  return phase === 'Approved' ? words.startsSoon() : null
}
