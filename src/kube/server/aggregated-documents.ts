// What a server behind an API server says of itself: discovery, legacy and aggregated, and OpenAPI of both versions. Made once.
import { createHash } from 'node:crypto'
import { versionOrder } from '../objects/api-versions.ts'
import { type AggregatedApi, type AggregatedResource, allResources, resourceVerbs } from './aggregated-api.ts'
import { discoveryVersion } from './media-types.ts'

export interface Document {
  readonly contentType: string
  readonly body: string
  readonly etag: string
}

type Fields = Readonly<Record<string, unknown>>

const json = 'application/json'

/** The documents by path. */
export class AggregatedDocuments {
  readonly #apis: readonly AggregatedApi[]
  readonly #made = new Map<string, Document>()
  readonly #title: { readonly title: string; readonly version: string }

  constructor(apis: readonly AggregatedApi[], version: string, title = 'Ballast') {
    this.#apis = apis
    this.#title = { title, version }
  }

  /** The document at `path` in the form that `accept` asks for; undefined for other paths. */
  at(path: string, accept: string): Document | undefined {
    const place = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
    const form = place === '/apis' ? (discoveryVersion(accept) ?? '') : ''
    const key = `${place} ${form}`
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const content = this.#content(place, form)
    if (content === undefined) return undefined
    const body = `${JSON.stringify(content)}\n`
    const contentType = form === '' ? json : `${json};g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`
    const made = { contentType, body, etag: `"${hashOf(body)}"` }
    this.#made.set(key, made)
    return made
  }

  #content(place: string, form: string): Fields | undefined {
    const groups = groupsOf(this.#apis)
    if (place === '/apis') {
      if (form !== '') return aggregatedDiscovery(groups, form)
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupDocument) }
    }
    if (place === '/openapi/v2') return openApiVersion2(this.#apis, this.#title)
    if (place === '/openapi/v3') return this.#openApiIndex()
    const prefix = '/openapi/v3/'
    if (place.startsWith(prefix)) {
      const api = this.#apis.find(({ group, version }) => place === `${prefix}apis/${group}/${version}`)
      return api === undefined ? undefined : openApiVersion3(api, this.#title)
    }
    const group = groups.find(({ name }) => place === `/apis/${name}`)
    if (group !== undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) }
    const api = this.#apis.find(({ group: name, version }) => place === `/apis/${name}/${version}`)
    return api === undefined ? undefined : resourceList(api)
  }

  #openApiIndex(): Fields {
    const places = this.#apis.map(({ group, version }) => `apis/${group}/${version}`)
    return {
      paths: Object.fromEntries(
        places.map(place => {
          const hash = this.at(`/openapi/v3/${place}`, '')?.etag.replaceAll('"', '') ?? ''
          return [place, { serverRelativeURL: `/openapi/v3/${place}?hash=${hash}` }]
        }),
      ),
    }
  }
}

function hashOf(text: string): string {
  return createHash('sha512').update(text).digest('hex').toUpperCase()
}

interface Group {
  readonly name: string
  /** The preferred one first. */
  readonly apis: readonly AggregatedApi[]
}

function groupsOf(apis: readonly AggregatedApi[]): readonly Group[] {
  const names = [...new Set(apis.map(({ group }) => group))]
  return names.map(name => ({
    name,
    apis: apis.filter(({ group }) => group === name).toSorted((left, right) => versionOrder(left.version, right.version)),
  }))
}

function groupDocument({ name, apis }: Group): Fields {
  const versions = apis.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions, preferredVersion: versions[0] }
}

function namesOf({ shortNames = [], categories = [] }: AggregatedResource): Fields {
  return {
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  }
}

function resourceList(api: AggregatedApi): Fields {
  const resources = allResources(api).map(resource => ({
    name: resource.name,
    singularName: resource.singularName ?? '',
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resourceVerbs(resource),
    ...namesOf(resource),
  }))
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${api.group}/${api.version}`, resources }
}

function aggregatedDiscovery(groups: readonly Group[], form: string): Fields {
  const items = groups.map(({ name, apis }) => ({
    metadata: { name, creationTimestamp: null },
    versions: apis.map(api => ({
      version: api.version,
      resources: allResources(api).map(resource => ({
        resource: resource.name,
        responseKind: { group: api.group, version: api.version, kind: resource.kind },
        scope: resource.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: resource.singularName ?? '',
        verbs: resourceVerbs(resource),
        ...namesOf(resource),
      })),
      freshness: 'Current',
    })),
  }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${form}`, metadata: {}, items }
}

/** `io.k8s.metrics.v1beta1.NodeMetrics`: the group backwards, as definitions are named. */
function definitionName({ group, version }: AggregatedApi, kind: string): string {
  return [...group.split('.').toReversed(), version, kind].join('.')
}

function definitionsOf(api: AggregatedApi, reference: (name: string) => string): Fields {
  const named = allResources(api).flatMap(resource => {
    const kindOf = (kind: string) => [{ group: api.group, version: api.version, kind }]
    const properties = typeof resource.schema['properties'] === 'object' ? resource.schema['properties'] : {}
    const object = {
      type: 'object',
      ...resource.schema,
      properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, ...properties },
      'x-kubernetes-group-version-kind': kindOf(resource.kind),
    }
    const items = { type: 'array', items: { $ref: reference(definitionName(api, resource.kind)) } }
    const list = {
      type: 'object',
      required: ['items'],
      properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, items },
      'x-kubernetes-group-version-kind': kindOf(listKindOf(api, resource)),
    }
    return [
      [definitionName(api, resource.kind), object],
      [definitionName(api, listKindOf(api, resource)), list],
    ] as const
  })
  return Object.fromEntries(named)
}

/** `NodeMetricsList`. */
export function listKindOf(api: AggregatedApi, { kind }: AggregatedResource): string {
  return api.listKind?.(kind) ?? `${kind}List`
}

/** Paths with their operations; `answer` frames the schema of an answer as the version of OpenAPI has it. */
function pathsOf(api: AggregatedApi, answer: (name: string) => Fields): Fields {
  const paths: Record<string, Fields> = {}
  for (const resource of allResources(api)) {
    const root = `/apis/${api.group}/${api.version}`
    const base = resource.namespaced ? `${root}/namespaces/{namespace}/${resource.name}` : `${root}/${resource.name}`
    const parameters = resource.namespaced ? ['namespace'] : []
    const operation = (action: 'get' | 'list', kind: string, names: readonly string[]): Fields => ({
      get: {
        tags: [`${api.group}_${api.version}`.replaceAll('.', '_')],
        operationId: `${action}${resource.namespaced ? 'Namespaced' : ''}${resource.kind}_${api.group}_${api.version}`.replaceAll(
          '.',
          '_',
        ),
        'x-kubernetes-action': action,
        'x-kubernetes-group-version-kind': { group: api.group, version: api.version, kind: resource.kind },
        ...answer(definitionName(api, kind)),
      },
      parameters: names.map(name => pathParameter(name, answer === version2Answer)),
    })
    if (resource.list !== undefined) paths[base] = operation('list', listKindOf(api, resource), parameters)
    if (resource.get !== undefined) paths[`${base}/{name}`] = operation('get', resource.kind, [...parameters, 'name'])
  }
  return paths
}

function pathParameter(name: string, isVersion2: boolean): Fields {
  const type = isVersion2 ? { type: 'string', uniqueItems: true } : { schema: { type: 'string' } }
  return { name, in: 'path', required: true, ...type }
}

const version2Reference = (name: string) => `#/definitions/${name}`
const version3Reference = (name: string) => `#/components/schemas/${name}`

const version2Answer = (name: string): Fields => ({
  produces: [json],
  responses: { 200: { description: 'OK', schema: { $ref: version2Reference(name) } } },
})

const version3Answer = (name: string): Fields => ({
  responses: { 200: { description: 'OK', content: { [json]: { schema: { $ref: version3Reference(name) } } } } },
})

function openApiVersion2(apis: readonly AggregatedApi[], info: Fields): Fields {
  return {
    swagger: '2.0',
    info,
    paths: Object.assign({}, ...apis.map(api => pathsOf(api, version2Answer))),
    definitions: Object.assign({}, ...apis.map(api => definitionsOf(api, version2Reference))),
  }
}

function openApiVersion3(api: AggregatedApi, info: Fields): Fields {
  return {
    openapi: '3.0.0',
    info,
    paths: pathsOf(api, version3Answer),
    components: { schemas: definitionsOf(api, version3Reference) },
  }
}
