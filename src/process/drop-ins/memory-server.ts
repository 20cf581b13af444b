// The least of an API server that keeps objects for a process that may not write them into its cluster: created, read, listed, watched,
// updated, patched and deleted under the rules by which clients take turns (versions, UIDs, preconditions). It checks no schema and no
// rights: whoever asks is this process itself. A twin would do all of this and take four times the memory.
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { statusBody } from '#kube/objects/status.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'

/** Changes that a watch can begin at; one that begins earlier lists anew. */
const mostChanges = 1_000

interface Place {
  /** Group, version and plural. */
  readonly collection: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly isStatus: boolean
}

interface Recorded {
  readonly version: number
  readonly collection: string
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

interface Answer {
  readonly status: number
  readonly body: object
}

/** Refused with a Status. */
class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number
  readonly reason: string

  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

/** Clients know by its list of which kind a watch will tell. */
const kinds: Readonly<Record<string, string>> = {
  configmaps: 'ConfigMap',
  disruptionpermits: 'DisruptionPermit',
  leases: 'Lease',
}

export class MemoryServer implements Transport {
  readonly #clock: Clock
  readonly #random: Random
  /** By collection, namespace and name. */
  readonly #objects = new Map<string, KubeObject>()
  readonly #changes: Recorded[] = []
  readonly #over = new AbortController()
  #changed = Promise.withResolvers<void>()
  #version = 1
  /** The version before the first of `#changes`. */
  #oldest = 1

  constructor(around: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = around.clock
    this.#random = around.random
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { status, body } = this.#answer(request)
    return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }
  }

  async stream(request: TransportRequest) {
    const headers = { 'content-type': 'application/json' }
    const place = placeOf(request.path)
    if (request.query?.['watch'] === 'true' && place !== undefined)
      return { status: 200, headers, chunks: this.#watch(place, request) }
    const { status, body } = this.#answer(request)
    const whole = Buffer.from(JSON.stringify(body))
    return {
      status,
      headers,
      chunks: (async function* () {
        yield whole
      })(),
    }
  }

  async close(): Promise<void> {
    this.#over.abort(new Error('the server in memory is closed'))
  }

  #answer(request: TransportRequest): Answer {
    request.signal.throwIfAborted()
    this.#over.signal.throwIfAborted()
    request.guard?.()
    try {
      const place = placeOf(request.path)
      if (place === undefined) throw new Refusal(404, 'NotFound', `the server could not find ${request.path}`)
      return this.#do(request, place)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { status: error.code, body: statusBody(error.code, error.message, error.reason) }
    }
  }

  #do(request: TransportRequest, place: Place): Answer {
    const isDry = request.query?.['dryRun'] === 'All'
    switch (request.verb) {
      case 'GET':
        return { status: 200, body: place.name === undefined ? this.#list(place) : this.#found(place) }
      case 'POST':
        return { status: 201, body: this.#create(place, readObject(request), isDry) }
      case 'PUT': {
        const given = readObject(request)
        // ConfigMaps alone are written whoever wrote before: nothing else of `api/v1` is kept here.
        if (!place.collection.startsWith('api/v1/') && (given.metadata.resourceVersion ?? '') === '')
          throw new Refusal(422, 'Invalid', 'metadata.resourceVersion: Invalid value: 0: must be specified for an update')
        return { status: 200, body: this.#replace(place, given, isDry) }
      }
      case 'PATCH':
        return this.#patch(place, request, isDry)
      case 'DELETE':
        return { status: 200, body: this.#delete(place, readBody(request), isDry) }
    }
  }

  #list({ collection, namespace }: Place): object {
    const items = [...this.#objects].filter(([key]) => isIn(key, collection, namespace)).map(([, object]) => object)
    const [, plural = ''] = /\/([^/]+)$/.exec(collection) ?? []
    const apiVersion = collection.slice(collection.indexOf('/') + 1, -plural.length - 1)
    return { apiVersion, kind: `${kinds[plural] ?? ''}List`, metadata: { resourceVersion: String(this.#version) }, items }
  }

  #found({ collection, namespace, name = '' }: Place): KubeObject {
    const found = this.#objects.get(keyOf(collection, namespace, name))
    if (found === undefined) throw new Refusal(404, 'NotFound', `${collection} "${name}" not found`)
    return found
  }

  #create({ collection, namespace }: Place, given: KubeObject, isDry: boolean): KubeObject {
    const { generateName, ...metadata } = { generateName: undefined, ...given.metadata }
    const name = metadata.name ?? `${String(generateName ?? '')}${randomUuid(this.#random).slice(0, 5)}`
    if (this.#objects.has(keyOf(collection, namespace, name)))
      throw new Refusal(409, 'AlreadyExists', `${collection} "${name}" already exists`)
    const { status: _, ...rest } = given
    const born = { uid: randomUuid(this.#random), creationTimestamp: formatTime(this.#clock.now()) }
    const made = { ...rest, metadata: { ...metadata, name, ...(namespace === undefined ? {} : { namespace }), ...born } }
    return isDry ? made : this.#put('ADDED', collection, made)
  }

  #replace(place: Place, given: KubeObject, isDry: boolean): KubeObject {
    const known = this.#found(place)
    assertCurrent(known, given.metadata)
    const { uid = '', creationTimestamp = '', name, namespace } = known.metadata
    const own = { name, uid, creationTimestamp, ...(namespace === undefined ? {} : { namespace }) }
    const { status: _, ...spoken } = given
    // A status is written by its own path, and nothing else is written there.
    const after = place.isStatus
      ? { ...known, status: given['status'] }
      : { ...spoken, ...('status' in known ? { status: known['status'] } : {}), metadata: { ...given.metadata, ...own } }
    return isDry
      ? { ...known, ...after }
      : this.#put('MODIFIED', place.collection, { ...after, apiVersion: known.apiVersion, kind: known.kind })
  }

  #patch(place: Place, request: TransportRequest, isDry: boolean): Answer {
    const type = request.headers?.['content-type']
    const patch = readBody(request)
    if (type === 'application/apply-patch+yaml') {
      const applied = readObject(request)
      const known = this.#objects.get(keyOf(place.collection, place.namespace, place.name ?? ''))
      if (known === undefined) return { status: 201, body: this.#create(place, applied, isDry) }
      // One program applies here, so that what it does not say any more is nobody's.
      const { resourceVersion = '' } = known.metadata
      const metadata = { ...applied.metadata, resourceVersion }
      return { status: 200, body: this.#replace(place, { ...applied, metadata }, isDry) }
    }
    if (type !== 'application/merge-patch+json')
      throw new Refusal(415, 'UnsupportedMediaType', `found ${type}, expected application/merge-patch+json or an apply`)
    const known = this.#found(place)
    assertCurrent(known, Object(patch).metadata ?? {})
    const after = applyMergePatch(known, patch)
    if (!isObject(after)) throw new Refusal(400, 'BadRequest', 'the patch makes no object')
    const { resourceVersion = '' } = known.metadata
    const current = { ...after, metadata: { ...after.metadata, resourceVersion } }
    return { status: 200, body: this.#replace(place, current, isDry) }
  }

  #delete(place: Place, options: unknown, isDry: boolean): KubeObject {
    const known = this.#found(place)
    assertCurrent(known, Object(options).preconditions ?? {})
    if (isDry) return known
    this.#objects.delete(keyOf(place.collection, place.namespace, known.metadata.name))
    const gone = this.#versioned(known)
    this.#record('DELETED', place.collection, gone)
    return gone
  }

  #put(type: 'ADDED' | 'MODIFIED', collection: string, object: KubeObject): KubeObject {
    const stored = this.#versioned(object)
    this.#objects.set(keyOf(collection, stored.metadata.namespace, stored.metadata.name), stored)
    this.#record(type, collection, stored)
    return stored
  }

  #versioned(object: KubeObject): KubeObject {
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
  }

  #record(type: Recorded['type'], collection: string, object: KubeObject): void {
    this.#changes.push({ version: this.#version, collection, type, object })
    if (this.#changes.length > mostChanges) this.#oldest = this.#changes.shift()?.version ?? this.#oldest
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }

  async *#watch({ collection, namespace }: Place, { query = {}, signal: asked, guard }: TransportRequest) {
    guard?.()
    const signal = AbortSignal.any([asked, this.#over.signal])
    const line = (type: string, object: object) => Buffer.from(`${JSON.stringify({ type, object })}\n`)
    const from = query['resourceVersion'] ?? ''
    let seen = from === '' || from === '0' ? this.#version : Number(from)
    if (seen === this.#version && from !== String(seen))
      for (const [key, object] of [...this.#objects]) if (isIn(key, collection, namespace)) yield line('ADDED', object)
    const seconds = Number(query['timeoutSeconds'] ?? 0)
    const isOver = { is: false }
    const cancel =
      seconds > 0
        ? this.#clock.schedule(seconds * 1_000, () => {
            isOver.is = true
            this.#changed.resolve()
            this.#changed = Promise.withResolvers()
          })
        : () => undefined
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    aborted.catch(() => undefined) // raced below
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      while (!isOver.is) {
        signal.throwIfAborted()
        if (seen < this.#oldest) {
          yield line('ERROR', statusBody(410, 'The resourceVersion for the provided watch is too old.', 'Expired'))
          return
        }
        const next = this.#changed.promise
        for (const change of this.#changes.filter(({ version }) => version > seen)) {
          seen = change.version
          const place = keyOf(change.collection, change.object.metadata.namespace, change.object.metadata.name)
          if (isIn(place, collection, namespace)) yield line(change.type, change.object)
        }
        if (seen === this.#version || this.#changes.at(-1)?.version === seen) await Promise.race([next, aborted])
      }
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }
}

const paths = /^\/(api\/v1|apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/(status))?$/

function placeOf(path: string): Place | undefined {
  const [, root, namespace, plural, name, status] = paths.exec(path) ?? []
  if (root === undefined || plural === undefined) return undefined
  const decoded = (text: string | undefined) => (text === undefined ? undefined : decodeURIComponent(text))
  return { collection: `${root}/${plural}`, namespace: decoded(namespace), name: decoded(name), isStatus: status !== undefined }
}

function keyOf(collection: string, namespace: string | undefined, name: string): string {
  return `${collection}|${namespace ?? ''}|${name}`
}

function isIn(key: string, collection: string, namespace: string | undefined): boolean {
  return key.startsWith(namespace === undefined ? `${collection}|` : `${collection}|${namespace}|`)
}

/** What a writer says of the object that it means has to be so. */
function assertCurrent(
  { metadata, kind }: KubeObject,
  { uid, resourceVersion }: { readonly uid?: unknown; readonly resourceVersion?: unknown },
) {
  const isOther = uid !== undefined && uid !== '' && uid !== metadata.uid
  const isOld = resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== metadata.resourceVersion
  if (isOther || isOld)
    throw new Refusal(409, 'Conflict', `${kind} "${metadata.name}": the object has been modified; read it again and try anew`)
}

function readBody({ body }: TransportRequest): unknown {
  const text = typeof body === 'string' ? body : Buffer.from(body ?? []).toString()
  return text === '' ? {} : JSON.parse(text)
}

function readObject(request: TransportRequest): KubeObject {
  const read = readBody(request)
  if (!isObject(read)) throw new Refusal(400, 'BadRequest', 'the body is no object with metadata')
  return read
}

function isObject(value: unknown): value is KubeObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    'metadata' in value &&
    typeof value.metadata === 'object' &&
    value.metadata !== null
  )
}
