// What cannot be right about an object that came from outside, said as problems with the place in file, document, object and field.

import { parseScaledValue } from '#kube/int-or-string.ts'
import { annotationBytesLimit } from '#kube/names.ts'
import type { KubeObject } from '#kube/objects.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import { cpuMillicores, wholeNumber } from '#kube/quantity.ts'
import { parseApiVersion } from '#kube/resource.ts'
import { labelSelectorOf } from '#kube/selector.ts'
import { builtInKinds, isBuiltInGroup, nearestKind } from './kinds.ts'

export interface ClusterProblem extends Problem {
  /** The cluster is not what its files mean; nothing should be decided on it. Otherwise the object is set aside. */
  readonly isFatal: boolean
}

/** `cluster/nodes.yaml: document 3: Node talos00`. */
export function placeOf(object: KubeObject, where: string | undefined): string {
  const name = `${object?.kind ?? 'object'} ${objectName(object)}`
  return where === undefined ? name : `${where}: ${name}`
}

function objectName(object: KubeObject): string {
  const { namespace, name } = object?.metadata ?? {}
  return namespace === undefined ? String(name ?? 'without a name') : `${namespace}/${name}`
}

/** What is wrong with any object whatever its kind, and with selectors of the kinds whose selectors the model reads. */
export function checkedObject(object: KubeObject, place: string): readonly ClusterProblem[] {
  if (typeof object !== 'object' || object === null) return [aside('object-shape', place, String(object), 'an object')]
  const problems: ClusterProblem[] = []
  for (const field of ['apiVersion', 'kind'] as const) {
    if (typeof object[field] !== 'string' || object[field] === '')
      problems.push(aside('field-missing', `${place}: ${field}`, shown(object[field]), 'a text'))
  }
  if (problems.length > 0) return problems
  if (typeof object.metadata !== 'object' || object.metadata === null)
    return [aside('field-missing', `${place}: metadata`, shown(object.metadata), 'an object')]
  if (typeof object.metadata.name !== 'string' || object.metadata.name === '') {
    problems.push(aside('field-missing', `${place}: metadata.name`, shown(object.metadata.name), 'a text'))
  }
  problems.push(...kindProblems(object, place), ...labelProblems(object, place), ...annotationProblems(object, place))
  if (problems.length === 0) problems.push(...selectorProblems(object, place))
  return problems
}

function kindProblems(object: KubeObject, place: string): readonly ClusterProblem[] {
  const { group } = parseApiVersion(object.apiVersion)
  if (!isBuiltInGroup(group)) {
    if (group.includes('.')) return []
    return [
      aside(
        'kind-unknown',
        `${place}: apiVersion`,
        object.apiVersion,
        'the version of an API group that is built in, or of a custom one, which has a dot',
      ),
    ]
  }
  const kinds = builtInKinds(group)
  if (kinds.includes(object.kind)) return []
  const nearest = nearestKind(object.kind, kinds)
  const hint = nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`
  return [aside('kind-unknown', `${place}: kind`, object.kind, `a kind of ${object.apiVersion}${hint}`)]
}

function labelProblems(object: KubeObject, place: string): readonly ClusterProblem[] {
  return (['labels', 'annotations'] as const).flatMap(field => {
    const map: unknown = object.metadata[field]
    if (map === undefined || map === null) return []
    const at = `${place}: metadata.${field}`
    if (typeof map !== 'object' || Array.isArray(map)) return [aside('field-type', at, shown(map), 'a map of texts')]
    const wrong = Object.entries(map).find(([, value]) => typeof value !== 'string')
    return wrong === undefined
      ? []
      : [aside('field-type', `${at}[${wrong[0]}]`, shown(wrong[1]), 'a text (quote numbers and truth values)')]
  })
}

function annotationProblems(object: KubeObject, place: string): readonly ClusterProblem[] {
  const annotations: unknown = object.metadata.annotations
  if (typeof annotations !== 'object' || annotations === null) return []
  let bytes = 0
  for (const [key, value] of Object.entries(annotations))
    bytes += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0)
  if (bytes <= annotationBytesLimit) return []
  return [
    aside('annotations-too-large', `${place}: metadata.annotations`, `${bytes} bytes`, `at most ${annotationBytesLimit} bytes`),
  ]
}

const kindsWithSelectors: ReadonlySet<string> = new Set([
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'PodDisruptionBudget',
])

function selectorProblems(object: KubeObject, place: string): readonly ClusterProblem[] {
  if (!kindsWithSelectors.has(object.kind)) return []
  const spec = fieldsOf(object['spec'])
  const problems = selectorProblem(spec['selector'], `${place}: spec.selector`)
  if (object.kind !== 'PodDisruptionBudget') return problems
  const budgets = (['minAvailable', 'maxUnavailable'] as const).flatMap(field =>
    spec[field] === undefined ? [] : problemOf(parseScaledValue(spec[field], 100, 'up', `${place}: spec.${field}`)),
  )
  return [...problems, ...budgets]
}

/** What is wrong with a node beyond `checkedObject`. */
export function nodeProblems(object: KubeObject, place: string): readonly ClusterProblem[] {
  const status = fieldsOf(object['status'])
  return (['allocatable', 'capacity'] as const).flatMap(field => amountProblems(status[field], `${place}: status.${field}`))
}

/** What is wrong with a pod beyond `checkedObject`. */
export function podProblems(object: KubeObject, place: string): readonly ClusterProblem[] {
  const spec = fieldsOf(object['spec'])
  const problems: ClusterProblem[] = []
  if (!Array.isArray(spec['containers']))
    problems.push(aside('field-missing', `${place}: spec.containers`, shown(spec['containers']), 'a list of containers'))
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [index, container] of listOf(spec[field]).entries()) {
      const at = `${place}: spec.${field}[${index}]`
      if (typeof container !== 'object' || container === null)
        problems.push(aside('field-type', at, shown(container), 'a container'))
      problems.push(...amountProblems(fieldsOf(fieldsOf(container)['resources'])['requests'], `${at}.resources.requests`))
    }
  }
  problems.push(...amountProblems(spec['overhead'], `${place}: spec.overhead`))
  problems.push(...amountProblems(fieldsOf(spec['resources'])['requests'], `${place}: spec.resources.requests`))
  problems.push(...affinityProblems(spec['affinity'], `${place}: spec.affinity`))
  for (const [index, constraint] of listOf(spec['topologySpreadConstraints']).entries()) {
    const at = `${place}: spec.topologySpreadConstraints[${index}]`
    problems.push(...selectorProblem(fieldsOf(constraint)['labelSelector'], `${at}.labelSelector`))
  }
  return problems
}

const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'

function affinityProblems(value: unknown, place: string): readonly ClusterProblem[] {
  const affinity = fieldsOf(value)
  return (['podAffinity', 'podAntiAffinity'] as const).flatMap(side => {
    const terms = [
      ...listOf(fieldsOf(affinity[side])[required]).map((term, index) => ({
        term,
        at: `${place}.${side}.${required}[${index}]`,
      })),
      ...listOf(fieldsOf(affinity[side])[preferred]).map((term, index) => ({
        term: fieldsOf(term)['podAffinityTerm'],
        at: `${place}.${side}.${preferred}[${index}].podAffinityTerm`,
      })),
    ]
    return terms.flatMap(({ term, at }) => [
      ...selectorProblem(fieldsOf(term)['labelSelector'], `${at}.labelSelector`),
      ...selectorProblem(fieldsOf(term)['namespaceSelector'], `${at}.namespaceSelector`),
    ])
  })
}

function selectorProblem(value: unknown, place: string): readonly ClusterProblem[] {
  if (value === undefined || value === null) return []
  // `labelSelectorOf` checks every part of what it is given.
  return problemOf(labelSelectorOf(value as Parameters<typeof labelSelectorOf>[0], place))
}

function amountProblems(list: unknown, place: string): readonly ClusterProblem[] {
  if (list === undefined || list === null) return []
  if (typeof list !== 'object' || Array.isArray(list)) return [aside('field-type', place, shown(list), 'a map of quantities')]
  return Object.entries(list).flatMap(([resource, value]) =>
    problemOf(resource === 'cpu' ? cpuMillicores(value, `${place}.${resource}`) : wholeNumber(value, `${place}.${resource}`)),
  )
}

function problemOf(parsed: Parsed<unknown>): readonly ClusterProblem[] {
  return parsed.ok ? [] : [{ ...parsed.problem, isFatal: false }]
}

function aside(code: string, where: string, found: string, expected: string): ClusterProblem {
  return { code, where, found, expected, isFatal: false }
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value))
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
