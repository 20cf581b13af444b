// What an API server behind the twin serves: its aggregated discovery, or the older lists where it has none, and its OpenAPI.
import { type Dispatcher, request } from 'undici'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, textAt, valueAt } from '../json-value.ts'
import { aggregatorHeaders } from './availability.ts'

export interface RemoteVersion {
  /** Entries of aggregated discovery. */
  readonly resources: readonly Draft[]
  /** The path below it of its OpenAPI document; undefined where it has none. */
  readonly openApiUrl: string | undefined
}

interface Asked {
  readonly url: string
  readonly dispatcher: Dispatcher
  readonly group: string
  readonly version: string
  readonly signal: AbortSignal
}

const discoveryMs = 5_000
const longestDocument = 8 * 1024 * 1024
const aggregatedAccept =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json'

/** Asks for it. @throws Error where it cannot be had: what is known then is stale */
export async function remoteVersion(asked: Asked): Promise<RemoteVersion> {
  const listed = await documentAt(asked, '/apis', aggregatedAccept)
  const resources = aggregatedResources(listed, asked) ?? (await legacyResources(asked))
  return { resources, openApiUrl: await openApiUrl(asked) }
}

async function documentAt({ url, dispatcher, signal }: Asked, path: string, accept: string): Promise<unknown> {
  const answer = await request(`${url}${path}`, {
    headers: { ...aggregatorHeaders, accept },
    dispatcher,
    signal: AbortSignal.any([signal, AbortSignal.timeout(discoveryMs)]),
  })
  const text = await answer.body.text()
  if (answer.statusCode !== 200) throw new Error(`${url}${path} answered ${answer.statusCode}`)
  if (text.length > longestDocument) throw new Error(`${url}${path} answered more than ${longestDocument} bytes`)
  return JSON.parse(text)
}

function aggregatedResources(document: unknown, { group, version }: Asked): readonly Draft[] | undefined {
  if (textAt(document, 'kind') !== 'APIGroupDiscoveryList') return undefined
  const found = itemsAt(document, 'items')
    .filter(item => textAt(item, 'metadata', 'name') === group)
    .flatMap(item => itemsAt(item, 'versions'))
    .find(candidate => textAt(candidate, 'version') === version)
  return found === undefined ? undefined : itemsAt(found, 'resources')
}

async function legacyResources(asked: Asked): Promise<readonly Draft[]> {
  const list = await documentAt(asked, `/apis/${asked.group}/${asked.version}`, 'application/json')
  const rows = itemsAt(list, 'resources')
  const isSubresource = (row: Draft) => (textAt(row, 'name') ?? '').includes('/')
  return rows
    .filter(row => !isSubresource(row))
    .map(row => {
      const name = textAt(row, 'name') ?? ''
      const below = rows.filter(other => (textAt(other, 'name') ?? '').startsWith(`${name}/`))
      const subresources = below.map(other => ({
        subresource: (textAt(other, 'name') ?? '').slice(name.length + 1),
        responseKind: kindOf(other),
        verbs: listAt(other, 'verbs'),
      }))
      return {
        resource: name,
        responseKind: kindOf(row),
        scope: row['namespaced'] === true ? 'Namespaced' : 'Cluster',
        singularResource: textAt(row, 'singularName') ?? '',
        verbs: listAt(row, 'verbs'),
        ...optional(row, 'shortNames'),
        ...optional(row, 'categories'),
        ...(subresources.length === 0 ? {} : { subresources }),
      }
    })
}

/** Recorded: a row without group and version is passed on without them. */
function kindOf(row: Draft): Draft {
  return { group: textAt(row, 'group') ?? '', version: textAt(row, 'version') ?? '', kind: textAt(row, 'kind') ?? '' }
}

function optional(row: Draft, field: string): Draft {
  const values = listAt(row, field)
  return values.length === 0 ? {} : { [field]: values }
}

async function openApiUrl(asked: Asked): Promise<string | undefined> {
  let index: unknown
  try {
    index = await documentAt(asked, '/openapi/v3', 'application/json')
  } catch (error) {
    // Many have none: their kinds are served all the same.
    if (error instanceof Error) return undefined
    throw error
  }
  const paths = fieldsAt(index, 'paths')
  const entry = valueAt(paths, `apis/${asked.group}/${asked.version}`)
  return isFields(entry) ? textAt(entry, 'serverRelativeURL') : undefined
}
