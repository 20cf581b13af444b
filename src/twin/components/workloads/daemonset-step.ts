// Where a DaemonSet's pods belong and what it does next on its nodes. Pure.
import type { Node, PodSpec, Taint, Toleration } from '#kube/objects/objects.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'

/** Tolerations every daemon pod gets, and the one for pods on the host's network. */
const daemonTolerations: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
]
const hostNetworkToleration: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
}

/** The template's tolerations with those of daemon pods added, as the pods get them. */
function daemonPodTolerations(spec: PodSpec): readonly Toleration[] {
  const own = spec.tolerations ?? []
  const added = spec.hostNetwork === true ? [...daemonTolerations, hostNetworkToleration] : daemonTolerations
  return [...own, ...added.filter(extra => !own.some(toleration => isSame(toleration, extra)))]
}

function isSame(a: Toleration, b: Toleration): boolean {
  return a.key === b.key && a.effect === b.effect && a.operator === b.operator && (a.value ?? '') === (b.value ?? '')
}

/** The pod's spec bound to one node by a required node affinity on its name, in place of the template's own terms' matchFields. */
export function daemonPodSpec(spec: PodSpec, node: string): PodSpec {
  const field = { key: 'metadata.name', operator: 'In', values: [node] }
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const terms = required?.nodeSelectorTerms ?? []
  const nodeSelectorTerms =
    terms.length === 0 ? [{ matchFields: [field] }] : terms.map(term => ({ ...term, matchFields: [field] }))
  const nodeAffinity = { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } }
  return { ...spec, affinity: { ...spec.affinity, nodeAffinity }, tolerations: daemonPodTolerations(spec) }
}

/** Whether a pod of the set should be made on the node, and whether one that is there may stay. */
export interface DaemonVerdict {
  readonly shouldRun: boolean
  readonly shouldContinue: boolean
}

/** `matchesNode`: node name, nodeSelector and required node affinity of the template hold for the node. */
export function daemonVerdict(spec: PodSpec, node: Node, matchesNode: boolean): DaemonVerdict {
  if (!matchesNode) return { shouldRun: false, shouldContinue: false }
  const taints = node.spec?.taints ?? []
  const tolerations = daemonPodTolerations(spec)
  const blocks = (effects: readonly string[]) =>
    untoleratedTaint(tolerations, taints, (taint: Taint) => effects.includes(taint.effect)) !== undefined
  return { shouldRun: !blocks(['NoExecute', 'NoSchedule']), shouldContinue: !blocks(['NoExecute']) }
}

/** One existing, unfinished pod of the set. */
export interface DaemonPod {
  readonly name: string
  readonly node: string
  /** The scheduler has put it there; until then it is only meant for the node. */
  readonly isBound: boolean
  readonly isCurrent: boolean
  readonly isTerminating: boolean
  readonly isFailed: boolean
  readonly isAvailable: boolean
  readonly isReady: boolean
  readonly createdMs: number
}

export interface DaemonInput {
  /** Verdicts for every node, in the order of their names. */
  readonly verdicts: ReadonlyMap<string, DaemonVerdict>
  readonly pods: readonly DaemonPod[]
  readonly maxUnavailable: number
  readonly maxSurge: number
  readonly isOnDelete: boolean
}

interface DaemonActions {
  readonly create: readonly string[]
  readonly remove: readonly string[]
}

/** First each node gets its pod and loses what should not be there; then, and only then, the update goes on. */
export function daemonSetActions(input: DaemonInput): DaemonActions {
  const placed = placement(input)
  if (input.isOnDelete || placed.create.length > 0 || placed.remove.length > 0) return placed
  return input.maxSurge > 0 ? surgingUpdate(input) : rollingUpdate(input)
}

function placement({ verdicts, pods, maxSurge }: DaemonInput): DaemonActions {
  const byNode = podsByNode(pods)
  const create: string[] = []
  const remove: string[] = []
  for (const [node, verdict] of verdicts) {
    const there = byNode.get(node) ?? []
    const failed = there.filter(pod => pod.isFailed && !pod.isTerminating)
    remove.push(...failed.map(pod => pod.name))
    const living = there.filter(pod => !pod.isFailed)
    if (verdict.shouldRun && there.length === 0) create.push(node)
    else if (!verdict.shouldContinue) remove.push(...living.filter(pod => !pod.isTerminating).map(pod => pod.name))
    else remove.push(...surplusOn(living, maxSurge))
  }
  for (const [node, there] of byNode) {
    // Bound ones are for the collection of pods whose node is gone.
    if (!verdicts.has(node)) remove.push(...there.filter(pod => !pod.isTerminating && !pod.isBound).map(pod => pod.name))
  }
  return { create, remove }
}

/** One pod a node, the oldest; while surging the old one stays until the new one is available. */
function surplusOn(living: readonly DaemonPod[], maxSurge: number): readonly string[] {
  const staying = living
    .filter(pod => !pod.isTerminating)
    .toSorted((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1))
  if (staying.length < 2) return []
  if (maxSurge === 0) return staying.slice(1).map(pod => pod.name)
  const current = staying.filter(pod => pod.isCurrent)
  const old = staying.filter(pod => !pod.isCurrent)
  const surplus = [...current.slice(1), ...old.slice(1)]
  if (current[0]?.isAvailable === true) surplus.push(...old.slice(0, 1))
  return surplus.map(pod => pod.name)
}

function rollingUpdate({ verdicts, pods, maxUnavailable }: DaemonInput): DaemonActions {
  const byNode = podsByNode(pods)
  let unavailable = 0
  const broken: string[] = []
  const candidates: string[] = []
  for (const [node, verdict] of verdicts) {
    if (!verdict.shouldRun) continue
    const pod = (byNode.get(node) ?? []).find(candidate => !candidate.isTerminating)
    if (pod === undefined || !pod.isAvailable) unavailable++
    if (pod === undefined || pod.isCurrent) continue
    if (pod.isAvailable) candidates.push(pod.name)
    else broken.push(pod.name)
  }
  return { create: [], remove: [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] }
}

function surgingUpdate({ verdicts, pods, maxSurge }: DaemonInput): DaemonActions {
  const byNode = podsByNode(pods)
  let surging = 0
  const create: string[] = []
  const remove: string[] = []
  for (const [node, verdict] of verdicts) {
    if (!verdict.shouldContinue) continue
    const there = (byNode.get(node) ?? []).filter(pod => !pod.isTerminating)
    const current = there.find(pod => pod.isCurrent)
    const old = there.find(pod => !pod.isCurrent)
    if (old === undefined) continue
    if (current !== undefined) surging++
    else if (!old.isReady) {
      // A pod that does not work holds nobody up: it makes room at once.
      remove.push(old.name)
    } else create.push(node)
  }
  return { create: create.slice(0, Math.max(0, maxSurge - surging)), remove }
}

function podsByNode(pods: readonly DaemonPod[]): ReadonlyMap<string, readonly DaemonPod[]> {
  return Map.groupBy(pods, pod => pod.node)
}
