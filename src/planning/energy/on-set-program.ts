// The integer program of which nodes are on (rebalancing 3.19): y[n] is 1 where a node is on; the rest is that of moves.
import type { Term } from '../model/linear-model.ts'
import { modelSize } from '../model/move-model.ts'
import { assignmentOf, type MoveProgram, moveProgram, type ProgramSoFar, startOf } from '../model/move-program.ts'
import type { SolveOnce } from '../solving/solve.ts'
import { brokenOnSet, greedyOnSet, type OnSet, type OnSetModel, wattsPerMove, worthOf } from './on-set.ts'

const largestProgram = 20_000
const branchNodes = 5_000
/** Millicores and mebibytes: numbers of a size that a solver's tolerances suit. Dividing by a power of two is exact. */
const units: Readonly<Record<string, number>> = { cpu: 1, memory: 2 ** 20 }

interface OnSetChoice extends OnSet {
  readonly isProven: boolean
}

/** The choice of nodes to be off that is worth most; the quick one where the program is too large or the solver fails. */
export async function chooseOnSet(
  model: OnSetModel,
  options: { readonly method: 'auto' | 'milp' | 'greedy' },
  solve: SolveOnce,
  signal: AbortSignal,
): Promise<OnSetChoice> {
  const quick = greedyOnSet(model)
  if (model.down.size === 0) return { ...quick, isProven: true }
  if (options.method === 'greedy' || modelSize(model.moves) + model.down.size > largestProgram)
    return { ...quick, isProven: false }
  const { program, on } = onSetProgram(model)
  const start: Term[] = [
    ...startOf(program, quick.assignment),
    ...[...on].map(([node, column]): Term => [column, quick.off.has(node) ? 0 : 1]),
  ]
  const { stages } = await solve(
    program.model,
    { stages: [{ objective: 'watts', kind: 'integer', nodes: branchNodes }], start },
    signal,
  )
  const [answer] = stages
  if (answer?.values === undefined) return { ...quick, isProven: answer?.status === 'infeasible' && quick.off.size === 0 }
  const { values } = answer
  const off = new Set([...on].flatMap(([node, column]) => (Math.round(values[column] ?? 1) === 0 ? [node] : [])))
  const found = { off, assignment: assignmentOf(program, values) }
  const isSound = brokenOnSet(model, found).length === 0
  const isBetter = isSound && worthOf(model, found) >= worthOf(model, quick) - 1e-6
  return { ...(isBetter ? found : quick), isProven: isBetter && answer.status === 'optimal' }
}

function onSetProgram(model: OnSetModel): { readonly program: MoveProgram; readonly on: ReadonlyMap<number, number> } {
  const on = new Map<number, number>()
  const extend = (so: ProgramSoFar) => {
    for (const node of model.down.keys()) on.set(node, so.linear.column(`on_${node}`, { upper: 1, isInteger: true }))
    addEmptying(model, so, on)
    addReserve(model, so, on)
    addRoomToCome(model, so, on)
    const others = model.ready.filter(node => !on.has(node)).length
    so.linear.row(
      'least_ready',
      [...on.values()].map((column): Term => [column, 1]),
      { atLeast: model.minReady - others },
    )
    so.linear.objective(
      'watts',
      [
        ...[...on].map(([node, column]): Term => [column, model.down.get(node) ?? 0]),
        ...model.moves.classes.flatMap((each, index) => so.leaving(index, (each.cost / 1000) * wattsPerMove)),
      ],
      false,
    )
  }
  const program = moveProgram(model.moves, { allowShortfall: false, secondary: false, extend })
  return { program, on }
}

/** A node that is off has nothing left and gets nothing; one that is on keeps what it has. */
function addEmptying({ moves }: OnSetModel, so: ProgramSoFar, on: ReadonlyMap<number, number>): void {
  moves.classes.forEach((each, index) => {
    const column = on.get(each.from)
    if (column !== undefined)
      so.linear.row(`whole_${index}`, [...so.leaving(index), [column, each.size]], { atLeast: each.size, atMost: each.size })
  })
  const most = moves.classes.reduce((sum, each) => sum + each.size, 0)
  for (const [node, column] of on) {
    const arrivals = so.change(node, index => (moves.classes[index]?.from === node ? 0 : 1))
    so.linear.row(`closed_${node}`, [...arrivals, [column, -most]], { atMost: 0 })
  }
}

/** One node that is on could take the reserve. */
function addReserve(model: OnSetModel, so: ProgramSoFar, on: ReadonlyMap<number, number>): void {
  const { moves, ready, reserve } = model
  const keeping = ready.flatMap((node): Term[] => {
    const entries = Object.entries(reserve)
    const free = (resource: string) => (moves.nodes[node]?.allocatable[resource] ?? 0) - (moves.nodes[node]?.used[resource] ?? 0)
    if (entries.some(([resource, amount]) => free(resource) < amount)) return []
    const keeps = so.linear.column(`keeps_${node}`, { upper: 1, isInteger: true })
    const column = on.get(node)
    if (column !== undefined)
      so.linear.row(
        `keeps_on_${node}`,
        [
          [keeps, 1],
          [column, -1],
        ],
        { atMost: 0 },
      )
    for (const [resource, amount] of entries) {
      const unit = units[resource] ?? 1
      const arriving = so.change(node, index =>
        moves.classes[index]?.from === node ? 0 : (moves.classes[index]?.requests[resource] ?? 0) / unit,
      )
      so.linear.row(`keeps_${node}_${resource}`, [...arriving, [keeps, amount / unit]], { atMost: free(resource) / unit })
    }
    return [[keeps, 1]]
  })
  // Without any node that could keep it nothing may go down: a fixed column says so where an empty row could not.
  const terms = keeping.length > 0 ? keeping : [[so.linear.column('no_keeper', { upper: 0 }), 1] satisfies Term]
  const anyOff = so.linear.column('any_off', { upper: 1 })
  for (const [node, column] of on)
    so.linear.row(
      `any_off_${node}`,
      [
        [anyOff, 1],
        [column, 1],
      ],
      { atLeast: 1 },
    )
  so.linear.row('reserve', [...terms, [anyOff, -1]], { atLeast: 0 })
}

/** What stays on has room below its ceilings for what may come. */
function addRoomToCome(model: OnSetModel, so: ProgramSoFar, on: ReadonlyMap<number, number>): void {
  const { moves, ready, toCome } = model
  for (const [resource, amount] of Object.entries(toCome)) {
    const unit = units[resource] ?? 1
    const room = (node: number) =>
      Math.max(0, (moves.nodes[node]?.ceiling[resource] ?? 0) - (moves.nodes[node]?.used[resource] ?? 0)) / unit
    const fixed = ready.reduce((sum, node) => sum + (on.has(node) ? 0 : room(node)), 0)
    const total = ready.reduce((sum, node) => sum + room(node), 0)
    const arriving = moves.classes.flatMap((each, index) => so.leaving(index, -(each.requests[resource] ?? 0) / unit))
    const kept = [...on].flatMap(([node, column]): Term[] => (ready.includes(node) ? [[column, room(node)]] : []))
    // Where even all nodes have too little nothing is asked that only more nodes could give.
    so.linear.row(`to_come_${resource}`, [...kept, ...arriving], { atLeast: Math.min(amount / unit, total) - fixed })
  }
}
