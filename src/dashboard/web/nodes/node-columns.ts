// The nodes of an overview as rows, however they were sent.
import type { NodeColumns, NodeRow, Overview } from '../../contract.ts'

const known = new WeakMap<NodeColumns, readonly NodeRow[]>()

/** The rows; of columns made once for each value that arrives. */
export function nodesOf({ nodes, columns }: Pick<Overview, 'nodes' | 'columns'>): readonly NodeRow[] {
  if (columns === null) return nodes
  const before = known.get(columns)
  if (before !== undefined) return before
  const rows = columns.name.map((name, index) => rowAt(columns, name, index))
  known.set(columns, rows)
  return rows
}

const unknownAmount: NodeRow['cpu'] = { allocatable: 0, requested: null, used: null, usedAt: null }

function rowAt(columns: NodeColumns, name: string, index: number): NodeRow {
  return {
    name,
    role: columns.role[index] ?? 'worker',
    ready: columns.ready[index] ?? false,
    readySince: columns.readySince[index] ?? null,
    cordoned: columns.cordoned[index] ?? false,
    draining: columns.draining[index] ?? false,
    cpu: columns.cpu[index] ?? unknownAmount,
    memory: columns.memory[index] ?? unknownAmount,
    pods: columns.pods[index] ?? { allocatable: 0, count: 0 },
    watts: columns.watts[index] ?? { now: null, source: null },
    goals: columns.goals[index] ?? [],
    after: columns.after[index] ?? null,
    zone: columns.zone[index] ?? null,
    taints: columns.taints[index] ?? [],
  }
}
