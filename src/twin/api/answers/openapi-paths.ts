// Operations of OpenAPI documents: as much as clients look at, which is kinds, actions and query parameters.
import type { Draft } from '../../json-value.ts'
import type { ResourceType, Subresource } from '../resource-type.ts'
import { gvkOf } from './openapi-components.ts'

const parameter = (name: string, type = 'string'): Draft => ({ name, in: 'query', schema: { type, uniqueItems: true } })
const pathParameter = (name: string): Draft => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
})

const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation'].map(name => parameter(name))
const patchParameters = [...writeParameters, parameter('force', 'boolean')]
const deleteParameters = [
  parameter('dryRun'),
  parameter('gracePeriodSeconds', 'integer'),
  parameter('orphanDependents', 'boolean'),
  parameter('propagationPolicy'),
]
const listParameters = [
  parameter('allowWatchBookmarks', 'boolean'),
  parameter('continue'),
  parameter('fieldSelector'),
  parameter('labelSelector'),
  parameter('limit', 'integer'),
  parameter('resourceVersion'),
  parameter('resourceVersionMatch'),
  parameter('sendInitialEvents', 'boolean'),
  parameter('timeoutSeconds', 'integer'),
  parameter('watch', 'boolean'),
]

/** Path → operations of a resource and its subresources. `component` is the schema of its kind. */
export function pathsOf(type: ResourceType, component: string | undefined): Draft {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const collection = type.isNamespaced ? `${root}/namespaces/{namespace}/${type.plural}` : `${root}/${type.plural}`
  const places = type.isNamespaced ? [pathParameter('namespace')] : []
  const paths: Draft = {
    [collection]: { ...collectionOperations(type, component), ...(places.length === 0 ? {} : { parameters: places }) },
  }
  if (type.isNamespaced && type.verbs.includes('list'))
    paths[`${root}/${type.plural}`] = { get: operation(type, 'list', component, listParameters) }
  const object = objectOperations(type, component)
  if (Object.keys(object).length > 0)
    paths[`${collection}/{name}`] = { ...object, parameters: [pathParameter('name'), ...places] }
  for (const subresource of type.subresources) {
    paths[`${collection}/{name}/${subresource.name}`] = {
      ...subresourceOperations(type, subresource),
      parameters: [pathParameter('name'), ...places],
    }
  }
  return paths
}

function operation(
  type: Pick<ResourceType, 'group' | 'version' | 'kind'>,
  action: string,
  component: string | undefined,
  parameters: readonly Draft[],
): Draft {
  const content =
    component === undefined ? {} : { content: { 'application/json': { schema: { $ref: `#/components/schemas/${component}` } } } }
  return {
    description: `${action} ${type.kind}`,
    parameters,
    responses: { 200: { description: 'OK', ...content } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvkOf(type),
  }
}

function collectionOperations(type: ResourceType, component: string | undefined): Draft {
  const has = (verb: string) => type.verbs.includes(verb)
  return {
    ...(has('list') ? { get: operation(type, 'list', component, listParameters) } : {}),
    ...(has('create') ? { post: operation(type, 'post', component, writeParameters) } : {}),
    ...(has('deletecollection')
      ? { delete: operation(type, 'deletecollection', component, [...deleteParameters, ...listParameters]) }
      : {}),
  }
}

function objectOperations(type: ResourceType, component: string | undefined): Draft {
  const has = (verb: string) => type.verbs.includes(verb)
  return {
    ...(has('get') ? { get: operation(type, 'get', component, []) } : {}),
    ...(has('update') ? { put: operation(type, 'put', component, writeParameters) } : {}),
    ...(has('patch') ? { patch: operation(type, 'patch', component, patchParameters) } : {}),
    ...(has('delete') ? { delete: operation(type, 'delete', component, deleteParameters) } : {}),
  }
}

function subresourceOperations(type: ResourceType, subresource: Subresource): Draft {
  const kind = { group: subresource.group ?? type.group, version: subresource.version ?? type.version, kind: subresource.kind }
  const methods: Readonly<Record<string, readonly [string, string]>> = {
    create: ['post', 'post'],
    get: ['get', 'get'],
    update: ['put', 'put'],
    patch: ['patch', 'patch'],
    delete: ['delete', 'delete'],
  }
  return Object.fromEntries(
    subresource.verbs.flatMap(verb => {
      const method = methods[verb]
      if (method === undefined) return []
      const parameters = verb === 'get' ? [] : verb === 'patch' ? patchParameters : writeParameters
      return [[method[0], operation(kind, method[1], undefined, parameters)] as const]
    }),
  )
}
