// Pods that no selector can tell apart form one class: same namespace, labels, pod affinity and whether they are terminating.
// Spread and pod affinity count classes on nodes instead of walking over pods. Classes only ever grow, and all forks share them.

import type { Pod, PodAffinityTerm } from '#kube/objects/objects.ts'
import { everything, type Labels, labelSelectorOf, nothing, type Selector, selectorOf } from '#kube/objects/selector.ts'
import type { PodState } from '../cluster-state.ts'

/** One term of pod affinity or anti-affinity, read. */
export interface AffinityTerm {
  readonly topologyKey: string
  readonly selector: Selector
  readonly namespaces: ReadonlySet<string>
  readonly namespaceSelector: Selector
}

interface WeightedTerm extends AffinityTerm {
  /** Below 0 for anti-affinity. */
  readonly weight: number
}

interface AffinityTerms {
  readonly required: readonly AffinityTerm[]
  readonly requiredAnti: readonly AffinityTerm[]
  /** Preferred affinity and, with weights below 0, anti-affinity. */
  readonly preferred: readonly WeightedTerm[]
}

export interface PodClass {
  readonly id: number
  readonly namespace: string
  readonly labels: Labels
  readonly isTerminating: boolean
  readonly terms: AffinityTerms
}

const noTerms: AffinityTerms = { required: [], requiredAnti: [], preferred: [] }
const noLabels: Labels = {}

/** A selector with a text that names it, under which what it matches is remembered. */
export interface KeyedSelector {
  readonly selector: Selector
  readonly key: string
}

/** `selector` with its canonical text. */
export function keyedSelector(selector: Selector): KeyedSelector {
  return { selector, key: selector.isNothing ? '\u0000nothing' : selector.toString() }
}

interface Matches {
  readonly ids: number[]
  /** How many classes of the namespace have been tested. */
  tested: number
}

/** All classes seen so far, and which of them a selector picks. */
export class PodClasses {
  readonly all: PodClass[] = []
  /** Classes with any affinity or anti-affinity, and with a required anti-affinity term. */
  readonly withAffinity: PodClass[] = []
  readonly withRequiredAntiAffinity: PodClass[] = []
  readonly #byKey = new Map<string, PodClass>()
  readonly #byNamespace = new Map<string, PodClass[]>()
  readonly #matches = new Map<string, Matches>()

  classOf(pod: PodState): PodClass {
    const { podAffinity, podAntiAffinity } = pod.object.spec.affinity ?? {}
    const labels = pod.object.metadata.labels ?? noLabels
    const key = JSON.stringify([pod.namespace, pod.isTerminating, labels, podAffinity, podAntiAffinity])
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const terms = affinityTerms(pod.object, pod.namespace)
    const made: PodClass = { id: this.all.length, namespace: pod.namespace, labels, isTerminating: pod.isTerminating, terms }
    this.#byKey.set(key, made)
    this.all.push(made)
    const siblings = this.#byNamespace.get(pod.namespace)
    if (siblings === undefined) this.#byNamespace.set(pod.namespace, [made])
    else siblings.push(made)
    if (terms.required.length + terms.requiredAnti.length + terms.preferred.length > 0) this.withAffinity.push(made)
    if (terms.requiredAnti.length > 0) this.withRequiredAntiAffinity.push(made)
    return made
  }

  namespaces(): Iterable<string> {
    return this.#byNamespace.keys()
  }

  /** The ids of the classes of `namespace` that `selector` picks. */
  matching(namespace: string, { selector, key }: KeyedSelector): readonly number[] {
    const classes = this.#byNamespace.get(namespace)
    if (classes === undefined || selector.isNothing) return []
    const matchKey = `${namespace}\u0000${key}`
    let matches = this.#matches.get(matchKey)
    if (matches === undefined) {
      matches = { ids: [], tested: 0 }
      this.#matches.set(matchKey, matches)
    }
    for (; matches.tested < classes.length; matches.tested++) {
      const candidate = classes[matches.tested]
      if (candidate !== undefined && selector.matches(candidate.labels)) matches.ids.push(candidate.id)
    }
    return matches.ids
  }
}

function affinityTerms(pod: Pod, namespace: string): AffinityTerms {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  if (podAffinity === undefined && podAntiAffinity === undefined) return noTerms
  const weighted = (sign: 1 | -1, list: typeof podAffinity): readonly WeightedTerm[] =>
    (list?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, podAffinityTerm }) => ({
      ...read(podAffinityTerm),
      weight: sign * weight,
    }))
  const read = (term: PodAffinityTerm) => readTerm(term, namespace, pod.metadata.labels ?? noLabels)
  return {
    required: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(read),
    requiredAnti: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(read),
    preferred: [...weighted(1, podAffinity), ...weighted(-1, podAntiAffinity)],
  }
}

function readTerm(term: PodAffinityTerm, namespace: string, labels: Labels): AffinityTerm {
  const isOwnNamespace =
    (term.namespaces ?? []).length === 0 && (term.namespaceSelector === undefined || term.namespaceSelector === null)
  return {
    topologyKey: term.topologyKey,
    selector: withLabelKeys(readSelector(term.labelSelector), term, labels),
    namespaces: new Set(isOwnNamespace ? [namespace] : term.namespaces),
    namespaceSelector: readSelector(term.namespaceSelector),
  }
}

/** The API server merges the pod's own values of these keys into the selector when the pod is made; pods from a file lack that. */
function withLabelKeys(selector: Selector, term: PodAffinityTerm, labels: Labels): Selector {
  if (selector.isNothing) return selector
  const merged = (keys: readonly string[] | undefined, operator: 'in' | 'notin') =>
    (keys ?? []).filter(key => Object.hasOwn(labels, key)).map(key => ({ key, operator, values: [labels[key] ?? ''] }))
  const added = [...merged(term.matchLabelKeys, 'in'), ...merged(term.mismatchLabelKeys, 'notin')]
  return added.length === 0 ? selector : selectorOf([...selector.requirements, ...added])
}

/** A selector of an object; one that does not parse picks nothing (such pods are set aside when a cluster is read). */
export function readSelector(selector: Parameters<typeof labelSelectorOf>[0]): Selector {
  const parsed = labelSelectorOf(selector)
  if (!parsed.ok) return nothing
  return parsed.value.isNothing ? nothing : parsed.value.requirements.length === 0 ? everything : parsed.value
}

/** Whether a selector holds of whatever labels there are. */
export function isEverything(selector: Selector): boolean {
  return !selector.isNothing && selector.requirements.length === 0
}
