// Writes to the objects themselves: images that are brought up to what is served, and the status.

import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { capabilityName } from '../names.ts'
import { pluginsOf } from './plugin-kinds.ts'
import type { PluginStatus } from './plugin-schema.ts'
import type { Decision } from './reconcile.ts'
import type { PluginObject } from './wanted-daemon-set.ts'

/** `outdated`: somebody wrote it meanwhile, or it is gone; what was decided is decided anew. */
type Outcome = { readonly kind: 'written'; readonly object: KubeObject } | { readonly kind: 'outdated' }

/** Writes images over the version that was read, so that one which somebody set meanwhile stays. @throws StatusError; what the leadership throws */
export async function writeImages(
  context: EffectContext,
  { device, object }: PluginObject,
  images: NonNullable<Decision['images']>,
  signal: AbortSignal,
): Promise<Outcome> {
  const { uid, resourceVersion } = object.metadata
  return await patched(context, { device, object }, { metadata: { uid, resourceVersion }, spec: images }, signal)
}

/** Writes what was seen of the DaemonSet. @throws StatusError; what the leadership throws */
export async function writeStatus(
  context: EffectContext,
  { device, object }: PluginObject,
  status: PluginStatus,
  signal: AbortSignal,
): Promise<Outcome> {
  const { uid } = object.metadata
  // A merge takes away what is null.
  const body = { metadata: { uid }, status: { ...status, nodeNames: status.nodeNames ?? null } }
  return await patched(context, { device, object }, body, signal, 'status')
}

async function patched(
  context: EffectContext,
  { device, object }: Pick<PluginObject, 'device' | 'object'>,
  body: object,
  signal: AbortSignal,
  subresource?: string,
): Promise<Outcome> {
  const options = effectOptions(capabilityName, undefined, { guard: leadingGuard(context), signal })
  const where = subresource === undefined ? options : { ...options, subresource }
  try {
    const plugins = context.api.resource<KubeObject>(pluginsOf(device))
    return { kind: 'written', object: await plugins.patch(object.metadata.name, { type: 'merge', body }, where) }
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
    return { kind: 'outdated' }
  }
}
