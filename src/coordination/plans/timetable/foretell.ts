// A plan that can be carried out: made within what the arbiter says beforehand, played against its rules, and made anew without what they
// refuse, until the whole of it goes. What is left for later is told with the time from which it could go.
import { prefixOf, shortOf } from '#planning/plan.ts'
import type { PlanInput, Restraints } from '#planning/plan-input.ts'
import type { Plan, StayReason, Unmovable } from '#planning/plan-record.ts'
import { canarySize } from '../trial/canary.ts'
import { restraintsFor } from './restraints.ts'
import { freeFromMs } from './stay-reason.ts'
import { type Timetable, type TimetableInput, timetableOf } from './timetable.ts'

export interface Foretold {
  readonly plan: Plan
  readonly timetable: Timetable
  /** Set where more could be reached by moves that have to wait. */
  readonly rest?: Rest
  /** Whether its moves bring the goals nearer. */
  readonly isWorthIt: boolean
}

/** What time alone keeps from being reached. */
export interface Rest {
  /** Moves of the plan that would reach more. */
  readonly moves: number
  readonly reachesAll: boolean
  /** When the last of them could go, in milliseconds since 1970; `undefined`: nobody knows. */
  readonly fromMs: number | undefined
}

export type ForetellContext = Pick<TimetableInput, 'around' | 'asking' | 'plan' | 'batch' | 'opensMs' | 'seconds'> & {
  /** What its policy lets go first. */
  readonly canary?: { readonly share: number; readonly waitSeconds: number } | undefined
}

/** So often a plan is made anew without what its timetable refuses; then it is cut. */
const mostRounds = 4

/** The plan for `input` that the arbiter lets go as a whole. `make` makes a plan; it is asked a bounded number of times. */
export async function foretell(
  input: PlanInput,
  context: ForetellContext,
  make: (input: PlanInput) => Promise<Plan>,
): Promise<Foretold> {
  const beginMs = beginOf(input, context)
  let restraints = restraintsFor({ ...context, state: input.state, policy: input.policy, beginMs })
  for (let round = 1; ; round++) {
    const plan = await make({ ...input, restraints })
    const timetable = timetableOf(tableInput(input, context, plan))
    const refused = refusalsIn(plan, timetable)
    if (refused.size === 0) {
      const rest = await restOf(input, { plan, restraints }, make)
      return { plan, timetable, isWorthIt: isWorth(input, plan), ...(rest === undefined ? {} : { rest }) }
    }
    const isFinal = round >= mostRounds || timetable.entries.some(entry => entry.kind === 'refused' && entry.isForAll)
    if (isFinal) return cut(input, context, { plan, refused })
    restraints = withHeld(input, restraints, { plan, refused })
  }
}

/** A plan whose moves are given, as one that undoes others: what the arbiter refuses is left out, and the rest goes. `make` is asked as often. */
export async function foretellGiven(
  input: PlanInput,
  context: ForetellContext,
  make: (input: PlanInput) => Promise<Plan>,
): Promise<Foretold> {
  let restraints = restraintsFor({ ...context, state: input.state, policy: input.policy, beginMs: beginOf(input, context) })
  for (let round = 1; ; round++) {
    const plan = await make({ ...input, restraints })
    const timetable = timetableOf(tableInput(input, context, plan))
    const refused = refusalsIn(plan, timetable)
    if (refused.size === 0) return { plan, timetable, isWorthIt: plan.moves.length > 0 }
    if (round >= mostRounds) return begun(input, context, { plan, refused })
    restraints = withHeld(input, restraints, { plan, refused })
  }
}

/** The moves before the first that is refused. */
function begun(input: PlanInput, context: ForetellContext, { plan, refused }: Refused): Foretold {
  const first = plan.moves.findIndex(({ pod }) => refused.has(`${pod.namespace}/${pod.name}`))
  const kept = prefixOf(input, plan, first)
  const shown = { ...kept, unmovable: [...kept.unmovable, ...staysOf(plan, first, refused)] }
  return { plan: shown, timetable: timetableOf(tableInput(input, context, shown)), isWorthIt: first > 0 }
}

/** Pods of the moves from the `first` on that are refused. */
function staysOf({ moves }: Plan, first: number, refused: Refused['refused']): readonly Unmovable[] {
  return moves.slice(first).flatMap(({ pod, from: node, workload }): Unmovable[] => {
    const reason = refused.get(`${pod.namespace}/${pod.name}`)
    return reason === undefined ? [] : [{ ...reason, pod, node, workload, also: [] }]
  })
}

/** The timetable of `plan`, or of one that was stored. */
export function tableInput(
  { state, policy, nowMs }: Pick<PlanInput, 'state' | 'policy' | 'nowMs'>,
  context: ForetellContext,
  { moves }: Pick<TimetableInput, 'moves'>,
): TimetableInput {
  const { canary: asked, ...known } = context
  const canary = asked && { moves: canarySize(moves.length, asked.share), waitMs: asked.waitSeconds * 1000 }
  return { ...known, state, policy, nowMs, moves, canary }
}

/** When it would begin; now where no window of its policy opens any more. */
function beginOf({ nowMs }: PlanInput, { opensMs }: ForetellContext): number {
  const ms = opensMs(nowMs)
  return Number.isFinite(ms) ? ms : nowMs
}

function refusalsIn(plan: Plan, { entries }: Timetable): ReadonlyMap<string, StayReason> {
  const reasons = new Map(entries.flatMap(entry => (entry.kind === 'refused' ? [[entry.id, entry.reason] as const] : [])))
  return new Map(
    plan.moves.flatMap(({ id, pod }) => {
      const reason = reasons.get(id)
      return reason === undefined ? [] : [[`${pod.namespace}/${pod.name}`, reason] as const]
    }),
  )
}

interface Refused {
  readonly plan: Plan
  /** By `namespace/name` of the pod. */
  readonly refused: ReadonlyMap<string, StayReason>
}

/** A run leaves the other moves of a workload out as well: all its pods stay. */
function withHeld({ state }: PlanInput, restraints: Restraints, { plan, refused }: Refused): Restraints {
  const held = new Map(restraints.held)
  for (const { pod, workload } of plan.moves) {
    const reason = refused.get(`${pod.namespace}/${pod.name}`)
    if (reason === undefined) continue
    held.set(`${pod.namespace}/${pod.name}`, reason)
    for (const sibling of state.podsOf(workload.uid)) if (!held.has(sibling.key)) held.set(sibling.key, reason)
  }
  return { ...restraints, held }
}

/** The moves before the first that is refused, where they bring something; else none. */
function cut(input: PlanInput, context: ForetellContext, { plan, refused }: Refused): Foretold {
  const first = plan.moves.findIndex(({ pod }) => refused.has(`${pod.namespace}/${pod.name}`))
  const part = prefixOf(input, plan, first)
  const isWhole = timetableOf(tableInput(input, context, part)).isWhole
  const kept = isWhole && isWorth(input, part) ? part : prefixOf(input, plan, 0)
  const rest = {
    moves: plan.moves.length,
    reachesAll: plan.outcome === 'met',
    fromMs: latest(Array.from(refused.values(), freeFromMs)),
  }
  const shown = { ...kept, unmovable: [...kept.unmovable, ...staysOf(plan, kept.moves.length, refused)] }
  return { plan: shown, timetable: timetableOf(tableInput(input, context, shown)), rest, isWorthIt: isWorth(input, shown) }
}

function isWorth(input: PlanInput, plan: Plan): boolean {
  return plan.moves.length > 0 && shortOf(plan) < shortOf(prefixOf(input, plan, 0))
}

/** Whether more could be reached if nothing had to wait: then how many moves that takes, and from when on they could all go. */
async function restOf(
  input: PlanInput,
  { plan, restraints }: { readonly plan: Plan; readonly restraints: Restraints },
  make: (input: PlanInput) => Promise<Plan>,
): Promise<Rest | undefined> {
  // What a limit leaves over is for the next plans in any case.
  const isLimited = plan.explanation?.blockers.some(({ kind }) => kind === 'limit') === true
  if (plan.outcome === 'met' || plan.problems.length > 0 || isLimited) return undefined
  const lasting = new Map([...restraints.held].filter(([, reason]) => !passes(reason)))
  if (lasting.size === restraints.held.size && restraints.barred.size === 0) return undefined
  const full = await make({ ...input, restraints: { held: lasting, barred: new Map(), dearer: restraints.dearer } })
  if (shortOf(full) >= shortOf(plan)) return undefined
  const waits = full.moves.flatMap(({ pod, workload, from, to }) => {
    const reason = restraints.held.get(`${pod.namespace}/${pod.name}`)
    const back = restraints.barred.get(`${workload.namespace}/${workload.kind}/${workload.name}>${from}`)?.get(to)
    return [...(reason === undefined ? [] : [freeFromMs(reason)]), ...(back === undefined ? [] : [back])]
  })
  return { moves: full.moves.length, reachesAll: full.outcome === 'met', fromMs: latest(waits) }
}

/** Whether time alone ends it. */
function passes(reason: StayReason): boolean {
  return freeFromMs(reason) !== undefined || reason.code === 'UnderWay' || reason.code === 'Waking'
}

/** `undefined` where one of them is not known. */
function latest(times: readonly (number | undefined)[]): number | undefined {
  let last: number | undefined
  for (const ms of times) {
    if (ms === undefined) return undefined
    last = Math.max(last ?? ms, ms)
  }
  return last
}
