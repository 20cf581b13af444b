// What cannot be right about an object that came from outside, said as problems with the place in file, document, object and field.

import { parseScaledValue } from '#kube/int-or-string.ts'
import { annotationBytesLimit } from '#kube/names.ts'
import type { KubeObject, LabelSelector } from '#kube/objects.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import { cpuMillicores, wholeNumber } from '#kube/quantity.ts'
import { parseApiVersion } from '#kube/resource.ts'
import { labelSelectorOf } from '#kube/selector.ts'
import { builtInKinds, isBuiltInGroup, nearestKind } from './kinds.ts'
import { labelSelectorShape, type Shape, shapeOfKind } from './object-shapes.ts'

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

/** What is wrong with any object whatever its kind, and with the fields that the model reads of its kind. */
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
  const { group } = parseApiVersion(object.apiVersion)
  const shape = isBuiltInGroup(group) ? shapeOfKind(object.kind) : shapeOfKind('')
  if (problems.length === 0) problems.push(...shapeProblems(object, shape, `${place}: `))
  return problems
}

/** Fields that are not what `shape` says. Null is absent. */
function shapeProblems(value: unknown, shape: Shape, at: string): readonly ClusterProblem[] {
  const wrong = (expected: string) => [aside('field-type', at, shown(value), expected)]
  switch (shape.kind) {
    case 'text':
      return typeof value === 'string' ? [] : wrong('a text')
    case 'number':
      return Number.isSafeInteger(value) ? [] : wrong('a whole number')
    case 'flag':
      return typeof value === 'boolean' ? [] : wrong('true or false')
    case 'quantity':
      return problemOf(wholeNumber(value, at))
    case 'share':
      return problemOf(parseScaledValue(value, 100, 'up', at))
    case 'selector': {
      const problems = shapeProblems(value, labelSelectorShape, at)
      // Its shape has just been checked.
      return problems.length > 0 ? problems : problemOf(labelSelectorOf(value as LabelSelector, at))
    }
    case 'texts':
      if (!isRecord(value)) return wrong('a map of texts')
      return Object.entries(value).flatMap(([key, item]) => shapeProblems(item, { kind: 'text' }, `${at}[${key}]`))
    case 'quantities':
      if (!isRecord(value)) return wrong('a map of quantities')
      return Object.entries(value).flatMap(([resource, item]) =>
        problemOf(resource === 'cpu' ? cpuMillicores(item, `${at}.${resource}`) : wholeNumber(item, `${at}.${resource}`)),
      )
    case 'list':
      if (!Array.isArray(value)) return wrong('a list')
      return value.flatMap((item, index) => shapeProblems(item, shape.items, `${at}[${index}]`))
    case 'fields': {
      if (!isRecord(value)) return wrong('an object')
      const prefix = at.endsWith(': ') ? at : `${at}.`
      return Object.entries(shape.fields).flatMap(([field, inner]) => {
        const found = Object.hasOwn(value, field) ? value[field] : undefined
        if (found !== undefined && found !== null) return shapeProblems(found, inner, `${prefix}${field}`)
        return shape.needed.includes(field) ? [aside('field-missing', `${prefix}${field}`, 'nothing', neededText(inner))] : []
      })
    }
  }
}

function neededText({ kind }: Shape): string {
  return kind === 'list' ? 'a list' : kind === 'text' ? 'a text' : kind === 'number' ? 'a whole number' : 'an object'
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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

function problemOf(parsed: Parsed<unknown>): readonly ClusterProblem[] {
  return parsed.ok ? [] : [{ ...parsed.problem, isFatal: false }]
}

function aside(code: string, where: string, found: string, expected: string): ClusterProblem {
  return { code, where, found, expected, isFatal: false }
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value))
}
