// What is counted of plans and their landings.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Plan } from '#planning/plan-record.ts'
import type { PlanStep } from '../api.ts'
import type { LandingResult } from './landing/landing-rate.ts'
import type { PolicyFigures } from './progress/figures.ts'

const solveBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60]
const landings: readonly LandingResult[] = ['expected', 'other', 'back', 'pending']

const made = new WeakMap<Registry, PlanMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function planMetrics(registry: Registry): PlanMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new PlanMetrics(registry)
  made.set(registry, metrics)
  return metrics
}

export class PlanMetrics {
  readonly #moves: Gauge<'policy'>
  readonly #lowerBound: Gauge<'policy'>
  readonly #shortfall: Gauge<'policy' | 'goal'>
  readonly #skipped: Gauge<'policy' | 'reason'>
  readonly #watts: Gauge<'policy' | 'when'>
  readonly #solve: Histogram<'method'>
  readonly #landings: Counter<'result'>
  readonly #kept: Gauge<'policy' | 'phase'>
  readonly #results: Counter<'policy' | 'result'>
  readonly #seconds: Gauge<'policy' | 'when'>
  readonly #used: Gauge<'policy' | 'limit'>
  readonly #limits: Gauge<'policy' | 'limit'>
  readonly #stuck: Gauge<'policy'>
  /** Labels that are out for a policy, so that what is no longer said goes. */
  readonly #said = new Map<string, { readonly goals: ReadonlySet<string>; readonly reasons: ReadonlySet<string> }>()

  constructor(registry: Registry) {
    const registers = [registry]
    const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Gauge<Label>({ name: `ballast_rebalance_${name}`, help, labelNames, registers })
    this.#moves = gauge('plan_moves', 'Moves of the last plan', ['policy'])
    this.#lowerBound = gauge('lower_bound', 'Moves that any plan which reaches as much needs at least', ['policy'])
    this.#shortfall = gauge('goal_shortfall_points', 'Percentage points by which a goal is missed now', ['policy', 'goal'])
    this.#skipped = gauge('pods_skipped', 'Pods that the last plan leaves where they are, by reason', ['policy', 'reason'])
    this.#watts = gauge('watts', 'Watts by the policy’s figures: now, and with the nodes off that could be', ['policy', 'when'])
    this.#solve = new Histogram({
      name: 'ballast_rebalance_solve_seconds',
      help: 'Time that a plan took, by how it was chosen',
      labelNames: ['method'],
      buckets: solveBuckets,
      registers,
    })
    this.#landings = new Counter({
      name: 'ballast_rebalance_landing_total',
      help: 'Replacements of moved pods, by where they landed',
      labelNames: ['result'],
      registers,
    })
    for (const result of landings) this.#landings.inc({ result }, 0)
    this.#kept = gauge('plans', 'Plans that are kept, by phase', ['policy', 'phase'])
    this.#results = new Counter({
      name: 'ballast_rebalance_moves_total',
      help: 'Moves that are over, by the state of their step',
      labelNames: ['policy', 'result'],
      registers,
    })
    this.#seconds = gauge('plan_seconds', 'Length of the plan that ended last: as foretold, and real', ['policy', 'when'])
    this.#used = gauge('limit_used', 'Pods that left within the hour, and within the day, where a limit bounds them', [
      'policy',
      'limit',
    ])
    this.#limits = gauge('limit', 'The limits of the policy for these', ['policy', 'limit'])
    this.#stuck = gauge('stuck', '1 where plans of a policy in mode Auto bring its missed goals no nearer', ['policy'])
  }

  planned(plan: Plan, seconds: number): void {
    const { policyName: policy, energy } = plan
    this.#solve.observe({ method: plan.method }, seconds)
    this.#moves.set({ policy }, plan.moves.length)
    this.#lowerBound.set({ policy }, plan.objective.lowerBound)
    const before = this.#said.get(policy)
    const goals = shortfalls(plan)
    const reasons = new Map<string, number>()
    for (const { code } of plan.unmovable) reasons.set(code, (reasons.get(code) ?? 0) + 1)
    for (const goal of before?.goals ?? []) if (!goals.has(goal)) this.#shortfall.remove({ policy, goal })
    for (const reason of before?.reasons ?? []) if (!reasons.has(reason)) this.#skipped.remove({ policy, reason })
    for (const [goal, points] of goals) this.#shortfall.set({ policy, goal }, points)
    for (const [reason, pods] of reasons) this.#skipped.set({ policy, reason }, pods)
    this.#said.set(policy, { goals: new Set(goals.keys()), reasons: new Set(reasons.keys()) })
    if (energy === undefined) return
    this.#watts.set({ policy, when: 'now' }, energy.watts.before)
    this.#watts.set({ policy, when: 'then' }, energy.watts.after)
  }

  /** A move is over. */
  moved(policy: string, state: PlanStep['state']): void {
    this.#results.inc({ policy, result: state.toLowerCase() })
  }

  /** What is kept of all policies: what is gone is said no more. */
  kept(figures: readonly PolicyFigures[]): void {
    for (const gauge of [this.#kept, this.#seconds, this.#used, this.#limits, this.#stuck]) gauge.reset()
    for (const { policy, phases, last, limits, isStuck } of figures) {
      for (const [phase, plans] of phases) this.#kept.set({ policy, phase }, plans)
      if (last !== undefined) {
        this.#seconds.set({ policy, when: 'foretold' }, last.foretold)
        this.#seconds.set({ policy, when: 'real' }, last.real)
      }
      for (const { limit, used, most } of limits) {
        this.#used.set({ policy, limit }, used)
        this.#limits.set({ policy, limit }, most)
      }
      if (isStuck !== undefined) this.#stuck.set({ policy }, isStuck ? 1 : 0)
    }
  }

  landed(result: LandingResult): void {
    this.#landings.inc({ result })
  }
}

/** Points that are missing before anything is moved, over all nodes of a goal; what was not measured is left out. */
function shortfalls({ goals }: Plan): ReadonlyMap<string, number> {
  const points = new Map<string, number>()
  for (const { goal, bound, before, wanted, state, measure } of goals) {
    // A loss is counted in pods.
    if (state === 'unknown' || measure === 'survives') continue
    const missing = Math.max(0, bound === 'max' ? before - wanted : wanted - before)
    points.set(goal, (points.get(goal) ?? 0) + missing)
  }
  return points
}
