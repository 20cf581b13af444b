// What the twin's clock and the page's own faults say of themselves.
import { fieldsOf } from '#coordination/observed/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Picture } from '../picture.ts'

/** Faults that the page made are called so, with a number behind it. */
const ownPrefix = 'page-'

/**
 * Seconds of the cluster in one of ours: 0 while it is paused. null of a real cluster, and of a twin that goes from one event to the
 * next (`max`).
 */
export function speedOf({ twin }: Pick<Picture, 'twin'>): number | null {
  if (twin === undefined) return null
  return fieldsOf(twin.clock, 'status')['paused'] === true ? 0 : paceOf(twin.clock)
}

/** Faults of the page that are set. */
export function ownFaults({ twin }: Picture): readonly { readonly name: string }[] {
  return (twin?.faults ?? []).map(({ metadata: { name } }) => ({ name })).filter(({ name }) => isOwnFault(name))
}

/** `status.speed` of a TwinClock; null is `max`. */
export function paceOf(clock: KubeObject | undefined): number | null {
  const { speed = '1' } = fieldsOf(clock, 'status')
  if (speed === 'max') return null
  const pace = Number(speed)
  return Number.isFinite(pace) ? pace : 1
}

export function isOwnFault(name: string): boolean {
  return name.startsWith(ownPrefix)
}
