// What the types of the kinds that a ValidatingAdmissionPolicy matches say of its expressions. They warn; the policy is taken as it is.
import { checkCel } from '#kube/cel/cel-check.ts'
import { type CelType, dynType } from '#kube/cel/cel-types.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, textAt } from '../../json-value.ts'
import { byteOrder } from '../../ordered-objects.ts'
import { componentNameOf, customComponents, definitionComponents } from '../answers/openapi-components.ts'
import { groupVersion, type ResourceType, splitApiVersion } from '../resource-type.ts'
import { declaredType } from '../validation/definition-types.ts'
import { policyEnvironment, variableType } from './policy-environment.ts'

export interface ExpressionWarning {
  readonly fieldRef: string
  readonly warning: string
}

/** A rule brings no more kinds than these, and ends the search where it brings as many. */
const mostKindsOfRule = 10

/** @param types what is served @param mark a number that types are told apart by, in the words of the warnings */
export function expressionWarnings(
  policy: KubeObject,
  types: readonly ResourceType[],
  mark: number,
): readonly ExpressionWarning[] {
  const spec = fieldsAt(policy, 'spec') ?? {}
  const typeOf = (type: ResourceType | undefined): CelType | undefined =>
    type === undefined ? undefined : declaredType(schemaOf(type), `${type.kind}${mark}`, true)?.type
  const reference = fieldsAt(spec, 'paramKind')
  const { group, version } = splitApiVersion(textAt(reference, 'apiVersion') ?? '')
  const params =
    reference === undefined
      ? {}
      : { params: { type: typeOf(types.find(type => isKind(type, group, version, textAt(reference, 'kind') ?? ''))) } }
  const matched = matchedTypes(spec, types).map(type => {
    const object = typeOf(type)
    const variables = new Map<string, CelType>()
    for (const { name, expression } of itemsAt(spec, 'variables')) {
      const outcome = checkCel(String(expression), policyEnvironment({ object, ...params, variables }))
      variables.set(String(name), outcome.ok ? variableType(outcome.checked.type) : dynType)
    }
    return {
      kind: `${type.group}/${type.version}, Kind=${type.kind}`,
      names: policyEnvironment({ object, ...params, variables }),
    }
  })
  return itemsAt(spec, 'validations').flatMap((validation, at) =>
    ['expression', 'messageExpression'].flatMap(field => {
      const expression = textAt(validation, field) ?? ''
      if (expression === '') return []
      const problems = matched.flatMap(({ kind, names }) => {
        const outcome = checkCel(expression, names)
        return outcome.ok ? [] : [`${kind}: ${outcome.problem}\n`]
      })
      return problems.length === 0 ? [] : [{ fieldRef: `spec.validations[${at}].${field}`, warning: problems.join('\n') }]
    }),
  )
}

function isKind(type: ResourceType, group: string, version: string, kind: string): boolean {
  return type.group === group && type.version === version && type.kind === kind
}

/** The types of the kinds that the rules name in full, by group, version and kind. */
function matchedTypes(spec: Draft, types: readonly ResourceType[]): readonly ResourceType[] {
  const found = new Set<ResourceType>()
  for (const rule of itemsAt(spec, 'matchConstraints', 'resourceRules')) {
    const [groups, versions, resources] = ['apiGroups', 'apiVersions', 'resources'].map(name =>
      listAt(rule, name).map(String).toSorted(byteOrder),
    )
    if ([groups, versions].some(names => names?.some(name => name.includes('*')))) continue
    let count = 0
    for (const group of groups ?? [])
      for (const version of versions ?? [])
        for (const resource of (resources ?? []).filter(name => !/[*/]/.test(name)))
          for (const type of types.filter(one => isNamed(one, group, version, resource))) {
            found.add(type)
            if (++count === mostKindsOfRule) return inOrder(found)
          }
  }
  return inOrder(found)
}

/** Discovery finds a resource by either of its names, and without a group in all groups. */
function isNamed(type: ResourceType, group: string, version: string, resource: string): boolean {
  return (
    (group === '' || type.group === group) && type.version === version && (type.plural === resource || type.singular === resource)
  )
}

function inOrder(found: ReadonlySet<ResourceType>): readonly ResourceType[] {
  return [...found].toSorted(
    (left, right) =>
      byteOrder(left.group, right.group) || byteOrder(left.version, right.version) || byteOrder(left.kind, right.kind),
  )
}

const schemas = new WeakMap<ResourceType, Draft>()

/** The published schema of a kind, with what it refers to in its places. */
function schemaOf(type: ResourceType): Draft {
  let schema = schemas.get(type)
  if (schema === undefined) {
    const name = componentNameOf(type) ?? groupVersion(type.group, type.version)
    const components = type.custom === undefined ? definitionComponents(type) : customComponents(type)
    schema = populated(components, { $ref: `${referencePrefix}${name}` }, new Set())
    schemas.set(type, schema)
  }
  return schema
}

const referencePrefix = '#/components/schemas/'

/** A schema that refers to itself is an object without fields there. */
function populated(components: Draft, given: Draft, visited: ReadonlySet<string>): Draft {
  const reference = referenceOf(given)
  if (reference !== undefined) {
    if (visited.has(reference)) return { type: 'object' }
    const target = fieldsAt(components, reference)
    return target === undefined ? {} : populated(components, target, new Set([...visited, reference]))
  }
  const inner = (schema: unknown) => (isFields(schema) ? populated(components, schema, visited) : schema)
  const schema: Draft = { ...given }
  if (schema['format'] === 'int-or-string') schema['x-kubernetes-int-or-string'] = true
  for (const name of ['items', 'additionalProperties']) if (isFields(schema[name])) schema[name] = inner(schema[name])
  const properties = fieldsAt(schema, 'properties')
  if (properties !== undefined)
    schema['properties'] = Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, inner(part)]))
  return schema
}

/** A reference may be wrapped, so that more can be said beside it. */
function referenceOf(schema: Draft): string | undefined {
  const own = textAt(schema, '$ref')
  const found = own ?? itemsAt(schema, 'allOf').map(part => textAt(part, '$ref'))[0]
  return found?.slice(referencePrefix.length)
}
