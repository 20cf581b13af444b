// What cannot be right about an object that came from outside, said as problems with the place in file, document, object and field.

import { annotationBytesLimit } from '#kube/objects/names.ts'
import type { KubeObject, LabelSelector } from '#kube/objects/objects.ts'
import { parseApiVersion } from '#kube/objects/resource.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import type { Parsed, Problem } from '#kube/problem.ts'
import { parseScaledValue } from '#kube/values/int-or-string.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'
import { builtInKinds, isBuiltInGroup, nearestKind } from './kinds.ts'
import { labelSelectorShape, type Shape, shapeOfKind } from './object-shapes.ts'
import { type SortedMap, SortedMapEditor } from './sorted-map.ts'

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
  if (problems.length === 0) checkShape(object, shape, { at: `${place}: `, problems })
  return problems
}

/** Adds the fields that are not what `shape` says. Null is absent. Every object that comes passes here: what is right costs no list. */
function checkShape(value: unknown, shape: Shape, { at, problems }: Check): void {
  const wrong = (expected: string) => aside('field-type', at, shown(value), expected)
  switch (shape.kind) {
    case 'text':
      if (typeof value !== 'string') problems.push(wrong('a text'))
      return
    case 'number':
      if (!Number.isSafeInteger(value)) problems.push(wrong('a whole number'))
      return
    case 'flag':
      if (typeof value !== 'boolean') problems.push(wrong('true or false'))
      return
    case 'quantity':
      problems.push(...problemOf(wholeNumber(value, at)))
      return
    case 'share':
      problems.push(...problemOf(parseScaledValue(value, 100, 'up', at)))
      return
    case 'selector': {
      const before = problems.length
      checkShape(value, labelSelectorShape, { at, problems })
      // Its shape has just been checked.
      if (problems.length === before) problems.push(...problemOf(labelSelectorOf(value as LabelSelector, at)))
      return
    }
    case 'texts':
      if (!isRecord(value)) {
        problems.push(wrong('a map of texts'))
        return
      }
      for (const key of Object.keys(value))
        if (typeof value[key] !== 'string') checkShape(value[key], { kind: 'text' }, { at: `${at}[${key}]`, problems })
      return
    case 'quantities':
      if (!isRecord(value)) {
        problems.push(wrong('a map of quantities'))
        return
      }
      for (const resource of Object.keys(value)) {
        const place = `${at}.${resource}`
        const parsed = resource === 'cpu' ? cpuMillicores(value[resource], place) : wholeNumber(value[resource], place)
        if (!parsed.ok) problems.push(...problemOf(parsed))
      }
      return
    case 'map':
      if (!isRecord(value)) {
        problems.push(wrong('a map'))
        return
      }
      for (const key of Object.keys(value)) checkShape(value[key], shape.items, { at: `${at}[${key}]`, problems })
      return
    case 'list':
      if (!Array.isArray(value)) {
        problems.push(wrong('a list'))
        return
      }
      for (let index = 0; index < value.length; index++)
        checkShape(value[index], shape.items, { at: `${at}[${index}]`, problems })
      return
    case 'fields':
      if (!isRecord(value)) {
        problems.push(wrong('an object'))
        return
      }
      checkFields(value, shape, { at: at.endsWith(': ') ? at : `${at}.`, problems })
  }
}

function checkFields(
  value: Readonly<Record<string, unknown>>,
  shape: Shape & { readonly kind: 'fields' },
  { at, problems }: Check,
): void {
  for (const field of shape.names) {
    const inner = shape.fields[field]
    const found = Object.hasOwn(value, field) ? value[field] : undefined
    if (inner === undefined || (inner.kind === 'text' && typeof found === 'string')) continue
    if (found !== undefined && found !== null) checkShape(found, inner, { at: `${at}${field}`, problems })
    else if (shape.needed.includes(field)) problems.push(aside('field-missing', `${at}${field}`, 'nothing', neededText(inner)))
  }
}

/** Where we are, and what was found. */
interface Check {
  readonly at: string
  readonly problems: ClusterProblem[]
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
  return value === undefined ? 'nothing' : typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value))
}

/** Objects that are set aside, with what is wrong with each, in order of their places. */
export class SetAside {
  readonly #keys = new Map<KubeObject, string>()
  readonly #problems = new SortedMapEditor<readonly ClusterProblem[]>()
  #count = 0

  has(object: KubeObject): boolean {
    return this.#keys.has(object)
  }

  /** What is wrong with `object`; told again, it is that instead. */
  set(object: KubeObject, problems: readonly ClusterProblem[]): void {
    // Two objects of one name are in one place.
    const key = this.#keys.get(object) ?? `${placeOf(object, undefined)} ${this.#count++}`
    this.#keys.set(object, key)
    this.#problems.set(key, problems)
  }

  delete(object: KubeObject): void {
    const key = this.#keys.get(object)
    if (key === undefined) return
    this.#keys.delete(object)
    this.#problems.delete(key)
  }

  snapshot(): SortedMap<readonly ClusterProblem[]> {
    return this.#problems.snapshot()
  }
}
