// An owner scales what is its own, as a ScaledObject's target is its autoscaler's. It asks nobody: windows, gates, caps and cool-downs never
// hold it, and the arbiter sees the write and counts it. What holds it is the proof that we lead, and the explicit freeze, which its caller asks.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isConflict } from '#kube/objects/status.ts'
import type { Leadership } from '../arbiter/leadership.ts'
import { type EffectContext, effectOptions, leadingGuard } from './effect-context.ts'

/** What an owner needs to scale: the way to the server, and the proof that it leads. */
export interface OwnScaling extends Pick<EffectContext, 'api'> {
  readonly leadership: Pick<Leadership, 'assert'>
}

/** Any object with a scale. */
export interface ScaledTarget {
  readonly resource: GroupVersionResource
  readonly namespace: string
  readonly name: string
}

export interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number }
  readonly status?: { readonly replicas?: number; readonly selector?: string }
}

/** What follows a resource in a right to its scale. */
export const scalePart = '/scale'

const conflictTries = 5

/** What the server says of its scale. @throws StatusError; `signal.reason` */
export async function readScale(
  { api }: Pick<EffectContext, 'api'>,
  { resource, namespace, name }: ScaledTarget,
  signal: AbortSignal,
): Promise<Scale> {
  return await api.resource<KubeObject>(resource).sub<Scale>(name, 'scale', 'GET', undefined, { namespace, signal })
}

interface ScaleWish {
  readonly requester: string
  readonly signal: AbortSignal
  /** Only where it has so many: whoever gave it others meanwhile is left alone. */
  readonly onlyFrom?: number
}

/**
 * Gives `target` as many replicas in the name of `requester`, under the version that was read. Safe to call twice.
 * @returns how many it had
 * @throws StatusError; what the leadership throws; `signal.reason`
 */
export async function scaleOwn(
  context: OwnScaling,
  target: ScaledTarget,
  replicas: number,
  { requester, signal, onlyFrom }: ScaleWish,
): Promise<number> {
  const { resource, namespace, name } = target
  const guard = leadingGuard(context)
  const options = effectOptions(requester, namespace, { guard, signal })
  for (let attempt = 1; ; attempt++) {
    const found = await readScale(context, target, signal)
    const from = found.spec?.replicas ?? 0
    if (from === replicas || (onlyFrom !== undefined && from !== onlyFrom)) return from
    try {
      const body = { ...found, spec: { ...found.spec, replicas } }
      await context.api.resource<KubeObject>(resource).sub(name, 'scale', 'PUT', body, options)
      return from
    } catch (error) {
      if (!isConflict(error) || attempt >= conflictTries) throw error
    }
  }
}
