// The topology spread constraints of a pod: its own, or the scheduler's defaults.

import type { Pod, ReplicaSet, Service, TopologySpreadConstraint } from '#kube/objects.ts'
import { exactSelector, type Labels, type Selector, selectorOf } from '#kube/selector.ts'
import type { ClusterState, PodState } from '../cluster-state.ts'
import { controllerOf } from '../ownership.ts'
import type { SchedulerSettings } from '../scheduler-settings.ts'
import { isEverything, type KeyedSelector, keyedSelector, readSelector } from './pod-classes.ts'

export interface SpreadConstraint {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly selector: KeyedSelector
  readonly minDomains: number
  readonly honoursAffinity: boolean
  readonly honoursTaints: boolean
}

/** A pod's constraints, read once. */
export interface SpreadRules {
  readonly hard: readonly SpreadConstraint[]
  readonly soft: readonly SpreadConstraint[]
  /** Whether only nodes with all keys of the soft constraints take part: not for the scheduler's own defaults. */
  readonly needsAllKeys: boolean
}

/** The one key whose domains are counted by node. */
export const hostname = 'kubernetes.io/hostname'

const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
]

/** The constraints of `pod`: its own, or the default ones with the selector that its Services and controller give. */
export function spreadRules(state: ClusterState, pod: PodState, settings: SchedulerSettings): SpreadRules {
  const own = pod.object.spec.topologySpreadConstraints ?? []
  const isSystem = settings.defaultConstraints.kind === 'system'
  const needsAllKeys = own.length > 0 || !isSystem
  const labels = pod.object.metadata.labels ?? {}
  if (own.length > 0) {
    const read = own.map(constraint => readConstraint(constraint, labels))
    return {
      hard: read.filter((_, index) => isHard(own[index])),
      soft: read.filter((_, index) => isSoft(own[index])),
      needsAllKeys,
    }
  }
  const defaults = settings.defaultConstraints.kind === 'system' ? systemDefaults : settings.defaultConstraints.constraints
  const selector = defaults.length === 0 ? undefined : defaultSelector(state, pod)
  if (selector === undefined || isEverything(selector)) return { hard: [], soft: [], needsAllKeys }
  const read = defaults.map(constraint => ({ ...readConstraint(constraint, labels), selector: keyedSelector(selector) }))
  return {
    hard: read.filter((_, index) => isHard(defaults[index])),
    soft: read.filter((_, index) => isSoft(defaults[index])),
    needsAllKeys,
  }
}

function isHard(constraint: TopologySpreadConstraint | undefined): boolean {
  return constraint?.whenUnsatisfiable === 'DoNotSchedule'
}

function isSoft(constraint: TopologySpreadConstraint | undefined): boolean {
  return constraint?.whenUnsatisfiable === 'ScheduleAnyway'
}

function readConstraint(constraint: TopologySpreadConstraint, labels: Labels): SpreadConstraint {
  const selector = readSelector(constraint.labelSelector)
  const keys = (constraint.matchLabelKeys ?? []).filter(key => Object.hasOwn(labels, key))
  const merged: Selector =
    keys.length === 0 || selector.isNothing
      ? selector
      : selectorOf([...selector.requirements, ...keys.map(key => ({ key, operator: '=' as const, values: [labels[key] ?? ''] }))])
  return {
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    selector: keyedSelector(merged),
    minDomains: constraint.minDomains ?? 1,
    honoursAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honoursTaints: constraint.nodeTaintsPolicy === 'Honor',
  }
}

/** What the Services that select the pod ask of labels, and what its ReplicaSet, StatefulSet or ReplicationController does. */
function defaultSelector(state: ClusterState, pod: PodState): Selector {
  const labels = pod.object.metadata.labels ?? {}
  const merged = new Map<string, string>()
  for (const object of state.objects('Service')) {
    if (object.metadata.namespace !== pod.namespace) continue
    // A Service as the API server or a checked file has it.
    const selector = (object as Service).spec?.selector
    if (selector === undefined || selector === null || !exactSelector(selector).matches(labels)) continue
    for (const [key, value] of Object.entries(selector)) merged.set(key, value)
  }
  const owner = controllerOf(pod.object.metadata)
  const isReplicas = owner?.apiVersion === 'apps/v1' && (owner.kind === 'ReplicaSet' || owner.kind === 'StatefulSet')
  const isController = owner?.apiVersion === 'v1' && owner.kind === 'ReplicationController'
  const found = isReplicas || isController ? state.object(owner.kind, pod.namespace, owner.name) : undefined
  if (found !== undefined && isController) {
    const { spec } = found as Pod & { readonly spec: { readonly selector?: Readonly<Record<string, string>> } }
    for (const [key, value] of Object.entries(spec?.selector ?? {})) merged.set(key, value)
  }
  const own = exactSelector(Object.fromEntries(merged))
  if (found === undefined || isController) return own
  const owned = readSelector((found as ReplicaSet).spec?.selector)
  return owned.isNothing ? own : selectorOf([...own.requirements, ...owned.requirements])
}
