// The list of workloads: those that have pods, and those that have none now.
import type { ClusterState, PodState, WorkloadReference } from '#cluster/cluster-state.ts'
import { controllerOf, effectiveOwner, type OwnerLabel, workloadOwner } from '#cluster/ownership.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { WorkloadPage, WorkloadRow } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { noOwner } from '../../words/en-workload.ts'
import { unknownBecause } from '../sources.ts'
import type { Viewing } from '../viewing.ts'

export interface WorkloadQuery {
  /** Part of `namespace/name`. */
  readonly text?: string
  readonly namespace?: string
  readonly owner?: string
  /** Cursor from an earlier page's `next`: `namespace/Kind/name`. */
  readonly cursor?: string
  /** 1 to 500; default 100. */
  readonly limit?: number
}

const defaultRows = 100
const mostRows = 500
const ownKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'] as const

const rowsOf = new WeakMap<ClusterState, { readonly label: OwnerLabel; readonly rows: readonly WorkloadRow[] }>()

/** Workloads in order of namespace, kind and name; one without pods is there too. Of the past none are known. */
export function workloadRows(picture: Picture, query: WorkloadQuery, viewing?: Pick<Viewing, 'sees'>): WorkloadPage {
  const { text = '', namespace, owner, cursor, limit = defaultRows } = query
  const wanted = text.toLowerCase()
  const rows = picture.past === undefined ? allRows(picture) : []
  const matching = rows.filter(
    ({ ref, owner: its }) =>
      (namespace === undefined || ref.namespace === namespace) &&
      (owner === undefined || its === owner) &&
      (wanted === '' || `${ref.namespace ?? ''}/${ref.name}`.toLowerCase().includes(wanted)) &&
      (viewing?.sees(ref.namespace ?? undefined) ?? true),
  )
  const rest = cursor === undefined ? matching : matching.filter(row => keyOf(row) > cursor)
  const shown = rest.slice(0, Math.min(mostRows, Math.max(1, Math.trunc(limit))))
  const last = shown.at(-1)
  return {
    workloads: shown.map(row => (arePodsKnown(picture, row) ? row : withoutPods(row))),
    total: picture.past === undefined ? matching.length : null,
    next: last === undefined || shown.length === rest.length ? null : keyOf(last),
  }
}

/** Every workload, in order. The same list as long as the cluster is the same. */
export function allRows({ state, ownerLabel }: Picture): readonly WorkloadRow[] {
  const known = rowsOf.get(state)
  if (known?.label === ownerLabel) return known.rows
  const rows = [...groups(state)].map(([, { workload, pods }]) => rowOf(state, ownerLabel, { workload, pods }))
  const sorted = rows.map(row => ({ row, key: keyOf(row) })).sort((a, b) => (a.key < b.key ? -1 : 1))
  const made = sorted.map(({ row }) => row)
  rowsOf.set(state, { label: ownerLabel, rows: made })
  return made
}

interface Group {
  readonly workload: WorkloadReference
  readonly pods: PodState[]
}

function groups(state: ClusterState): ReadonlyMap<string, Group> {
  const found = new Map<string, Group>()
  for (const kind of ownKinds)
    for (const { apiVersion, metadata } of state.objects(kind)) {
      if (controllerOf(metadata) !== undefined) continue
      const workload = { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name, uid: metadata.uid ?? '' }
      found.set(workloadKey(workload), { workload, pods: [] })
    }
  for (const pod of state.pods.values()) {
    if (pod.workload === undefined || pod.isFinished) continue
    const key = workloadKey(pod.workload)
    const group = found.get(key)
    if (group === undefined) found.set(key, { workload: pod.workload, pods: [pod] })
    else group.pods.push(pod)
  }
  return found
}

function rowOf(state: ClusterState, label: OwnerLabel, { workload, pods }: Group): WorkloadRow {
  const { kind, namespace, name } = workload
  const [pod] = pods
  const { owner } = pod === undefined ? workloadOwner(state, workload, label) : effectiveOwner(state, pod, label)
  const sum = (resource: 'cpu' | 'memory') => pods.reduce((total, { requests }) => total + (requests[resource] ?? 0), 0)
  return {
    ref: { kind, namespace, name },
    pods: pods.length,
    ready: pods.filter(({ isReady, isTerminating }) => isReady && !isTerminating).length,
    owner: owner ?? noOwner,
    cpu: sum('cpu'),
    memory: sum('memory'),
    nodes: [...new Set(pods.flatMap(({ nodeName }) => nodeName ?? []))].sort(),
  }
}

/** Kinds whose pods are told by another's objects. */
const kindsBetween: Readonly<Record<string, string>> = { Deployment: 'replicasets', CronJob: 'jobs' }

/** Whether its pods could be read, and whose they are: a zero would say that none run. */
function arePodsKnown(picture: Picture, { ref: { kind } }: WorkloadRow): boolean {
  const between = kindsBetween[kind]
  return (
    unknownBecause(picture, 'pods') === undefined && (between === undefined || unknownBecause(picture, between) === undefined)
  )
}

/** What is known of a workload where no pod is. */
function withoutPods(row: WorkloadRow): WorkloadRow {
  return { ...row, pods: null, ready: null, cpu: null, memory: null, nodes: [] }
}

function keyOf({ ref }: WorkloadRow): string {
  return `${ref.namespace ?? ''}/${ref.kind}/${ref.name}`
}
