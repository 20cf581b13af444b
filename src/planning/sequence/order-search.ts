// Moves one after the other, each into room that is there at its time: where the moves of a choice wait for each other, one pod may stop at another
// node on its way, or other moves do as well. A search of all states in order of their cost (A*): what it finds is the cheapest, and where it
// comes to its end there is nothing better. It is bounded by states, so that the same model gets the same answer everywhere.

import type { Assignment, DomainRule, Flow, MoveModel } from '../model/move-model.ts'
import { brokenDomains, shortfallOf, type Tally, tallyOf } from '../model/tally.ts'

export interface Step {
  readonly class: number
  /** Where the pod stands: the class's own node, or the one at which it stopped. */
  readonly from: number
  readonly to: number
  /** The pod has moved before, from its own node to `from`. */
  readonly isSecond: boolean
}

interface Order {
  readonly steps: readonly Step[]
  readonly shortfall: number
  readonly cost: number
  /** Nothing that can be carried out is better: `false` where the search ended at its bound. */
  readonly isProven: boolean
}

/** Work of one search, a step looked at being one: some seconds of a processor. */
const mostWork = 300_000_000
/** States that one search keeps: some 250 MiB. */
const mostStates = 200_000
/** What counting costs of each node and class. */
const workOfCount = 8
const smallest = 1e-6

/** The cheapest order that brings each pod of `assignment` where it is to go, with stops where that takes some; `undefined`: none was found. */
export function orderOf(model: MoveModel, assignment: Assignment): Order | undefined {
  const wanted = new Map(assignment.map(({ class: index, to, count }) => [placeKey(index, to), count]))
  const classes = new Set(assignment.map(flow => flow.class))
  const costOf = (index: number) => model.classes[index]?.cost ?? 0
  const left = (state: State) =>
    assignment.reduce((sum, { class: index, to, count }) => {
      const there = (state.standing.get(placeKey(index, to)) ?? [0, 0]).reduce((all, each) => all + each, 0)
      return sum + Math.max(0, count - there) * costOf(index)
    }, 0)
  const sizes = new Map(
    [...classes].map(index => [index, sum(assignment.filter(flow => flow.class === index).map(flow => flow.count))]),
  )
  const search = new Search(model, classes, {
    isDone: state => left(state) === 0,
    leastLeft: left,
    // A pod that is where it is to go stays there; no more of a class go than are to.
    mayMove: (state, { class: index, from, isSecond }) => {
      if (!isSecond) return state.leftBehind(index) < (sizes.get(index) ?? 0)
      return standingAt(state, index, from) > (wanted.get(placeKey(index, from)) ?? 0)
    },
  })
  const found = search.run()
  return found.done === undefined ? undefined : { ...orderFrom(model, found.done), isProven: true }
}

/** The best that any order of moves reaches, `leastShortfall` at best: the least shortfall, then the least cost. */
export function bestOrder(model: MoveModel, leastShortfall: number): Order | undefined {
  const cheapest = Math.min(...model.classes.map(({ cost }) => cost))
  // Room that was made is used by one more move for each node; one that helps a goal may be among them.
  const leastLeft = (state: State) => {
    const isShort = search.shortfallOf(state) > leastShortfall + smallest
    return cheapest * Math.max(state.unused.size, isShort ? 1 : 0)
  }
  let best: { readonly state: State; readonly shortfall: number } | undefined
  const search: Search = new Search(model, new Set(model.classes.keys()), {
    isDone: state => {
      const shortfall = search.shortfallIfValid(state)
      if (shortfall === undefined) return false
      const isBetter =
        best === undefined ||
        shortfall < best.shortfall - smallest ||
        (shortfall < best.shortfall + smallest && state.cost < best.state.cost)
      if (isBetter) best = { state, shortfall }
      return shortfall <= leastShortfall + smallest
    },
    leastLeft,
    mayMove: () => true,
  })
  const found = search.run()
  return best === undefined
    ? undefined
    : { ...orderFrom(model, best.state), isProven: found.done !== undefined || found.isExhausted }
}

/** So many pods of a class stand on a node to which they were moved: after one move, after two. */
type Standing = ReadonlyMap<string, readonly [once: number, twice: number]>

interface State {
  readonly standing: Standing
  readonly cost: number
  readonly moves: number
  readonly parent: State | undefined
  readonly step: Step | undefined
  /** Nodes that a move did nothing but make room on, which nothing has taken yet. Without what follows that move would be none of a best order. */
  readonly unused: ReadonlySet<number>
  leftBehind(index: number): number
}

const placeKey = (index: number, node: number): string => `${index}>${node}`
const sum = (amounts: readonly number[]): number => amounts.reduce((total, each) => total + each, 0)

function standingAt(state: State, index: number, node: number): number {
  return sum(state.standing.get(placeKey(index, node)) ?? [])
}

interface Question {
  isDone(state: State): boolean
  /** What it still costs at least. */
  leastLeft(state: State): number
  mayMove(state: State, step: Step): boolean
}

class Search {
  readonly #model: MoveModel
  readonly #question: Question
  readonly #rulesOf: readonly (readonly DomainRule[])[]
  readonly #seen = new Set<string>()
  readonly #classes: ReadonlySet<number>
  readonly #goalNodes: ReadonlySet<number>
  readonly #resources: readonly string[]
  /** What a pod of each class requests of each of the resources. */
  readonly #needs: readonly (readonly number[])[]
  #work = 0

  /** `classes`: those of which pods may move. */
  constructor(model: MoveModel, classes: ReadonlySet<number>, question: Question) {
    this.#model = model
    this.#classes = classes
    this.#resources = ['pods', ...new Set(model.classes.flatMap(({ requests }) => Object.keys(requests)))]
    this.#needs = model.classes.map(({ requests }) =>
      this.#resources.map(resource => (resource === 'pods' ? 1 : (requests[resource] ?? 0))),
    )
    this.#goalNodes = new Set(model.goals.map(({ node }) => node))
    this.#question = question
    this.#rulesOf = model.classes.map((_, index) =>
      model.rules.filter(rule => rule.members.includes(index) || (rule.kind === 'apart' && rule.others.includes(index))),
    )
  }

  run(): { readonly done: State | undefined; readonly isExhausted: boolean } {
    const queue = new Queue()
    const first: State = {
      standing: new Map(),
      cost: 0,
      moves: 0,
      parent: undefined,
      step: undefined,
      unused: new Set(),
      leftBehind: () => 0,
    }
    queue.add(first, this.#question.leastLeft(first))
    this.#seen.add(keyOf(first))
    for (let state = queue.take(); state !== undefined; state = queue.take()) {
      if (this.#question.isDone(state)) return { done: state, isExhausted: false }
      for (const next of this.#after(state)) queue.add(next, next.cost + this.#question.leastLeft(next))
      if (this.#work > mostWork || this.#seen.size > mostStates) return { done: undefined, isExhausted: false }
    }
    return { done: undefined, isExhausted: true }
  }

  *#after(state: State): Generator<State> {
    if (state.moves >= this.#model.limits.perPlan) return
    const tally = this.#tallyOf(state)
    for (const step of this.#stepsFrom(state, tally)) {
      if (!this.#question.mayMove(state, step) || !this.#isWithinLimits(state, step)) continue
      const next = this.#afterStep(state, step)
      const key = keyOf(next)
      if (this.#seen.has(key) || !this.#keepsRules(next, step)) continue
      this.#seen.add(key)
      yield next
    }
  }

  *#stepsFrom(state: State, tally: Tally): Generator<Step> {
    const rooms = this.#roomsOf(tally)
    for (const index of this.#classes) {
      const { from = 0, destinations = [] } = this.#model.classes[index] ?? {}
      if (tally.staying(index) === 0) continue
      this.#work += destinations.length
      for (const to of destinations) if (this.#fits(index, rooms[to])) yield { class: index, from, to, isSecond: false }
    }
    for (const [key, [once]] of state.standing) {
      if (once === 0) continue
      const [index = 0, from = 0] = key.split('>').map(Number)
      const { destinations = [] } = this.#model.classes[index] ?? {}
      this.#work += destinations.length
      for (const to of destinations)
        if (to !== from && this.#fits(index, rooms[to])) yield { class: index, from, to, isSecond: true }
    }
  }

  /** What each node has free of each resource that is requested: while the moves are made it may be filled to its last, in the end the headroom counts. */
  #roomsOf(tally: Tally): readonly (readonly number[])[] {
    return this.#model.nodes.map(({ allocatable }, node) =>
      this.#resources.map(resource => (allocatable[resource] ?? 0) - tally.used(node, resource)),
    )
  }

  #fits(index: number, room: readonly number[] | undefined): boolean {
    const needs = this.#needs[index]
    if (needs === undefined || room === undefined) return false
    for (let at = 0; at < needs.length; at++) {
      const needed = needs[at] ?? 0
      if (needed > 0 && needed > (room[at] ?? 0)) return false
    }
    return true
  }

  #isWithinLimits(state: State, step: Step): boolean {
    const { perNode, perNamespace } = this.#model.limits
    if (perNode === undefined && perNamespace === undefined) return true
    const made = [step, ...stepsTo(state)]
    const spaceOf = (index: number) => this.#model.classes[index]?.namespace
    const leaving = made.filter(({ from }) => from === step.from).length
    const ofSpace = made.filter(each => spaceOf(each.class) === spaceOf(step.class)).length
    return leaving <= (perNode ?? Number.POSITIVE_INFINITY) && ofSpace <= (perNamespace ?? Number.POSITIVE_INFINITY)
  }

  #afterStep(state: State, step: Step): State {
    const standing = new Map(state.standing)
    const change = (node: number, once: number, twice: number) => {
      const key = placeKey(step.class, node)
      const [before, beforeTwice] = standing.get(key) ?? [0, 0]
      if (before + once === 0 && beforeTwice + twice === 0) standing.delete(key)
      else standing.set(key, [before + once, beforeTwice + twice])
    }
    if (step.isSecond) change(step.from, -1, 0)
    change(step.to, step.isSecond ? 0 : 1, step.isSecond ? 1 : 0)
    const cost = state.cost + (this.#model.classes[step.class]?.cost ?? 0)
    const leftBehind = (index: number) =>
      sum([...standing].flatMap(([key, counts]) => (key.startsWith(`${index}>`) ? counts : [])))
    return { standing, cost, moves: state.moves + 1, parent: state, step, unused: this.#unusedAfter(state, step), leftBehind }
  }

  /**
   * A move from a pod's own node that no goal and no rule asks for, and that brings the node back under no ceiling, is there for its room alone:
   * an order in which nothing comes to the node after it has a cheaper one without it.
   */
  #unusedAfter(state: State, { class: index, from, to, isSecond }: Step): ReadonlySet<number> {
    const hasReceived = [...state.standing.keys()].some(key => key.endsWith(`>${from}`))
    const isForRoom =
      !isSecond && !hasReceived && !this.#goalNodes.has(from) && !this.#goalNodes.has(to) && this.#rulesOf[index]?.length === 0
    if (!isForRoom && !state.unused.has(to)) return state.unused
    const unused = new Set(state.unused)
    unused.delete(to)
    if (isForRoom) unused.add(from)
    return unused
  }

  #keepsRules(state: State, step: Step): boolean {
    const rules = this.#rulesOf[step.class] ?? []
    if (rules.length === 0) return true
    const assignment = assignmentOf(state)
    const tally = tallyOf(this.#model, assignment)
    return rules.every(rule => brokenDomains(rule, assignment, tally).length === 0)
  }

  #tallyOf(state: State): Tally {
    this.#work += (this.#model.nodes.length + this.#model.classes.length) * workOfCount
    return tallyOf(this.#model, assignmentOf(state))
  }

  shortfallOf(state: State): number {
    return this.#tallyOf(state).shortfall()
  }

  /** `undefined` where a plan may not end so: a node is filled beyond the headroom, or a hard goal is missed. */
  shortfallIfValid(state: State): number | undefined {
    const assignment = assignmentOf(state)
    const tally = this.#tallyOf(state)
    const isMissed = this.#model.goals.some((row, at) => row.hard && shortfallOf(row, tally.goalUsed(at)) > 0)
    const isOver = assignment.some(({ class: index, to }) => {
      const node = this.#model.nodes[to]
      const resources = ['pods', ...Object.keys(this.#model.classes[index]?.requests ?? {})]
      return resources.some(
        resource => tally.used(to, resource) > Math.max(node?.ceiling[resource] ?? 0, node?.used[resource] ?? 0),
      )
    })
    return isMissed || isOver ? undefined : tally.shortfall()
  }
}

function assignmentOf(state: State): Assignment {
  return [...state.standing].map(([key, counts]): Flow => {
    const [index = 0, to = 0] = key.split('>').map(Number)
    return { class: index, to, count: sum(counts) }
  })
}

function keyOf({ standing, unused }: State): string {
  const places = [...standing].map(([key, [once, twice]]) => `${key}:${once},${twice}`)
  return `${places.sort().join(' ')} ${[...unused].sort((a, b) => a - b).join()}`
}

function stepsTo(state: State): readonly Step[] {
  const steps: Step[] = []
  for (let at: State | undefined = state; at?.step !== undefined; at = at.parent) steps.push(at.step)
  return steps.reverse()
}

function orderFrom(model: MoveModel, state: State): Omit<Order, 'isProven'> {
  return { steps: stepsTo(state), shortfall: tallyOf(model, assignmentOf(state)).shortfall(), cost: state.cost }
}

/** The cheapest first; of equal ones the furthest, then the one that came first. */
class Queue {
  readonly #buckets = new Map<number, State[]>()
  #costs: number[] = []

  add(state: State, cost: number): void {
    const bucket = this.#buckets.get(cost)
    if (bucket !== undefined) {
      bucket.push(state)
      return
    }
    this.#buckets.set(cost, [state])
    const at = this.#costs.findIndex(each => each < cost)
    this.#costs.splice(at < 0 ? this.#costs.length : at, 0, cost)
  }

  take(): State | undefined {
    const cost = this.#costs.at(-1)
    if (cost === undefined) return undefined
    const bucket = this.#buckets.get(cost) ?? []
    const state = bucket.pop()
    if (bucket.length === 0) {
      this.#buckets.delete(cost)
      this.#costs.pop()
    }
    return state
  }
}
