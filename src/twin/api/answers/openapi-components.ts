// Component schemas of OpenAPI documents: shapes from the table, merge rules, and the descriptions `kubectl explain` prints.
import { copyOf, type Draft, fieldsAt, isFields, listAt } from '../../json-value.ts'
import { descriptionOf } from '../../schema/descriptions.ts'
import { atomicMaps, granularFields, isAtomicStruct, listSemantics, patchedStructs } from '../../schema/list-semantics.ts'
import { quantityFields } from '../../schema/quantity-fields.ts'
import { definitionCodes, definitionName, structName } from '../../schema/schema-table.ts'
import type { ResourceType } from '../resource-type.ts'

/** `V1PodSpec` → `io.k8s.api.v1.PodSpec`. */
function componentName(definition: string): string {
  const name = structName(definition)
  return `io.k8s.api.${definition.slice(0, definition.length - name.length).toLowerCase()}.${name}`
}

/** The name of a kind's schema in its document; undefined for kinds without one. */
export function componentNameOf(type: ResourceType): string | undefined {
  if (type.custom !== undefined) return `${type.group.split('.').toReversed().join('.')}.${type.version}.${type.kind}`
  const definition = definitionName(type.group, type.version, type.kind)
  return definition === undefined ? undefined : componentName(definition)
}

/** The schemas of a built-in kind and of everything it refers to, its list and what is sent with requests included. */
export function definitionComponents(type: ResourceType): Draft {
  const root = definitionName(type.group, type.version, type.kind)
  const components: Draft = { ...sharedComponents }
  const queue = [...(root === undefined ? [] : [root]), ...extras(type)]
  for (let definition = queue.pop(); definition !== undefined; definition = queue.pop()) {
    const name = componentName(definition)
    const codes = definitionCodes(definition)
    if (codes === undefined || Object.hasOwn(components, name)) continue
    components[name] = componentOf(definition, codes, definition === root ? type : undefined)
    for (const code of Object.values(codes)) queue.push(...(code.match(/@(\w+)/)?.slice(1) ?? []))
  }
  return components
}

function extras(type: ResourceType): readonly string[] {
  const bodies: Readonly<Record<string, string>> = {
    eviction: 'V1Eviction',
    scale: 'V1Scale',
    token: 'AuthenticationV1TokenRequest',
    binding: 'V1Binding',
  }
  return ['V1DeleteOptions', 'V1Status', ...type.subresources.flatMap(subresource => bodies[subresource.name] ?? [])]
}

function componentOf(definition: string, codes: Readonly<Record<string, string>>, type: ResourceType | undefined): Draft {
  const required = Object.entries(codes).flatMap(([name, code]) => (code.endsWith('!') ? [name] : []))
  const properties = Object.fromEntries(
    Object.entries(codes).map(([name, code]) => [name, propertyOf(definition, name, code.replace(/!$/, ''))]),
  )
  const isAtomic = isAtomicStruct(definition, structName(definition))
  return {
    description: descriptionOf(definition, ''),
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties,
    ...(isAtomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(type === undefined ? {} : { 'x-kubernetes-group-version-kind': [gvkOf(type)] }),
  }
}

export function gvkOf(type: { readonly group: string; readonly version: string; readonly kind: string }): Draft {
  return { group: type.group, version: type.version, kind: type.kind }
}

function propertyOf(definition: string, name: string, code: string): Draft {
  const path = `${structName(definition)}.${name}`
  const description = descriptionOf(definition, name)
  const patch = patchedStructs[path]
  return {
    ...(description === '' ? {} : { description }),
    ...shapeOf(path, code, true),
    ...mergeExtensions(path, code),
    ...(patch === undefined ? {} : { 'x-kubernetes-patch-strategy': patch }),
  }
}

const scalarShapes: Readonly<Record<string, Draft>> = {
  s: { type: 'string' },
  y: { type: 'string', format: 'byte' },
  i: { type: 'integer', format: 'int32' },
  l: { type: 'integer', format: 'int64' },
  n: { type: 'number', format: 'double' },
  b: { type: 'boolean' },
  t: { type: 'string', format: 'date-time' },
  m: { type: 'string', format: 'date-time' },
  '*': {},
}

const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString'
const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity'

/** Scalars with a name of their own: `kubectl explain` shows it. */
const sharedComponents: Draft = {
  [intOrString]: {
    description: 'A whole number, or a text such as a percentage or the name of a port.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [quantity]: {
    description: 'An exact number with a unit such as 500m, 2, 1Gi or 5M.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
}

function shapeOf(path: string, code: string, isField: boolean): Draft {
  const rest = code.slice(1)
  switch (code[0]) {
    case '[':
      return { type: 'array', items: shapeOf(path, rest, false) }
    case '{':
      return { type: 'object', additionalProperties: shapeOf(path, rest, false) }
    case '@':
      return referenceTo(componentName(rest), isField)
    case 'x':
      return referenceTo(intOrString, isField)
    default:
      // What has no shape is an object, but for the values that schemas hold.
      if (code === '*' && !path.startsWith('JSONSchemaProps.')) return { type: 'object' }
      if (code === 's' && quantityFields.has(path)) return referenceTo(quantity, isField)
      return { ...scalarShapes[code] }
  }
}

/** A field has more to say beside the reference. */
function referenceTo(component: string, isField: boolean): Draft {
  const reference = { $ref: `#/components/schemas/${component}` }
  return isField ? { allOf: [reference] } : reference
}

function mergeExtensions(path: string, code: string): Draft {
  if (granularFields.has(path)) return { 'x-kubernetes-map-type': 'granular' }
  if (code.startsWith('{') && atomicMaps.has(path)) return { 'x-kubernetes-map-type': 'atomic' }
  if (!code.startsWith('[')) return {}
  const semantics = listSemantics[path]
  if (semantics === undefined) return { 'x-kubernetes-list-type': 'atomic' }
  const strategy =
    semantics.retainsKeys === true
      ? 'merge,retainKeys'
      : semantics.mergeKey !== undefined || semantics.isMergedSet === true
        ? 'merge'
        : undefined
  return {
    'x-kubernetes-list-type': semantics.list.kind,
    ...(semantics.list.kind === 'map' ? { 'x-kubernetes-list-map-keys': semantics.list.keys } : {}),
    ...(strategy === undefined ? {} : { 'x-kubernetes-patch-strategy': strategy }),
    ...(semantics.mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': semantics.mergeKey }),
  }
}

/** What every object has. */
function objectProperties(): Draft {
  const described = (field: string) => ({ description: descriptionOf('V1Pod', field), type: 'string' })
  return {
    apiVersion: described('apiVersion'),
    kind: described('kind'),
    metadata: {
      description: descriptionOf('V1Pod', 'metadata'),
      allOf: [{ $ref: `#/components/schemas/${componentName('V1ObjectMeta')}` }],
    },
  }
}

/** Objects within a custom object have what every object has. */
function embedObjects(schema: Draft): void {
  const properties = fieldsAt(schema, 'properties') ?? {}
  for (const part of [...Object.values(properties), schema['items'], schema['additionalProperties']])
    if (isFields(part)) embedObjects(part)
  if (schema['x-kubernetes-embedded-resource'] !== true) return
  schema['properties'] = { ...properties, ...objectProperties() }
  schema['required'] = [...new Set([...listAt(schema, 'required'), 'kind', 'apiVersion'])]
}

/** The schema of a custom kind, with metadata as every object has it. */
export function customComponents(type: ResourceType): Draft {
  const name = componentNameOf(type)
  if (name === undefined || type.custom === undefined) return {}
  const schema: Draft = copyOf(type.custom.schema)
  embedObjects(schema)
  const properties: Draft = { ...(isFields(schema['properties']) ? schema['properties'] : {}), ...objectProperties() }
  const components: Draft = { [name]: { ...schema, properties, 'x-kubernetes-group-version-kind': [gvkOf(type)] } }
  for (const definition of [
    'V1ObjectMeta',
    'V1OwnerReference',
    'V1ManagedFieldsEntry',
    'V1DeleteOptions',
    'V1Preconditions',
    'V1Status',
    'V1StatusDetails',
    'V1StatusCause',
    'V1ListMeta',
  ]) {
    const codes = definitionCodes(definition)
    if (codes !== undefined) components[componentName(definition)] = componentOf(definition, codes, undefined)
  }
  return components
}
