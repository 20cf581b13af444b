// What a server says that it serves: kinds with their verbs and subresources (discovery), and the fields of each (OpenAPI v3).
import type { ApiClient } from '../control-plane/api-client.ts'

/** A node of an OpenAPI v3 schema. */
interface SchemaNode {
  readonly $ref?: string
  readonly allOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly items?: SchemaNode
  readonly additionalProperties?: SchemaNode
}

export type FieldType =
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, () => FieldType>; readonly required: readonly string[] }
  | { readonly kind: 'map'; readonly value: () => FieldType }
  | { readonly kind: 'list'; readonly item: () => FieldType }
  | { readonly kind: 'string'; readonly format: string; readonly choices: readonly string[] }
  | { readonly kind: 'integer'; readonly is64: boolean }
  | { readonly kind: 'number' | 'boolean' | 'quantity' | 'int-or-string' | 'any' }

export interface ServedKind {
  /** `Deployment.apps`: kind and group. */
  readonly name: string
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly isNamespaced: boolean
  readonly verbs: readonly string[]
  readonly subresources: readonly string[]
  readonly type: FieldType
}

interface ResourceList {
  readonly groupVersion: string
  readonly resources: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
    readonly verbs: readonly string[]
  }[]
}

/** Every kind that can be created, in the order of discovery. @throws Error where a kind has no schema */
export async function servedKinds(client: Pick<ApiClient, 'send'>): Promise<readonly ServedKind[]> {
  const got = async (path: string) => {
    const { status, body } = await client.send('GET', path)
    if (status !== 200) throw new Error(`GET ${path}: ${status}`)
    return body
  }
  const groups = (await got('/apis')) as { groups: { versions: { groupVersion: string }[] }[] }
  const versions = ['v1', ...groups.groups.flatMap(group => group.versions.map(version => version.groupVersion))]
  const kinds: ServedKind[] = []
  for (const version of versions) {
    const path = version === 'v1' ? 'api/v1' : `apis/${version}`
    const { resources } = (await got(`/${path}`)) as ResourceList
    const creatable = resources.filter(({ name, verbs }) => verbs.includes('create') && !name.includes('/'))
    if (creatable.length === 0) continue
    const schemas = schemasOf(await got(`/openapi/v3/${path}`))
    for (const { name, kind, namespaced, verbs } of creatable) {
      const type = schemas.typeOf(version, kind)
      if (type === undefined) throw new Error(`${version} ${kind} has no schema in /openapi/v3/${path}`)
      const [group = ''] = version.includes('/') ? version.split('/') : []
      kinds.push({
        name: group === '' ? kind : `${kind}.${group}`,
        apiVersion: version,
        kind,
        plural: name,
        isNamespaced: namespaced,
        verbs,
        subresources: resources
          .filter(other => other.name.startsWith(`${name}/`))
          .map(other => other.name.slice(name.length + 1)),
        type,
      })
    }
  }
  return kinds
}

function schemasOf(document: unknown) {
  const { components } = document as { components: { schemas: Readonly<Record<string, SchemaNode & Marked>> } }
  return {
    typeOf(apiVersion: string, kind: string): FieldType | undefined {
      const found = Object.values(components.schemas).find(schema =>
        schema['x-kubernetes-group-version-kind']?.some(
          marked =>
            marked.kind === kind && (marked.group === '' ? marked.version : `${marked.group}/${marked.version}`) === apiVersion,
        ),
      )
      return found === undefined ? undefined : fieldType(found, components.schemas)
    },
  }
}

interface Marked {
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string
    readonly version: string
    readonly kind: string
  }[]
}

function fieldType(node: SchemaNode, schemas: Readonly<Record<string, SchemaNode>>): FieldType {
  const reference = node.$ref ?? (node.allOf?.length === 1 ? node.allOf[0]?.$ref : undefined)
  if (reference !== undefined) {
    const name = reference.split('/').at(-1) ?? ''
    if (name.endsWith('.resource.Quantity')) return { kind: 'quantity' }
    if (name.endsWith('.intstr.IntOrString')) return { kind: 'int-or-string' }
    const target = schemas[name]
    return target === undefined ? { kind: 'any' } : fieldType(target, schemas)
  }
  const later = (inner: SchemaNode) => () => fieldType(inner, schemas)
  if (node.properties !== undefined) {
    const fields = new Map(Object.entries(node.properties).map(([name, inner]) => [name, later(inner)] as const))
    return { kind: 'object', fields, required: node.required ?? [] }
  }
  if (node.additionalProperties !== undefined) return { kind: 'map', value: later(node.additionalProperties) }
  if (node.items !== undefined) return { kind: 'list', item: later(node.items) }
  switch (node.type) {
    case 'string':
      return {
        kind: 'string',
        format: node.format ?? '',
        choices: (node.enum ?? []).filter((choice): choice is string => typeof choice === 'string'),
      }
    case 'integer':
      return { kind: 'integer', is64: node.format === 'int64' }
    case 'number':
    case 'boolean':
      return { kind: node.type }
    default:
      return { kind: 'any' }
  }
}
