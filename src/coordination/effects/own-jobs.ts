// An owner starts Jobs, and deletes those that are over or of an earlier spec, which are its own. It asks nobody, as with scale-own.ts: what
// holds it is the proof that we lead, and the explicit freeze, which its caller asks.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { effectOptions, leadingGuard } from './effect-context.ts'
import type { OwnScaling } from './scale-own.ts'

interface OwnJobOptions {
  readonly requester: string
  readonly signal: AbortSignal
}

/** Starts `job`, whose owner the caller works for. Not repeated: who does not hear the answer counts what is there. @throws StatusError; what the leadership throws; `signal.reason` */
export async function startOwnJob(
  context: OwnScaling,
  job: KubeObject,
  { requester, signal }: OwnJobOptions,
): Promise<KubeObject> {
  const options = effectOptions(requester, job.metadata.namespace, { guard: leadingGuard(context), signal })
  return await context.api.resource<KubeObject>(builtIn.jobs).create(job, options)
}

/** Deletes a Job of that uid; one that is gone, or another of its name, stays as it is. @throws StatusError; what the leadership throws; `signal.reason` */
export async function deleteOwnJob(
  context: OwnScaling,
  { metadata: { name, namespace, uid } }: KubeObject,
  { propagationPolicy, signal }: Pick<OwnJobOptions, 'signal'> & { readonly propagationPolicy: 'Background' | 'Foreground' },
): Promise<void> {
  const guard = leadingGuard(context)
  const options = {
    namespace,
    signal,
    guard,
    propagationPolicy,
    ...(uid === undefined ? {} : { preconditions: { uid } }),
  }
  try {
    await context.api.resource<KubeObject>(builtIn.jobs).delete(name, options)
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error
  }
}
