// What a server says about itself: discovery in both forms, and the essence of the OpenAPI documents of its group versions.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { VirtualClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { type Comparison, compareAnswers, type FieldDifference } from './fidelity-compare.ts'
import { Identities } from './fidelity-identities.ts'

/** By path. */
export type ServerDocuments = Readonly<Record<string, unknown>>

/** Yields the JSON answer of a server. */
export type Get = (path: string, accept: string) => Promise<unknown>

export const documentsFile = join(import.meta.dirname, 'fixtures', 'server-documents.json.gz')

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/** Reads the documents of a server. Words and hashes are left out: no two versions share them. */
export async function documentsOf(get: Get): Promise<ServerDocuments> {
  const documents: Record<string, unknown> = {}
  for (const root of ['/api', '/apis']) {
    documents[`${root} aggregated`] = await get(root, aggregated)
    documents[root] = await get(root, 'application/json')
  }
  const index = (await get('/openapi/v3', 'application/json')) as { readonly paths: Readonly<Record<string, unknown>> }
  for (const path of Object.keys(index.paths).toSorted()) {
    const isGroupVersion = /^api\/v1$|^apis\/[^/]+\/[^/]+$/.test(path)
    if (isGroupVersion) documents[`/${path}`] = await get(`/${path}`, 'application/json')
    if (isGroupVersion)
      documents[`/openapi/v3/${path}`] = essence((await get(`/openapi/v3/${path}`, 'application/json')) as OpenApi)
  }
  return documents
}

/** The part of an OpenAPI document that clients look at: schemas with their fields, and which paths can do what to which kind. */
function essence(document: OpenApi): unknown {
  const schemas = document.components?.schemas ?? {}
  return {
    schemas: Object.fromEntries(
      Object.entries(schemas)
        .filter(([name, schema]) => schema.properties !== undefined && !isMachinery(name))
        .map(([name, schema]) => [
          shortName(name),
          {
            fields: Object.fromEntries(
              Object.entries(schema.properties ?? {}).map(([field, type]) => [field, typeText(type, schemas)]),
            ),
            required: (schema.required ?? []).toSorted(),
            ...extensions(schema),
          },
        ]),
    ),
    paths: Object.fromEntries(
      Object.entries(document.paths)
        .filter(([path]) => !path.endsWith('/') && !path.includes('/watch/') && !path.includes('{path}'))
        .map(([path, item]) => [path, operations(item)]),
    ),
  }
}

/** Kinds that every group version repeats, and that no object has in it. */
function isMachinery(name: string): boolean {
  return /\.(APIResource|APIResourceList|APIGroup|APIGroupList|APIVersions|DeleteOptions|Status|StatusDetails|StatusCause|Preconditions|WatchEvent|GroupVersionForDiscovery|ServerAddressByClientCIDR|GroupResource)$/.test(
    name,
  )
}

interface Schema {
  readonly type?: string
  readonly format?: string
  readonly $ref?: string
  readonly allOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly additionalProperties?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
}

/** `io.k8s.api.core.v1.Pod` and `io.k8s.api.corev1.Pod` are `v1.Pod`. */
function shortName(name: string): string {
  const [version = '', kind = ''] = name.split('.').slice(-2)
  return `${version.replace(/^[a-z]+(?=v\d)/, '')}.${kind}`
}

function typeText(schema: Schema, schemas: Readonly<Record<string, Schema>>): string {
  const words = Object.entries(extensions(schema)).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  return `${plainType(schema, schemas)}${words.toSorted().join('')}`
}

function plainType(schema: Schema, schemas: Readonly<Record<string, Schema>>): string {
  const reference = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]?.$ref : undefined)
  if (reference !== undefined) {
    const name = reference.split('/').at(-1) ?? ''
    const target = schemas[name]
    // A named scalar is as good as the scalar.
    return target === undefined || target.properties !== undefined ? shortName(name) : plainType(target, schemas)
  }
  if (schema.items !== undefined) return `list of ${plainType(schema.items, schemas)}`
  if (schema.additionalProperties !== undefined) return `map of ${plainType(schema.additionalProperties, schemas)}`
  const types = schema.oneOf?.map(one => one.type).toSorted() ?? [schema.type ?? 'anything']
  return `${types.join(' or ')}${schema.format === undefined ? '' : ` ${schema.format}`}`
}

function extensions(schema: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name.startsWith('x-kubernetes-')))
}

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const

function operations(item: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(
    methods.flatMap(method => {
      const operation = item[method]
      if (typeof operation !== 'object' || operation === null) return []
      return [[method, extensions(operation)]]
    }),
  )
}

export function recordedDocuments(): ServerDocuments {
  return JSON.parse(gunzipSync(readFileSync(documentsFile)).toString()) as ServerDocuments
}

/** Those of a twin that plays the recorded version. */
export async function twinDocuments(): Promise<ServerDocuments> {
  await using twin = await startTwin({ clock: new VirtualClock(0), components: false, kubernetesVersion: '1.36' })
  const transport = twin.transport({ admin: true })
  const { signal } = new AbortController()
  return documentsOf(async (path, accept) => {
    const { body } = await transport.request({ verb: 'GET', path, headers: { accept }, signal })
    return JSON.parse(new TextDecoder().decode(body)) as unknown
  })
}

/** Resources, groups and versions by their names, parameters and enumerations by what they are: order says nothing in these. */
function keyed(value: unknown): unknown {
  if (Array.isArray(value)) {
    const keys = value.map(keyOf)
    if (keys.every(key => key !== undefined) && new Set(keys).size === keys.length)
      return Object.fromEntries(value.map((item, index) => [`[${keys[index]}]`, keyed(item)]))
    return value.map(keyed)
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, keyed(item)]))
}

function keyOf(item: unknown): string | undefined {
  if (typeof item === 'string') return item
  if (typeof item !== 'object' || item === null) return undefined
  for (const name of ['name', 'resource', 'version', 'subresource', '$ref']) {
    const value: unknown = Reflect.get(item, name)
    if (typeof value === 'string') return value
  }
  return 'metadata' in item ? keyOf(item.metadata) : undefined
}

interface DocumentRule {
  /** Path of the document and of the field, with a space between. */
  readonly where: RegExp
  readonly why: string
  readonly toBeMended?: true
}

/** What differs knowingly. */
// biome-ignore format: a table
export const documentRules: readonly DocumentRule[] = [
  { where: /\[metrics\.k8s\.io\]/, why: 'the twin serves metrics.k8s.io by itself' },
  { where: /serverAddressByClientCIDRs/, why: 'the address of a server is its own' },
  { where: /^\/api\/v1 \.apiVersion$/, why: 'upstream leaves the version out of its oldest list; clients take both' },
  { where: /\.schemas\.\S*List\b/, why: 'lists of kinds have no schema of their own here: no client asks for it' },
  { where: /\.schemas\.v1\.(ListMeta|ShardInfo)/, why: 'schemas that only lists need' },
  { where: /x-kubernetes-unions/, why: 'unions are described upstream and enforced by nobody' },
  { where: /\.fields\.(fieldsV1|data|parameters|status)$/, why: 'what holds any JSON is described as an object upstream' },
  { where: /\/\{name\}\/(attach|exec|portforward|proxy|log)[^ ]*x-kubernetes-action/, why: 'nothing connects to what runs in pods and on nodes' },
  { where: /x-kubernetes-group-version-kind/, why: 'kinds that several groups serve are named for one of them', toBeMended: true },
  { where: /storageVersionHash/, why: 'admission policies that mutate are stored as v1beta1 upstream', toBeMended: true },
  { where: /allocatedResourceStatuses|NodeAllocatableResource|matchConditions|caBundle/, why: 'facts that the source of the schemas lacks', toBeMended: true },
]

export interface DocumentFidelity {
  readonly document: string
  readonly fields: number
  readonly reproduced: number
  readonly open: readonly (FieldDifference & { readonly where: string })[]
}

export function documentFidelity(recorded: ServerDocuments, twin: ServerDocuments): readonly DocumentFidelity[] {
  return Object.keys(recorded)
    .toSorted()
    .map(document => {
      const compared: Comparison = compareAnswers(keyed(recorded[document]), keyed(twin[document]), new Identities())
      const open = compared.differences
        .map(difference => ({ ...difference, where: `${document} ${difference.path}` }))
        .filter(({ where }) => !documentRules.some(rule => rule.where.test(where)))
      const differing = compared.differences.reduce((sum, { fields }) => sum + fields, 0)
      return { document, fields: compared.fields, reproduced: compared.fields - differing, open }
    })
}
