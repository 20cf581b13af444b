// Whole workloads to nodes: what a manifest can say. Pods of one template are alike, so a manifest sends all of them or none; the program
// chooses the workloads that meet the goals with the fewest pods replaced.

import type { PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import { Placement } from '#cluster/placement.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { mostWithin, requestedOn } from '../goals/bounds.ts'
import { goalRows } from '../goals/goals.ts'
import { workloadKey } from '../goals/policy.ts'
import { LinearModelBuilder, type Term } from '../model/linear-model.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Amounts } from '../plan-record.ts'
import type { SolveOnce } from '../solving/solve.ts'

/** All pods of one workload are to stand on one node. */
export interface WorkloadMove {
  readonly workload: WorkloadReference
  readonly object: KubeObject
  readonly pods: readonly PodState[]
  readonly to: string
  /** The nodes that its pods leave, with how many. */
  readonly from: ReadonlyMap<string, number>
}

interface PlacementChoice {
  readonly moves: readonly WorkloadMove[]
  /** Percentage points by which goals are missed on paper; 0: all hold. */
  readonly shortfall: number
  /** Why there is no answer, for a log. */
  readonly failure?: string
}

const branches = 5_000
const smallest = 1e-6

interface Unit {
  readonly move: Omit<WorkloadMove, 'to' | 'from'>
  readonly destinations: readonly string[]
  readonly onNode: ReadonlyMap<string, readonly PodState[]>
}

/** The moves with the least shortfall, then the fewest pods replaced, then the fewest workloads. None where all goals hold already. */
export async function choosePlacements(
  input: PlanInput,
  candidates: readonly Candidate[],
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<PlacementChoice> {
  const units = unitsOf(input, candidates)
  const program = programOf(input, units)
  const stages = [
    { objective: 'shortfall', kind: 'integer', nodes: branches },
    { objective: 'pods', kind: 'integer', nodes: branches },
    { objective: 'workloads', kind: 'integer', nodes: branches },
  ] as const
  const present = stages.filter(({ objective }) => program.model.objectives.has(objective))
  if (program.choices.length === 0 || present.length === 0) return { moves: [], shortfall: 0 }
  const solution = await solve(program.model, { stages: present }, signal)
  const answer = solution.stages.findLast(stage => stage.values !== undefined)
  if (answer?.values === undefined) return { moves: [], shortfall: 0, failure: solution.failure ?? 'no answer' }
  const values = answer.values
  const moves = program.choices.flatMap(({ column, unit, to }) => ((values[column] ?? 0) > 0.5 ? [moveOf(unit, to)] : []))
  const short = solution.stages.find(({ name }) => name === 'shortfall')?.objective ?? 0
  return {
    moves: moves.toSorted((a, b) => (workloadKey(a.workload) < workloadKey(b.workload) ? -1 : 1)),
    shortfall: short < smallest ? 0 : short,
  }
}

function moveOf(unit: Unit, to: string): WorkloadMove {
  const from = new Map([...unit.onNode].filter(([node]) => node !== to).map(([node, pods]) => [node, pods.length]))
  return { ...unit.move, to, from }
}

/** Workloads with a template of which every pod may move, with the nodes that could hold all of them. */
function unitsOf(input: PlanInput, candidates: readonly Candidate[]): readonly Unit[] {
  const { state } = input
  const movable = Map.groupBy(candidates, ({ workload }) => workload.uid)
  return [...movable].flatMap(([uid, group]): Unit[] => {
    const [first] = group
    if (first === undefined || uid === '') return []
    const { workload } = first
    const object = state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
    const pods = state.podsOf(uid).filter(pod => !pod.isFinished)
    if (object === undefined || pods.length !== group.length || !['Deployment', 'StatefulSet'].includes(workload.kind)) return []
    const shared = first.destinations.filter(node =>
      group.every(({ destinations, from }) => from === node || destinations.includes(node)),
    )
    const destinations = shared.filter(node => canHoldAll(input, pods, node))
    if (destinations.length === 0) return []
    return [{ move: { workload, object, pods }, destinations, onNode: Map.groupBy(pods, ({ nodeName = '' }) => nodeName) }]
  })
}

/** Whether nothing but room could keep all of them from standing there: neither themselves nor what else is there. */
function canHoldAll(input: PlanInput, pods: readonly PodState[], node: string): boolean {
  const placement = new Placement(input.state, input.settings)
  for (const pod of pods) placement.remove(pod.key)
  return pods.every(pod => {
    const pending = placement.asPending(pod)
    const verdict = placement.fits(pending, node)
    if (verdict.kind === 'refused' && verdict.filter !== 'NodeResourcesFit') return false
    placement.bind({ ...pending, key: pod.key }, node)
    return true
  })
}

interface Program {
  readonly model: LinearModelBuilder
  readonly choices: readonly { readonly column: number; readonly unit: Unit; readonly to: string }[]
}

function programOf(input: PlanInput, units: readonly Unit[]): Program {
  const { state, policy } = input
  const model = new LinearModelBuilder()
  const choices = units.flatMap((unit, at) =>
    unit.destinations.map(to => ({ column: model.column(`y_${at}_${to}`, { upper: 1, isInteger: true }), unit, to })),
  )
  for (const [at, unit] of units.entries()) {
    const own = choices.filter(choice => choice.unit === unit)
    model.row(
      `once_${at}`,
      own.map(({ column }): Term => [column, 1]),
      { atMost: 1 },
    )
  }
  /** What a choice changes on a node. */
  const change = (choice: Program['choices'][number], node: string, resource: string): number => {
    const arriving = choice.to === node ? amountOf(choice.unit.move.pods, resource) : 0
    return arriving - amountOf(choice.unit.onNode.get(node) ?? [], resource)
  }
  const terms = (node: string, resource: string): readonly Term[] =>
    choices.map(choice => [choice.column, change(choice, node, resource)])
  const resources = new Set(['pods', ...units.flatMap(({ move }) => move.pods.flatMap(pod => Object.keys(pod.requests)))])
  for (const node of new Set(choices.map(({ to }) => to))) {
    const used = requestedOn(state, node)
    for (const resource of resources) {
      // What is above its ceiling already may stay, not grow.
      const most = Math.max(ceilingOf(input, node, resource), used[resource] ?? 0)
      model.row(`room_${node}_${resource}`, terms(node, resource), { atMost: most - (used[resource] ?? 0) })
    }
  }
  const names = [...state.nodes.keys()]
  const shortfalls: Term[] = []
  for (const [at, goal] of goalRows(state, policy, input.measured).entries()) {
    const node = names[goal.node] ?? ''
    if (goal.stat === 'usage' || goal.allocatable <= 0) continue
    const short = model.column(`short_${at}`, goal.hard ? { upper: 0 } : {})
    const sign = goal.bound === 'max' ? -1 : 1
    const bounds = goal.bound === 'max' ? { atMost: goal.limit - goal.used } : { atLeast: goal.limit - goal.used }
    model.row(`goal_${at}`, [...terms(node, goal.resource), [short, sign]], bounds)
    shortfalls.push([short, 100 / goal.allocatable])
  }
  const pods = choices.map(({ column, unit }): Term => [column, unit.move.pods.length])
  model.row('pods', pods, { atMost: policy.limits.perPlan })
  model.objective('shortfall', shortfalls, false)
  model.objective('pods', pods, true)
  model.objective(
    'workloads',
    choices.map(({ column }): Term => [column, 1]),
    true,
  )
  return { model, choices }
}

function ceilingOf({ state, policy }: PlanInput, node: string, resource: string): number {
  const allocatable = state.nodes.get(node)?.allocatable[resource] ?? 0
  const headroom: Readonly<Record<string, number>> = policy.headroom
  const percent = headroom[resource]
  return percent === undefined ? allocatable : mostWithin(percent, allocatable)
}

function amountOf(pods: readonly PodState[], resource: string): number {
  const of = (requests: Amounts) => (resource === 'pods' ? 1 : (requests[resource] ?? 0))
  return pods.reduce((sum, { requests }) => sum + of(requests), 0)
}
