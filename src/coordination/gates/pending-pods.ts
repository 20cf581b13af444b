// Red while a pod has been without a node for a minute and the asked disruption could take the place that it needs.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { opened } from '../facts/opened-nodes.ts'
import { type Intent, targetKey } from '../intent.ts'
import { timeMs } from '../observed/object-fields.ts'
import { type UnschedulablePod, unschedulable } from '../observed/unschedulable-pods.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { takesNodes } from '../policy/locks/node-lock.ts'
import type { RedGate } from '../policy/question.ts'
import { firstFew } from '../policy/touched-nodes.ts'
import type { GateContext } from './gate-context.ts'
import { askingOf, couldRunOn, toleratesCordon } from './static-fit.ts'

/** New pods wait for a moment: that is no trouble yet. In milliseconds. */
export const patienceMs = 60_000
/** Server clocks of one control plane differ by less than this, in milliseconds. */
const clockSkewMs = 5_000

/** `pod shop/big waits for a node and could run on n2, where a replacement may land`. */
export function pendingPods(intent: Intent, { state, permits, signals, nowMs }: GateContext): RedGate | undefined {
  const emptied = takesNodes(intent) ? firstFew(intent) : []
  if (intent.disrupts.length === 0 && emptied.length === 0) return undefined
  const waiting = (signals.unschedulable ?? waitingIn(state)).filter(({ sinceMs }) => nowMs - sinceMs > patienceMs)
  if (waiting.length === 0) return undefined
  const landing = landingNodes(intent, state)
  const harmless = new Set<string>()
  for (const { key, uid, sinceMs } of waiting) {
    const pod = state.pods.get(key)
    if (pod === undefined || pod.uid !== uid || harmless.has(askingOf(pod)) || isOurs(pod, permits)) continue
    const lost = toleratesCordon(pod) ? undefined : emptied.find(name => couldRunIfOpen(state, pod, name))
    if (lost !== undefined) {
      const message = `pod ${key} waits for a node and could run on ${lost}, which would be emptied`
      return { gate: 'pending-pods', message, sinceMs }
    }
    const contested = landing.find(name => {
      const node = state.nodes.get(name)
      return node !== undefined && couldRunOn(state, pod, node)
    })
    if (contested !== undefined) {
      const message = `pod ${key} waits for a node and could run on ${contested}, where a replacement may land`
      return { gate: 'pending-pods', message, sinceMs }
    }
    // Where volumes have a say the next pod that asks the same may be answered otherwise.
    if (!hasClaims(pod)) harmless.add(askingOf(pod))
  }
  return undefined
}

/** A cordon does not count: who empties the node has set it, or has it taken off. */
function couldRunIfOpen(state: ClusterState, pod: PodState, name: string): boolean {
  const node = state.nodes.get(name)
  return node !== undefined && couldRunOn(state, pod, opened(node))
}

function hasClaims({ object }: PodState): boolean {
  return (object.spec.volumes ?? []).some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined)
}

/** Where a replacement may land: where it is meant to, else wherever what is disrupted could run. In order of names. */
function landingNodes(intent: Intent, state: ClusterState): readonly string[] {
  const meant = new Set([...(intent.relocation?.to ?? []), ...(intent.proof?.nodes ?? [])])
  if (meant.size > 0) return [...meant].sort()
  const pods = intent.disrupts.flatMap(target => state.pods.get(targetKey(target)) ?? [])
  const [first, ...rest] = pods
  if (first === undefined) return []
  // Pods of one workload ask the same; those of a drain may not.
  const asked = intent.workload === undefined ? [first, ...rest] : [first]
  return Array.from(state.nodes.values()).flatMap(node => (asked.some(pod => couldRunOn(state, pod, node)) ? [node.name] : []))
}

/** A replacement that one of our permits brought about: its own plan looks after it. */
export function isOurs(pod: PodState, permits: readonly PermitRecord[]): boolean {
  if (pod.workload === undefined) return false
  const key = workloadKey(pod.workload)
  const createdMs = timeMs(pod.object.metadata.creationTimestamp) ?? 0
  return permits.some(
    ({ workload, siblings, grant, createdMs: madeMs }) =>
      workload === key && grant !== undefined && createdMs >= madeMs - clockSkewMs && !siblings.includes(pod.uid),
  )
}

const known = new WeakMap<ClusterState, readonly UnschedulablePod[]>()

function waitingIn(state: ClusterState): readonly UnschedulablePod[] {
  const found = known.get(state) ?? Array.from(state.pods.values()).flatMap(pod => unschedulable(pod.object) ?? [])
  known.set(state, found)
  return found
}
