// One node: its row, the goals that hold it, how it stands in a sentence; and its pods in pages, with which of them may leave.
import type { PodState } from '#cluster/cluster-state.ts'
import type { Goal, NodePod, NodePodPage, NodeRow, NodeView, Sentence, Verdict } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as en from '../../words/en.ts'
import { nodeNotKept } from '../../words/en-verdict.ts'
import { percentText, unknownText } from '../../words/percent.ts'
import { goalRows, isUnknown, standingOf } from '../plans/goals.ts'
import { isUseShown, unknownBecause } from '../sources.ts'
import type { Viewing } from '../viewing.ts'
import { leavingWords } from './leaving.ts'
import { nodeRows, requestsOfPod } from './nodes.ts'
import { podUsage, type Usage } from './usage.ts'

/** `undefined`: there is no such node. */
export function nodeViewOf(picture: Picture, name: string, _viewing: Viewing): NodeView | undefined {
  const node = picture.state.nodes.get(name)
  const row = nodeRows(picture).find(one => one.name === name)
  if (node === undefined || row === undefined) return undefined
  const goals = goalRows(picture).filter(goal => goal.nodes.includes(name))
  return {
    row,
    goals,
    verdict: verdictOfNode(picture, row, goals),
    labels: node.object.metadata.labels ?? {},
    conditions: (node.object.status?.conditions ?? []).map(({ type, status, message, lastTransitionTime }) => {
      const isKnown = picture.past === undefined || Date.parse(String(lastTransitionTime)) <= picture.nowMs
      const told = isKnown && typeof message === 'string' && message !== '' ? message : null
      return { type, status: isKnown ? status : unknownText, message: told }
    }),
    podCount: row.pods.count,
  }
}

function verdictOfNode(picture: Picture, row: NodeRow, goals: readonly Goal[]): Verdict {
  const { name, cpu, memory, pods } = row
  if (picture.past !== undefined) {
    const draining = row.draining ? [en.nodeDraining({ node: name, pods: pods.count })] : []
    return { level: 'unknown', sentences: [...draining, nodeNotKept({ node: name })] }
  }
  const full = (isCpuTold: boolean) =>
    en.nodeFull({
      node: name,
      cpu: percentText(cpu.requested, cpu.allocatable),
      memory: percentText(memory.requested, memory.allocatable),
      pods: pods.count,
      isCpuTold,
    })
  if (row.ready === false) {
    const forMs = row.readySince === null ? undefined : Math.max(0, picture.nowMs - Date.parse(row.readySince))
    return { level: 'attention', sentences: [en.nodeNotReady({ node: name, forMs }), full(false)] }
  }
  const state: readonly Sentence[] = row.draining
    ? [en.nodeDraining({ node: name, pods: pods.count })]
    : row.cordoned
      ? [en.nodeCordoned({ node: name })]
      : []
  const missed = goals.flatMap(goal => {
    const here = isUnknown(goal) ? undefined : standingOf(picture, goal, name)
    return here === undefined ? [] : [{ goal, sentence: en.goalUnmet({ ...goal, node: name, now: here }, { short: false }) }]
  })
  const isCpuTold = missed.some(({ goal: { resource, stat } }) => resource === 'cpu' && stat === 'requests')
  const sentences: readonly Sentence[] = [...state, ...missed.map(({ sentence }) => sentence), full(isCpuTold)]
  return { level: row.draining ? 'acting' : sentences.length > 1 ? 'attention' : 'good', sentences }
}

export const nodePodSorts = ['cpu', 'memory', 'used-cpu', 'used-memory', 'name'] as const
type NodePodSort = (typeof nodePodSorts)[number]

export interface NodePodQuery {
  readonly sort: NodePodSort
  readonly descending: boolean
  /** Cursor that the page before gave; null: from the start. */
  readonly cursor: string | null
  readonly limit: number
  /** Part of `namespace/name` or of the workload's name; empty: all. */
  readonly query: string
}

interface Line {
  readonly pod: PodState
  readonly usage: Usage | undefined
}

/**
 * A page of the pods that `node` carries and the viewer may see; `undefined`: there is no such node. `total` counts all that the query
 * finds, `hidden` those that may not be named. Of an earlier moment nothing is known of them: `total` is null.
 */
export function nodePodsOf(picture: Picture, node: string, query: NodePodQuery, viewing: Viewing): NodePodPage | undefined {
  const { state } = picture
  if (!state.nodes.has(node)) return undefined
  if (picture.past !== undefined || unknownBecause(picture, 'pods') !== undefined)
    return { pods: [], total: null, hidden: 0, next: null }
  const all = state.podsOn(node)
  const seen = all.filter(({ namespace }) => viewing.sees(namespace))
  const isShown = isUseShown(picture)
  const lines = seen
    .filter(pod => isFound(pod, query.query))
    .map(pod => ({ pod, usage: isShown ? podUsage(state, pod.namespace, pod.name) : undefined }))
    .toSorted(orderOf(query))
  const after = query.cursor === null ? 0 : lines.findIndex(({ pod }) => pod.key === query.cursor) + 1
  const page = lines.slice(after, after + query.limit)
  const words = leavingWords(picture, node)
  const last = page.at(-1)
  return {
    pods: page.map(line => podRow(line, words)),
    total: lines.length,
    hidden: all.length - seen.length,
    next: last === undefined || after + page.length >= lines.length ? null : last.pod.key,
  }
}

function podRow({ pod, usage }: Line, words: ReturnType<typeof leavingWords>): NodePod {
  const requested = requestsOfPod(pod)
  const { workload } = pod
  return {
    ref: { kind: 'Pod', namespace: pod.namespace, name: pod.name },
    workload: workload === undefined ? null : { kind: workload.kind, namespace: workload.namespace, name: workload.name },
    cpu: { requested: requested.cpu, used: usage?.cpu ?? null },
    memory: { requested: requested.memory, used: usage?.memory ?? null },
    ...words(pod),
  }
}

function isFound({ key, workload }: PodState, query: string): boolean {
  return query === '' || key.includes(query) || (workload?.name.includes(query) ?? false)
}

/** By the column; what is unknown comes last whichever way it is sorted, equals by name. */
function orderOf({ sort, descending }: NodePodQuery): (one: Line, other: Line) => number {
  const sign = descending ? -1 : 1
  const byName = (one: Line, other: Line) => (one.pod.key < other.pod.key ? -1 : one.pod.key > other.pod.key ? 1 : 0)
  if (sort === 'name') return (one, other) => sign * byName(one, other)
  const figure = figures[sort]
  return (one, other) => {
    const [a, b] = [figure(one), figure(other)]
    if (a === undefined || b === undefined) return a === b ? byName(one, other) : a === undefined ? 1 : -1
    return sign * (a - b) || byName(one, other)
  }
}

const figures: Readonly<Record<Exclude<NodePodSort, 'name'>, (line: Line) => number | undefined>> = {
  cpu: ({ pod }) => requestsOfPod(pod).cpu,
  memory: ({ pod }) => requestsOfPod(pod).memory,
  'used-cpu': ({ usage }) => usage?.cpu,
  'used-memory': ({ usage }) => usage?.memory,
}
