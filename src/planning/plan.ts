// Makes a plan: sorts pods, builds the model, chooses moves, plays them in order, and says what that brings. What the play refuses is
// forbidden and chosen anew, so that every move of a plan has been seen to work.

import { Budgets } from './candidates/budgets.ts'
import type { Candidate } from './candidates/candidate.ts'
import { type Sorting, sortPods } from './candidates/movable.ts'
import { podsOfGoals } from './candidates/pods-of-goals.ts'
import { StaticFit } from './candidates/static-fit.ts'
import { planEnergy } from './energy/plan-energy.ts'
import { withMoves } from './energy/states.ts'
import { goalOutcomes, nodeShares, policyProblems } from './goals/goals.ts'
import type { FleetGoal, PlanPolicy } from './goals/policy.ts'
import { preferredNames } from './goals/preferences.ts'
import { worstLoss } from './goals/survival.ts'
import { isolationOutcome } from './isolation/rules.ts'
import { buildModel, type PlanModel } from './model/build-model.ts'
import { costOf } from './model/move-model.ts'
import type { PlanInput } from './plan-input.ts'
import type { Amounts, GoalOutcome, Loss, Move, OpenWish, Plan, Unmovable } from './plan-record.ts'
import { risksOf } from './risks.ts'
import type { Intent } from './sequence/move-intent.ts'
import { bestOrder, orderOf, type Step } from './sequence/order-search.ts'
import { mostMovesOf } from './sequence/plan-size.ts'
import { type Blocked, playInOrder, type Sequence, sequenceMoves } from './sequence/sequence.ts'
import { snapshotHash } from './snapshot-hash.ts'
import { type Choice, chooseMoves, gapOf } from './solving/choose-moves.ts'
import { explainShortfall } from './solving/infeasible.ts'
import type { Solve, SolveOnce } from './solving/solve.ts'

export type { PlanInput } from './plan-input.ts'

/** So often moves that turn out impossible are forbidden and the rest is chosen anew. */
const mostAttempts = 6
const smallest = 1e-6

/**
 * The plan for `given`. The same input gives the same plan. It rejects with the signal's reason only: what is wrong with the policy,
 * goals out of reach and a solver that fails are said in the plan.
 */
export async function makePlan(given: PlanInput, solve: Solve, signal: AbortSignal): Promise<Plan> {
  const input = withinSize(given)
  using session = solve.session?.()
  const once = session?.solve ?? solve
  const plan = await planWith(input, once, signal)
  if (plan.problems.length > 0) return plan
  const energy = await planEnergy(input, plan.moves, { hash: plan.snapshotHash, solve: once, signal })
  return energy === undefined ? plan : { ...plan, energy }
}

/** The policy with no more moves a plan than its object has room for. */
function withinSize(input: PlanInput): PlanInput {
  const { limits } = input.policy
  const perPlan = Math.min(limits.perPlan, mostMovesOf([...input.state.nodes.keys()]))
  return { ...input, policy: { ...input.policy, limits: { ...limits, perPlan } } }
}

async function planWith(input: PlanInput, solve: SolveOnce, signal: AbortSignal): Promise<Plan> {
  const hash = snapshotHash(input.state)
  const problems = policyProblems(input.policy, input.state)
  const budgets = Budgets.of(input.state, input.nowMs)
  const fit = new StaticFit(input.state, input.settings)
  await input.pause?.()
  const sorting = sortPods(input, { budgets, fit }, input.state.pods.values(), podsOfGoals(input))
  await input.pause?.()
  if (problems.length > 0) return finished(input, { hash, problems, sorting })
  // A margin is room for what happens after a plan: while a goal holds at all, nothing is disturbed to give it more.
  const areMet = outcomesOf(input, []).every(goal => goal.state !== 'missed')
  const isQuiet = input.policy.isolation === undefined ? areMet : sorting.candidates.length === 0
  if (isQuiet) return finished(input, { hash, problems, sorting })
  const work = { budgets, hash, sorting, solve, signal }
  const attempt = await bestAttempt(input, work)
  const plan = finished(input, { hash, problems, sorting, attempt })
  if (!plan.goals.some(goal => goal.state === 'missed') && (plan.isolation?.left ?? []).length === 0) return plan
  const facts = {
    plan,
    sorting,
    model: attempt.model.model,
    isProven: attempt.isOutOfReach,
    meetsGoalsOnPaper: attempt.meetsGoalsOnPaper,
    refused: attempt.refused,
    isOrderProven: attempt.isBestOrder === true,
  }
  const explanation = await explainShortfall(withoutMargins(input), facts, solve, signal)
  const isLimited = explanation.blockers.some(blocker => blocker.kind === 'limit')
  return { ...plan, explanation, outcome: attempt.isOutOfReach && !isLimited ? 'infeasible' : 'not-met' }
}

function withoutMargins(input: PlanInput): PlanInput {
  const { policy } = input
  const goals = policy.goals.map(goal => ({ ...goal, margin: 0 }))
  const fleetGoals = policy.fleetGoals.map(goal => ({ ...goal, margin: 0 }))
  return { ...input, policy: { ...policy, goals, fleetGoals } }
}

function hasMargins({ goals, fleetGoals }: PlanPolicy): boolean {
  return [...goals, ...fleetGoals].some(goal => goal.margin > 0)
}

interface Attempt {
  readonly model: PlanModel
  readonly choice: Choice
  readonly sequence: Sequence
  /** Everything the play has refused, over all attempts. */
  readonly refused: readonly Blocked[]
  /** No choice of moves meets the goals, margins aside, by proof. */
  readonly isOutOfReach: boolean
  /** The first choice met all goals; only the play did not let it. */
  readonly meetsGoalsOnPaper: boolean
  /** Moves that any plan with this one's result needs at least. */
  readonly lowerBound: number
  /** Goals were to be exceeded by their margins: the bound is of such plans. */
  readonly hasMargins: boolean
  /** Where moves of the choice wait for each other: no order of any moves does better than this attempt. */
  readonly isBestOrder?: boolean
}

interface Work {
  readonly budgets: Budgets
  readonly hash: string
  readonly sorting: Sorting
  readonly solve: SolveOnce
  readonly signal: AbortSignal
}

/** The best of the attempts with margins; where those miss a goal also without: a goal just met beats one well met and one missed. */
async function bestAttempt(input: PlanInput, work: Work): Promise<Attempt> {
  const wide = await repeatedAttempt(input, work)
  const isMet = outcomesOf(input, wide.sequence.moves).every(goal => goal.state !== 'missed')
  if (isMet) return wide
  if (!wide.hasMargins) return await withoutVainMoves(input, work, wide)
  const narrow = await repeatedAttempt(withoutMargins(input), work)
  const best = missing(input, work.sorting, narrow) < missing(input, work.sorting, wide) ? narrow : wide
  return await withoutVainMoves(input, work, { ...best, isOutOfReach: narrow.isOutOfReach })
}

/** Where a loss is not survived the moves for its sums may have brought nothing: then those of the other goals alone will do. */
async function withoutVainMoves(input: PlanInput, work: Work, best: Attempt): Promise<Attempt> {
  const { policy } = input
  const isLost = outcomesOf(input, best.sequence.moves).some(({ measure, state }) => measure === 'survives' && state === 'missed')
  if (!isLost || best.sequence.moves.length === 0) return best
  const others = policy.fleetGoals.filter(({ measure }) => measure !== 'survives')
  const plain = await repeatedAttempt({ ...input, policy: { ...policy, fleetGoals: others } }, work)
  const isFewer = plain.sequence.moves.length < best.sequence.moves.length
  const isNoWorse = missing(input, work.sorting, plain) <= missing(input, work.sorting, best)
  return isFewer && isNoWorse ? { ...plain, isOutOfReach: best.isOutOfReach } : best
}

/** Chooses and plays until everything chosen can be played; what cannot is forbidden the next time. */
async function repeatedAttempt(input: PlanInput, work: Work): Promise<Attempt> {
  const forbidden = new Set<string>()
  const refused: Blocked[] = []
  let first: Choice | undefined
  let best: Attempt | undefined
  for (let count = 0; count < mostAttempts; count++) {
    const model = buildModel(input, work.sorting.candidates, forbidden)
    await input.pause?.()
    const choice = await chooseMoves(model.model, { method: input.policy.method }, work.solve, work.signal)
    await input.pause?.()
    const sequence = await sequenceMoves(input, intentsOf(model, choice), { budgets: work.budgets, snapshotHash: work.hash })
    const isOutOfReach = best?.isOutOfReach ?? (choice.certainty === 'proven' && (choice.shortfall > 0 || !choice.isFeasible))
    // What is forbidden now might work in another order: only the first bound holds for every plan, and only for as good a result.
    first ??= choice
    const lowerBound = choice.shortfall <= first.shortfall + smallest ? first.lowerBound : 0
    const attempt = {
      model,
      choice,
      sequence,
      refused,
      isOutOfReach,
      lowerBound,
      hasMargins: hasMargins(input.policy),
      meetsGoalsOnPaper: first.isFeasible && first.shortfall === 0,
    }
    if (best === undefined || isBetter(input, work, attempt, best)) best = attempt
    if (sequence.blocked.length === 0) break
    const ordered = count === 0 ? await orderedAttempt(input, attempt, work) : undefined
    if (ordered !== undefined && (ordered.isBestOrder === true || isBetter(input, work, ordered, best)))
      best = { ...ordered, refused: sequence.blocked }
    if (ordered?.isBestOrder === true) break
    refused.push(...sequence.blocked)
    for (const blocked of sequence.blocked) forbid(forbidden, model, blocked.intent)
  }
  if (best === undefined) throw new Error('a plan takes at least one attempt')
  // Moves that bring nothing are not worth their disruption: for want of the others, or because a loss is survived no better after them.
  const nothing: Sequence = { moves: [], closedNodes: [], blocked: best.sequence.blocked }
  const isUnsure = best.sequence.blocked.length > 0 || input.policy.fleetGoals.some(({ measure }) => measure === 'survives')
  const isWorthless = isUnsure && missing(input, work.sorting, best) >= missing(input, work.sorting, { sequence: nothing })
  return isWorthless || missesHardGoal(input, best.sequence) ? { ...best, sequence: nothing } : best
}

/** Part of a choice may miss what the whole met, and whether a loss is survived only the play shows: with a hard goal missed it is no plan. */
function missesHardGoal(input: PlanInput, { moves, blocked }: Sequence): boolean {
  const isPart = blocked.length > 0
  return outcomesOf(input, moves).some(
    ({ hard, state, measure }) => hard && state === 'missed' && (isPart || measure === 'survives'),
  )
}

/** Comes closer to the goals, or as close for less. */
function isBetter(input: PlanInput, { sorting }: Work, one: Attempt, other: Attempt): boolean {
  const [left, right] = [missing(input, sorting, one), missing(input, sorting, other)]
  return left < right || (left === right && costOfMoves(one, input.policy) < costOfMoves(other, input.policy))
}

/**
 * Where moves of a choice wait for each other: its cheapest order with stops on the way, or where that is dearer the best that any moves reach
 * one after the other. `undefined`: neither was found, or the play refuses it. What is emptied is emptied in an order of its own.
 */
async function orderedAttempt(input: PlanInput, attempt: Attempt, work: Work): Promise<Attempt | undefined> {
  const { model, choice, sequence } = attempt
  if (input.policy.isolation !== undefined || sequence.blocked.every(({ why }) => why === 'landing')) return undefined
  const own = orderOf(model.model, choice.assignment)
  const isCheapest = own?.cost === costOf(model.model, choice.assignment)
  const any = isCheapest ? undefined : bestOrder(model.model, choice.shortfall)
  const orders = [own, any].filter(each => each !== undefined)
  const [order] = orders.toSorted((a, b) =>
    Math.abs(a.shortfall - b.shortfall) > smallest ? a.shortfall - b.shortfall : a.cost - b.cost,
  )
  if (order === undefined) return undefined
  const played = await playInOrder(input, intentsOfSteps(model, order.steps), { budgets: work.budgets, snapshotHash: work.hash })
  if (played.blocked.length > 0) return undefined
  const isAsGood = order.shortfall <= choice.shortfall + smallest
  const isBestOrder = isCheapest || any?.isProven === true
  const costsOne = model.model.classes.every(({ cost }) => cost === 1)
  const lowerBound = isBestOrder && costsOne ? played.moves.length : isAsGood ? attempt.lowerBound : 0
  return { ...attempt, sequence: played, lowerBound, isBestOrder }
}

/** The steps of an order pod by pod: of each class the first candidates go; who stopped first goes on first. */
function intentsOfSteps(model: PlanModel, steps: readonly Step[]): readonly Intent[] {
  const waiting = model.classes.map(({ candidates }) => [...candidates])
  const stopped = new Map<string, Candidate[]>()
  return steps.flatMap(({ class: index, from, to, isSecond }) => {
    const candidate = isSecond ? stopped.get(`${index}@${from}`)?.shift() : waiting[index]?.shift()
    const [source, name] = [model.nodeNames[from], model.nodeNames[to]]
    if (candidate === undefined || source === undefined || name === undefined)
      throw new RangeError(`no pod of class ${index} on node ${from}`)
    stopped.set(`${index}@${to}`, [...(stopped.get(`${index}@${to}`) ?? []), ...(isSecond ? [] : [candidate])])
    return { candidate: { ...candidate, from: source }, to: name, action: model.classes[index]?.action ?? 'evict' }
  })
}

/** The moves of a choice pod by pod: of each class the first candidates go, to its destinations in order. */
function intentsOf(model: PlanModel, choice: Choice): readonly Intent[] {
  const taken = new Map<number, number>()
  return choice.assignment.flatMap(({ class: index, to, count }) => {
    const group = model.classes[index]
    const start = taken.get(index) ?? 0
    taken.set(index, start + count)
    const name = model.nodeNames[to]
    if (group === undefined || name === undefined) return []
    return group.candidates.slice(start, start + count).map(candidate => ({ candidate, to: name, action: group.action }))
  })
}

/** Forbids what was refused to all pods that are like the refused one. */
function forbid(forbidden: Set<string>, model: PlanModel, intent: Intent): void {
  const group = model.classes.find(each => each.candidates.includes(intent.candidate))
  for (const candidate of group?.candidates ?? [intent.candidate]) forbidden.add(`${candidate.pod.key}>${intent.to}`)
}

/**
 * How far a plan falls short: pods of isolated nodes that stay, above everything; then goals without their margins, by millions, then
 * with them. 0: nothing stays, all goals hold with their margins.
 */
function missing(input: PlanInput, sorting: Sorting, { sequence }: Pick<Attempt, 'sequence'>): number {
  const left = isolationOutcome(input.policy, sorting.candidates, sequence.moves)?.left.length ?? 0
  const points = missedPoints(outcomesOf(input, sequence.moves)) * 1e6
  return left * 1e12 + points + missedPoints(outcomesOf(withinMargins(input), sequence.moves))
}

/** Percentage points; a goal that is missed by nothing but its strictness counts a little too. */
function missedPoints(outcomes: readonly GoalOutcome[]): number {
  return outcomes.reduce((sum, { shortBy, state, weight = 1 }) => sum + weight * (shortBy + (state === 'missed' ? 1e-3 : 0)), 0)
}

/** The same goals, stricter by their margins. */
function withinMargins(input: PlanInput): PlanInput {
  const { policy } = input
  return { ...input, policy: { ...policy, goals: policy.goals.map(stricter), fleetGoals: policy.fleetGoals.map(stricter) } }
}

function stricter<G extends { readonly margin: number; readonly max?: number; readonly min?: number }>(goal: G): G {
  const { max, min, margin } = goal
  return {
    ...goal,
    margin: 0,
    ...(max === undefined ? {} : { max: max - margin }),
    ...(min === undefined ? {} : { min: min + margin }),
  }
}

interface Parts {
  readonly hash: string
  readonly problems: Plan['problems']
  readonly sorting: Sorting
  readonly attempt?: Attempt
}

function finished(input: PlanInput, { hash, problems, sorting, attempt }: Parts): Plan {
  const { policy, state } = input
  const moves = attempt?.sequence.moves ?? []
  const goals = outcomesOf(input, moves)
  // Where part of the choice could not be played its bound says nothing about what is left.
  const bound = attempt === undefined || attempt.sequence.blocked.length > 0 ? 0 : attempt.lowerBound
  const isolation = isolationOutcome(policy, sorting.candidates, moves)
  const isMet = problems.length === 0 && goals.every(goal => isHeld(goal, policy)) && (isolation?.left ?? []).length === 0
  return {
    policyName: policy.name,
    snapshotHash: hash,
    landing: policy.landing,
    moves,
    ...((attempt?.sequence.closedNodes ?? []).length === 0 ? {} : { closedNodes: attempt?.sequence.closedNodes ?? [] }),
    unmovable: [...sorting.unmovable, ...refusedPods(attempt)].sort(byPod),
    objective: {
      moves: moves.length,
      cost: attempt === undefined ? 0 : costOfMoves(attempt, policy),
      lowerBound: bound,
      ...(bound > 0 && attempt?.hasMargins === true ? { withMargins: true } : {}),
      gap: gapOf(moves.length, bound),
    },
    before: nodeShares(state, new Map(), policy),
    after: nodeShares(state, changeBy(moves), policy),
    goals,
    wishes: openWishes(input, sorting, moves),
    ...(policy.leftOut === undefined ? {} : { leftOut: policy.leftOut }),
    outcome: isMet ? 'met' : problems.length > 0 ? 'infeasible' : 'not-met',
    method: attempt?.choice.method ?? 'none',
    stages: attempt?.choice.stages ?? [],
    ...searched(attempt, goals),
    lp: attempt?.choice.lp ?? '',
    problems,
    ...(isolation === undefined ? {} : { isolation }),
    ...risked(input, moves),
  }
}

function risked({ state, nowMs }: PlanInput, moves: readonly Move[]): Pick<Plan, 'risks'> {
  const risks = risksOf(state, moves, nowMs)
  return risks.length === 0 ? {} : { risks }
}

/**
 * `plan` with its first moves only: what they bring by themselves, in numbers. A certificate says nothing of moves that come after it, so
 * that those of a prefix hold.
 */
export function prefixOf(input: PlanInput, plan: Plan, count: number): Plan {
  const moves = plan.moves.slice(0, count)
  const goals = outcomesOf(input, moves)
  const { energy: _, risks: __, ...rest } = plan
  const gone = plan.moves.slice(count).map(({ pod }) => `${pod.namespace}/${pod.name}`)
  const isolation = plan.isolation && { ...plan.isolation, left: [...plan.isolation.left, ...gone].sort() }
  const isMet = goals.every(goal => isHeld(goal, input.policy)) && (isolation?.left ?? []).length === 0
  return {
    ...rest,
    moves,
    goals,
    objective: { moves: moves.length, cost: 0, lowerBound: 0, gap: gapOf(moves.length, 0) },
    after: nodeShares(input.state, changeBy(moves), input.policy),
    wishes: plan.wishes.filter(({ because }) => because !== 'MovedElsewhere'),
    outcome: isMet ? 'met' : 'not-met',
    ...(isolation === undefined ? {} : { isolation }),
    ...risked(input, moves),
  }
}

/** How far `plan` stays behind its goals: pods that were to leave isolated nodes before everything, then percentage points. */
export function shortOf({ goals, isolation }: Pick<Plan, 'goals' | 'isolation'>): number {
  return (isolation?.left.length ?? 0) * 1e6 + missedPoints(goals)
}

/** How far the search came, where it met a bound; and what is left of goals that are missed, where their choice was carried out whole. */
function searched(attempt: Attempt | undefined, goals: readonly GoalOutcome[]): Pick<Plan, 'limits' | 'shortfall'> {
  if (attempt === undefined) return {}
  const { choice, sequence, refused, isBestOrder } = attempt
  const isOpen = isBestOrder !== true && refused.some(({ why }) => why === 'order')
  const limits = [...choice.limits, ...(isOpen ? [{ limit: 'orders' } as const] : [])]
  const isWhole = sequence.blocked.length === 0 && refused.length === 0 && choice.isFeasible
  const isMissed = isWhole && choice.shortfall > smallest && goals.some(({ state }) => state === 'missed')
  return {
    ...(limits.length === 0 ? {} : { limits }),
    ...(isMissed ? { shortfall: { left: choice.shortfall, atLeast: choice.leastShortfall } } : {}),
  }
}

/** Nodes are emptied whether anybody measures them or not; for balance a goal that nobody measures is not met. */
function isHeld({ state }: GoalOutcome, policy: PlanPolicy): boolean {
  return state === 'met' || (state === 'unknown' && policy.isolation !== undefined)
}

function costOfMoves({ model, sequence: { moves } }: Attempt, policy: PlanPolicy): number {
  const costs = new Map(
    model.classes.flatMap((group, index) =>
      group.candidates.map(candidate => [candidate.pod.key, model.model.classes[index]?.cost ?? 0] as const),
    ),
  )
  const sum = moves.reduce((total, move) => total + (costs.get(`${move.pod.namespace}/${move.pod.name}`) ?? 0), 0)
  return policy.objective === 'moves' ? sum : sum / 1000
}

/** What the moves change in the requests of each node. */
function changeBy(moves: readonly Pick<Move, 'from' | 'to' | 'certificate'>[]): ReadonlyMap<string, Amounts> {
  const change = new Map<string, Record<string, number>>()
  const add = (node: string, amounts: Amounts, sign: number) => {
    const sum = change.get(node) ?? {}
    for (const [resource, amount] of Object.entries({ ...amounts, pods: 1 })) sum[resource] = (sum[resource] ?? 0) + sign * amount
    change.set(node, sum)
  }
  for (const move of moves) {
    add(move.from, move.certificate.requests, -1)
    add(move.to, move.certificate.requests, 1)
  }
  return change
}

function outcomesOf(input: PlanInput, moves: readonly Move[]): readonly GoalOutcome[] {
  const usage = new Map<string, Record<string, number>>()
  for (const move of moves) {
    const used = input.measured?.pods.get(`${move.pod.namespace}/${move.pod.name}`) ?? {}
    for (const [node, sign] of [
      [move.from, -1],
      [move.to, 1],
    ] as const) {
      const sum = usage.get(node) ?? {}
      for (const [resource, amount] of Object.entries(used)) sum[resource] = (sum[resource] ?? 0) + sign * amount
      usage.set(node, sum)
    }
  }
  const losses = { before: lossesAfter(input, []), after: lossesAfter(input, moves) }
  return goalOutcomes(input.policy, input.state, { requests: changeBy(moves), usage }, input.measured, losses)
}

/** Losses that were played, by the moves before them or for want of any by the state: plays take long, and are asked for again and again. */
const played = new WeakMap<object, Map<FleetGoal['sets'], Loss | undefined>>()

/** What becomes of the cluster when nodes are lost after `moves`. */
function lossesAfter({ state, policy, settings }: PlanInput, moves: readonly Move[]): (goal: FleetGoal) => Loss | undefined {
  return goal => {
    const key = moves.length === 0 ? state : moves
    const known = played.get(key) ?? new Map<FleetGoal['sets'], Loss | undefined>()
    played.set(key, known)
    if (!known.has(goal.sets)) known.set(goal.sets, worstLoss(withMoves(state, moves), goal, policy, settings))
    return known.get(goal.sets)
  }
}

/** Pods that were to move until the play showed that they cannot. */
function refusedPods(attempt: Attempt | undefined): readonly Unmovable[] {
  const moved = new Set(attempt?.sequence.moves.map(({ pod }) => `${pod.namespace}/${pod.name}`))
  const seen = new Set<string>()
  return (attempt?.refused ?? []).flatMap(({ intent, why, detail }): Unmovable[] => {
    const { pod, workload, from } = intent.candidate
    if (moved.has(pod.key) || seen.has(pod.key)) return []
    seen.add(pod.key)
    const code = why === 'order' ? 'NoSafeOrder' : why === 'landing' ? 'LandsElsewhere' : 'NoFeasibleNode'
    const data = why === 'refused' ? { nodes: '1', reasons: detail, to: intent.to } : { to: intent.to, detail }
    return [{ pod: { namespace: pod.namespace, name: pod.name, uid: pod.uid }, node: from, workload, code, data, also: [] }]
  })
}

function byPod(a: Unmovable, b: Unmovable): number {
  const [left, right] = [`${a.pod.namespace}/${a.pod.name}`, `${b.pod.namespace}/${b.pod.name}`]
  return left < right ? -1 : left > right ? 1 : 0
}

/** Preferences that the plan leaves open, pod by pod. */
function openWishes(input: PlanInput, sorting: Sorting, moves: readonly Move[]): readonly OpenWish[] {
  if (input.policy.preferences.length === 0) return []
  const targets = new Map(moves.map(move => [`${move.pod.namespace}/${move.pod.name}`, move.to]))
  const stays = new Map(sorting.unmovable.map(each => [`${each.pod.namespace}/${each.pod.name}`, each.code]))
  return [...input.state.pods.values()].flatMap((pod): OpenWish[] => {
    if (pod.nodeName === undefined || pod.isFinished) return []
    const wished = preferredNames(input.policy, pod)
    const target = targets.get(pod.key)
    if (wished === undefined || wished.includes(target ?? pod.nodeName)) return []
    const because = target !== undefined ? 'MovedElsewhere' : (stays.get(pod.key) ?? 'NotWorthAMove')
    return [{ pod: { namespace: pod.namespace, name: pod.name, uid: pod.uid }, node: target ?? pod.nodeName, wished, because }]
  })
}
