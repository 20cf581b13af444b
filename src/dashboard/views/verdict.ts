// What the overview says first: the first row of the table of 3.4 that holds.
import { quarantinedParts } from '#coordination/account/quarantined-parts.ts'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { plansFor } from '#coordination/intent.ts'
import { runsAt, whenToPlan } from '#coordination/plans/schedule.ts'
import type { Goal, NodeRow, Sentence, Verdict, WideGoal } from '../contract.ts'
import type { Picture } from '../picture.ts'
import * as en from '../words/en.ts'
import * as found from '../words/en-verdict.ts'
import { planPath } from '../words/links.ts'
import { moment } from '../words/moments.ts'
import { disruptedName, underWay } from './doing.ts'
import { clusterFreeze } from './freezes.ts'
import { leaderless } from './leaderless.ts'
import { isOpen } from './plans/after.ts'
import { isUnknown, worstNodeOf } from './plans/goals.ts'
import { stepTally } from './plans/moves.ts'
import { newestFirst } from './plans/plan-at-hand.ts'
import { goalTally, phaseOf, policyOf } from './plans/plan-facts.ts'
import { redGate } from './red-gates.ts'
import { sourceNamed, unknownBecause } from './sources.ts'
import type { Viewing } from './viewing.ts'

/** What was computed of the picture already. */
interface Read {
  readonly picture: Picture
  readonly viewing: Viewing
  readonly rows: readonly NodeRow[]
  readonly goals: readonly Goal[]
  readonly wide: readonly WideGoal[]
  /** The plan at hand. */
  readonly plan: RebalancePlan | undefined
}

/** Rows of the table, in its order; each says nothing where it does not hold. */
const rowsOfTable: readonly ((read: Read) => Verdict | undefined)[] = [
  loading,
  silent,
  broken,
  frozen,
  unreachable,
  held,
  acting,
  unmet,
  standingOut,
  good,
]

/** The verdict: the first row that holds. */
export function verdictOf(read: Read): Verdict {
  for (const row of rowsOfTable) {
    const verdict = row(read)
    if (verdict !== undefined) return verdict
  }
  return { level: 'good', sentences: [found.quiet({ nodes: read.rows.length })] }
}

function loading({ picture }: Read): Verdict | undefined {
  return picture.loading === undefined ? undefined : { level: 'unknown', sentences: [loadingSentence(picture, picture.loading)] }
}

/** How far it has come and, where the API server does not answer, that: a count that stands still has a reason. */
export function loadingSentence(picture: Picture, at: NonNullable<Picture['loading']>): Sentence {
  const { state = 'live', because = null } = sourceNamed(picture, 'api') ?? {}
  const trouble = state === 'live' || state === 'off' || because === null ? undefined : because.replace(/\.$/, '')
  return en.loading({ ...at, trouble })
}

function silent({ picture, rows }: Read): Verdict | undefined {
  if (picture.past !== undefined) return { level: 'unknown', sentences: [found.nodesNotKept()] }
  const api = sourceNamed(picture, 'api')
  const unknown = (sentence: Sentence): Verdict => ({ level: 'unknown', sentences: [sentence] })
  if (api !== undefined && api.state !== 'live' && api.state !== 'off') {
    if (api.lastAt === null) return unknown(en.nothingReadYet())
    const lastMs = Date.parse(api.lastAt)
    return unknown(en.apiSilent({ ageMs: picture.nowMs - lastMs, time: moment(lastMs) }))
  }
  for (const kind of ['nodes', 'pods']) {
    const because = unknownBecause(picture, kind)
    if (because !== undefined) return unknown(found.notKnown({ what: kind, because }))
  }
  return rows.length === 0 ? unknown(found.noNodes()) : undefined
}

/** A part of ours that does nothing by a bug: what it would say below cannot be trusted. */
function broken({ picture }: Read): Verdict | undefined {
  const parts = quarantinedParts(picture.book.events, picture.ownNamespace, picture.nowMs)
  if (parts.length === 0) return undefined
  const sentences = parts.map(({ part, untilMs }) => found.partQuarantined({ part, time: moment(untilMs) }))
  return { level: 'blocked', sentences }
}

function frozen({ picture }: Read): Verdict | undefined {
  const freeze = clusterFreeze(picture)
  if (freeze === null) return undefined
  const time = freeze.since === null ? undefined : moment(Date.parse(freeze.since))
  return { level: 'blocked', sentences: [en.clusterFrozen({ time, who: freeze.by, reason: freeze.reason })] }
}

/** A plan that says that the goals cannot be met, or a policy that cannot be planned, while goals are missed. */
function unreachable({ picture, goals }: Read): Verdict | undefined {
  const missed = goals.filter(isMissed)
  if (missed.length === 0) return undefined
  const blocked = (sentence: Sentence): Verdict => ({ level: 'blocked', sentences: [sentence] })
  for (const policy of picture.book.policies) {
    const own = missed.filter(goal => isOf(goal, policy)).map(({ name }) => name)
    if (own.length === 0) continue
    const wrong = policy.status?.conditions?.find(({ type, status }) => type === 'Valid' && status === 'False')
    if (wrong !== undefined) {
      const [why = ''] = (wrong.message ?? '').split('\n')
      return blocked(en.unreachable({ goals: own, row: found.policyInvalid({ policy: policy.metadata.name, why }) }))
    }
    const plan = newestOf(picture, policy)
    if (plan?.spec.outcome !== 'infeasible' || (phaseOf(plan) !== 'Failed' && !isOpen(plan))) continue
    const link = { text: 'see why', path: planPath(plan.metadata.name) }
    return blocked(en.unreachable({ goals: own, row: rowOf(plan) }, [link]))
  }
  return undefined
}

/** The first thing that stands in the way: the planner writes those indented below its verdict. */
function rowOf(plan: RebalancePlan): string {
  const lines = (plan.status?.message ?? '').split('\n')
  return lines.find(line => line.startsWith('  '))?.trim() ?? found.noChoiceReaches
}

/** A red gate matters while there are moves that it holds back. */
function held({ picture, plan }: Read): Verdict | undefined {
  if (plan === undefined || !isOpen(plan) || plan.spec.moves.length === 0) return undefined
  const gate = redGate(picture)
  return gate === undefined ? undefined : { level: 'blocked', sentences: [en.movesWait({ gate })] }
}

function acting({ picture, viewing, plan }: Read): Verdict | undefined {
  const out = underWay(picture)
  const move = out.find(one => one.move !== undefined)
  const sentences: Sentence[] = []
  if (move?.plan !== undefined && move.move !== undefined) {
    const { done, failed } = stepTally(move.plan)
    const total = move.plan.spec.moves.length
    const inFlight = out.filter(one => one.plan === move.plan).length
    const { from, to } = move.move
    const n = Math.min(total, finished(move.plan) + inFlight)
    sentences.push(en.moving({ n, total, workload: disruptedName(move, viewing), from, to, done, failed }))
  } else if (plan !== undefined && phaseOf(plan) === 'Running') {
    sentences.push(en.planBetween({ plan: plan.metadata.name, done: stepTally(plan).done, moves: plan.spec.moves.length }))
  }
  const [other, ...others] = out.filter(one => one.move === undefined)
  if (other !== undefined) {
    const { requester, verb } = other.permit.record
    const what = en.doingOther({ requester, verb, target: disruptedName(other, viewing) }).text
    sentences.push(en.acting({ what, others: others.length }))
  }
  if (sentences.length === 0) return undefined
  const nobody = leaderless(picture)
  return nobody === undefined ? { level: 'acting', sentences } : { level: 'blocked', sentences: [...sentences, nobody] }
}

/** Moves of which nothing more is to come. */
function finished({ status }: RebalancePlan): number {
  const ends: readonly string[] = ['Landed', 'Mismatch', 'Skipped', 'Failed']
  return (status?.steps ?? []).filter(({ state }) => ends.includes(state)).length
}

/** So many goals are told, the others counted. */
const mostGoalsTold = 2

function unmet(read: Read): Verdict | undefined {
  const missed = read.goals.filter(isMissed)
  const unknown = read.goals.filter(isUnknown)
  const unknownSentences = unknown.slice(0, 1).map(goal => {
    const goals = unknown.filter(other => other.because.text === goal.because.text).map(({ name }) => name)
    return en.goalsUnknown({ goals, because: String(goal.because.facts['because'] ?? '') })
  })
  const wideMissed = read.wide.filter(({ state }) => state === 'unmet')
  const [first] = wideMissed
  if (missed.length === 0 && first !== undefined) {
    const said = found.wideMissed({ goal: first.name, because: first.because.text, more: wideMissed.length - 1 })
    return { level: 'attention', sentences: [said, planSentence(read, wideMissed), ...unknownSentences] }
  }
  if (missed.length === 0) return unknownSentences.length === 0 ? undefined : { level: 'attention', sentences: unknownSentences }
  const told = missed.slice(0, mostGoalsTold).map((goal, at) => {
    const before = missed[at - 1]
    const isSame = before?.resource === goal.resource && before.stat === goal.stat
    return en.goalUnmet({ ...goal, node: worstNodeOf(read.picture, goal) ?? goal.name }, { short: isSame })
  })
  const more = missed.length + wideMissed.length - told.length
  const goalsSentence = en.together('goals-unmet', [...told, ...(more === 0 ? [] : [en.moreUnmet({ more })])])
  return { level: 'attention', sentences: [goalsSentence, planSentence(read, missed), ...unknownSentences] }
}

/** What is done about goals that are missed. */
function planSentence({ picture, viewing, plan, goals, wide }: Read, missed: readonly Pick<Goal, 'name'>[]): Sentence {
  const { nowMs } = picture
  const nobody = leaderless(picture)
  if (nobody !== undefined) return nobody
  if (plan !== undefined && isOpen(plan) && plan.spec.moves.length > 0) {
    const name = plan.metadata.name
    const moves = plan.spec.moves.length
    const policy = policyOf(picture, plan)
    if (phaseOf(plan) === 'Paused') {
      const because = (plan.status?.message ?? '').replace(/[.\s]+$/, '') || 'nothing says why'
      return en.planPaused({ plan: name, done: stepTally(plan).done, moves, because })
    }
    if (phaseOf(plan) === 'Approved') {
      const window = policy === undefined ? undefined : runsAt(policy, nowMs)
      const zone = policy?.spec.timeZone ?? 'UTC'
      const when =
        window?.isOpen === false && window.nextMs !== undefined
          ? en.startWords({ atMs: window.nextMs, nowMs, zone, displayZone: viewing.displayZone })
          : 'now'
      return en.planApproved({ plan: name, moves, when })
    }
    const { reached } = goalTally(plan)
    const own = [...goals, ...wide].filter(goal => policy === undefined || isOf(goal, policy)).length
    return en.planProposed({ plan: name, moves, goals: own, reached })
  }
  const policy = picture.book.policies.find(one => missed.some(goal => isOf(goal, one)))
  return policy === undefined ? found.planning() : planningSentence(picture, viewing, { policy, missed })
}

function planningSentence(
  picture: Picture,
  viewing: Viewing,
  { policy, missed }: { readonly policy: RebalancePolicy; readonly missed: readonly Pick<Goal, 'name'>[] },
): Sentence {
  const { nowMs } = picture
  const { name } = policy.metadata
  if (!picture.capabilities.includes(plansFor('move').requester)) return found.nobodyPlans()
  const due = whenToPlan(policy, nowMs)
  const last = newestOf(picture, policy)
  if (due.kind === 'now') return found.planning()
  if (last !== undefined && (phaseOf(last) === 'Pending' || (last.spec.moves.length === 0 && last.spec.outcome !== 'met')))
    return phaseOf(last) === 'Pending'
      ? found.planning()
      : found.noPlanReaches({ goals: missed.length, plan: last.metadata.name })
  if (due.kind === 'never') return found.plansWhenAsked({ policy: name })
  const when = en.startWords({ atMs: due.atMs, nowMs, zone: policy.spec.timeZone, displayZone: viewing.displayZone })
  return found.plansAt({ policy: name, when })
}

/** Above this a node is nearly full, below that almost idle: percent of CPU requested. */
const hotPercent = 90
const idlePercent = 10

/** Nodes that no goal on CPU speaks of, and that stand out. */
function standingOut({ rows, goals }: Read): Verdict | undefined {
  const held = new Set(goals.filter(({ resource }) => resource === 'cpu').flatMap(({ nodes }) => nodes))
  const shares = rows.flatMap(({ name, ready, cordoned, role, cpu }) => {
    const isAsked = ready && !cordoned && role !== 'virtual' && !held.has(name) && cpu.requested !== null && cpu.allocatable > 0
    return isAsked ? [{ node: name, percent: (100 * (cpu.requested ?? 0)) / cpu.allocatable }] : []
  })
  const hot = shares.filter(({ percent }) => percent > hotPercent).toSorted((a, b) => b.percent - a.percent)
  const idle = shares.filter(({ percent }) => percent < idlePercent).toSorted((a, b) => a.percent - b.percent)
  const told = [...idle.slice(0, 1).map(found.idleNode), ...hot.slice(0, 1).map(found.hotNode)]
  if (told.length === 0) return undefined
  const more = { hot: Math.max(0, hot.length - 1), idle: Math.max(0, idle.length - 1) }
  const rest = more.hot + more.idle === 0 ? [] : [found.moreFindings(more)]
  return { level: 'attention', sentences: [en.together('nodes-stand-out', [...told, ...rest])] }
}

const dayMs = 24 * 3_600_000

function good({ picture, goals, wide }: Read): Verdict | undefined {
  // Whether a loss is survived is not known from here.
  const met = goals.length + wide.filter(({ state }) => state === 'met').length
  if (met === 0) return undefined
  return { level: 'good', sentences: [found.allMet({ goals: met }), ...lastMoves(picture)] }
}

/** Sentences about the newest plan that moved something and ended within a day. */
function lastMoves(picture: Picture): readonly Sentence[] {
  const { nowMs } = picture
  for (const plan of newestFirst(picture)) {
    const endedMs = Date.parse(plan.status?.finishedAt ?? '')
    const landed = (plan.status?.steps ?? []).filter(({ state }) => state === 'Landed' || state === 'Mismatch')
    if (landed.length === 0 || !(endedMs >= nowMs - dayMs)) continue
    const seconds = landed.flatMap(step => step.seconds ?? [])
    return [
      found.movesMade({
        moves: landed.length,
        time: moment(endedMs),
        pods: landed.length,
        seconds: seconds.length === 0 ? undefined : Math.max(...seconds),
      }),
    ]
  }
  return []
}

function isMissed(goal: Goal): boolean {
  return !goal.met && !isUnknown(goal)
}

function isOf({ name }: Pick<Goal, 'name'>, { metadata, spec }: RebalancePolicy): boolean {
  return spec.goals.some(goal => goal.name === name || `${metadata.name}/${goal.name}` === name)
}

function newestOf(picture: Picture, policy: RebalancePolicy): RebalancePlan | undefined {
  return newestFirst(picture).find(plan => plan.spec.policyRef.name === policy.metadata.name)
}
