// Whether what is at zero replicas is woken before Ballast goes, and to how many. Nobody would wake it afterwards; but who set it to zero is
// asked first. Pure.
import { freezeOf } from '#coordination/freeze.ts'
import { isOwnManager } from '#kube/client/take-away.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { leastAwake } from '../decisions/scale-decision.ts'
import { wishesOf } from '../decisions/wishes.ts'
import { defaultMostReplicas, type ScaledObject } from '../kinds/scaled-object.ts'
import { annotations } from '../names.ts'

/** A target at zero, and what is said to be done about it. */
export interface Asleep {
  readonly object: ScaledObject
  /** As the server has it, with its record of who wrote which fields. */
  readonly target: KubeObject
  /** Where ours was installed: a trigger that leads there leads to nobody afterwards. */
  readonly namespace: string
  /** KEDA's own operator runs on. */
  readonly isKedaThere: boolean
  /** Who of its group of one is awake already, `namespace/name`; undefined: nobody, or it is in no group. */
  readonly awake: string | undefined
  readonly nowMs: number
}

type WakeOutcome =
  | { readonly kind: 'wake'; readonly replicas: number }
  /** Somebody wants it so, or wakes it. */
  | { readonly kind: 'stays'; readonly because: string }
  /** It stays at zero, and nobody will wake it. */
  | { readonly kind: 'left'; readonly because: string }

const stays = (because: string): WakeOutcome => ({ kind: 'stays', because })
const left = (because: string): WakeOutcome => ({ kind: 'left', because })

/** Decides. */
export function wakeOutcome({ object, target, namespace, isKedaThere, awake, nowMs }: Asleep): WakeOutcome {
  const named = `${object.kind} ${placeOf(object)}`
  const pauses = pausesOf(object)
  if (pauses.isPaused) return stays(`${named} is paused`)
  if (pauses.isScaleOutPaused) return stays(`${named} may not scale out (${annotations.pausedScaleOut})`)
  const freeze = freezeOf(object, nowMs) ?? freezeOf(target, nowMs)
  if (freeze !== undefined) return stays(`frozen by ${freeze.where}: ${freeze.reason}`)
  const isToRestore = object.spec.advanced?.restoreToOriginalReplicaCount === true
  if (object.metadata.deletionTimestamp !== undefined && !isToRestore)
    return stays(`${named} is being deleted, and does not say restoreToOriginalReplicaCount`)
  if (isKedaThere && !leadsTo(object, namespace)) return stays("KEDA's operator runs, and wakes it")
  const others = replicaWriters(target).filter(manager => !isAutoscaler(manager))
  if (others.length > 0) return stays(`${others.join(', ')} set it to zero, not an autoscaler`)
  const before = object.status?.originalReplicaCount
  if (before === undefined || before === 0)
    return left(`${named} ${before === undefined ? 'was never looked after' : 'found it so'}: who set it to zero nobody can tell`)
  const group = groupOf(object)
  if (awake !== undefined) return left(`of its group ${group} one is awake at a time, and ${awake} is`)
  return { kind: 'wake', replicas: replicasFor(object, isToRestore) }
}

/** What it had before, where it says that this is to come back; else its least while awake. Never outside of its bounds. */
function replicasFor({ spec, status }: ScaledObject, isToRestore: boolean): number {
  const least = leastAwake(spec.minReplicaCount)
  const before = isToRestore ? (status?.originalReplicaCount ?? 0) : 0
  const most = Math.max(least, spec.maxReplicaCount ?? defaultMostReplicas)
  return Math.min(most, Math.max(least, before))
}

/** The group of which one is awake at a time; undefined: none. Where groups span namespaces only a configuration knows: the same name counts as the same group. */
export function groupOf(object: ScaledObject): string | undefined {
  return wishesOf(object).oneAwake?.group
}

/** The one of the highest priority of a group comes first, then who was active last; others by name. */
export function firstToWake(a: ScaledObject, b: ScaledObject): number {
  const priority = (one: ScaledObject) => wishesOf(one).oneAwake?.priority ?? 0
  const activeMs = (one: ScaledObject) => Date.parse(one.status?.lastActiveTime ?? '') || 0
  return priority(b) - priority(a) || activeMs(b) - activeMs(a) || (placeOf(a) < placeOf(b) ? -1 : 1)
}

/** As whom KEDA's operator writes: its program is called so. */
const isAutoscaler = (manager: string): boolean => isOwnManager(manager) || manager === 'keda' || manager === 'keda-operator'

/**
 * Who has written the replicas that it has now, as the API server keeps it: nobody where they came to zero through its scale, as autoscalers
 * and `kubectl scale` write them. A ScaledObject that is not paused would wake it from that zero, whoever wrote it.
 */
function replicaWriters({ metadata }: KubeObject): readonly string[] {
  const writers = (metadata.managedFields ?? []).filter(
    // Where a kind has its replicas elsewhere, whoever wrote through the scale wrote them.
    ({ subresource, fieldsV1 }) => subresource === 'scale' || at(fieldsV1, 'f:spec', 'f:replicas') !== undefined,
  )
  return [...new Set(writers.map(({ manager }) => manager))].sort()
}

/** All its triggers ask a gateway of ours in `namespace`. */
function leadsTo({ spec }: ScaledObject, namespace: string): boolean {
  const isOurs = (trigger: unknown) => {
    const [host = ''] = (textAt(trigger, 'metadata', 'scalerAddress') ?? '').split(':')
    const [service = '', place = ''] = host.split('.')
    return service.endsWith('-gateway') && place === namespace
  }
  return spec.triggers.length > 0 && spec.triggers.every(isOurs)
}

function placeOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
