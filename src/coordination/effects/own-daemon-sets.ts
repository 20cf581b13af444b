// An owner makes the DaemonSet of its object, and changes it with the object. It asks nobody, as with scale-own.ts: the update strategy says how many
// pods go at once. What holds it is the proof that we lead, and the explicit freeze, which its caller asks.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import { effectOptions, leadingGuard } from './effect-context.ts'
import type { OwnScaling } from './scale-own.ts'

interface OwnDaemonSetOptions {
  readonly requester: string
  readonly signal: AbortSignal
}

type OwnDaemonSetOutcome<Set extends KubeObject> =
  | { readonly kind: 'written'; readonly object: Set }
  /** Another is there by the name, or what was read is not any more: read anew. */
  | { readonly kind: 'outdated' }

/** Makes `daemonSet`. Safe to call twice: a second one of the name is refused. @throws StatusError; what the leadership throws; `signal.reason` */
export async function createOwnDaemonSet<Set extends KubeObject>(
  context: OwnScaling,
  daemonSet: Set,
  { requester, signal }: OwnDaemonSetOptions,
): Promise<OwnDaemonSetOutcome<Set>> {
  const options = effectOptions(requester, daemonSet.metadata.namespace, { guard: leadingGuard(context), signal })
  try {
    return { kind: 'written', object: await context.api.resource<Set>(builtIn.daemonsets).create(daemonSet, options) }
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return { kind: 'outdated' }
  }
}

/**
 * Writes `daemonSet` over the version that it was made from, so that no change of another is lost.
 *
 * @throws Error for one without a version; StatusError; what the leadership throws; `signal.reason`
 */
export async function updateOwnDaemonSet<Set extends KubeObject>(
  context: OwnScaling,
  daemonSet: Set,
  { requester, signal }: OwnDaemonSetOptions,
): Promise<OwnDaemonSetOutcome<Set>> {
  const { name, namespace, resourceVersion } = daemonSet.metadata
  if (resourceVersion === undefined) throw new Error(`DaemonSet ${namespace}/${name} has no version to be written over`)
  const options = effectOptions(requester, namespace, { guard: leadingGuard(context), signal })
  try {
    return { kind: 'written', object: await context.api.resource<Set>(builtIn.daemonsets).update(daemonSet, options) }
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
    return { kind: 'outdated' }
  }
}
