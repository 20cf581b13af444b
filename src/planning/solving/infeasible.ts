// Why the goals are not met: what stands in the way, found by taking it away and looking again. The rest of a plan is not touched.

import { mover } from '#cluster/ownership.ts'
import { Budgets } from '../candidates/budgets.ts'
import { type Sorting, sortPods } from '../candidates/movable.ts'
import { podsOfGoals } from '../candidates/pods-of-goals.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import { type PlanPolicy, workloadKey } from '../goals/policy.ts'
import { shortRooms } from '../isolation/rules.ts'
import { buildModel } from '../model/build-model.ts'
import { type GoalRow, type MoveModel, movedPods, nodesOf, partsOf } from '../model/move-model.ts'
import { goalAmount, shortfallOf } from '../model/tally.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Blocker, Plan, PlanExplanation, StayCode } from '../plan-record.ts'
import { mostMovesOf } from '../sequence/plan-size.ts'
import type { Blocked } from '../sequence/sequence.ts'
import { chooseMoves } from './choose-moves.ts'
import type { SolveOnce } from './solve.ts'

interface ShortfallFacts {
  readonly plan: Plan
  readonly sorting: Sorting
  readonly model: MoveModel
  /** The goals cannot be met by any choice of moves, by proof. */
  readonly isProven: boolean
  /** A choice met them; what stands in the way is only order or landing. */
  readonly meetsGoalsOnPaper: boolean
  readonly refused: readonly Blocked[]
  /** No order of moves comes closer, by proof. */
  readonly isOrderProven: boolean
}

const smallest = 1e-6

/** The minimal explanation of the goals that `plan` misses: each thing that, alone taken away, would let all of them be met. */
export async function explainShortfall(
  input: PlanInput,
  facts: ShortfallFacts,
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<PlanExplanation> {
  const blockers: Blocker[] = []
  const largest = mostMovesOf([...input.state.nodes.keys()])
  for (const variant of facts.meetsGoalsOnPaper ? [] : variantsOf(input.policy, facts, largest)) {
    const moves = await movesToGoals({ ...input, policy: variant.policy }, solve, signal)
    if (moves !== undefined) blockers.push(variant.blocker.kind === 'limit' ? { ...variant.blocker, moves } : variant.blocker)
  }
  if (!facts.meetsGoalsOnPaper) {
    blockers.push(...suppliesOf(facts.model), ...(await uneven(input, facts, solve, signal)))
    if (input.policy.isolation !== undefined) blockers.push(...shortRooms(facts.model, input.policy.isolation))
  }
  const refused = (why: Blocked['why']) =>
    [...new Set(facts.refused.filter(each => each.why === why).map(each => each.intent.candidate.pod.key))].sort()
  if (facts.model.goals.length > 0 && !facts.isProven) {
    if (refused('order').length > 0) blockers.push({ kind: 'order', pods: refused('order'), isProven: facts.isOrderProven })
    if (refused('landing').length > 0) blockers.push({ kind: 'landing', pods: refused('landing') })
  }
  blockers.push(...facts.plan.goals.flatMap(lossBlocker))
  return { certainty: facts.isProven ? 'proven' : 'unproven', blockers }
}

function lossBlocker({ goal, loss }: Plan['goals'][number]): readonly Blocker[] {
  if (loss === undefined) return []
  const { lost, pending: pods, because, lack } = loss
  return [{ kind: 'loss', goal, lost, pods, because, ...(lack === undefined ? {} : { lack }) }]
}

/** So many missed goals that compare nodes, or add up what they take, are looked at by themselves. */
const mostCompared = 4

/** For missed goals that compare nodes, or add up what they take: how near each comes by itself, where even that is not near enough. */
async function uneven(
  input: PlanInput,
  facts: ShortfallFacts,
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<readonly Blocker[]> {
  const missed = new Set(facts.plan.goals.flatMap(({ state, goal, node }) => (state === 'missed' ? [`${goal} ${node}`] : [])))
  const sorting = facts.sorting
  const { model } = buildModel(input, sorting.candidates, new Set())
  const rows = model.goals.filter(
    ({ measure = 'sum', goal, subject = '' }) => measure !== 'sum' && missed.has(`${goal} ${subject}`),
  )
  const blockers: Blocker[] = []
  for (const row of rows.slice(0, mostCompared)) {
    const alone = { ...model, goals: [{ ...row, hard: false, weight: 1 }] }
    const choice = await chooseMoves(alone, { method: input.policy.method }, solve, signal)
    if (choice.shortfall <= smallest) continue
    const { goal, subject = '' } = row
    const outcome = facts.plan.goals.find(each => each.goal === goal && each.node === subject)
    const { measure, wanted = 0 } = outcome ?? {}
    if (measure === undefined || measure === 'share' || measure === 'survives') continue
    const beyond = (choice.shortfall * row.allocatable) / 100
    blockers.push({
      kind: 'best',
      goal,
      subject,
      measure,
      wanted,
      atBest: wanted + beyond,
      isProven: choice.certainty === 'proven',
    })
  }
  return blockers
}

interface Variant {
  readonly blocker: Blocker
  readonly policy: PlanPolicy
}

/** Policies that differ from the given one in one thing. `largest`: moves that a plan can have. */
function variantsOf(policy: PlanPolicy, facts: ShortfallFacts, largest: number): readonly Variant[] {
  const { limits, headroom, scope, coordination } = policy
  const variants: Variant[] = []
  const { perNode, perNamespace, ...plain } = limits
  const isPaced = policy.isolation === undefined
  if (isPaced && facts.plan.moves.length >= limits.perPlan) {
    const limit = limits.perPlan >= largest ? 'size' : (limits.perPlanBy ?? 'perPlan')
    variants.push({ blocker: { kind: 'limit', limit }, policy: { ...policy, limits: { ...limits, perPlan: 1e9 } } })
  }
  if (isPaced && perNode !== undefined)
    variants.push({
      blocker: { kind: 'limit', limit: 'perNode' },
      policy: { ...policy, limits: { ...plain, ...(perNamespace === undefined ? {} : { perNamespace }) } },
    })
  if (isPaced && perNamespace !== undefined)
    variants.push({
      blocker: { kind: 'limit', limit: 'perNamespace' },
      policy: { ...policy, limits: { ...plain, ...(perNode === undefined ? {} : { perNode }) } },
    })
  for (const resource of ['cpu', 'memory', 'pods'] as const) {
    if (headroom[resource] >= 100) continue
    variants.push({
      blocker: { kind: 'headroom', resource, percent: headroom[resource] },
      policy: { ...policy, headroom: { ...headroom, [resource]: 100 } },
    })
  }
  const { goals, fleetGoals } = policy
  if (goals.length + fleetGoals.length > (isPaced ? 1 : 0)) {
    for (const goal of [...goals, ...fleetGoals]) {
      variants.push({
        blocker: { kind: 'goal', goal: goal.name, hard: goal.hard },
        policy: {
          ...policy,
          goals: goals.filter(other => other !== goal),
          fleetGoals: fleetGoals.filter(other => other !== goal),
        },
      })
    }
  }
  const excluded = (code: StayCode, changed: PlanPolicy) => {
    const blocker = exclusionOf(facts.sorting, code)
    if (blocker !== undefined) variants.push({ blocker, policy: changed })
  }
  excluded('NamespaceExcluded', { ...policy, scope: { ...scope, namespaces: { include: [], exclude: [] } } })
  excluded('Unlabelled', { ...policy, coordination: { ...coordination, unlabelled: mover } })
  excluded('NoPDB', { ...policy, coordination: { ...coordination, requirePDB: false } })
  excluded('OwnerNone', { ...policy, coordination: { ...coordination, enforce: false } })
  return variants
}

function exclusionOf(sorting: Sorting, code: StayCode): Blocker | undefined {
  const held = sorting.unmovable.filter(each => each.code === code)
  if (held.length === 0) return undefined
  const namespaces = [...new Set(held.map(each => each.pod.namespace))].sort()
  const workloads = [...new Set(held.flatMap(each => (each.workload === undefined ? [] : [workloadKey(each.workload)])))].sort()
  return { kind: 'excluded', code, namespaces, workloads }
}

/** How many moves of some choice meet all goals; `undefined`: none was found. */
async function movesToGoals(input: PlanInput, solve: SolveOnce, signal: AbortSignal): Promise<number | undefined> {
  const tools = {
    budgets: Budgets.of(input.state, input.nowMs),
    fit: new StaticFit(input.state, input.settings),
  }
  const sorting = sortPods(input, tools, input.state.pods.values(), podsOfGoals(input))
  const { model } = buildModel(input, sorting.candidates, new Set())
  const choice = await chooseMoves(model, { method: input.policy.method, isProbe: true }, solve, signal)
  return choice.isFeasible && choice.shortfall <= smallest ? movedPods(choice.assignment) : undefined
}

/** Goals for which there is not enough that could leave, or not enough that could come and fit. */
function suppliesOf(model: MoveModel): readonly Blocker[] {
  return model.goals.flatMap((row): Blocker[] => {
    if (shortfallOf(row, row.used) === 0) return []
    if (row.parts !== undefined) return sumBlockers(model, row)
    const needed = row.bound === 'max' ? row.used - row.limit : row.limit - row.used
    const available = availableFor(model, row)
    if (available >= needed) return []
    const node = model.nodes[row.node]?.name ?? ''
    return [{ kind: 'supply', goal: row.goal, node, bound: row.bound, resource: row.resource, needed, available }]
  })
}

/** A sum over several nodes that no move changes, or that moves cannot bring far enough even by all that may leave or come. */
function sumBlockers(model: MoveModel, row: GoalRow): Blocker[] {
  // What a loss leaves without a place was played, and is named by its pods.
  if (row.measure !== undefined || partsOf(row).some(({ only }) => only !== undefined)) return []
  const needed = row.bound === 'max' ? row.used - row.limit : row.limit - row.used
  const inside = new Set(nodesOf(row))
  const amountOf = (index: number, node: number) =>
    partsOf(row).reduce((sum, part) => (part.nodes.includes(node) ? sum + goalAmount(model, index, row, part) : sum), 0)
  const available = model.classes.reduce((total, { from, destinations, size }, index) => {
    const now = inside.has(from) ? amountOf(index, from) : 0
    const changes = destinations.map(to => (row.bound === 'max' ? 1 : -1) * (now - amountOf(index, to)))
    return total + size * Math.max(0, ...changes)
  }, 0)
  if (available >= needed) return []
  const { goal, subject = '', bound, resource } = row
  return [{ kind: 'supply', goal, node: subject, bound, resource, needed, available }]
}

function availableFor(model: MoveModel, row: GoalRow): number {
  const amount = (requests: Readonly<Record<string, number>>) => (row.resource === 'pods' ? 1 : (requests[row.resource] ?? 0))
  const sum = (classes: MoveModel['classes']) =>
    classes.reduce((total, each) => total + each.size * amount(row.stat === 'usage' ? each.usage : each.requests), 0)
  if (row.bound === 'max') return sum(model.classes.filter(each => each.from === row.node && each.destinations.length > 0))
  const node = model.nodes[row.node]
  const room = row.stat === 'usage' ? Infinity : Math.max(0, (node?.ceiling[row.resource] ?? 0) - (node?.used[row.resource] ?? 0))
  return Math.min(sum(model.classes.filter(each => each.destinations.includes(row.node))), room)
}
