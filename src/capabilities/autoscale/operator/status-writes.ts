// Statuses of our kinds: conditions set in their places, and only what differs is written.
import { isDeepStrictEqual } from 'node:util'
import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { ScalerCondition, Trigger } from '../kinds/triggers.ts'

/** `found` with each of `wanted` in the place of its type, or at the end; one that says another word by word is left as it was. */
export function withConditions(
  found: readonly ScalerCondition[] | undefined,
  wanted: readonly ScalerCondition[],
): readonly ScalerCondition[] {
  const result = [...(found ?? [])]
  for (const condition of wanted) {
    const at = result.findIndex(({ type }) => type === condition.type)
    if (at < 0) result.push(condition)
    else result[at] = condition
  }
  return result
}

export function conditionOf(
  object: { readonly status?: { readonly conditions?: readonly ScalerCondition[] | undefined } },
  type: string,
): ScalerCondition | undefined {
  return object.status?.conditions?.find(one => one.type === type)
}

/** What is said of an object that nobody has looked at yet. */
export const initialConditions: readonly ScalerCondition[] = [
  ...['Ready', 'Active', 'Fallback'].map(type => ({ type, status: 'Unknown' })),
  { type: 'Paused', status: 'False' },
]

/** Nothing falls back, or nothing can. */
export const noFallback: ScalerCondition = {
  type: 'Fallback',
  status: 'False',
  reason: 'NoFallbackFound',
  message: 'No fallbacks are active on this scaled object',
}

/** Types of triggers and names of their authentications, as columns show them: in the order in which they come first. */
export function typeWords(triggers: readonly Trigger[]): {
  readonly triggersTypes: string
  readonly authenticationsTypes: string
} {
  const words = (all: readonly string[]) => [...new Set(all)].join(',')
  return {
    triggersTypes: words(triggers.map(({ type }) => type)),
    authenticationsTypes: words(triggers.flatMap(({ authenticationRef: of }) => (of === undefined ? [] : [of.name]))),
  }
}

/** What a merge patch has to say so that `have` becomes `want`; undefined: nothing. */
function differenceOf(
  have: Readonly<Record<string, unknown>>,
  want: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  const changed: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(have), ...Object.keys(want)])) {
    const [old, next] = [have[key], want[key]]
    if (isDeepStrictEqual(old, next)) continue
    const areMaps = isMap(old) && isMap(next)
    changed[key] = next === undefined ? null : areMaps ? differenceOf(old, next) : next
  }
  return Object.keys(changed).length === 0 ? undefined : changed
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Writes `change` of the status of `object` as it is now. Whether anything was written.
 * @throws StatusError but for an object that is gone; `signal.reason`
 */
export async function writeStatus<T extends KubeObject>(
  api: Api,
  informer: Informer<T>,
  object: T,
  change: (status: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<boolean> {
  const { namespace, name } = object.metadata
  const current = informer.store.get(namespace, name) ?? object
  const have = isMap(current['status']) ? current['status'] : {}
  const difference = differenceOf(have, change(have))
  if (difference === undefined) return false
  try {
    const written = await api
      .resource<T>(informer.resource)
      .patch(
        name,
        { type: 'merge', body: { metadata: { uid: object.metadata.uid }, status: difference } },
        { namespace, subresource: 'status', fieldManager: 'ballast-autoscale', signal },
      )
    informer.observe(written)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
