// Whole workloads to nodes: what a manifest can say. The choice is made in the same program as that of a plan, so that goals, rooms, limits
// and rules are the same; its extension says that pods of one template go together.

import type { PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Candidate } from '../candidates/candidate.ts'
import { workloadKey } from '../goals/policy.ts'
import { buildModel, type PlanModel } from '../model/build-model.ts'
import type { Term } from '../model/linear-model.ts'
import { assignmentOf, moveProgram, type ProgramSoFar } from '../model/move-program.ts'
import type { PlanInput } from '../plan-input.ts'
import type { SolveOnce } from '../solving/solve.ts'
import type { TemplateUnit } from './template-units.ts'

/** All pods of one workload are to stand on these nodes. */
export interface WorkloadMove {
  readonly workload: WorkloadReference
  readonly object: KubeObject
  readonly pods: readonly PodState[]
  /** In order of name; mostly one. */
  readonly to: readonly string[]
  /** On paper: how many of its pods stand on each node of `to`. */
  readonly shares: ReadonlyMap<string, number>
  /** The nodes that its pods leave, with how many. */
  readonly from: ReadonlyMap<string, number>
}

interface PlacementChoice {
  readonly moves: readonly WorkloadMove[]
  /** Why there is no answer, for a log. */
  readonly failure?: string
}

export interface ChoiceTools {
  readonly solve: SolveOnce
  readonly signal: AbortSignal
}

interface Choosing {
  readonly units: readonly TemplateUnit[]
  readonly candidates: readonly Candidate[]
  /** Workloads whose pods may be told to share several nodes, by `namespace/kind/name`. */
  readonly divisible: ReadonlySet<string>
}

const branches = 5_000

/** The moves with which goals are missed by the fewest points, then the fewest pods replaced, then the fewest workloads. None where a hard goal cannot be met so. */
export async function choosePlacements(
  input: PlanInput,
  { units, candidates, divisible }: Choosing,
  { solve, signal }: ChoiceTools,
): Promise<PlacementChoice> {
  const among = new Set(units.map(({ key }) => key))
  const plan = buildModel(
    input,
    candidates.filter(({ workload }) => among.has(workloadKey(workload))),
    new Set(),
  )
  if (plan.classes.length === 0) return { moves: [] }
  const program = moveProgram(plan.model, {
    allowShortfall: true,
    secondary: false,
    extend: so => new Together(input, plan, so).add(units, divisible),
  })
  const stages = ['shortfall', 'replaced', 'templates']
    .filter(objective => program.model.objectives.has(objective))
    .map(objective => ({ objective, kind: 'integer' as const, nodes: branches }))
  const solution = await solve(program.model, { stages }, signal)
  const answer = solution.stages.findLast(stage => stage.values !== undefined)
  if (answer?.values === undefined) {
    const isImpossible = solution.stages.some(({ status }) => status === 'infeasible')
    return isImpossible ? { moves: [] } : { moves: [], failure: solution.failure ?? 'no answer' }
  }
  const flows = Map.groupBy(assignmentOf(program, answer.values), ({ class: index }) => plan.model.classes[index]?.workload ?? '')
  const moves = units.flatMap(unit => {
    const own = flows.get(unit.key)
    return own === undefined ? [] : [moveOf(unit, plan, own)]
  })
  return { moves: moves.toSorted((a, b) => (workloadKey(a.workload) < workloadKey(b.workload) ? -1 : 1)) }
}

function moveOf(
  { workload, object, pods }: TemplateUnit,
  plan: PlanModel,
  flows: readonly { readonly class: number; readonly to: number; readonly count: number }[],
): WorkloadMove {
  const shares = new Map<string, number>()
  const add = (node: string, count: number) => shares.set(node, (shares.get(node) ?? 0) + count)
  for (const { nodeName = '' } of pods) add(nodeName, 1)
  for (const { class: index, to, count } of flows) {
    add(plan.nodeNames[plan.model.classes[index]?.from ?? -1] ?? '', -count)
    add(plan.nodeNames[to] ?? '', count)
  }
  const left = [...shares].filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1))
  const before = Map.groupBy(pods, ({ nodeName = '' }) => nodeName)
  const from = [...before].flatMap(([node, own]): [string, number][] => {
    const going = own.length - Math.max(0, shares.get(node) ?? 0)
    return going > 0 ? [[node, going]] : []
  })
  return { workload, object, pods, to: left.map(([node]) => node), shares: new Map(left), from: new Map(from) }
}

/** Adds that pods of one template go together. */
class Together {
  readonly #input: PlanInput
  readonly #plan: PlanModel
  readonly #program: ProgramSoFar
  readonly #replaced: Term[] = []
  readonly #templates: Term[] = []
  readonly #classes: ReadonlyMap<string, readonly number[]>

  constructor(input: PlanInput, plan: PlanModel, program: ProgramSoFar) {
    this.#input = input
    this.#plan = plan
    this.#program = program
    this.#classes = Map.groupBy(plan.model.classes.keys(), index => plan.model.classes[index]?.workload ?? '')
  }

  add(units: readonly TemplateUnit[], divisible: ReadonlySet<string>): void {
    for (const [at, unit] of units.entries()) {
      const classes = this.#classes.get(unit.key) ?? []
      if (classes.length === 0) continue
      const changed = divisible.has(unit.key) ? this.#divided(at, classes) : this.#whole(at, unit, classes)
      this.#replaced.push(...changed.map((column): Term => [column, unit.pods.length]))
      this.#templates.push(...changed.map((column): Term => [column, 1]))
    }
    const { linear } = this.#program
    linear.row('replaced', this.#replaced, { atMost: this.#input.policy.limits.perPlan })
    linear.objective('replaced', this.#replaced, true)
    linear.objective('templates', this.#templates, true)
  }

  /** Its pods are told apart by nothing, but may share several nodes: one column says whether the template changes. */
  #divided(at: number, classes: readonly number[]): readonly number[] {
    const { linear } = this.#program
    const column = linear.column(`changed_${at}`, { upper: 1, isInteger: true })
    for (const index of classes)
      linear.row(`changed_${at}_${index}`, [...this.#program.leaving(index), [column, -this.#sizeOf(index)]], { atMost: 0 })
    return [column]
  }

  /** All of its pods go to one node or none: one column for each node says so. */
  #whole(at: number, unit: TemplateUnit, classes: readonly number[]): readonly number[] {
    const { linear } = this.#program
    const goals = this.#goalsOf(unit, classes)
    const columns = goals.map(node => ({ node, column: linear.column(`all_${at}_${node}`, { upper: 1, isInteger: true }) }))
    for (const index of classes) {
      const size = this.#sizeOf(index)
      for (const node of this.#plan.model.classes[index]?.destinations ?? []) {
        const chosen = columns.find(one => one.node === node)
        const terms: Term[] = chosen === undefined ? [] : [[chosen.column, -size]]
        linear.row(`all_${at}_${index}_${node}`, [...this.#program.arriving(index, node), ...terms], { atLeast: 0, atMost: 0 })
      }
    }
    linear.row(
      `once_${at}`,
      columns.map(({ column }): Term => [column, 1]),
      { atMost: 1 },
    )
    return columns.map(({ column }) => column)
  }

  /** Nodes that each of its pods is on or may come to, and where nothing but room could keep all of them from standing. */
  #goalsOf({ pods }: TemplateUnit, classes: readonly number[]): readonly number[] {
    const { model, nodeNames } = this.#plan
    const own = classes.flatMap(index => model.classes[index] ?? [])
    const all = [...new Set(own.flatMap(({ destinations, from }) => [...destinations, from]))].sort((a, b) => a - b)
    return all.filter(node => {
      const isOpen = own.every(({ from, destinations }) => from === node || destinations.includes(node))
      const name = nodeNames[node] ?? ''
      // Pods without any other node are in no class: they have to be there already.
      const elsewhere = pods.filter(({ nodeName }) => nodeName !== name).length
      const arriving = own.filter(({ from }) => from !== node).reduce((sum, { size }) => sum + size, 0)
      return isOpen && elsewhere === arriving && arriving > 0 && canHoldAll(this.#input, pods, name)
    })
  }

  #sizeOf(index: number): number {
    return this.#plan.model.classes[index]?.size ?? 0
  }
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
