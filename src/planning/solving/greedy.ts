// A quick choice of moves without a solver: the most useful move per cost, again and again, then what proves superfluous is taken
// back and pairs of moves are exchanged for single ones. It is the incumbent of the integer program, and the answer where that is too large.

import {
  type Assignment,
  costOf,
  type DomainRule,
  endsOf,
  type Flow,
  type MoveModel,
  modelSize,
  nodesOf,
} from '../model/move-model.ts'
import { brokenStructure, domainLimits, Tally } from '../model/tally.ts'

/** How much a move's share of its destination's room counts against it: none first, then more and more. */
const scarcityWeights = [0, 1, 4, 16]
const smallest = 1e-9
/** From this many pairs on fewer weights are tried. */
const largeModel = 5_000
/** Bounds the exchange step by work, not by time: the same model always gets the same answer. */
const mostExchangeTrials = 200_000

/** The best assignment found: least shortfall, then least cost. It breaks no rule but may miss goals. */
export function greedyAssignment(model: MoveModel): Assignment {
  let best: { assignment: Assignment; shortfall: number; cost: number } | undefined
  for (const weight of modelSize(model) > largeModel ? scarcityWeights.slice(0, 2) : scarcityWeights) {
    const search = new Search(model, weight)
    search.grow()
    search.prune()
    search.exchange()
    const assignment = search.tally.assignment()
    const found = { assignment, shortfall: search.tally.shortfall(), cost: costOf(model, assignment) }
    const isBetter =
      best === undefined ||
      found.shortfall < best.shortfall - smallest ||
      (found.shortfall < best.shortfall + smallest && found.cost < best.cost)
    if (isBetter) best = found
  }
  return best?.assignment ?? []
}

/** Pairs of class and destination that touch a goal at all; the others can only make room. */
export function usefulPairs(model: MoveModel): readonly { readonly class: number; readonly to: number }[] {
  const tally = new Tally(model)
  const missed = model.goals.flatMap((goal, at) => (isMissed(tally, at) ? [endsOf(goal)] : []))
  const [tooFull, tooEmpty] = [new Set(missed.flatMap(({ from }) => from)), new Set(missed.flatMap(({ to }) => to))]
  return model.classes.flatMap((moving, index) =>
    moving.destinations.filter(to => tooFull.has(moving.from) || tooEmpty.has(to)).map(to => ({ class: index, to })),
  )
}

function isMissed(tally: Tally, goalIndex: number): boolean {
  const goal = tally.model.goals[goalIndex]
  if (goal === undefined) return false
  return goal.bound === 'max' ? tally.goalUsed(goalIndex) > goal.limit : tally.goalUsed(goalIndex) < goal.limit
}

class Search {
  readonly tally: Tally
  readonly #model: MoveModel
  readonly #weight: number
  readonly #pairs: readonly { readonly class: number; readonly to: number }[]
  /** The same pairs by class, apart by whether the destination has a goal. */
  readonly #groups: readonly {
    readonly class: number
    readonly toGoals: readonly number[]
    readonly toOthers: readonly number[]
  }[]
  readonly #rulesOfClass: readonly (readonly DomainRule[])[]
  readonly #limits = new Map<DomainRule, readonly number[]>()
  readonly #leaving = new Map<string, number>()

  constructor(model: MoveModel, weight: number) {
    this.#model = model
    this.#weight = weight
    this.tally = new Tally(model)
    this.#pairs = usefulPairs(model)
    const goalNodes = new Set(model.goals.flatMap(nodesOf))
    this.#groups = [...Map.groupBy(this.#pairs, pair => pair.class)].map(([index, pairs]) => ({
      class: index,
      toGoals: pairs.flatMap(({ to }) => (goalNodes.has(to) ? [to] : [])),
      toOthers: pairs.flatMap(({ to }) => (goalNodes.has(to) ? [] : [to])),
    }))
    this.#rulesOfClass = model.classes.map((_, index) =>
      model.rules.filter(rule => rule.members.includes(index) || (rule.kind === 'apart' && rule.others.includes(index))),
    )
    for (const rule of model.rules) if (rule.kind !== 'apart') this.#limits.set(rule, domainLimits(model, rule))
  }

  /** Adds the best move until none helps any more. */
  grow(): void {
    for (;;) {
      let best: { readonly class: number; readonly to: number; readonly score: number } | undefined
      for (const { class: index, toGoals, toOthers } of this.#groups) {
        if (this.tally.staying(index) === 0) continue
        const { isCoupled } = this.tally
        const leaving = isCoupled ? 0 : this.tally.gainOfLeaving(index)
        const cost = this.#model.classes[index]?.cost ?? 1
        // On nodes without a goal only leaving counts: when that cannot win they need not be looked at one by one.
        const canWin = isCoupled || (leaving > smallest && (best === undefined || leaving / cost > best.score + smallest))
        for (const to of canWin ? [...toGoals, ...toOthers] : toGoals) {
          const gain = isCoupled ? this.tally.gain(index, to) : leaving + this.tally.gainOfArriving(index, to)
          const score = gain / (cost * (1 + (this.#weight === 0 ? 0 : this.#weight * this.#roomShare(index, to))))
          if (gain <= smallest || (best !== undefined && score <= best.score + smallest)) continue
          if (this.#isAllowed(index, to)) best = { class: index, to, score }
        }
      }
      if (best === undefined) return
      this.#apply(best.class, best.to, 1)
    }
  }

  /** The largest part of what is still free under the ceilings of `to` that one pod of the class takes. */
  #roomShare(index: number, to: number): number {
    const node = this.#model.nodes[to]
    let share = 0
    for (const [resource, amount] of Object.entries(this.#model.classes[index]?.requests ?? {})) {
      const free = (node?.ceiling[resource] ?? 0) - this.tally.used(to, resource)
      if (amount > 0 && free > 0) share = Math.max(share, amount / free)
    }
    return share
  }

  #isAllowed(index: number, to: number): boolean {
    const moving = this.#model.classes[index]
    if (moving === undefined || this.tally.staying(index) < 1 || !this.tally.hasRoom(index, to)) return false
    const { perPlan, perNode, perNamespace } = this.#model.limits
    const left = (key: string, limit: number | undefined) => (this.#leaving.get(key) ?? 0) < (limit ?? Infinity)
    if (!left('plan', perPlan) || !left(`node ${moving.from}`, perNode) || !left(`namespace ${moving.namespace}`, perNamespace))
      return false
    return (this.#rulesOfClass[index] ?? []).every(rule => this.#keeps(rule, index, to))
  }

  /** Whether one more pod of the class on `to` leaves the rule whole in the domain it enters. */
  #keeps(rule: DomainRule, index: number, to: number): boolean {
    const at = rule.domains.findIndex(domain => domain.nodes.includes(to))
    if (at < 0) return true
    this.tally.move(index, to, 1)
    const holds = (): boolean => {
      if (rule.kind === 'apart') return this.tally.inDomain(rule, at) === 0 || this.tally.inDomain(rule, at, rule.others) === 0
      const least = rule.kind === 'skew' ? Math.min(...rule.domains.map((_, domain) => this.tally.inDomain(rule, domain))) : 0
      return this.tally.inDomain(rule, at) - least <= rule.limit
    }
    const result = holds()
    this.tally.move(index, to, -1)
    return result
  }

  #apply(index: number, to: number, count: number): void {
    const moving = this.#model.classes[index]
    if (moving === undefined) return
    this.tally.move(index, to, count)
    for (const key of ['plan', `node ${moving.from}`, `namespace ${moving.namespace}`]) {
      this.#leaving.set(key, (this.#leaving.get(key) ?? 0) + count)
    }
  }

  /** Takes back moves, dearest first, without which the goals are no further away and every rule still holds. */
  prune(): void {
    const cost = (flow: Flow) => this.#model.classes[flow.class]?.cost ?? 0
    const flows = this.tally.assignment().toSorted((a, b) => cost(b) - cost(a))
    for (const flow of flows) {
      for (let taken = 0; taken < flow.count; taken++) {
        if (!this.#canTakeBack(flow.class, flow.to)) break
        this.#apply(flow.class, flow.to, -1)
      }
    }
  }

  #canTakeBack(index: number, to: number): boolean {
    const from = this.#model.classes[index]?.from ?? 0
    const before = this.tally.shortfall()
    this.tally.move(index, to, -1)
    const isNoWorse = this.tally.shortfall() <= before + smallest
    const node = this.#model.nodes[from]
    const hasRoom = ['pods', ...Object.keys(this.#model.classes[index]?.requests ?? {})].every(
      resource => this.tally.used(from, resource) <= Math.max(node?.ceiling[resource] ?? 0, node?.used[resource] ?? 0),
    )
    const rules = this.#rulesOfClass[index] ?? []
    const keepsRules = rules.every(rule => this.#isWholeAt(rule, from))
    this.tally.move(index, to, 1)
    return isNoWorse && hasRoom && keepsRules
  }

  #isWholeAt(rule: DomainRule, node: number): boolean {
    const at = rule.domains.findIndex(domain => domain.nodes.includes(node))
    if (at < 0 || rule.kind === 'apart') return rule.kind !== 'apart' || at < 0 || !this.#holdsBoth(rule, at)
    const least = rule.kind === 'skew' ? Math.min(...rule.domains.map((_, domain) => this.tally.inDomain(rule, domain))) : 0
    return rule.domains.every(
      (_, domain) => this.tally.inDomain(rule, domain) - least <= (this.#limits.get(rule)?.[domain] ?? rule.limit),
    )
  }

  #holdsBoth(rule: DomainRule & { kind: 'apart' }, at: number): boolean {
    return this.tally.inDomain(rule, at) > 0 && this.tally.inDomain(rule, at, rule.others) > 0
  }

  /** Replaces two moves by one where the goals come no further away, as long as that succeeds and the work is bounded. */
  exchange(): void {
    let trials = 0
    for (let improved = true; improved && trials < mostExchangeTrials; ) {
      improved = false
      const flows = this.tally.assignment()
      for (const [first, second] of pairsOf(flows)) {
        if (this.tally.moved(first.class, first.to) === 0 || this.tally.moved(second.class, second.to) === 0) continue
        trials += this.#pairs.length
        if (trials > mostExchangeTrials) return
        if (this.#exchangePair(first, second)) improved = true
      }
    }
  }

  #exchangePair(first: Flow, second: Flow): boolean {
    const before = this.tally.shortfall()
    const price = (this.#model.classes[first.class]?.cost ?? 0) + (this.#model.classes[second.class]?.cost ?? 0)
    this.#apply(first.class, first.to, -1)
    this.#apply(second.class, second.to, -1)
    for (const { class: index, to } of this.#pairs) {
      if ((this.#model.classes[index]?.cost ?? 0) >= price || this.tally.staying(index) === 0) continue
      if (this.tally.shortfall() - this.tally.gain(index, to) > before + smallest) continue
      if (!this.#isAllowed(index, to)) continue
      this.#apply(index, to, 1)
      // What goes back to its source may find its room taken or its domain closed.
      if (brokenStructure(this.#model, this.tally.assignment()).length === 0) return true
      this.#apply(index, to, -1)
    }
    this.#apply(first.class, first.to, 1)
    this.#apply(second.class, second.to, 1)
    return false
  }
}

function* pairsOf(flows: readonly Flow[]): Generator<readonly [Flow, Flow]> {
  for (const [at, first] of flows.entries()) {
    for (const second of flows.slice(at)) if (first !== second || first.count > 1) yield [first, second]
  }
}

/** A bound on the moves of any plan that meets every goal, without a solver: what must leave the too full, what must enter the too empty. */
export function countingBound(model: MoveModel): number {
  let leave = 0
  let enter = 0
  for (const node of model.nodes.keys()) {
    let mostLeaving = 0
    let mostEntering = 0
    // A row over several nodes counts nothing here, which makes the bound no less true.
    for (const goal of model.goals.filter(each => each.parts === undefined && each.node === node)) {
      const needed = goal.bound === 'max' ? goal.used - goal.limit : goal.limit - goal.used
      const movable = model.classes.filter(each => (goal.bound === 'max' ? each.from === node : each.destinations.includes(node)))
      const amounts = movable.map(each => ({ size: each.size, amount: amountOf(each, goal.resource, goal.stat) }))
      const count = fewest(amounts, needed)
      if (goal.bound === 'max') mostLeaving = Math.max(mostLeaving, count)
      else mostEntering = Math.max(mostEntering, count)
    }
    leave += mostLeaving
    enter += mostEntering
  }
  return Math.max(leave, enter)
}

function amountOf(moving: MoveModel['classes'][number], resource: string, stat: 'requests' | 'usage'): number {
  return resource === 'pods' ? 1 : ((stat === 'usage' ? moving.usage : moving.requests)[resource] ?? 0)
}

function fewest(amounts: readonly { readonly size: number; readonly amount: number }[], needed: number): number {
  let left = needed
  let count = 0
  for (const { size, amount } of amounts.toSorted((a, b) => b.amount - a.amount)) {
    if (left <= 0 || amount <= 0) break
    const taken = Math.min(size, Math.ceil(left / amount))
    left -= taken * amount
    count += taken
  }
  return count
}
