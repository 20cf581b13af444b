// The rows of the node table. A row is made once from the objects that it speaks of and kept as long as they are the same: in a cluster of
// 5,000 nodes a change of one costs that one.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { specRequests } from '#cluster/requests.ts'
import { cordonOf } from '#coordination/observed/cordon.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseTime } from '#kube/time/time.ts'
import type { NodeColumns, NodeRow } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { rfc3339 } from '../../words/time.ts'
import { activeKept } from '../ledger/permits-index.ts'
import { openPlan, sharesAfter } from '../plans/after.ts'
import { goalNamesOf } from '../plans/policy-goals.ts'
import { isUseShown, unknownBecause } from '../sources.ts'
import { nodeUsage } from './usage.ts'

/** What a row is made from, compared by identity. */
interface Parts {
  readonly pods: readonly PodState[]
  readonly metrics: KubeObject | undefined
  readonly goals: readonly string[]
  readonly after: NodeRow['after']
  readonly emptied: boolean
  /** Whether its pods are known: without them nobody knows what is asked of it. */
  readonly counted: boolean
}

const rowOf = new WeakMap<NodeState, Parts & { readonly row: NodeRow }>()
const rowsOf = new WeakMap<ClusterState, { readonly key: readonly unknown[]; readonly rows: readonly NodeRow[] }>()

const noGoals: readonly string[] = []
/** Where there are none a state makes a new list each time. */
const noPods: readonly PodState[] = []
/** A cordoned node that lost pods within this is being drained. */
const drainedWithinMs = 600_000

/** A row for each node, in order of their names. Rows of what did not change are the same objects as before. */
export function nodeRows(picture: Picture): readonly NodeRow[] {
  const steps = rowsInSteps(picture)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** The same, row by row, for whoever gives the event loop its turns between: after it `nodeRows` of this picture has little left to do. */
export function* rowsInSteps(picture: Picture): Generator<undefined, readonly NodeRow[]> {
  const { state } = picture
  if (picture.past !== undefined) return rowsOfThen(picture)
  const goals = goalNamesOf(picture)
  const after = sharesAfter(openPlan(picture))
  const emptied = emptiedNodes(picture)
  const isShown = isUseShown(picture)
  const counted = unknownBecause(picture, 'pods') === undefined
  const key = [goals, after, isShown, counted, ...[...emptied].sort()]
  const known = rowsOf.get(state)
  if (known !== undefined && isSameList(known.key, key)) return known.rows
  const metricsOf = metricsInOrder(isShown ? state.objects('NodeMetrics') : [])
  const rows: NodeRow[] = []
  for (const node of state.nodes.values()) {
    const { name } = node
    const on = state.podsOn(name)
    const pods = on.length === 0 ? noPods : on
    const metrics = metricsOf(name)
    const held = goals.size === 0 ? noGoals : (goals.get(name) ?? noGoals)
    const then = after.size === 0 ? null : (after.get(name) ?? null)
    const isEmptied = emptied.size > 0 && emptied.has(name)
    let known = rowOf.get(node)
    if (
      known?.pods !== pods ||
      known.metrics !== metrics ||
      known.goals !== held ||
      known.after !== then ||
      known.emptied !== isEmptied ||
      known.counted !== counted
    ) {
      const parts: Parts = { pods, metrics, goals: held, after: then, emptied: isEmptied, counted }
      known = { ...parts, row: madeRow(node, parts) }
      rowOf.set(node, known)
    }
    rows.push(known.row)
    yield undefined
  }
  rowsOf.set(state, { key, rows })
  return rows
}

/** Rows of an earlier moment: what nodes are made of, and what the books say; what they carried then nobody kept. */
function rowsOfThen(picture: Picture): readonly NodeRow[] {
  const { state, nowMs } = picture
  const known = rowsOf.get(state)
  if (known !== undefined) return known.rows
  const goals = goalNamesOf(picture)
  const after = sharesAfter(openPlan(picture))
  const emptied = emptiedNodes(picture)
  const rows = Array.from(state.nodes.values(), (node): NodeRow => {
    const { name } = node
    const parts = { pods: noPods, metrics: undefined, after: after.get(name) ?? null, emptied: emptied.has(name), counted: false }
    const row = madeRow(node, { ...parts, goals: goals.get(name) ?? noGoals })
    const isAsThen = row.readySince !== null && Date.parse(row.readySince) <= nowMs
    return {
      ...row,
      ready: isAsThen ? row.ready : null,
      readySince: isAsThen ? row.readySince : null,
      cordoned: null,
      draining: parts.emptied,
    }
  })
  rowsOf.set(state, { key: [], rows })
  return rows
}

/** The fields of `rows` as parallel arrays. */
export function nodeColumnsOf(rows: readonly NodeRow[]): NodeColumns {
  return {
    name: rows.map(row => row.name),
    role: rows.map(row => row.role),
    ready: rows.map(row => row.ready),
    readySince: rows.map(row => row.readySince),
    cordoned: rows.map(row => row.cordoned),
    draining: rows.map(row => row.draining),
    cpu: rows.map(row => row.cpu),
    memory: rows.map(row => row.memory),
    pods: rows.map(row => row.pods),
    watts: rows.map(row => row.watts),
    goals: rows.map(row => row.goals),
    after: rows.map(row => row.after),
    zone: rows.map(row => row.zone),
    taints: rows.map(row => row.taints),
  }
}

/** Finds objects that lie in order of their names for names that come in order: 5,000 searches would cost more than all else. */
function metricsInOrder(list: readonly KubeObject[]): (name: string) => KubeObject | undefined {
  let at = 0
  return name => {
    for (let next = list[at]; next !== undefined && next.metadata.name < name; next = list[++at]);
    const found = list[at]
    return found?.metadata.name === name ? found : undefined
  }
}

function isSameList(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((part, at) => part === other[at])
}

function madeRow(node: NodeState, { pods, metrics, goals, after, emptied, counted }: Parts): NodeRow {
  const { name, object, allocatable } = node
  const labels = object.metadata.labels ?? {}
  const used = nodeUsage(metrics)
  let cpu = 0
  let memory = 0
  let leaving = false
  for (const pod of pods) {
    // As `kubectl describe node` adds them up: what the specs say.
    const requests = requestsOfPod(pod)
    cpu += requests.cpu
    memory += requests.memory
    leaving ||= pod.isTerminating
  }
  const cordon = cordonOf(object)
  const amount = (resource: 'cpu' | 'memory', requested: number) => ({
    allocatable: allocatable[resource] ?? 0,
    requested: counted ? requested : null,
    used: used?.[resource] ?? null,
    usedAt: used?.at ?? null,
  })
  return {
    name,
    role: roleOf(labels),
    ready: node.isReady,
    readySince: readySince(object),
    cordoned: !node.isSchedulable,
    draining: emptied || cordon?.kind === 'removal' || (!node.isSchedulable && leaving),
    cpu: amount('cpu', cpu),
    memory: amount('memory', memory),
    pods: { allocatable: allocatable['pods'] ?? 0, count: counted ? pods.length : null },
    watts: { now: null, source: null },
    goals,
    after,
    zone: labels['topology.kubernetes.io/zone'] ?? null,
    taints: (object.spec?.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`),
  }
}

interface PodSum {
  readonly cpu: number
  readonly memory: number
}

const sumOfPod = new WeakMap<KubeObject, PodSum>()

/** What the pod's spec requests: what `kubectl describe node` prints for it. */
export function requestsOfPod({ object }: PodState): PodSum {
  const known = sumOfPod.get(object)
  if (known !== undefined) return known
  const requests = specRequests(object)
  const sum = { cpu: requests['cpu'] ?? 0, memory: requests['memory'] ?? 0 }
  sumOfPod.set(object, sum)
  return sum
}

/** Nodes that somebody empties: we under a permit, or others, as far as they are cordoned and lose pods. */
function emptiedNodes({ book, observed, state, nowMs }: Picture): ReadonlySet<string> {
  const emptied = new Set<string>()
  for (const { record } of activeKept(book.permits)) {
    if (record.verb !== 'drain' && record.verb !== 'terminate') continue
    for (const target of record.targets) if (target.kind === 'Node') emptied.add(target.name)
  }
  for (const { kind, nodes } of observed.since(nowMs - drainedWithinMs)) {
    if (kind !== 'drain' && kind !== 'pod-lost') continue
    for (const node of nodes) if (state.nodes.get(node)?.isSchedulable === false) emptied.add(node)
  }
  return emptied
}

function roleOf(labels: Readonly<Record<string, string>>): NodeRow['role'] {
  if (labels['type'] === 'virtual-kubelet' || labels['liqo.io/type'] === 'virtual-node') return 'virtual'
  const isControl = ['control-plane', 'master'].some(role => Object.hasOwn(labels, `node-role.kubernetes.io/${role}`))
  return isControl ? 'control-plane' : 'worker'
}

function readySince(object: NodeState['object']): string | null {
  const at = object.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime
  const parsed = typeof at === 'string' ? parseTime(at) : undefined
  return parsed?.ok === true ? rfc3339(parsed.value) : null
}
