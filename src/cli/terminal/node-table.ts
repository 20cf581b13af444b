// The nodes as a person wants to see them: requested and used, in the figures of `kubectl describe node` and `kubectl top nodes`, and each goal.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { nodeUtilisation, percentage } from '#cluster/utilisation.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseMilli, parseWhole } from '#kube/values/quantity.ts'
import { type FittedColumn, fittedTable } from './fitted.ts'
import type { Terminal } from './terminal.ts'

const mebibyte = 1024 * 1024

/** A bound on a node's requests, as a policy states it. */
interface NodeGoal {
  readonly name: string
  readonly nodes: readonly string[]
  readonly resource: string
  readonly stat: string
  readonly max?: number | undefined
  readonly min?: number | undefined
}

export interface NodeFigures {
  readonly node: string
  readonly requestedMillicores: number
  readonly requestedMi: number
  /** Percent, truncated as kubectl prints them; of use `undefined` where nothing measured it. */
  readonly cpuRequested: number
  readonly memoryRequested: number
  readonly cpuUsed: number | undefined
  readonly memoryUsed: number | undefined
  readonly pods: number
  readonly podsAllocatable: number
  readonly goals: readonly { readonly text: string; readonly isMet: boolean }[]
}

function usageOf(metrics: KubeObject | undefined): { cpu: number; memory: number } | undefined {
  const usage = metrics?.['usage']
  if (typeof usage !== 'object' || usage === null) return undefined
  const { cpu, memory } = usage as { readonly cpu?: string; readonly memory?: string }
  return cpu === undefined || memory === undefined ? undefined : { cpu: parseMilli(cpu), memory: parseWhole(memory) }
}

/** Every node's figures, in name order. Goals of another resource than requests are left to the plan. */
export function nodeFigures(state: ClusterState, goals: readonly NodeGoal[]): NodeFigures[] {
  return [...state.nodes.values()].map(node => {
    const utilisation = nodeUtilisation(state, node.name)
    const used = usageOf(state.object('NodeMetrics', undefined, node.name))
    const share = (amount: number | undefined, resource: string) =>
      amount === undefined ? undefined : percentage(amount, node.allocatable[resource] ?? 0).truncated
    return {
      node: node.name,
      requestedMillicores: utilisation.requested['cpu'] ?? 0,
      requestedMi: Math.floor((utilisation.requested['memory'] ?? 0) / mebibyte),
      cpuRequested: utilisation.percent('cpu').truncated,
      memoryRequested: utilisation.percent('memory').truncated,
      cpuUsed: share(used?.cpu, 'cpu'),
      memoryUsed: share(used?.memory, 'memory'),
      pods: utilisation.pods,
      podsAllocatable: node.allocatable['pods'] ?? 0,
      goals: goals
        .filter(goal => goal.stat === 'requests' && goal.nodes.includes(node.name))
        .flatMap(goal => {
          const { numerator, denominator } = utilisation.percent(goal.resource)
          const exact = denominator === 0 ? 0 : (100 * numerator) / denominator
          return [
            ...(goal.max === undefined ? [] : [{ text: `${goal.resource} < ${goal.max} %`, isMet: exact < goal.max }]),
            ...(goal.min === undefined ? [] : [{ text: `${goal.resource} > ${goal.min} %`, isMet: exact > goal.min }]),
          ]
        }),
    }
  })
}

const columns: readonly FittedColumn[] = [
  { title: 'NODE' },
  { title: 'CPU REQUESTED', align: 'right' },
  { title: 'MEMORY REQUESTED', align: 'right' },
  { title: 'CPU USED', align: 'right' },
  { title: 'MEMORY USED', align: 'right' },
  { title: 'PODS', align: 'right' },
  { title: 'GOALS', isBelow: true },
]

const shown = (percent: number | undefined) => (percent === undefined ? '-' : `${percent} %`)

/** The figures as a table; a goal that is met is green, one that is not red, and each says so in words. */
export function nodeTable(figures: readonly NodeFigures[], colour: Terminal['colour'], width?: number): string {
  return fittedTable(
    columns,
    figures.map(row => [
      row.node,
      `${row.requestedMillicores}m  ${shown(row.cpuRequested)}`,
      `${row.requestedMi}Mi  ${shown(row.memoryRequested)}`,
      shown(row.cpuUsed),
      shown(row.memoryUsed),
      `${row.pods}/${row.podsAllocatable}`,
      row.goals.length === 0
        ? '-'
        : row.goals
            .map(goal => (goal.isMet ? colour.green(`${goal.text}: met`) : colour.red(`${goal.text}: not met`)))
            .join(', '),
    ]),
    width,
  )
}
