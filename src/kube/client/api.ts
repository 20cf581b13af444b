// The typed face of an API server: one object per resource, one method per verb. Refusals are StatusErrors.

import type { Clock } from '../clock.ts'
import { breather } from '../controllers/breather.ts'
import type { ParseOptions } from '../informers/object-text.ts'
import { eventsOf, type WatchEvent } from '../informers/watch-stream.ts'
import { type Log, silentLog } from '../log.ts'
import type { KubeList, KubeObject } from '../objects/objects.ts'
import { apiVersionOf, type GroupVersionResource, resourcePath } from '../objects/resource.ts'
import type { Status } from '../objects/status.ts'
import { type Witness, Witnesses } from './absence.ts'
import { Connection, parsed, parseJson, requestTimeoutMs } from './connection.ts'
import { type Discovery, discover } from './discovery.ts'
import { type ListHead, readList } from './list-stream.ts'
import { type BucketOptions, defaultBucket } from './request-bucket.ts'
import type { RequestOptions } from './request-options.ts'
import { type RequestObserver, retryingTransport } from './retrying-transport.ts'
import type { HttpVerb, Transport } from './transport.ts'

interface ListOptions extends RequestOptions, ParseOptions {
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined
  readonly limit?: number | undefined
  readonly continue?: string | undefined
  /** Ask for PartialObjectMetadata. */
  readonly metadataOnly?: boolean | undefined
}

interface WatchOptions extends ListOptions {
  readonly timeoutSeconds?: number
  readonly sendInitialEvents?: boolean
}

export interface WriteOptions extends RequestOptions {
  readonly fieldManager?: string
  /** `Strict` unless said otherwise: unknown and duplicate fields are refused. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore'
  readonly dryRun?: boolean
  readonly subresource?: string
  /** Patches: only the metadata of the object comes back, where the server knows how. */
  readonly metadataOnly?: boolean
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string
  readonly force?: boolean
}

interface DeleteOptions extends RequestOptions {
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly gracePeriodSeconds?: number
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun?: boolean
}

interface Patch {
  /** `strategic` for built-in kinds only: custom resources answer 415. */
  readonly type: 'json' | 'merge' | 'strategic'
  readonly body: unknown
}

export interface ResourceApi<T extends KubeObject> {
  readonly resource: GroupVersionResource
  get(name: string, options: RequestOptions): Promise<T>
  /** The bytes of an object's JSON as they come, for objects that may hold secrets: whoever reads them overwrites them. @throws StatusError */
  bytes(name: string, options: RequestOptions): Promise<AsyncIterable<Uint8Array>>
  /** The bytes of a list's JSON, all of it or one page, under the same rule. @throws StatusError */
  listBytes(options: ListOptions): Promise<AsyncIterable<Uint8Array>>
  /** One request, one page: all unless `limit` is given. */
  list(options: ListOptions): Promise<KubeList<T>>
  /** Page by page (500 unless `limit` says otherwise), all of one snapshot. @throws StatusError `isExpired` when the snapshot is gone midway. */
  pages(options: ListOptions): AsyncGenerator<KubeList<T>>
  /** One request whose items are handed over while the answer is read; yields the list without its items. */
  visit(options: ListOptions, visit: (item: T) => void): Promise<ListHead>
  /** Events until the server closes. Leaving the loop closes the connection. @throws StatusError for an answer or event of failure; WatchDecodeError. */
  watch(options: WatchOptions): AsyncGenerator<WatchEvent<T>>
  create(object: T, options: WriteOptions): Promise<T>
  /** Conditional when `metadata.resourceVersion` is set. */
  update(object: T, options: WriteOptions): Promise<T>
  updateStatus(object: T, options: WriteOptions): Promise<T>
  patch(name: string, patch: Patch, options: WriteOptions): Promise<T>
  /** Server-side apply of the fields in `object`. */
  apply(object: Partial<T> & KubeObject, options: ApplyOptions): Promise<T>
  /** The object as it was when gone at once it is a Status, while it terminates the object. */
  delete(name: string, options: DeleteOptions): Promise<T | Status>
  deleteCollection(options: ListOptions & DeleteOptions): Promise<void>
  /** A sub-resource: `sub('cart-a', 'eviction', 'POST', body, …)`. */
  sub<R = KubeObject>(name: string, subresource: string, verb: HttpVerb, body: unknown, options: WriteOptions): Promise<R>
}

export interface Api {
  resource<T extends KubeObject>(resource: GroupVersionResource): ResourceApi<T>
  /** All served resources, sub-resources left out, in the server's order. */
  discover(signal: AbortSignal): Promise<Discovery>
  /** The JSON answer of a path outside of resources, such as `/version`. @throws StatusError */
  getPath(path: string, options: RequestOptions): Promise<unknown>
  /** The text of a path that answers no JSON, such as `/readyz`. @throws StatusError */
  getText(path: string, options: RequestOptions): Promise<string>
  /**
   * The same server for somebody who may write only while `guard` does not throw (a NotSentError): it is asked when the bytes of a write leave,
   * however long they waited before. Closing either closes both.
   */
  under(guard: () => void): Api
  /**
   * From now on, until `signal` is aborted, a 404 about an object that `witness` has counts as unclear, here and wherever `under` led:
   * AbsenceDoubtedError in its place.
   */
  witnessedBy(witness: Witness, signal: AbortSignal): void
  close(): Promise<void>
}

interface ApiOptions {
  readonly clock: Clock
  /** `ballast/0.1.0 (linux/x64) controller` */
  readonly userAgent: string
  readonly bucket?: BucketOptions
  readonly log?: Log
  /** For metrics. */
  readonly requestObserver?: RequestObserver | undefined
}

const listTimeoutMs = 60_000
const pageLimit = 500

const patchTypes: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}

/** An Api over `transport`, with retries and the client's bucket. Closing it closes the transport. */
export function openApi(transport: Transport, options: ApiOptions): Api {
  const { clock, log = silentLog, bucket = defaultBucket, requestObserver: observer } = options
  const retries = { clock, log, bucket, observer }
  return apiOver(new Connection(retryingTransport(transport, retries), { userAgent: options.userAgent }), {
    clock,
    witnesses: new Witnesses(clock),
  })
}

interface Around {
  readonly clock: Clock
  readonly witnesses: Witnesses
}

function apiOver(connection: Connection, around: Around): Api {
  return {
    resource: <T extends KubeObject>(resource: GroupVersionResource) => resourceApi<T>(connection, resource, around),
    discover: signal => discover(connection, signal),
    getPath: async (path, request) => parseJson(await connection.request('GET', path, request)),
    getText: async (path, request) =>
      new TextDecoder().decode((await connection.request('GET', path, request, { accept: '*/*' })).body),
    under: guard => apiOver(connection.under(guard), around),
    witnessedBy: (witness, signal) => around.witnesses.add(witness, signal),
    close: () => connection.close(),
  }
}

function resourceApi<T extends KubeObject>(
  connection: Connection,
  resource: GroupVersionResource,
  { clock, witnesses }: Around,
): ResourceApi<T> {
  const path = (options: RequestOptions, name?: string, subresource?: string) =>
    resourcePath(resource, { namespace: options.namespace, name, subresource })

  /** One request about one object. */
  const about = <R>(name: string, { namespace, signal }: RequestOptions, ask: () => Promise<R>): Promise<R> =>
    witnesses.heard({ resource, namespace, name }, ask, signal)

  const at = (object: KubeObject, options: RequestOptions) => ({
    ...options,
    namespace: options.namespace ?? object.metadata.namespace,
  })

  const update = async (object: T, options: WriteOptions) => {
    const { name } = object.metadata
    const where = at(object, options)
    const target = path(where, name, options.subresource)
    const sent = { body: object, query: writeQuery(options) }
    return parsed<T>(await about(name, where, () => connection.request('PUT', target, options, sent)), 'named')
  }

  const visit = async (options: ListOptions, each: (item: T) => void) => {
    const isSecret = options.annotations !== undefined
    const sent = { accept: acceptOf(options, 'List'), query: listQuery(options), isSecret }
    const answer = await connection.stream(path(options), { timeoutMs: listTimeoutMs, ...options }, sent)
    return readList<T>(answer.chunks, {
      visit: each,
      breathe: breather(clock),
      withoutManagedFields: options.withoutManagedFields,
      annotations: options.annotations,
    })
  }

  const list = async (options: ListOptions): Promise<KubeList<T>> => {
    const items: T[] = []
    const head = await visit(options, item => items.push(item))
    return { apiVersion: head.apiVersion, kind: head.kind, metadata: head.metadata, items }
  }

  return {
    resource,
    get: async (name, options) =>
      parsed<T>(await about(name, options, () => connection.request('GET', path(options, name), options)), 'named'),
    bytes: async (name, options) => {
      const request = { timeoutMs: requestTimeoutMs, ...options }
      const answer = await about(name, options, () => connection.stream(path(options, name), request, { isSecret: true }))
      return answer.chunks
    },
    listBytes: async options => {
      const sent = { query: listQuery(options), isSecret: true }
      return (await connection.stream(path(options), { timeoutMs: listTimeoutMs, ...options }, sent)).chunks
    },
    list,
    visit,
    pages: options => pagesOf(list, options),
    watch: options => eventsOf<T>(watchedChunks(connection, path(options), options), options),
    create: async (object, options) => {
      // Reviews are questions: they are kept nowhere and have no name.
      const isReview = resource.resource.endsWith('reviews')
      const target = path(at(object, options), undefined)
      return parsed<T>(
        await connection.request('POST', target, options, { body: object, query: writeQuery(options) }),
        isReview ? 'any' : 'object',
      )
    },
    update,
    updateStatus: (object, options) => update(object, { ...options, subresource: 'status' }),
    patch: async (name, patch, options) => {
      const accept = acceptOf(options, '')
      const sent = { accept, body: patch.body, contentType: patchTypes[patch.type], query: writeQuery(options) }
      const target = path(options, name, options.subresource)
      return parsed<T>(await about(name, options, () => connection.request('PATCH', target, options, sent)), 'named')
    },
    apply: async (object, options) => {
      const { name } = object.metadata
      const where = at(object, options)
      const target = path(where, name, options.subresource)
      const query = { ...writeQuery(options), force: String(options.force ?? false) }
      const body = { ...object, apiVersion: apiVersionOf(resource) }
      const sent = { body, contentType: 'application/apply-patch+yaml', query }
      return parsed<T>(await about(name, where, () => connection.request('PATCH', target, options, sent)), 'named')
    },
    delete: async (name, options) =>
      parsed<T | Status>(
        await about(name, options, () =>
          connection.request('DELETE', path(options, name), options, { body: deleteBody(options) }),
        ),
        'any',
      ),
    deleteCollection: async options => {
      await connection.request('DELETE', path(options), options, { body: deleteBody(options), query: listQuery(options) })
    },
    sub: async <R>(name: string, subresource: string, verb: HttpVerb, body: unknown, options: WriteOptions) => {
      const sent =
        verb === 'GET' ? {} : { body, query: writeQuery(options), ...(verb === 'PATCH' ? { contentType: patchTypes.merge } : {}) }
      const target = path(options, name, subresource)
      return parsed<R>(await about(name, options, () => connection.request(verb, target, options, sent)), 'any')
    },
  }
}

/** The body of a watch, asked for when it is read. */
async function* watchedChunks(connection: Connection, path: string, options: WatchOptions): AsyncGenerator<Uint8Array> {
  const request = { timeoutMs: requestTimeoutMs, priority: 'watch' as const, ...options }
  const answer = await connection.stream(path, request, {
    accept: acceptOf(options, ''),
    query: watchQuery(options),
    isSecret: options.annotations !== undefined,
  })
  yield* answer.chunks
}

async function* pagesOf<T extends KubeObject>(
  list: (options: ListOptions) => Promise<KubeList<T>>,
  options: ListOptions,
): AsyncGenerator<KubeList<T>> {
  let token: string | undefined
  do {
    const { resourceVersion, resourceVersionMatch, ...rest } = options
    // The token stands for the snapshot: a version beside it is refused.
    const page = await list(
      token === undefined ? { limit: pageLimit, ...options } : { limit: pageLimit, ...rest, continue: token },
    )
    yield page
    token = page.metadata.continue
  } while (token !== undefined && token !== '')
}

function watchQuery(options: WatchOptions): Record<string, string> {
  return {
    watch: 'true',
    allowWatchBookmarks: 'true',
    ...listQuery(options),
    ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: String(options.timeoutSeconds) }),
    ...(options.sendInitialEvents === undefined ? {} : { sendInitialEvents: String(options.sendInitialEvents) }),
  }
}

function acceptOf(options: { readonly metadataOnly?: boolean | undefined }, suffix: '' | 'List'): string {
  return options.metadataOnly === true
    ? `application/json;as=PartialObjectMetadata${suffix};v=v1;g=meta.k8s.io`
    : 'application/json'
}

function listQuery(options: ListOptions): Record<string, string> {
  const query: Record<string, string> = {}
  const set = (key: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '') query[key] = String(value)
  }
  set('labelSelector', options.labelSelector)
  set('fieldSelector', options.fieldSelector)
  set('resourceVersion', options.resourceVersion)
  set('resourceVersionMatch', options.resourceVersionMatch)
  set('limit', options.limit)
  set('continue', options.continue)
  return query
}

function writeQuery(options: WriteOptions): Record<string, string> {
  return {
    ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
    fieldValidation: options.fieldValidation ?? 'Strict',
    ...(options.dryRun === true ? { dryRun: 'All' } : {}),
  }
}

function deleteBody(options: DeleteOptions): unknown {
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(options.propagationPolicy === undefined ? {} : { propagationPolicy: options.propagationPolicy }),
    ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    ...(options.preconditions === undefined ? {} : { preconditions: options.preconditions }),
    ...(options.dryRun === true ? { dryRun: ['All'] } : {}),
  }
}
