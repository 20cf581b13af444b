// OpenAPI v3: an index, and a document for each group and version; v2: one for all. They are made from the schema table when somebody asks.
import { createHash } from 'node:crypto'
import type { RemoteApi } from '../../aggregation/aggregator.ts'
import table from '../../generated/schemas.json' with { type: 'json' }
import type { Draft } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import type { ResourceType } from '../resource-type.ts'
import { componentNameOf, customComponents, definitionComponents } from './openapi-components.ts'
import { pathsOf } from './openapi-paths.ts'
import { version2Document, version2Message } from './openapi-version2.ts'

interface Document {
  readonly hash: string
  readonly body: string | Uint8Array
}

const documents = new WeakMap<ApiServer, Map<string, Document>>()

/** The answer to `/openapi/…`; undefined for other paths. */
export function answerOpenApi(
  server: ApiServer,
  request: TwinRequest,
  remote: readonly RemoteApi[] = [],
): TwinResponse | undefined {
  if (request.path === '/openapi/v2') return answerVersion2(server, request)
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

/** Go clients ask for a message of protobuf; others are given JSON. */
function answerVersion2(server: ApiServer, request: TwinRequest): TwinResponse {
  const accept = request.headers['accept'] ?? ''
  const isMessage = /com\.github\.proto-openapi/.test(accept) && !/application\/json|\*\/\*/.test(accept)
  const place = isMessage ? 'v2 message' : 'v2'
  const types = server.resources
    .groups()
    .flatMap(({ group, versions }) => versions.flatMap(version => server.resources.inGroupVersion(group, version)))
  const hash = hashOf(server, place, types)
  const body = wholeDocument(server, place, hash, () => {
    const document = version2Document(types)
    return isMessage ? version2Message(document) : JSON.stringify(document)
  })
  const headers = {
    'content-type': isMessage ? 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' : 'application/json',
    etag: `"${hash}"`,
    vary: 'Accept',
  }
  if (request.headers['if-none-match'] === `"${hash}"`) return { kind: 'whole', status: 304, headers, body: '' }
  return { kind: 'whole', status: 200, headers, body }
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

/** A document as it was made last, or made anew where what it is made of has changed. */
function wholeDocument(server: ApiServer, place: string, hash: string, make: () => string | Uint8Array): string | Uint8Array {
  let known = documents.get(server)
  if (known === undefined) {
    known = new Map()
    documents.set(server, known)
  }
  const found = known.get(place)
  if (found?.hash === hash) return found.body
  const body = make()
  known.set(place, { hash, body })
  return body
}

function documentAt(server: ApiServer, place: string, types: readonly ResourceType[], hash: string): string | Uint8Array {
  return wholeDocument(server, place, hash, () => {
    const schemas: Draft = {}
    for (const type of types)
      Object.assign(schemas, type.custom === undefined ? definitionComponents(type) : customComponents(type))
    return JSON.stringify({
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version: `v1.${server.minor}.0+ballast` },
      paths: Object.assign({}, ...types.map(type => pathsOf(type, componentNameOf(type)))),
      components: { schemas },
    })
  })
}
