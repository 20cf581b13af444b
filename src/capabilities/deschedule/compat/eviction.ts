// What an eviction says of itself, and what the API server's answer to it means.
import type { PodState } from '#cluster/cluster-state.ts'
import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import { messageOf } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { EvictionWish } from './contract.ts'
import { isEvacuation } from './eviction-in-background.ts'

const requestedBy = 'sigs.k8s.io/descheduler'

/** What an eviction says of itself, for admission webhooks: who asks for it and why. */
export function evictionAnnotations({ profile, strategy, reason }: EvictionWish): Readonly<Record<string, string>> {
  return { reason: `triggered by ${profile}/${strategy}: ${reason}`, 'requested-by': requestedBy }
}

/** Why an eviction was not done. None is tried again within the cycle. */
type EvictionFailure =
  /** 429: a budget says no, or the server is busy. */
  | 'too-many-requests'
  | 'not-found'
  /** 409: another pod has the name by now, or the object changed. */
  | 'conflict'
  | 'webhook-denied'
  | 'forbidden'
  /** 500: more than one budget selects the pod. */
  | 'several-budgets'
  /** 5xx, or no connection: nothing was done. */
  | 'unavailable'
  | 'refused'

/** How an eviction ended. */
export type EvictionOutcome =
  | { readonly kind: 'evicted' }
  /** Somebody else carries it out. */
  | { readonly kind: 'background' }
  /** A finished pod of which somebody else says so: neither counted nor assumed. */
  | { readonly kind: 'ignored' }
  | {
      readonly kind: 'failed'
      readonly why: EvictionFailure
      /** Upstream's text. */
      readonly message: string
      readonly retryAfterSeconds?: number
    }
  /** No answer came and the server may have acted: look at the pod (`outcomeByPod`) before anything is counted. */
  | { readonly kind: 'unknown'; readonly message: string }

/** What an error of the request means. `inBackground`: the gate EvictionsInBackground is on. */
export function outcomeOf(error: unknown, pod: PodState, options: { readonly inBackground: boolean }): EvictionOutcome {
  if (!(error instanceof StatusError)) return withoutAnswer(error)
  const { message, code } = { message: error.message, code: error.status.code ?? 0 }
  if (code === 429 && options.inBackground && isEvacuation(pod, message))
    return { kind: pod.isFinished ? 'ignored' : 'background' }
  // The server gave up waiting for itself; what it began may go on.
  if (code === 408 || code === 504) return { kind: 'unknown', message }
  const retryAfterSeconds = error.status.details?.retryAfterSeconds
  const why = failureOf(code, message)
  return {
    kind: 'failed',
    why,
    message: upstreamText(why, { name: pod.name, message }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  }
}

function withoutAnswer(error: unknown): EvictionOutcome {
  const message = messageOf(error)
  if (error instanceof ConnectionError && error.code === 'ECONNREFUSED') return { kind: 'failed', why: 'unavailable', message }
  if (error instanceof ConnectionError || error instanceof RequestTimeoutError) return { kind: 'unknown', message }
  return { kind: 'failed', why: 'refused', message }
}

function failureOf(code: number, message: string): EvictionFailure {
  if (/^admission webhook .* denied the request/.test(message)) return 'webhook-denied'
  if (code === 500 && message.includes('more than one PodDisruptionBudget')) return 'several-budgets'
  switch (code) {
    case 429:
      return 'too-many-requests'
    case 404:
      return 'not-found'
    case 409:
      return 'conflict'
    case 403:
      return 'forbidden'
    default:
      return code >= 500 ? 'unavailable' : 'refused'
  }
}

/** How an eviction ends that the server would refuse with `code` and `message`. */
export function refusedEviction(
  pod: PodState,
  { code, message }: { readonly code: number; readonly message: string },
): EvictionOutcome {
  const why = failureOf(code, message)
  return { kind: 'failed', why, message: upstreamText(why, { name: pod.name, message }) }
}

function upstreamText(why: EvictionFailure, { name, message }: { readonly name: string; readonly message: string }): string {
  if (why === 'too-many-requests') return `error when evicting pod (ignoring) "${name}": ${message}`
  return why === 'not-found' ? `pod not found when evicting "${name}": ${message}` : message
}

/** What became of an eviction without an answer: `found` is the pod of that name as it is now, `undefined` where there is none. */
export function outcomeByPod(pod: PodState, found: Pod | undefined, message: string): EvictionOutcome {
  const isGone = found === undefined || found.metadata.uid !== pod.uid
  const isLeaving = !isGone && !pod.isTerminating && Boolean(found.metadata.deletionTimestamp)
  return isGone || isLeaving ? { kind: 'evicted' } : { kind: 'failed', why: 'unavailable', message }
}
