// Which nodes are off, as numbers: the model, what is true of an answer in integers, and a quick answer without a solver.
import type { Assignment, MoveModel } from '../model/move-model.ts'
import { costOf } from '../model/move-model.ts'
import { brokenStructure, shortfallOf, Tally, tallyOf } from '../model/tally.ts'
import type { Amounts } from '../plan-record.ts'

/** A pod that moves counts as much as a tenth of a watt: of equal savings the one that disturbs least is taken. */
export const wattsPerMove = 0.1

export interface OnSetModel {
  /** Classes are pods of nodes that may go down, with every class of each; costs are thousandths of a move. */
  readonly moves: MoveModel
  /** Indexes of nodes that may go down, and the watts that each saves. */
  readonly down: ReadonlyMap<number, number>
  /** Nodes that are ready and take pods, those that may go down among them. */
  readonly ready: readonly number[]
  readonly minReady: number
  /** Has to fit on one node that stays on, beside everything else. */
  readonly reserve: Amounts
  /** Has to fit on all that stay on together: what ran at other hours, and what sleeps and may wake. */
  readonly toCome: Amounts
}

export interface OnSet {
  readonly off: ReadonlySet<number>
  readonly assignment: Assignment
}

export const allOn: OnSet = { off: new Set(), assignment: [] }

/** What it is worth: watts saved less the price of the moves. */
export function worthOf(model: OnSetModel, { off, assignment }: OnSet): number {
  const saved = [...off].reduce((sum, node) => sum + (model.down.get(node) ?? 0), 0)
  return saved - (costOf(model.moves, assignment) / 1000) * wattsPerMove
}

/** Everything that is wrong with an answer, in words for a log; empty for a sound one. */
export function brokenOnSet(model: OnSetModel, { off, assignment }: OnSet): readonly string[] {
  const { moves, down, ready, minReady, reserve, toCome } = model
  const tally = tallyOf(moves, assignment)
  const worse = moves.goals.filter((row, at) => shortfallOf(row, tally.goalUsed(at)) > shortfallOf(row, row.used))
  const staying = moves.classes.filter((each, index) => tally.staying(index) !== (off.has(each.from) ? 0 : each.size))
  const isOn = (node: number) => !off.has(node)
  const on = ready.filter(isOn)
  const free = (node: number, resource: string) => (moves.nodes[node]?.allocatable[resource] ?? 0) - tally.used(node, resource)
  const under = (node: number, resource: string) =>
    Math.max(0, (moves.nodes[node]?.ceiling[resource] ?? 0) - tally.used(node, resource))
  const hasReserve = on.some(node => Object.entries(reserve).every(([resource, amount]) => free(node, resource) >= amount))
  return [
    ...brokenStructure(moves, assignment),
    ...worse.map(row => `goal ${row.goal} gets worse`),
    ...staying.map(each => `${each.name} neither stays nor leaves whole`),
    ...assignment.flatMap(({ to }) => (off.has(to) ? [`something comes to ${moves.nodes[to]?.name}`] : [])),
    ...[...off].flatMap(node => (down.has(node) ? [] : [`${moves.nodes[node]?.name} may not go down`])),
    ...(on.length >= minReady ? [] : [`${on.length} nodes stay on`]),
    ...(hasReserve || off.size === 0 ? [] : ['no node keeps the reserve']),
    ...Object.entries(toCome).flatMap(([resource, amount]) => {
      const room = on.reduce((sum, node) => sum + under(node, resource), 0)
      return room >= amount || off.size === 0 ? [] : [`${resource} for what may come`]
    }),
  ]
}

/** Nodes off one after the other, those first that are worth most by themselves, each only if everything still holds. */
export function greedyOnSet(model: OnSetModel): OnSet {
  let best: OnSet = allOn
  const costs = Map.groupBy(model.moves.classes, each => each.from)
  const worthAlone = (node: number) =>
    (model.down.get(node) ?? 0) -
    (costs.get(node) ?? []).reduce((sum, { size, cost }) => sum + size * cost, 0) * (wattsPerMove / 1000)
  for (const node of [...model.down.keys()].sort((a, b) => worthAlone(b) - worthAlone(a) || a - b)) {
    const off = new Set([...best.off, node])
    const found = packings
      .map(packing => placed(model, off, packing))
      .find(one => one !== undefined && brokenOnSet(model, one).length === 0)
    if (found !== undefined && worthOf(model, found) > worthOf(model, best)) best = found
  }
  return best
}

type Packing = (left: number, right: number) => number
/** The fullest node that takes a pod, or the emptiest. */
const packings: readonly Packing[] = [(left, right) => left - right, (left, right) => right - left]

/** All pods of `off` on nodes that stay on, large ones first; `undefined` where one finds no room. */
function placed({ moves }: OnSetModel, off: ReadonlySet<number>, packing: Packing): OnSet | undefined {
  const tally = new Tally(moves)
  const free = (node: number) => (moves.nodes[node]?.ceiling['cpu'] ?? 0) - tally.used(node, 'cpu')
  const leaving = moves.classes
    .map((each, index) => ({ each, index }))
    .filter(({ each }) => off.has(each.from))
    .sort((a, b) => (b.each.requests['cpu'] ?? 0) - (a.each.requests['cpu'] ?? 0) || a.index - b.index)
  for (const { each, index } of leaving) {
    for (let count = 0; count < each.size; count++) {
      const [to] = each.destinations
        .filter(node => !off.has(node) && tally.hasRoom(index, node))
        .sort((a, b) => packing(free(a), free(b)) || a - b)
      if (to === undefined) return undefined
      tally.move(index, to, 1)
    }
  }
  return { off, assignment: tally.assignment() }
}
