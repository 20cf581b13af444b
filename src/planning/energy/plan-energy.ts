// Which nodes could be off once the goals are seen to: chosen by watts, played move by move, and for each other node why it stays on.
import { Budgets } from '../candidates/budgets.ts'
import { type Sorting, sortPods } from '../candidates/movable.ts'
import { StaticFit } from '../candidates/static-fit.ts'
import type { EnergyNode, EnergyRules, PlanPolicy } from '../goals/policy.ts'
import { buildModel, type PlanModel } from '../model/build-model.ts'
import type { PlanInput } from '../plan-input.ts'
import type { Move } from '../plan-record.ts'
import type { Intent } from '../sequence/move-intent.ts'
import { sequenceMoves } from '../sequence/sequence.ts'
import type { SolveOnce } from '../solving/solve.ts'
import type { OnSet, OnSetModel } from './on-set.ts'
import { chooseOnSet } from './on-set-program.ts'
import type { EnergyMove, EnergyOutcome, EnergyStay } from './record.ts'
import { reserveOf, toComeOf } from './reserve.ts'
import { withCordons, withMoves } from './states.ts'
import { staysOn } from './stays.ts'
import { isOff, loadOf, savedWatts, tenth, wattsOf } from './watts.ts'

/** So often moves that turn out impossible are forbidden; then their node stays on. */
const mostAttempts = 4
/** For so many nodes that might be off and are not the reason is looked for. */
const mostExplained = 32

interface EnergyWork {
  readonly hash: string
  readonly solve: SolveOnce
  readonly signal: AbortSignal
}

/** What energy asks for after `moves` of the plan; `undefined`: the policy says nothing of energy, or empties nodes for another reason. */
export async function planEnergy(
  input: PlanInput,
  moves: readonly Move[],
  { hash, solve, signal }: EnergyWork,
): Promise<EnergyOutcome | undefined> {
  const { energy, isolation } = input.policy
  if (energy === undefined || isolation !== undefined) return undefined
  const after = { ...input, state: withMoves(input.state, moves), policy: unlimited(input.policy) }
  return new EnergyPlan(after, energy, { hash, solve, signal }).outcome(input, moves)
}

/** A node is emptied whole or not at all: what paces balance does not count. */
function unlimited(policy: PlanPolicy): PlanPolicy {
  return { ...policy, objective: 'cost', limits: { perPlan: Number.MAX_SAFE_INTEGER, concurrent: policy.limits.concurrent } }
}

interface Chosen {
  readonly off: ReadonlySet<string>
  readonly moves: readonly EnergyMove[]
  readonly isProven: boolean
  readonly stays: ReadonlyMap<string, EnergyStay>
}

class EnergyPlan {
  readonly #input: PlanInput
  readonly #energy: EnergyRules
  readonly #work: EnergyWork
  readonly #sorting: Sorting
  readonly #budgets: Budgets

  constructor(input: PlanInput, energy: EnergyRules, work: EnergyWork) {
    this.#input = input
    this.#energy = energy
    this.#work = work
    this.#budgets = Budgets.of(input.state, input.nowMs)
    this.#sorting = sortPods(input, { budgets: this.#budgets, fit: new StaticFit(input.state, input.settings) })
  }

  async outcome(before: PlanInput, planned: readonly Move[]): Promise<EnergyOutcome> {
    const chosen = await this.#choose()
    const nodes = this.#energy.nodes.map(node => {
      const { name } = node
      const load = loadOf(before.state, name, before.measured)
      const watts = isOff(before.state, name) ? node.standbyWatts : wattsOf(node, load)
      const change = this.#changeOf(name, planned) + this.#changeOf(name, chosen.moves)
      const isDown = chosen.off.has(name) || isOff(before.state, name)
      const stays = chosen.stays.get(name)
      return {
        node: name,
        decision: isOff(before.state, name)
          ? ('off' as const)
          : chosen.off.has(name)
            ? ('power-down' as const)
            : ('stays' as const),
        ...(stays === undefined ? {} : { stays }),
        cpuPercent: load.allocatable > 0 ? tenth((load.used * 100) / load.allocatable) : 0,
        by: load.by,
        watts: tenth(watts),
        wattsAfter: isDown ? tenth(node.standbyWatts) : wattsOf(node, { ...load, used: load.used + change }),
        moves: chosen.moves.filter(({ from }) => from === name).length,
      }
    })
    const sum = (of: (node: (typeof nodes)[number]) => number) => tenth(nodes.reduce((total, node) => total + of(node), 0))
    return {
      nodes,
      watts: { before: sum(({ watts }) => watts), after: sum(({ wattsAfter }) => wattsAfter) },
      moves: chosen.moves,
      certainty: chosen.isProven ? 'proven' : 'unproven',
      warnings: this.#warnings(chosen),
    }
  }

  /** Millicores that moves bring to a node, less those that they take: as measured where that is known, else as requested. */
  #changeOf(
    node: string,
    moves: readonly { readonly pod: Move['pod'] | string; readonly from: string; readonly to: string }[],
  ): number {
    const { state, measured } = this.#input
    return moves.reduce((sum, { pod, from, to }) => {
      const key = typeof pod === 'string' ? pod : `${pod.namespace}/${pod.name}`
      const used = measured?.pods.get(key)?.['cpu'] ?? state.pods.get(key)?.requests['cpu'] ?? 0
      return sum + (to === node ? used : 0) - (from === node ? used : 0)
    }, 0)
  }

  async #choose(): Promise<Chosen> {
    const { state, policy, nowMs } = this.#input
    const stays = new Map<string, EnergyStay>()
    for (const node of this.#energy.nodes) {
      if (isOff(state, node.name)) continue
      const subject = { state, policy, energy: this.#energy, unmovable: this.#sorting.unmovable, nowMs }
      const stay = staysOn(node, subject)
      if (stay !== undefined) stays.set(node.name, stay)
    }
    const forbidden = new Set<string>()
    for (let attempt = 1; ; attempt++) {
      const down = this.#energy.nodes.filter(({ name }) => !stays.has(name) && !isOff(state, name))
      const { model, built } = this.#model(down, forbidden)
      const choice = await chooseOnSet(model, { method: policy.method }, this.#work.solve, this.#work.signal)
      const off = new Set([...choice.off].flatMap(index => built.nodeNames[index] ?? []))
      const { moves, blocked } = await this.#play(built, choice, off)
      if (blocked.length === 0) {
        for (const [name, stay] of await this.#whyOthersStay(down, choice, model, built)) stays.set(name, stay)
        return { off, moves: moves.map(asEnergyMove), isProven: choice.isProven && forbidden.size === 0, stays }
      }
      for (const { intent, detail } of blocked) {
        forbidden.add(`${intent.candidate.pod.key}>${intent.to}`)
        const data = { pod: intent.candidate.pod.key, to: intent.to, detail }
        if (attempt >= mostAttempts) stays.set(intent.candidate.from, { code: 'NoSafeOrder', data })
      }
    }
  }

  /** The moves in an order that works, with the nodes that are to be off closed. */
  #play(built: PlanModel, choice: OnSet, off: ReadonlySet<string>) {
    const state = withCordons(this.#input.state, off)
    const tools = { budgets: this.#budgets, snapshotHash: this.#work.hash }
    return sequenceMoves({ ...this.#input, state }, intentsOf(built, choice), tools)
  }

  #model(down: readonly EnergyNode[], forbidden: ReadonlySet<string>): { readonly model: OnSetModel; readonly built: PlanModel } {
    const { state } = this.#input
    const names = new Set(down.map(({ name }) => name))
    const candidates = this.#sorting.candidates.filter(({ from }) => names.has(from))
    const built = buildModel(this.#input, candidates, forbidden)
    const { model: moves, nodeNames, classes } = built
    const index = new Map(nodeNames.map((name, at) => [name, at]))
    const whole = (name: string) => {
      const grouped = classes.flatMap(group => group.candidates).filter(({ from }) => from === name).length
      return grouped === candidates.filter(({ from }) => from === name).length
    }
    const isReady = (name: string) => {
      const node = state.nodes.get(name)
      return node?.isReady === true && node.isSchedulable
    }
    const goals = moves.goals.map(row => ({
      ...row,
      limit: row.bound === 'max' ? Math.max(row.limit, row.used) : Math.min(row.limit, row.used),
    }))
    return {
      built,
      model: {
        moves: { ...moves, goals },
        down: new Map(down.flatMap(node => (whole(node.name) ? [[index.get(node.name) ?? -1, savedWatts(node)] as const] : []))),
        ready: nodeNames.flatMap((name, at) => (isReady(name) ? [at] : [])),
        minReady: this.#energy.minReadyNodes,
        reserve: reserveOf(state, this.#energy),
        toCome: toComeOf(state, this.#input.demandBefore),
      },
    }
  }

  /** For nodes that might be off and are not: the first obstacle that, taken away, would let the node be off by itself. */
  async #whyOthersStay(
    down: readonly EnergyNode[],
    choice: OnSet,
    model: OnSetModel,
    { nodeNames }: PlanModel,
  ): Promise<ReadonlyMap<string, EnergyStay>> {
    const stays = new Map<string, EnergyStay>()
    const on = down.filter(({ name }) => !choice.off.has(nodeNames.indexOf(name)))
    for (const { name } of on.slice(0, mostExplained)) stays.set(name, await this.#whyOn(nodeNames.indexOf(name), choice, model))
    for (const { name } of on.slice(mostExplained)) stays.set(name, { code: 'OthersSaveMore', data: {} })
    return stays
  }

  async #whyOn(node: number, choice: OnSet, model: OnSetModel): Promise<EnergyStay> {
    const left = model.ready.length - choice.off.size
    if (left - 1 < model.minReady) return { code: 'TooFewNodes', data: { ready: String(left), least: String(model.minReady) } }
    // So much that no price of moves keeps it on.
    const alone = { ...model, down: new Map(model.down.has(node) ? [[node, 1e6] as const] : []) }
    const canBeOff = async (given: Partial<OnSetModel>) => {
      const { off } = await chooseOnSet(
        { ...alone, ...given },
        { method: this.#input.policy.method },
        this.#work.solve,
        this.#work.signal,
      )
      return off.has(node)
    }
    if (!(await canBeOff({ reserve: {}, toCome: {} }))) return { code: 'NoRoom', data: {} }
    const amounts = { cpu: `${model.reserve['cpu'] ?? 0}m`, memory: `${Math.ceil((model.reserve['memory'] ?? 0) / 2 ** 20)}Mi` }
    if (!(await canBeOff({ toCome: {} }))) return { code: 'NoReserve', data: amounts }
    if (!(await canBeOff({}))) return { code: 'NoRoomToWake', data: {} }
    return { code: 'OthersSaveMore', data: {} }
  }

  #warnings(chosen: Chosen): readonly string[] {
    const { policy, settings } = this.#input
    const isSpreading = settings.fit.kind === 'LeastAllocated' && policy.landing !== 'hold'
    if (chosen.off.size === 0 || !isSpreading) return []
    return [
      `the scheduler scores by LeastAllocated and landings are not held (landing: ${policy.landing}): new pods go to the emptiest node, which works against having fewer`,
    ]
  }
}

function asEnergyMove({ pod, from, to }: Move): EnergyMove {
  return { pod: `${pod.namespace}/${pod.name}`, from, to }
}

function intentsOf({ classes, nodeNames }: PlanModel, { assignment }: OnSet): readonly Intent[] {
  const taken = new Map<number, number>()
  return assignment.flatMap(({ class: index, to, count }) => {
    const group = classes[index]
    const start = taken.get(index) ?? 0
    taken.set(index, start + count)
    const name = nodeNames[to]
    if (group === undefined || name === undefined) return []
    return group.candidates.slice(start, start + count).map(candidate => ({ candidate, to: name, action: group.action }))
  })
}
