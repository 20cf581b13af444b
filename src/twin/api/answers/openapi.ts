// OpenAPI v3: an index, and a document for each group and version, made from the schema table when somebody asks.
import { createHash } from 'node:crypto'
import type { RemoteApi } from '../../aggregation/aggregator.ts'
import table from '../../generated/schemas.json' with { type: 'json' }
import type { Draft } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import type { ResourceType } from '../resource-type.ts'
import { statusAnswer } from './answer.ts'
import { componentNameOf, customComponents, definitionComponents } from './openapi-components.ts'
import { pathsOf } from './openapi-paths.ts'

interface Document {
  readonly hash: string
  readonly text: string
}

const documents = new WeakMap<ApiServer, Map<string, Document>>()

/** The answer to `/openapi/…`; undefined for other paths. */
export function answerOpenApi(
  server: ApiServer,
  request: TwinRequest,
  remote: readonly RemoteApi[] = [],
): TwinResponse | undefined {
  if (request.path === '/openapi/v2') return answerVersion2(request)
  if (request.path === '/openapi/v3' || request.path === '/openapi/v3/') return answerIndex(server, request, remote)
  const prefix = '/openapi/v3/'
  if (!request.path.startsWith(prefix)) return undefined
  const place = request.path.slice(prefix.length)
  const types = typesAt(server, place)
  if (types.length === 0) return undefined
  const hash = hashOf(server, place, types)
  const asked = request.query.get('hash')
  if (asked !== null && asked !== hash) return { kind: 'whole', status: 301, headers: { location: urlOf(place, hash) }, body: '' }
  const headers = {
    'content-type': 'application/json',
    etag: `"${hash}"`,
    vary: 'Accept',
    ...(asked === null
      ? {}
      : { 'cache-control': 'public, immutable', expires: new Date(server.wire.now() + 365 * 86_400_000).toUTCString() }),
  }
  if (request.headers['if-none-match'] === `"${hash}"`) return { kind: 'whole', status: 304, headers, body: '' }
  return { kind: 'whole', status: 200, headers, body: documentAt(server, place, types, hash) }
}

/** Only the frame: today's clients read version 3 and ask for this one when a kind is in none of its documents. */
function answerVersion2(request: TwinRequest): TwinResponse {
  const accept = request.headers['accept'] ?? ''
  if (/com\.github\.proto-openapi/.test(accept) && !/application\/json|\*\/\*/.test(accept)) {
    const headers = { 'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' }
    return { kind: 'whole', status: 200, headers, body: version2Frame() }
  }
  return statusAnswer(request, { swagger: '2.0', info: version2Info, paths: {}, definitions: {} }, 200)
}

const version2Info = { title: 'Kubernetes', version: 'ballast' } as const

/** The same as a protobuf message: 1 swagger, 2 info {1 title, 2 version}. */
function version2Frame(): Uint8Array {
  const text = (field: number, value: Uint8Array | string) => {
    const bytes = Buffer.from(value)
    return Buffer.from([(field << 3) | 2, bytes.byteLength, ...bytes])
  }
  const info = Buffer.concat([text(1, version2Info.title), text(2, version2Info.version)])
  return Buffer.concat([text(1, '2.0'), text(2, info)])
}

function placeOf(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}

function urlOf(place: string, hash: string): string {
  return `/openapi/v3/${place}?hash=${hash}`
}

function typesAt(server: ApiServer, place: string): readonly ResourceType[] {
  const [root, first = '', second = ''] = place.split('/')
  return root === 'api' ? server.resources.inGroupVersion('', first) : server.resources.inGroupVersion(first, second)
}

function answerIndex(server: ApiServer, request: TwinRequest, remote: readonly RemoteApi[]): TwinResponse {
  const paths: Draft = {}
  for (const { group, versions } of server.resources.groups()) {
    for (const version of versions) {
      const place = placeOf(group, version)
      paths[place] = { serverRelativeURL: urlOf(place, hashOf(server, place, typesAt(server, place))) }
    }
  }
  for (const { group, version, served } of remote) {
    if (served?.openApiUrl !== undefined) paths[placeOf(group, version)] = { serverRelativeURL: served.openApiUrl }
  }
  const body = JSON.stringify({ paths })
  const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`
  // Upstream serves it as a file without a type.
  const headers = { 'content-type': 'text/plain; charset=utf-8', etag }
  if (request.headers['if-none-match'] === etag) return { kind: 'whole', status: 304, headers: { etag }, body: '' }
  return { kind: 'whole', status: 200, headers, body }
}

/** Built-in documents depend on the table alone, those of custom kinds on their definitions. */
function hashOf(server: ApiServer, place: string, types: readonly ResourceType[]): string {
  const custom = types.map(type => (type.custom === undefined ? type.plural : [type.plural, type.kind, type.custom.schema]))
  return createHash('sha512')
    .update(JSON.stringify([table.source, server.minor, place, custom]))
    .digest('hex')
    .toUpperCase()
}

function documentAt(server: ApiServer, place: string, types: readonly ResourceType[], hash: string): string {
  let known = documents.get(server)
  if (known === undefined) {
    known = new Map()
    documents.set(server, known)
  }
  const found = known.get(place)
  if (found?.hash === hash) return found.text
  const schemas: Draft = {}
  for (const type of types)
    Object.assign(schemas, type.custom === undefined ? definitionComponents(type) : customComponents(type))
  const document = {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: `v1.${server.minor}.0+ballast` },
    paths: Object.assign({}, ...types.map(type => pathsOf(type, componentNameOf(type)))),
    components: { schemas },
  }
  const text = JSON.stringify(document)
  known.set(place, { hash, text })
  return text
}
