// The eviction of one pod: the only caller of the eviction sub-resource.

import { AbsenceDoubtedError } from '#kube/client/absence.ts'
import { NotSentError } from '#kube/client/connection-error.ts'
import { messageOf } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isForbidden, isNotFound, isTooManyRequests, StatusError } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Target } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, permittedGuard, surelyOverMs } from './effect-context.ts'
import { evictionRequest } from './eviction-request.ts'

/** The right this effect takes. */
export const evictPermission: Permission = {
  groups: [''],
  resources: ['pods/eviction'],
  verbs: ['create'],
  because: 'moves a pod',
}

type EvictOutcome =
  | { readonly kind: 'evicted' }
  /** It was not there, or another pod has its name: the one that was meant is gone. */
  | { readonly kind: 'already-gone' }
  | {
      readonly kind: 'refused'
      readonly by: 'budget' | 'busy'
      readonly retryAfterMs: number | undefined
      readonly message: string
    }
  /** Trying again does not help: several budgets select it, or a webhook or the authorizer forbids it. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** The server broke off or timed out, and the pod is still there. */
  | { readonly kind: 'not-done'; readonly message: string }

/**
 * Evicts `pod` by `policy/v1`, with its UID as precondition. Safe to call twice: the second time the pod is already gone.
 * After a time-out the pod is read back, because the server may have acted.
 * @throws Error when the permit does not cover the pod or expired, when we lead no more, on abort.
 */
export async function evict(context: EffectContext, permit: Permit, pod: Target, signal: AbortSignal): Promise<EvictOutcome> {
  const guard = permittedGuard(context, permit, pod)
  const pods = context.api.resource<Pod>(builtIn.pods)
  const { requester, reasons } = permit.record
  const body = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: {
      name: pod.name,
      namespace: pod.namespace,
      annotations: {
        'requested-by': `ballast.dev/${requester}`,
        reason: (reasons[0]?.message ?? permit.record.name).slice(0, 1024),
      },
    },
    deleteOptions: { preconditions: { uid: pod.uid } },
  }
  try {
    await pods.sub(pod.name, 'eviction', 'POST', body, effectOptions(requester, pod.namespace, { guard, signal }))
    return { kind: 'evicted' }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NotSentError) throw error
    // What answers so may be no API server: a pod is gone where it cannot be read either.
    if (isNotFound(error) || isConflict(error)) {
      const isThere = await isStillThere(context, { pod, permit }, signal)
      return isThere ? { kind: 'not-done', message: error.message } : { kind: 'already-gone' }
    }
    if (isTooManyRequests(error)) {
      const isBudget = error.causes.some(cause => cause.reason === 'DisruptionBudget')
      const retryAfterMs = error.retryAfterSeconds === undefined ? undefined : error.retryAfterSeconds * 1000
      return { kind: 'refused', by: isBudget ? 'budget' : 'busy', retryAfterMs, message: budgetWords(error) }
    }
    if (isForbidden(error)) return { kind: 'forbidden', message: error.message }
    if (error instanceof StatusError && error.code === 500 && error.message.includes('PodDisruptionBudget'))
      return { kind: 'forbidden', message: error.message }
    // What was sent may be done for as long as the server works on it: nobody may think it was not before.
    for (const delayMs of [0, surelyOverMs]) {
      await context.clock.after(delayMs, signal)
      if (!(await isStillThere(context, { pod, permit }, signal))) return { kind: 'evicted' }
    }
    return { kind: 'not-done', message: messageOf(error) }
  }
}

function budgetWords(error: StatusError): string {
  return [error.message, ...error.causes.map(cause => cause.message ?? '')].filter(text => text !== '').join(' ')
}

/** Asked until somebody says, or the permit is over. @throws what came from outside last */
async function isStillThere(
  { api, clock }: EffectContext,
  { pod, permit }: { readonly pod: Target; readonly permit: Permit },
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    try {
      const now = await api.resource<Pod>(builtIn.pods).get(pod.name, { namespace: pod.namespace, signal })
      return now.metadata.uid === pod.uid && now.metadata.deletionTimestamp === undefined
    } catch (error) {
      if (isNotFound(error)) return false
      if (!isOutside(error) || clock.elapsed() + surelyOverMs >= permit.expiresElapsedMs) throw error
    }
    await clock.after(surelyOverMs, signal)
  }
}

/**
 * As `evict` with what an upstream says in the request, and its answer as it comes: who takes an upstream's place judges answers as that
 * one does, and reads the pod back itself. @throws what the server or the connection says; Error as `evict` does before anything is sent.
 */
export async function evictAsUpstream(
  context: EffectContext,
  permit: Permit,
  request: Parameters<typeof evictionRequest>[0],
  signal: AbortSignal,
): Promise<void> {
  const { pod } = request
  const guard = permittedGuard(context, permit, { kind: 'Pod', ...pod })
  const options = effectOptions(permit.record.requester, pod.namespace, { guard, signal })
  try {
    await context.api.resource<Pod>(builtIn.pods).sub(pod.name, 'eviction', 'POST', evictionRequest(request), options)
  } catch (error) {
    // As the server said it: a pod that is there after all is met again in the next cycle.
    throw error instanceof AbsenceDoubtedError ? error.cause : error
  }
}
