// OpenAPI v3: an index, and a document for each group and version, made from the schema table when somebody asks.
import { createHash } from 'node:crypto'
import table from '../generated/schemas.json' with { type: 'json' }
import type { Draft } from '../json-value.ts'
import { plainText, statusAnswer } from './answer.ts'
import type { ApiServer } from './api-server.ts'
import { componentNameOf, customComponents, definitionComponents } from './openapi-components.ts'
import { pathsOf } from './openapi-paths.ts'
import type { TwinRequest, TwinResponse } from './request.ts'
import type { ResourceType } from './resource-type.ts'

interface Document {
  readonly hash: string
  readonly text: string
}

const documents = new WeakMap<ApiServer, Map<string, Document>>()

/** The answer to `/openapi/…`; undefined for other paths. */
export function answerOpenApi(server: ApiServer, request: TwinRequest): TwinResponse | undefined {
  if (request.path === '/openapi/v2') return answerVersion2(request)
  if (request.path === '/openapi/v3' || request.path === '/openapi/v3/') return answerIndex(server, request)
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

/** Only the frame: today's clients ask for it when version 3 fails, and then for the JSON form. */
function answerVersion2(request: TwinRequest): TwinResponse {
  if (
    /com\.github\.proto-openapi/.test(request.headers['accept'] ?? '') &&
    !/application\/json|\*\/\*/.test(request.headers['accept'] ?? '')
  ) {
    return plainText(406, 'only application/json is served')
  }
  return statusAnswer(
    request,
    { swagger: '2.0', info: { title: 'Kubernetes', version: 'ballast' }, paths: {}, definitions: {} },
    200,
  )
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

function answerIndex(server: ApiServer, request: TwinRequest): TwinResponse {
  const paths: Draft = {}
  for (const { group, versions } of server.resources.groups()) {
    for (const version of versions) {
      const place = placeOf(group, version)
      paths[place] = { serverRelativeURL: urlOf(place, hashOf(server, place, typesAt(server, place))) }
    }
  }
  return statusAnswer(request, { paths }, 200)
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
