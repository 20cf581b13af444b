// Keeps count of what an assignment does to nodes, goals and domains, in integers. Solvers propose; this decides what is true.

import { measured } from '../goals/measures.ts'
import {
  type Assignment,
  type DomainRule,
  type Flow,
  type GoalPart,
  type GoalRow,
  type MoveModel,
  partsOf,
  valueOfPart,
} from './move-model.ts'

/** Shares are no whole numbers: what is missed by less is met. */
const smallestShare = 1e-9

/** How far a goal is missed, in percentage points of the node's allocatable times the goal's weight; 0 where it is met. */
export function shortfallOf(row: GoalRow, used: number): number {
  const missing = row.bound === 'max' ? used - row.limit : row.limit - used
  if (missing <= (isOfShares(row) ? smallestShare : 0)) return 0
  return (row.allocatable > 0 ? (missing * 100) / row.allocatable : 100) * (row.weight ?? 1)
}

function isOfShares({ measure = 'sum' }: GoalRow): boolean {
  return measure !== 'sum'
}

export class Tally {
  readonly model: MoveModel
  readonly #used: Map<string, number>[]
  /** What each part of each goal uses. */
  readonly #partUsed: number[][]
  readonly #counts: Map<number, number>[]
  readonly #goalsOfNode: readonly (readonly GoalEntry[])[]
  /** True where a row is about several nodes: then what leaving and arriving gain cannot be added up. */
  readonly isCoupled: boolean

  constructor(model: MoveModel) {
    this.model = model
    this.#used = model.nodes.map(node => new Map(Object.entries(node.used)))
    this.#partUsed = model.goals.map(row => partsOf(row).map(({ used }) => used))
    this.#counts = model.classes.map(() => new Map())
    this.isCoupled = model.goals.some(({ parts }) => parts !== undefined)
    const goalsOfNode = model.nodes.map((): GoalEntry[] => [])
    model.goals.forEach((row, at) => {
      partsOf(row).forEach((part, index) => {
        for (const node of part.nodes) goalsOfNode[node]?.push({ at, row, part, index })
      })
    })
    this.#goalsOfNode = goalsOfNode
  }

  /** How many of `classIndex` this tally has sent to `to`. */
  moved(classIndex: number, to: number): number {
    return this.#counts[classIndex]?.get(to) ?? 0
  }

  /** How many of `classIndex` are still where they were. */
  staying(classIndex: number): number {
    let staying = this.model.classes[classIndex]?.size ?? 0
    for (const count of this.#counts[classIndex]?.values() ?? []) staying -= count
    return staying
  }

  used(node: number, resource: string): number {
    return this.#used[node]?.get(resource) ?? 0
  }

  /** Sends `count` pods to `to`, or back for a negative count. */
  move(classIndex: number, to: number, count: number): void {
    const moving = this.model.classes[classIndex]
    const counts = this.#counts[classIndex]
    if (moving === undefined || counts === undefined) throw new RangeError(`class ${classIndex} is not in the model`)
    const now = (counts.get(to) ?? 0) + count
    if (now === 0) counts.delete(to)
    else counts.set(to, now)
    this.#add(moving.from, moving.requests, -count)
    this.#add(to, moving.requests, count)
    for (const [node, sign] of [
      [moving.from, -1],
      [to, 1],
    ] as const) {
      for (const { at, row, part, index } of this.#goalsOfNode[node] ?? []) {
        const used = this.#partUsed[at]
        if (used !== undefined) used[index] = (used[index] ?? 0) + sign * count * goalAmount(this.model, classIndex, row, part)
      }
    }
  }

  #add(node: number, amounts: Readonly<Record<string, number>>, times: number): void {
    const used = this.#used[node]
    if (used === undefined) throw new RangeError(`node ${node} is not in the model`)
    for (const [resource, amount] of Object.entries(amounts)) used.set(resource, (used.get(resource) ?? 0) + amount * times)
    used.set('pods', (used.get('pods') ?? 0) + times)
  }

  goalUsed(goalIndex: number): number {
    const row = this.model.goals[goalIndex]
    const used = this.#partUsed[goalIndex] ?? []
    if (row?.parts === undefined) return used[0] ?? 0
    return measured(
      row.measure ?? 'sum',
      row.parts.map((part, index) => valueOfPart(part, used[index] ?? 0)),
    )
  }

  /** Sum of all goals' shortfalls in percentage points, each by its weight. */
  shortfall(): number {
    return this.model.goals.reduce((sum, row, at) => sum + shortfallOf(row, this.goalUsed(at)), 0)
  }

  /** How much the shortfall would fall if one more pod of the class went to `to`. */
  gain(classIndex: number, to: number): number {
    if (this.isCoupled) return this.#gainTogether(classIndex, to)
    return this.gainOfLeaving(classIndex) + this.gainOfArriving(classIndex, to)
  }

  /** For a model that is not coupled. */
  gainOfLeaving(classIndex: number): number {
    return this.#gainOn(this.model.classes[classIndex]?.from ?? -1, classIndex, -1)
  }

  gainOfArriving(classIndex: number, to: number): number {
    return this.#gainOn(to, classIndex, 1)
  }

  #gainTogether(classIndex: number, to: number): number {
    const from = this.model.classes[classIndex]?.from ?? -1
    const goals = new Set([from, to].flatMap(node => (this.#goalsOfNode[node] ?? []).map(({ at }) => at)))
    const missing = () =>
      [...goals].reduce((sum, at) => {
        const row = this.model.goals[at]
        return row === undefined ? sum : sum + shortfallOf(row, this.goalUsed(at))
      }, 0)
    const before = missing()
    this.move(classIndex, to, 1)
    const after = missing()
    this.move(classIndex, to, -1)
    return before - after
  }

  #gainOn(node: number, classIndex: number, sign: 1 | -1): number {
    let gain = 0
    for (const { at, row, part } of this.#goalsOfNode[node] ?? []) {
      const used = this.goalUsed(at)
      gain += shortfallOf(row, used) - shortfallOf(row, used + sign * goalAmount(this.model, classIndex, row, part))
    }
    return gain
  }

  /** True where one more pod of the class fits under the ceilings of `to`. */
  hasRoom(classIndex: number, to: number): boolean {
    const moving = this.model.classes[classIndex]
    const node = this.model.nodes[to]
    if (moving === undefined || node === undefined) return false
    if (this.used(to, 'pods') + 1 > (node.ceiling['pods'] ?? 0)) return false
    return Object.entries(moving.requests).every(
      ([resource, amount]) => amount === 0 || this.used(to, resource) + amount <= (node.ceiling[resource] ?? 0),
    )
  }

  /** Pods of `members` that a domain holds. */
  inDomain(rule: DomainRule, domainIndex: number, members: readonly number[] = rule.members): number {
    const domain = rule.domains[domainIndex]
    if (domain === undefined) return 0
    let count = members === rule.members ? domain.fixed : 0
    for (const member of members) {
      const from = this.model.classes[member]?.from
      for (const node of domain.nodes) count += node === from ? this.staying(member) : this.moved(member, node)
    }
    return count
  }

  assignment(): Assignment {
    const flows: Flow[] = []
    this.#counts.forEach((counts, classIndex) => {
      for (const [to, count] of [...counts].sort(([a], [b]) => a - b)) flows.push({ class: classIndex, to, count })
    })
    return flows
  }
}

interface GoalEntry {
  /** Indexes of the goal and of the part. */
  readonly at: number
  readonly index: number
  readonly row: GoalRow
  readonly part: GoalPart
}

/** What one pod of the class adds to the amount of a part. */
export function goalAmount(model: MoveModel, classIndex: number, row: GoalRow, part: GoalPart): number {
  if (part.only?.has(classIndex) === false) return 0
  if (row.resource === 'pods' || part.isStep === true) return 1
  const moving = model.classes[classIndex]
  return (row.stat === 'usage' ? moving?.usage : moving?.requests)?.[row.resource] ?? 0
}

export function tallyOf(model: MoveModel, assignment: Assignment): Tally {
  const tally = new Tally(model)
  for (const flow of assignment) tally.move(flow.class, flow.to, flow.count)
  return tally
}

/** Every rule that `assignment` breaks and that the state before did not break as much, in words for a log; empty for a sound one. Soft goals are no rules. */
export function brokenRules(model: MoveModel, assignment: Assignment): readonly string[] {
  const tally = tallyOf(model, assignment)
  const missed = model.goals.filter((row, at) => row.hard && shortfallOf(row, tally.goalUsed(at)) > 0)
  return [...brokenStructure(model, assignment), ...missed.map(row => `goal ${row.goal} is missed`)]
}

/** As `brokenRules`, goals left aside. */
export function brokenStructure(model: MoveModel, assignment: Assignment): readonly string[] {
  const tally = tallyOf(model, assignment)
  return [
    ...brokenFlows(model, assignment, tally),
    ...brokenCeilings(model, assignment, tally),
    ...brokenLimits(model, assignment),
    ...model.rules.flatMap(rule => brokenDomains(rule, assignment, tally)),
  ]
}

function brokenFlows(model: MoveModel, assignment: Assignment, tally: Tally): string[] {
  return assignment.flatMap(flow => {
    const moving = model.classes[flow.class]
    if (moving === undefined || !moving.destinations.includes(flow.to))
      return [`class ${flow.class} may not go to node ${flow.to}`]
    if (!Number.isInteger(flow.count) || flow.count < 0) return [`class ${moving.name}: ${flow.count} is no count`]
    return tally.staying(flow.class) < 0 ? [`class ${moving.name}: more moves than pods`] : []
  })
}

function brokenCeilings(model: MoveModel, assignment: Assignment, tally: Tally): string[] {
  const receiving = new Set(assignment.map(flow => flow.to))
  return [...receiving].flatMap(index => {
    const node = model.nodes[index]
    if (node === undefined) return []
    const arrives = (resource: string) =>
      resource === 'pods' ||
      assignment.some(flow => flow.to === index && (model.classes[flow.class]?.requests[resource] ?? 0) > 0)
    const resources = new Set(['pods', ...assignment.flatMap(flow => Object.keys(model.classes[flow.class]?.requests ?? {}))])
    return [...resources].flatMap(resource => {
      const used = tally.used(index, resource)
      // A node that was above its ceiling before is allowed to stay there, not to grow.
      const most = Math.max(node.ceiling[resource] ?? 0, node.used[resource] ?? 0)
      return used > most && arrives(resource) ? [`node ${node.name}: ${resource} ${used} above ${most}`] : []
    })
  })
}

function brokenLimits(model: MoveModel, assignment: Assignment): string[] {
  const leaving = new Map<string, number>()
  const count = (key: string, by: number) => leaving.set(key, (leaving.get(key) ?? 0) + by)
  for (const flow of assignment) {
    const moving = model.classes[flow.class]
    if (moving === undefined) continue
    count('plan', flow.count)
    count(`node ${moving.from}`, flow.count)
    count(`namespace ${moving.namespace}`, flow.count)
  }
  const { perPlan, perNode = Infinity, perNamespace = Infinity } = model.limits
  return [...leaving].flatMap(([key, moves]) => {
    const limit = key === 'plan' ? perPlan : key.startsWith('node ') ? perNode : perNamespace
    return moves > limit ? [`${key}: ${moves} pods leave, at most ${limit} may`] : []
  })
}

/** What each domain may hold in the end, given what it holds now: a rule that is broken already need not be mended, only not worsened. */
export function domainLimits(model: MoveModel, rule: DomainRule & { kind: 'at-most' | 'skew' }): readonly number[] {
  const before = new Tally(model)
  const counts = rule.domains.map((_, index) => before.inDomain(rule, index))
  const least = rule.kind === 'skew' ? Math.min(...counts) : 0
  return counts.map(count => Math.max(rule.limit, count - least))
}

/** Domains of `rule` that receive a pod and then hold more than they may. */
export function brokenDomains(rule: DomainRule, assignment: Assignment, tally: Tally): string[] {
  const receives = (index: number, members: readonly number[]) =>
    assignment.some(flow => members.includes(flow.class) && rule.domains[index]?.nodes.includes(flow.to))
  if (rule.kind === 'apart') {
    return rule.domains.flatMap((domain, index) => {
      if (!receives(index, rule.members) && !receives(index, rule.others)) return []
      const both = tally.inDomain(rule, index) > 0 && tally.inDomain(rule, index, rule.others) > 0
      return both ? [`${rule.name}: both in ${domain.value}`] : []
    })
  }
  const counts = rule.domains.map((_, index) => tally.inDomain(rule, index))
  const least = rule.kind === 'skew' ? Math.min(...counts) : 0
  return rule.domains.flatMap((domain, index) => {
    if (!receives(index, rule.members)) return []
    const count = counts[index] ?? 0
    return count - least > rule.limit ? [`${rule.name}: ${count} in ${domain.value}`] : []
  })
}
