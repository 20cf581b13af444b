// A node that is being emptied: cordoned by somebody, or marked by an autoscaler that will delete it.
import type { Node, Taint } from '#kube/objects/objects.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { timeMs } from './object-fields.ts'
import { isOwnManager, knownName, lastWriterOf, somebody } from './writers.ts'

export interface Cordon {
  readonly by: string
  /** Since when, as far as the node tells. */
  readonly sinceMs: number | undefined
  /** `cordon`: nothing new comes, which alone takes nothing away. `removal`: an autoscaler has begun to empty it. */
  readonly kind: 'cordon' | 'removal'
  readonly evidence: string
  /** One of our field managers wrote it. */
  readonly isOurs: boolean
}

/** Taints by which autoscalers and clouds say that a node goes. A candidate's taint (`DeletionCandidateOfClusterAutoscaler`) is none. */
const removers: Readonly<Record<string, string>> = {
  ToBeDeletedByClusterAutoscaler: 'cluster-autoscaler',
  'karpenter.sh/disrupted': 'Karpenter',
  'karpenter.sh/disruption': 'Karpenter',
  'aws-node-termination-handler/spot-itn': 'aws-node-termination-handler',
  'aws-node-termination-handler/scheduled-maintenance': 'aws-node-termination-handler',
  'cloud.google.com/impending-node-termination': 'Google Cloud',
}

/** Who keeps pods off `node` so that it may be emptied; `undefined` for a node that takes pods. */
export function cordonOf(node: Node): Cordon | undefined {
  for (const taint of node.spec?.taints ?? []) {
    const by = Object.hasOwn(removers, taint.key) ? removers[taint.key] : undefined
    if (by === undefined) continue
    const writer = lastWriterOf(node, 'taints')
    const isOurs = writer !== undefined && isOwnManager(writer.manager)
    return { by, sinceMs: taintedSince(taint) ?? writer?.atMs, kind: 'removal', evidence: `taint ${taint.key}`, isOurs }
  }
  if (node.spec?.unschedulable !== true) return undefined
  const writer = lastWriterOf(node, 'unschedulable')
  return {
    by: writer === undefined ? somebody : writer.manager === 'kubectl' ? 'kubectl drain' : knownName(writer.manager),
    sinceMs: writer?.atMs,
    kind: 'cordon',
    evidence: 'spec.unschedulable',
    isOurs: writer !== undefined && isOwnManager(writer.manager),
  }
}

/** Server clocks of one control plane differ by less than this, in milliseconds. */
export const clockSkewMs = 5_000

/** A cordon, told from others of the same node. */
export interface SignedCordon {
  /** Field manager. */
  readonly manager: string
  /** When its manager last wrote, in milliseconds since 1970, as the server dated it: the cordon is as old as that, or older. */
  readonly atMs: number
}

/**
 * The cordon of `node`, if it was set after `permit` was asked for: then whoever empties it under the permit did it. `undefined` for a node that
 * takes pods, and for a cordon that is older or that nobody signed: it is not the permit's.
 */
export function cordonedUnder(node: Node, { createdMs }: Pick<PermitRecord, 'createdMs'>): SignedCordon | undefined {
  const { manager, atMs } = (node.spec?.unschedulable === true ? lastWriterOf(node, 'unschedulable') : undefined) ?? {}
  return manager !== undefined && atMs !== undefined && atMs >= createdMs - clockSkewMs ? { manager, atMs } : undefined
}

/** Whether `node` still carries that cordon, and not another that came since. */
export function stillCarries(node: Node, cordon: SignedCordon): boolean {
  const writer = node.spec?.unschedulable === true ? lastWriterOf(node, 'unschedulable') : undefined
  return writer?.manager === cordon.manager && (writer.atMs ?? 0) >= cordon.atMs
}

/** cluster-autoscaler writes Unix seconds into the value; others leave it to `timeAdded`. */
function taintedSince(taint: Taint): number | undefined {
  const added = timeMs(taint.timeAdded)
  if (added !== undefined) return added
  const seconds = /^\d{9,11}$/.test(taint.value ?? '') ? Number(taint.value) : Number.NaN
  return Number.isFinite(seconds) ? seconds * 1000 : undefined
}
