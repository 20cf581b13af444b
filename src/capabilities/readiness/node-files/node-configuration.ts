// What to do next about the mirror's files on one node. Pure: the node, our pod on it, what is known of its images, the time.

import { mirrorConfigAnnotation } from '../names.ts'
import type { NodeFacts } from '../node-facts.ts'
import { candidates } from './base-images.ts'
import type { PodEnd } from './configuration-pod.ts'

export const configurationTimes = {
  /** A kubelet lists its images some seconds after the node is there. */
  imagesMs: 60_000,
  /** Nothing on the node can do it: so long until it is tried with an image that has to be pulled. */
  pullMs: 30_000,
  /** After a pod that failed. */
  retryMs: 30_000,
} as const

/** What a leader remembers of a node. Forgotten with it: then each is tried once more. */
export interface ConfigurationMemory {
  readonly unsuitable: ReadonlySet<string>
  /** Since when nothing on the node is left to try. */
  readonly exhaustedMs: number | undefined
  /** When the last pod failed. */
  readonly failedMs: number | undefined
}

export const noMemory: ConfigurationMemory = { unsuitable: new Set(), exhaustedMs: undefined, failedMs: undefined }

export type ConfigurationStep =
  | { readonly kind: 'done' }
  | { readonly kind: 'wait'; readonly untilMs: number | undefined; readonly why: string }
  | { readonly kind: 'create'; readonly image: string; readonly pull: 'Never' | 'IfNotPresent' }
  /** Nothing is left to try: to be said, and to be remembered since when. */
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'note'; readonly digest: string }
  | { readonly kind: 'give-up'; readonly end: Extract<PodEnd, { kind: 'unsuitable' | 'failed' }> }
  /** A pod that nobody waits for any more. */
  | { readonly kind: 'remove' }

interface Situation {
  readonly digest: string
  /** Our pod on the node. */
  readonly pod: { readonly end: PodEnd; readonly isLeaving: boolean; readonly digest: string } | undefined
  readonly memory: ConfigurationMemory
  readonly images: { readonly baseImages: readonly string[]; readonly ownImage: string | undefined }
  readonly nowMs: number
}

/** The next step on `node`. */
export function configurationStep(node: NodeFacts, { digest, pod, memory, images, nowMs }: Situation): ConfigurationStep {
  const isRight = node.annotations[mirrorConfigAnnotation] === digest
  if (pod?.isLeaving === true) return { kind: 'wait', untilMs: undefined, why: 'an earlier pod is going' }
  if (pod !== undefined) {
    if (isRight || node.isDeleting) return { kind: 'remove' }
    if (pod.end.kind === 'written') return pod.end.digest === digest ? { kind: 'note', digest } : { kind: 'remove' }
    if (pod.end.kind !== 'running') return { kind: 'give-up', end: pod.end }
    return pod.digest === digest ? { kind: 'wait', untilMs: undefined, why: 'the pod runs' } : { kind: 'remove' }
  }
  if (isRight || node.isDeleting) return { kind: 'done' }
  if (node.address === undefined) return { kind: 'wait', untilMs: undefined, why: 'the node has no address yet' }
  const retryMs = (memory.failedMs ?? Number.NEGATIVE_INFINITY) + configurationTimes.retryMs
  if (nowMs < retryMs) return { kind: 'wait', untilMs: retryMs, why: 'the last pod failed' }
  const imagesMs = node.createdMs + configurationTimes.imagesMs
  // A node's clock may be ahead: then it is as young as can be, and waited for no longer than that.
  if (node.images.length === 0 && nowMs < imagesMs && imagesMs - nowMs <= configurationTimes.imagesMs)
    return { kind: 'wait', untilMs: imagesMs, why: 'the node lists no images yet' }
  const [image] = candidates(node.images, images).filter(name => !memory.unsuitable.has(name))
  if (image !== undefined) return { kind: 'create', image, pull: 'Never' }
  if (memory.exhaustedMs === undefined) return { kind: 'exhausted' }
  const pullMs = memory.exhaustedMs + configurationTimes.pullMs
  if (nowMs < pullMs) return { kind: 'wait', untilMs: pullMs, why: 'no image on the node can do it' }
  return images.ownImage === undefined
    ? { kind: 'wait', untilMs: undefined, why: 'no image on the node can do it, and ours is not known' }
    : { kind: 'create', image: images.ownImage, pull: 'IfNotPresent' }
}
