// Which labels, annotations, resources and taints a rule may write, and why the others are left out.

import { labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import type { Pattern } from '#kube/values/regex.ts'
import type { Attributes, FeatureSet } from '../matching/feature-set.ts'
import type { Taint } from '../matching/rule.ts'
import { featureNamespace, profileNamespace } from '../names.ts'

/** The part of a configuration that says which keys are allowed. */
export interface KeySettings {
  /** Namespaces of labels that are allowed although they are Kubernetes' own, or denied. */
  readonly extraLabelNs: ReadonlySet<string>
  /** Namespaces of labels that are not; `*` in front stands for anything. */
  readonly denyLabelNs: readonly string[]
  /** What the part of a label behind `/` must contain. */
  readonly labelWhiteList?: Pattern
}

/** Bytes of an annotation that a rule may write. */
const longestAnnotation = 1_024

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export type Judged = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly why: string }

const refused = (why: string): Judged => ({ ok: false, why })

/** A label as it is written, with what `@domain.feature.element` stands for. */
export function judgeLabel(key: string, value: string, features: FeatureSet, settings: KeySettings): Judged {
  const expanded = expand(value, features)
  if (!expanded.ok) return expanded
  const { namespace, name } = split(key)
  const problem = qualifiedNameProblems(key)[0]
  const foreign = problem === undefined && isKubernetesOwn(namespace, [featureNamespace, profileNamespace])
  // A name that is no key of labels is refused whatever its namespace is, a denied namespace whatever its value is: upstream's order.
  if (foreign || isDenied(namespace, settings.denyLabelNs)) {
    if (!settings.extraLabelNs.has(namespace)) return refused(`namespace ${JSON.stringify(namespace)} is not allowed`)
  } else if (problem !== undefined) return refused(`the key ${problem}`)
  else if (namespace === '') return refused('a label needs a namespace, such as example.com/')
  else {
    const [badValue] = labelValueProblems(expanded.value)
    if (badValue !== undefined) return refused(`the value ${JSON.stringify(expanded.value)}: ${badValue}`)
  }
  if (settings.labelWhiteList !== undefined && !settings.labelWhiteList.isFoundIn(name))
    return refused(`${JSON.stringify(name)} does not match labelWhiteList`)
  return expanded
}

/** An extended resource: a quantity under a name that is not Kubernetes' own. */
export function judgeResource(key: string, value: string, features: FeatureSet): Judged {
  const expanded = expand(value, features)
  if (!expanded.ok) return expanded
  const why = keyProblem(key)
  if (why !== undefined) return refused(why)
  return parseQuantity(expanded.value).ok ? expanded : refused(`${JSON.stringify(expanded.value)} is not a quantity such as "5"`)
}

export function judgeAnnotation(key: string, value: string): Judged {
  const why = keyProblem(key)
  if (why !== undefined) return refused(why)
  const size = Buffer.byteLength(value)
  return size > longestAnnotation
    ? refused(`its value has ${size} bytes; at most ${longestAnnotation} are allowed`)
    : { ok: true, value }
}

/** Why a taint is left out; `undefined`: it is allowed. */
export function taintProblem({ key, effect }: Taint): string | undefined {
  const { namespace } = split(key)
  if (namespace === '') return 'a taint needs a namespace, such as example.com/'
  if (isKubernetesOwn(namespace, [featureNamespace])) return `namespace ${JSON.stringify(namespace)} is not allowed`
  return effects.includes(effect) ? undefined : `its effect is ${JSON.stringify(effect)}; it may be ${effects.join(', ')}`
}

function keyProblem(key: string): string | undefined {
  const [problem] = qualifiedNameProblems(key)
  if (problem !== undefined) return `the key ${problem}`
  const { namespace } = split(key)
  if (namespace === '') return 'the key needs a namespace, such as example.com/'
  return isKubernetesOwn(namespace, [featureNamespace]) ? `namespace ${JSON.stringify(namespace)} is not allowed` : undefined
}

function split(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return slash === -1 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

function isKubernetesOwn(namespace: string, allowed: readonly string[]): boolean {
  if (namespace !== 'kubernetes.io' && !namespace.endsWith('.kubernetes.io')) return false
  return !allowed.some(one => namespace === one || namespace.endsWith(`.${one}`))
}

function isDenied(namespace: string, denied: readonly string[]): boolean {
  return denied.some(one => (one.startsWith('*') ? namespace.endsWith(one.slice(1)) : namespace === one))
}

/** The feature and element that a value such as `@cpu.model.family` names; the element may have dots. */
export function namedElement(value: string): { readonly feature: string; readonly element: string } | undefined {
  const [, feature = '', element = ''] = /^@([^.]*\.[^.]*)\.(.*)$/s.exec(value) ?? []
  return feature === '' ? undefined : { feature, element }
}

/** What a value stands for: `@domain.feature.element` for that attribute. */
function expand(value: string, { attributes }: FeatureSet): Judged {
  if (!value.startsWith('@')) return { ok: true, value }
  const { feature, element } = namedElement(value) ?? {}
  if (feature === undefined || element === undefined)
    return refused(`${JSON.stringify(value)} is not of the form "@domain.feature.element"`)
  const elements: Attributes | undefined = attributes.get(feature)
  const found = elements?.get(element)
  if (found !== undefined) return { ok: true, value: found }
  return refused(
    elements === undefined ? `the node has no feature ${feature}` : `the feature ${feature} has no element ${element}`,
  )
}
