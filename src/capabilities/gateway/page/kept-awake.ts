// Who keeps a target awake, by what its ScaledObject says of itself. Pure.
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'

/** KEDA's, where a ScaledObject says none. */
const standardCooldownSeconds = 300

/** Everything that holds at this moment, the strongest first; nothing: it may sleep. `requests` undefined: nobody counts them. */
export function awakeBecause(
  scaler: KubeObject,
  { requests, nowMs }: { readonly requests: number | undefined; readonly nowMs: number },
): readonly string[] {
  const { annotations = {}, name } = scaler.metadata
  const paused = annotations['autoscaling.keda.sh/paused-replicas']
  const least = numberAt(scaler, 'spec', 'minReplicaCount') ?? 0
  const active = activeTriggers(scaler)
  const cooled = coolsUntil(scaler)
  return [
    ...(paused === undefined ? [] : [`ScaledObject ${name} is paused at ${paused}`]),
    ...(requests === undefined || requests === 0 ? [] : [requests === 1 ? '1 request' : `${requests} requests`]),
    ...(least > 0 ? [`ScaledObject ${name} asks for at least ${least}`] : []),
    ...(active.length === 0 ? [] : [`active: ${active.join(', ')}`]),
    ...(active.length > 0 || cooled === undefined || cooled <= nowMs ? [] : [`it cools down until ${formatTime(cooled)}`]),
  ]
}

/** Metrics that say so, by name: `s1-cron-Europe-Berlin`; of an operator that tells none the type of each trigger there is. */
function activeTriggers(scaler: KubeObject): readonly string[] {
  const told = at(scaler, 'status', 'triggersActivity')
  if (typeof told === 'object' && told !== null)
    return Object.entries(told).flatMap(([metric, activity]) => (at(activity, 'isActive') === true ? [metric] : []))
  const isActive = listAt(scaler, 'status', 'conditions').some(
    one => textAt(one, 'type') === 'Active' && textAt(one, 'status') === 'True',
  )
  return isActive ? listAt(scaler, 'spec', 'triggers').flatMap(trigger => textAt(trigger, 'type') ?? []) : []
}

/** Undefined: it was never active, or does not say when. */
function coolsUntil(scaler: KubeObject): number | undefined {
  const lastMs = Date.parse(textAt(scaler, 'status', 'lastActiveTime') ?? '')
  if (!Number.isFinite(lastMs)) return undefined
  return lastMs + (numberAt(scaler, 'spec', 'cooldownPeriod') ?? standardCooldownSeconds) * 1_000
}
