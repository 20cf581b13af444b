// The integer program of a move model (rebalancing §3.15): x[class,node] pods of a class end on a node; rooms, goals, limits and
// domain rules are rows, the lexicographic objectives are sums.

import type { Amounts } from '../plan-record.ts'
import { type LinearModel, LinearModelBuilder, type Term } from './linear-model.ts'
import {
  type Assignment,
  type DomainRule,
  type Flow,
  type GoalPart,
  type GoalRow,
  type MoveModel,
  partsOf,
} from './move-model.ts'
import { domainLimits, goalAmount, Tally } from './tally.ts'

export interface MoveProgram {
  readonly model: LinearModel
  /** Where each pair of class and destination is among the columns. */
  readonly flows: readonly { readonly class: number; readonly to: number; readonly column: number }[]
}

interface MoveProgramOptions {
  /** True: soft goals may be missed at a price. False: they are rows like hard ones. */
  readonly allowShortfall: boolean
  /** Adds what only the later objectives need: workloads touched, co-location, dominant share. */
  readonly secondary: boolean
  /** Adds columns, rows and objectives of its own at the end. */
  readonly extend?: (program: ProgramSoFar) => void
}

/** What an extension may add to, and the summands of what is there. */
export interface ProgramSoFar {
  readonly linear: LinearModelBuilder
  /** Pods of the class that leave, times `factor`. */
  leaving(classIndex: number, factor?: number): readonly Term[]
  /** Pods of the class that end on another node, times `factor`; nothing where they may not. */
  arriving(classIndex: number, node: number, factor?: number): readonly Term[]
  /** Change of what pods request on a node: `amountOf` each pod of a class. */
  change(node: number, amountOf: (classIndex: number) => number): readonly Term[]
}

export function moveProgram(model: MoveModel, options: MoveProgramOptions): MoveProgram {
  const program = new ProgramBuilder(model)
  program.addRooms()
  program.addGoals(options.allowShortfall)
  program.addLimits()
  for (const rule of model.rules) program.addRule(rule)
  program.addMovesAndCost()
  if (options.secondary) {
    program.addWorkloadsTouched()
    program.addColocation()
    program.addDominantShare()
  }
  options.extend?.(program)
  return { model: program.linear, flows: program.flows }
}

/** What the values of the columns say, rounded to whole pods. */
export function assignmentOf(program: MoveProgram, values: readonly number[]): Assignment {
  return program.flows.flatMap(({ class: index, to, column }): Flow[] => {
    const count = Math.round(values[column] ?? 0)
    return count === 0 ? [] : [{ class: index, to, count }]
  })
}

/** The columns that `assignment` sets, for a solver to start from; the others follow. */
export function startOf(program: MoveProgram, assignment: Assignment): readonly Term[] {
  return program.flows.map(({ class: index, to, column }) => [
    column,
    assignment.find(flow => flow.class === index && flow.to === to)?.count ?? 0,
  ])
}

/** What a point of watts or prices is at least, so that nothing is divided by 0. */
const smallestPoint = 1e-6

class ProgramBuilder implements ProgramSoFar {
  readonly linear = new LinearModelBuilder()
  readonly flows: { class: number; to: number; column: number }[] = []
  readonly #model: MoveModel
  readonly #byClass: readonly Map<number, number>[]
  /** Classes that leave from, or may come to, each node. */
  readonly #classesAt: readonly (readonly number[])[]
  readonly #units: ReadonlyMap<string, number>
  /** By node. */
  readonly #useColumns = new Map<number, number>()

  constructor(model: MoveModel) {
    this.#model = model
    this.#units = unitsOf(model)
    this.#byClass = model.classes.map((each, index) => {
      const columns = new Map<number, number>()
      for (const to of each.destinations) {
        const column = this.linear.column(`x_${index}_${to}`, { upper: each.size, isInteger: true })
        columns.set(to, column)
        this.flows.push({ class: index, to, column })
      }
      return columns
    })
    const classesAt = model.nodes.map((): number[] => [])
    model.classes.forEach((each, index) => {
      if (each.destinations.length > 0) classesAt[each.from]?.push(index)
      for (const to of each.destinations) classesAt[to]?.push(index)
    })
    this.#classesAt = classesAt
  }

  leaving(classIndex: number, factor = 1): Term[] {
    return [...(this.#byClass[classIndex]?.values() ?? [])].map(column => [column, factor])
  }

  arriving(classIndex: number, node: number, factor = 1): Term[] {
    const column = this.#byClass[classIndex]?.get(node)
    return column === undefined ? [] : [[column, factor]]
  }

  /** What ends on `node`, as summands and a constant: pods of `classIndex` times `factor`. */
  #ending(classIndex: number, node: number, factor = 1): { terms: Term[]; constant: number } {
    const moving = this.#model.classes[classIndex]
    if (moving?.from === node) return { terms: this.leaving(classIndex, -factor), constant: moving.size * factor }
    const column = this.#byClass[classIndex]?.get(node)
    return { terms: column === undefined ? [] : [[column, factor]], constant: 0 }
  }

  /** Change of what `node` uses of a resource. */
  change(node: number, amountOf: (classIndex: number) => number): Term[] {
    return (this.#classesAt[node] ?? []).flatMap(index => {
      const amount = amountOf(index)
      if (amount === 0) return []
      if (this.#model.classes[index]?.from === node) return this.leaving(index, -amount)
      const column = this.#byClass[index]?.get(node)
      return column === undefined ? [] : [[column, amount] satisfies Term]
    })
  }

  #scaled(resource: string, amount: number): number {
    return amount / (this.#units.get(resource) ?? 1)
  }

  #requestOf(resource: string): (classIndex: number) => number {
    if (resource === 'pods') return () => 1
    return index => this.#scaled(resource, this.#model.classes[index]?.requests[resource] ?? 0)
  }

  addRooms(): void {
    this.#model.classes.forEach((moving, index) => {
      if (moving.destinations.length > 1) this.linear.row(`size_${index}`, this.leaving(index), { atMost: moving.size })
    })
    const receiving = new Set(this.#model.classes.flatMap(each => each.destinations))
    const resources = ['pods', ...this.#units.keys()]
    for (const index of [...receiving].sort((a, b) => a - b)) {
      const node = this.#model.nodes[index]
      if (node === undefined) continue
      for (const resource of resources) {
        const used = node.used[resource] ?? 0
        const room = Math.max(node.ceiling[resource] ?? 0, used) - used
        const atMost = resource === 'pods' ? room : this.#scaled(resource, room)
        this.linear.row(`room_${index}_${resource}`, this.change(index, this.#requestOf(resource)), { atMost })
      }
    }
  }

  addGoals(allowShortfall: boolean): void {
    const shortfalls: Term[] = []
    this.#model.goals.forEach((goal, at) => {
      const unit = goal.stat === 'usage' ? `usage_${goal.resource}` : goal.resource
      const name = `goal_${at}_${unit}`
      // One unit of the column is one percentage point, whatever the row is measured in.
      const short = allowShortfall && !goal.hard ? this.linear.column(`short_${at}`) : undefined
      if (short !== undefined) shortfalls.push([short, goal.weight ?? 1])
      if (goal.measure === 'range') this.#addRange(name, goal, short)
      else if (goal.measure === 'deviation') this.#addDeviation(name, goal, short)
      else if (goal.measure === 'use') this.#addUse(name, goal, short)
      else this.#addSum(name, goal, short)
    })
    this.linear.objective('shortfall', shortfalls, false)
  }

  /** Change of a part's amount, in units of the program times `factor`. */
  #partChange(goal: GoalRow, part: GoalPart, factor: number): Term[] {
    const amountOf = (index: number) => this.#goalScaled(goal, goalAmount(this.#model, index, goal, part)) * factor
    return part.nodes.flatMap(node => this.change(node, amountOf))
  }

  #goalScaled({ resource }: GoalRow, value: number): number {
    return resource === 'pods' ? value : this.#scaled(resource, value)
  }

  #addSum(name: string, goal: GoalRow, short: number | undefined): void {
    const bound = this.#goalScaled(goal, goal.limit - goal.used)
    const terms = partsOf(goal).flatMap(part => this.#partChange(goal, part, part.factor))
    const isMissed = goal.bound === 'max' ? bound < 0 : bound > 0
    if (short !== undefined) {
      const point = this.#goalScaled(goal, Math.max(goal.allocatable, 1)) / 100
      terms.push([short, goal.bound === 'max' ? -point : point])
    } else if (isMissed && isNothing(terms)) {
      // Nothing can change this sum: an empty row cannot say that the goal is out of reach, a fixed column can.
      terms.push([this.linear.column(`unreachable_${name}`, { upper: 0 }), 1])
    }
    this.linear.row(name, terms, goal.bound === 'max' ? { atMost: bound } : { atLeast: bound })
  }

  /** Every value lies between a lowest and what that and the limit are together. */
  #addRange(name: string, goal: GoalRow, short: number | undefined): void {
    const lowest = this.linear.column(`${name}_lowest`, { lower: -Infinity })
    partsOf(goal).forEach((part, index) => {
      const { terms, constant } = this.#valueOf(goal, part)
      this.linear.row(`${name}_least_${index}`, [...terms, [lowest, -1]], { atLeast: -constant })
      const above: Term[] = short === undefined ? [] : [[short, -1]]
      this.linear.row(`${name}_most_${index}`, [...terms, [lowest, -1], ...above], { atMost: goal.limit - constant })
    })
  }

  /** Each value's distance from the mean is at most its column, and the columns' mean is bounded. */
  #addDeviation(name: string, goal: GoalRow, short: number | undefined): void {
    const values = partsOf(goal).map(part => this.#valueOf(goal, part))
    const mean = this.linear.column(`${name}_mean`, { lower: -Infinity })
    const constant = values.reduce((sum, value) => sum + value.constant, 0) / values.length
    const all = values.flatMap(({ terms }) => terms.map(([column, factor]): Term => [column, factor / values.length]))
    this.linear.row(`${name}_mean`, [...all, [mean, -1]], { atLeast: -constant, atMost: -constant })
    const distances = values.map((value, index): Term => {
      const distance = this.linear.column(`${name}_distance_${index}`)
      this.linear.row(`${name}_above_${index}`, [...value.terms, [mean, -1], [distance, -1]], { atMost: -value.constant })
      this.linear.row(`${name}_below_${index}`, [...value.terms, [mean, -1], [distance, 1]], { atLeast: -value.constant })
      return [distance, 1 / values.length]
    })
    this.linear.row(name, [...distances, ...(short === undefined ? [] : [[short, -1] satisfies Term])], { atMost: goal.limit })
  }

  /** What nodes take that are in use: a column for each says whether it is, 1 as soon as one pod stands there. */
  #addUse(name: string, goal: GoalRow, short: number | undefined): void {
    const point = Math.max(goal.allocatable, smallestPoint) / 100
    const terms: Term[] = []
    let always = 0
    for (const part of partsOf(goal)) {
      if (part.isStep !== true) {
        const { terms: changes, constant } = this.#valueOf(goal, part)
        terms.push(...changes.map(([column, factor]): Term => [column, factor / point]))
        always += constant
        continue
      }
      const inUse = this.#inUse(part)
      if (inUse === undefined) always += part.used > 0 ? part.factor : 0
      else terms.push([inUse, part.factor / point])
    }
    if (short !== undefined) terms.push([short, -1])
    else if (terms.length === 0 && always > goal.limit) terms.push([this.linear.column(`unreachable_${name}`, { upper: 0 }), 1])
    this.linear.row(name, terms, { atMost: (goal.limit - always) / point })
  }

  /** The column of a node that is in use or not; `undefined` where no move changes that. */
  #inUse({ nodes: [node = -1], used }: GoalPart): number | undefined {
    const known = this.#useColumns.get(node)
    if (known !== undefined) return known
    const leaving = (this.#classesAt[node] ?? []).filter(index => this.#model.classes[index]?.from === node)
    const movable = leaving.reduce((sum, index) => sum + (this.#model.classes[index]?.size ?? 0), 0)
    const arriving = (this.#classesAt[node] ?? []).flatMap(index => this.#byClass[index]?.get(node) ?? [])
    if (used > movable || (leaving.length === 0 && arriving.length === 0)) return undefined
    const column = this.linear.column(`used_${node}`, { upper: 1, isInteger: true })
    this.#useColumns.set(node, column)
    for (const index of leaving) {
      const size = this.#model.classes[index]?.size ?? 0
      this.linear.row(`used_${node}_${index}`, [...this.leaving(index, -1), [column, -size]], { atMost: -size })
    }
    if (arriving.length === 0) return column
    // What comes is bounded by the node's room: that tells the relaxation more than how many there are.
    for (const resource of ['pods', ...this.#units.keys()]) {
      const requested = this.#requestOf(resource)
      const standing = leaving.reduce((sum, index) => sum + (this.#model.classes[index]?.size ?? 0) * requested(index), 0)
      const given = this.#model.nodes[node]
      const most = Math.max(given?.ceiling[resource] ?? 0, given?.used[resource] ?? 0)
      const room = resource === 'pods' ? most : this.#scaled(resource, most)
      const change = this.change(node, requested)
      if (change.length > 0) this.linear.row(`used_${node}_${resource}`, [...change, [column, -room]], { atMost: -standing })
    }
    return column
  }

  /** A part's value in percentage points: what it is now, and the summands by which moves change it. */
  #valueOf(goal: GoalRow, part: GoalPart): { readonly terms: Term[]; readonly constant: number } {
    const unit = this.#goalScaled(goal, 1)
    return { terms: this.#partChange(goal, part, part.factor / unit), constant: part.used * part.factor }
  }

  addLimits(): void {
    const { perPlan, perNode, perNamespace } = this.#model.limits
    const all = this.#model.classes.map((each, index) => ({ each, index }))
    const leaving = (classes: typeof all) => classes.flatMap(({ index }) => this.leaving(index))
    this.linear.row('per_plan', leaving(all), { atMost: perPlan })
    if (perNode !== undefined) {
      this.#model.nodes.forEach((_, node) => {
        this.linear.row(`per_node_${node}`, leaving(all.filter(({ each }) => each.from === node)), { atMost: perNode })
      })
    }
    if (perNamespace !== undefined) {
      const namespaces = [...new Set(all.map(({ each }) => each.namespace))]
      namespaces.forEach((namespace, at) => {
        this.linear.row(`per_namespace_${at}`, leaving(all.filter(({ each }) => each.namespace === namespace)), {
          atMost: perNamespace,
        })
      })
    }
  }

  /** Pods of `members` that end in a domain. */
  #inDomain(members: readonly number[], nodes: readonly number[]): { terms: Term[]; constant: number } {
    const parts = members.flatMap(member => nodes.map(node => this.#ending(member, node)))
    return { terms: parts.flatMap(part => part.terms), constant: parts.reduce((sum, part) => sum + part.constant, 0) }
  }

  addRule(rule: DomainRule): void {
    const label = `rule_${this.#model.rules.indexOf(rule)}`
    if (rule.kind === 'apart') {
      this.#addApart(label, rule)
      return
    }
    const limits = domainLimits(this.#model, rule)
    const least = rule.kind === 'skew' ? this.linear.column(`${label}_least`) : undefined
    rule.domains.forEach((domain, at) => {
      const { terms, constant } = this.#inDomain(rule.members, domain.nodes)
      const count = constant + domain.fixed
      const above: Term[] = least === undefined ? [] : [[least, -1]]
      if (least !== undefined) this.linear.row(`${label}_least_${at}`, [...terms, ...above], { atLeast: -count })
      // Where the rule is broken already it may stay so, but only while nothing new comes.
      const excess = (limits[at] ?? rule.limit) - rule.limit
      if (excess > 0) above.push([this.#entered(`${label}_enter_${at}`, rule.members, domain.nodes), excess])
      this.linear.row(`${label}_most_${at}`, [...terms, ...above], { atMost: rule.limit + excess - count })
    })
  }

  /** A column that is 1 where any of `members` comes to one of `nodes` from elsewhere or from another of them. */
  #entered(name: string, members: readonly number[], nodes: readonly number[]): number {
    const column = this.linear.column(name, { upper: 1, isInteger: true })
    const arrivals = members.flatMap(member =>
      nodes.flatMap((node): Term[] => {
        const arrival = this.#byClass[member]?.get(node)
        return arrival === undefined ? [] : [[arrival, 1]]
      }),
    )
    const most = members.reduce((sum, member) => sum + (this.#model.classes[member]?.size ?? 0), 0)
    this.linear.row(name, [...arrivals, [column, -most]], { atMost: 0 })
    return column
  }

  #addApart(label: string, rule: DomainRule & { kind: 'apart' }): void {
    const before = new Tally(this.#model)
    const total = (members: readonly number[]) =>
      members.reduce((sum, member) => sum + (this.#model.classes[member]?.size ?? 0), 0)
    rule.domains.forEach((domain, at) => {
      const isBroken = before.inDomain(rule, at) > 0 && before.inDomain(rule, at, rule.others) > 0
      if (isBroken) return
      const isFirst = this.linear.column(`${label}_${at}`, { upper: 1, isInteger: true })
      for (const [members, sign] of [
        [rule.members, -1],
        [rule.others, 1],
      ] as const) {
        const { terms, constant } = this.#inDomain(members, domain.nodes)
        const most = Math.max(total(members), 1)
        this.linear.row(`${label}_${at}_${sign > 0 ? 'others' : 'members'}`, [...terms, [isFirst, sign * most]], {
          atMost: (sign > 0 ? most : 0) - constant,
        })
      }
    })
  }

  addMovesAndCost(): void {
    const classes = this.#model.classes
    const sum = (factorOf: (index: number) => number) => classes.flatMap((_, index) => this.leaving(index, factorOf(index)))
    this.linear.objective(
      'moves',
      sum(() => 1),
      true,
    )
    this.linear.objective(
      'cost',
      sum(index => classes[index]?.cost ?? 1),
      true,
    )
    const astray = this.flows.filter(({ class: index, to }) => classes[index]?.preferred?.has(to) === false)
    this.linear.objective(
      'preferences',
      astray.map(({ column }) => [column, 1] satisfies Term),
      true,
    )
  }

  addWorkloadsTouched(): void {
    const workloads = new Map<string, number[]>()
    this.#model.classes.forEach((each, index) => {
      workloads.set(each.workload, [...(workloads.get(each.workload) ?? []), index])
    })
    const touched: Term[] = []
    let at = 0
    for (const classes of workloads.values()) {
      const column = this.linear.column(`touched_${at++}`, { upper: 1, isInteger: true })
      touched.push([column, 1])
      for (const index of classes) {
        const size = this.#model.classes[index]?.size ?? 0
        this.linear.row(`touched_${index}`, [...this.leaving(index), [column, -size]], { atMost: 0 })
      }
    }
    this.linear.objective('workloads', touched, true)
  }

  /** Pods of a workload beyond the first on each node. */
  addColocation(): void {
    const beyond: Term[] = []
    this.#model.replicated.forEach((workload, at) => {
      const nodes = new Set(workload.classes.flatMap(index => this.#model.classes[index]?.destinations ?? []))
      for (const index of workload.classes) nodes.add(this.#model.classes[index]?.from ?? 0)
      for (const node of [...nodes].sort((a, b) => a - b)) {
        const { terms, constant } = this.#inDomain(workload.classes, [node])
        if (terms.length === 0) continue
        const column = this.linear.column(`together_${at}_${node}`)
        beyond.push([column, 1])
        const count = constant + (workload.fixed.get(node) ?? 0)
        this.linear.row(`together_${at}_${node}`, [...terms, [column, -1]], { atMost: 1 - count })
      }
    })
    this.linear.objective('colocation', beyond, true)
  }

  /** The largest share of cpu or memory that any node that may receive uses in the end. */
  addDominantShare(): void {
    const share = this.linear.column('share')
    const receiving = new Set(this.#model.classes.flatMap(each => each.destinations))
    for (const index of [...receiving].sort((a, b) => a - b)) {
      const node = this.#model.nodes[index]
      for (const resource of ['cpu', 'memory']) {
        const allocatable = this.#scaled(resource, node?.allocatable[resource] ?? 0)
        if (allocatable <= 0) continue
        const terms = this.change(index, this.#requestOf(resource)).map(
          ([column, amount]): Term => [column, amount / allocatable],
        )
        const used = this.#scaled(resource, node?.used[resource] ?? 0) / allocatable
        this.linear.row(`share_${index}_${resource}`, [...terms, [share, -1]], { atMost: -used })
      }
    }
    this.linear.objective('share', [[share, 1]], false)
  }
}

/** Whether the summands come to nothing, as those of pods that stay within a sum do. */
function isNothing(terms: readonly Term[]): boolean {
  const sum = new Map<number, number>()
  for (const [column, coefficient] of terms) sum.set(column, (sum.get(column) ?? 0) + coefficient)
  return [...sum.values()].every(coefficient => coefficient === 0)
}

/** Powers of two that bring each resource's numbers to a size a solver's tolerances suit; dividing by them is exact. */
function unitsOf(model: MoveModel): ReadonlyMap<string, number> {
  const largest = new Map<string, number>()
  const see = (amounts: Amounts) => {
    for (const [resource, amount] of Object.entries(amounts)) largest.set(resource, Math.max(largest.get(resource) ?? 0, amount))
  }
  for (const each of model.classes) {
    see(each.requests)
    see(each.usage)
  }
  largest.delete('pods')
  for (const node of model.nodes) {
    for (const resource of largest.keys()) see({ [resource]: node.allocatable[resource] ?? 0 })
  }
  // What no pod that may move requests can be a goal all the same.
  for (const { resource, allocatable, measure } of model.goals)
    if (measure === undefined && resource !== 'pods' && !largest.has(resource)) see({ [resource]: allocatable })
  return new Map(
    [...largest]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([resource, most]) => [resource, 2 ** Math.max(0, Math.ceil(Math.log2(most / 2 ** 17)))]),
  )
}
