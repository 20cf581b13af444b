// A part of very many pairs of class and destination: the solver could not hold them all. Nodes that a goal wants more on come first, then of
// the roomy ones each class takes its own stretch, so that not all crowd on the same few.
import { mostWithin, requestedOn } from '../goals/bounds.ts'
import type { PlanInput } from '../plan-input.ts'

/** Pairs of class and destination that a model is made with. */
const mostPairs = 1_000_000
/** Destinations that each class keeps at least. */
const fewest = 8

type Choose = (list: readonly number[], from: number) => readonly number[]

/** What each of `classes` keeps of its list of nodes (indexes, ascending), without its own. The same input gives the same choice. */
export function destinationChoice(input: PlanInput, classes: number): Choose {
  const { state } = input
  const without = (list: readonly number[], from: number) => list.filter(index => index !== from)
  if (classes * state.nodes.size <= mostPairs) return without
  const most = Math.max(fewest, Math.floor(mostPairs / classes))
  const { toFill, rooms, isToEmpty } = rated(input)
  const orders = new Map<readonly number[], readonly number[]>()
  const roomiest = (list: readonly number[]) => {
    const known =
      orders.get(list) ??
      list
        .filter(index => !toFill.has(index) && !isToEmpty.has(index) && (rooms[index] ?? 0) > 0)
        .sort((a, b) => (rooms[b] ?? 0) - (rooms[a] ?? 0) || a - b)
    orders.set(list, known)
    return known
  }
  let turn = 0
  return (list, from) => {
    if (list.length <= most) return without(list, from)
    const wanted = without(list, from)
      .filter(index => toFill.has(index))
      .slice(0, most)
    const others = roomiest(list)
    const count = Math.min(most - wanted.length, others.length)
    const stretch = Array.from({ length: count }, (_, at) => others[(turn + at) % others.length] ?? 0)
    turn += count
    return without([...wanted, ...stretch], from).sort((a, b) => a - b)
  }
}

/** Nodes with a goal that wants more or less of them, and the smallest part of each that may still be filled. */
function rated({ state, policy }: PlanInput) {
  const names = [...state.nodes.keys()]
  const indexes = new Map(names.map((name, index) => [name, index]))
  const namedBy = (bound: 'max' | 'min') =>
    new Set(policy.goals.flatMap(goal => (goal[bound] === undefined ? [] : goal.nodes.flatMap(name => indexes.get(name) ?? []))))
  const rooms = names.map(name => {
    const used = requestedOn(state, name)
    const allocatable = state.nodes.get(name)?.allocatable ?? {}
    const parts = (['cpu', 'memory', 'pods'] as const).map(resource => {
      const ceiling = mostWithin(policy.headroom[resource], allocatable[resource] ?? 0)
      return (ceiling - (used[resource] ?? 0)) / Math.max(1, ceiling)
    })
    return Math.min(...parts)
  })
  return { toFill: namedBy('min'), isToEmpty: namedBy('max'), rooms }
}
