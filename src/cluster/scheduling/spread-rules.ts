// The topology spread constraints of a pod: its own, or the scheduler's defaults.

import type { KubeObject, ReplicaSet, Service, TopologySpreadConstraint } from '#kube/objects/objects.ts'
import { exactSelector, type Labels, type Selector, selectorOf } from '#kube/objects/selector.ts'
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

const templateHash = 'pod-template-hash'

const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
]

interface SelectingService {
  readonly labels: Readonly<Record<string, string>>
  readonly selector: Selector
}

/** Reads constraints; pods that cannot be told apart by them are read once. */
export class SpreadReader {
  readonly #state: ClusterState
  readonly #settings: SchedulerSettings
  readonly #known = new Map<string, SpreadRules>()
  #services: ReadonlyMap<string, readonly SelectingService[]> | undefined

  constructor(state: ClusterState, settings: SchedulerSettings) {
    this.#state = state
    this.#settings = settings
  }

  /** The constraints of `pod`: its own, or the default ones with the selector that its Services and controller give. */
  rules(pod: PodState): SpreadRules {
    const { metadata, spec } = pod.object
    const owner = controllerOf(metadata)
    const key = JSON.stringify([
      pod.namespace,
      metadata.labels,
      owner?.apiVersion,
      owner?.kind,
      owner?.name,
      spec.topologySpreadConstraints,
    ])
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const rules = this.#read(pod)
    this.#known.set(key, rules)
    return rules
  }

  #read(pod: PodState): SpreadRules {
    const { defaultConstraints } = this.#settings
    const own = pod.object.spec.topologySpreadConstraints ?? []
    const labels = pod.object.metadata.labels ?? {}
    const needsAllKeys = own.length > 0 || defaultConstraints.kind !== 'system'
    if (own.length > 0) return rulesOf(own, needsAllKeys, constraint => readConstraint(constraint, labels))
    const defaults = defaultConstraints.kind === 'system' ? systemDefaults : defaultConstraints.constraints
    const selector = defaults.length === 0 ? undefined : this.#defaultSelector(pod)
    if (selector === undefined || isEverything(selector)) return { hard: [], soft: [], needsAllKeys }
    const keyed = keyedSelector(selector)
    return rulesOf(defaults, needsAllKeys, constraint => ({ ...readConstraint(constraint, labels), selector: keyed }))
  }

  /** What the Services that select the pod ask of labels, and what its ReplicaSet, StatefulSet or ReplicationController does. */
  #defaultSelector(pod: PodState): Selector {
    const merged = new Map<string, string>()
    for (const { labels, selector } of this.#servicesOf(pod.namespace)) {
      if (!selector.matches(pod.object.metadata.labels)) continue
      for (const [key, value] of Object.entries(labels)) merged.set(key, value)
    }
    const owner = controllerOf(pod.object.metadata)
    const isReplicas = owner?.apiVersion === 'apps/v1' && (owner.kind === 'ReplicaSet' || owner.kind === 'StatefulSet')
    const isController = owner?.apiVersion === 'v1' && owner.kind === 'ReplicationController'
    const found = isReplicas || isController ? this.#state.object(owner.kind, pod.namespace, owner.name) : undefined
    if (found !== undefined && isController) {
      // Checked when the cluster was read, as are the other two kinds: they have the shape of their kind.
      const { spec } = found as KubeObject & { readonly spec?: { readonly selector?: Readonly<Record<string, string>> } }
      for (const [key, value] of Object.entries(spec?.selector ?? {})) merged.set(key, value)
    }
    const own = exactSelector(Object.fromEntries(merged))
    if (found === undefined || isController) return own
    const owned = readSelector((found as ReplicaSet).spec?.selector)
    if (owned.isNothing) return own
    // A pod that a roll-out will make is owned by a ReplicaSet that is not there yet: alike but for the hash of its template.
    const hash = pod.object.metadata.labels?.[templateHash]
    const requirements = owned.requirements.map(requirement =>
      requirement.key === templateHash && requirement.operator === '=' && hash !== undefined
        ? { ...requirement, values: [hash] }
        : requirement,
    )
    return selectorOf([...own.requirements, ...requirements])
  }

  #servicesOf(namespace: string): readonly SelectingService[] {
    this.#services ??= servicesByNamespace(this.#state)
    return this.#services.get(namespace) ?? []
  }
}

function servicesByNamespace(state: ClusterState): ReadonlyMap<string, readonly SelectingService[]> {
  const services = new Map<string, SelectingService[]>()
  for (const object of state.objects('Service')) {
    // Checked when the cluster was read: it has the shape of a Service.
    const labels = (object as Service).spec?.selector
    if (labels === undefined || labels === null) continue
    const namespace = object.metadata.namespace ?? ''
    const siblings = services.get(namespace) ?? []
    services.set(namespace, siblings)
    siblings.push({ labels, selector: exactSelector(labels) })
  }
  return services
}

function rulesOf(
  constraints: readonly TopologySpreadConstraint[],
  needsAllKeys: boolean,
  read: (constraint: TopologySpreadConstraint) => SpreadConstraint,
): SpreadRules {
  const of = (action: string) => constraints.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === action).map(read)
  return { hard: of('DoNotSchedule'), soft: of('ScheduleAnyway'), needsAllKeys }
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
