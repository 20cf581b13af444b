// One configuration object read as bytes and made into hashes: no value ever becomes text, and every byte that held one is overwritten.
import type { Api, ResourceApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Clock } from '#kube/clock.ts'
import { type ByteSink, JsonBytes, JsonBytesError } from '#kube/informers/json-bytes.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { type ContentEntry, hashContent, type SourceContent } from './content-hash.ts'
import { Base64Sink, ValueArena } from './value-arena.ts'

/** What can be read: the status of a pod's mount stands for the content of its SecretProviderClass. */
export type ReadableKind = 'ConfigMap' | 'Secret' | 'SecretProviderClass' | 'SecretProviderClassPodStatus'

const csiGroup = 'secrets-store.csi.x-k8s.io'
export const resourceOfReadable: Readonly<Record<ReadableKind, GroupVersionResource>> = {
  ConfigMap: builtIn.configmaps,
  Secret: builtIn.secrets,
  SecretProviderClass: { group: csiGroup, version: 'v1', resource: 'secretproviderclasses' },
  SecretProviderClassPodStatus: { group: csiGroup, version: 'v1', resource: 'secretproviderclasspodstatuses' },
}

/** An object as it was read. */
interface SourceReading {
  readonly uid: string
  readonly resourceVersion: string
  readonly annotations: Readonly<Record<string, string>>
  readonly content: SourceContent
  /** The SecretProviderClass that the mount's status belongs to. */
  readonly secretProviderClass: string | undefined
}

/** An object that cannot be hashed: what is wrong, without anything that is in it. */
export class UnreadableSourceError extends OutsideError {
  override readonly name = 'UnreadableSourceError'
}

const objectLimitBytes = 16 * 1024 * 1024
const longestTextBytes = 4096
const readTries = 3
const readTimeoutMs = 30_000
const afterBrokenReadMs = 500

/** Which object. */
interface SourcePlace {
  readonly kind: ReadableKind
  readonly namespace: string
  readonly name: string
  /** As it was then; absent: as it is. */
  readonly version?: string
}

interface SourceReaderOptions {
  readonly api: Api
  readonly clock: Clock
  /** Keys of the annotations that are read. */
  readonly annotations: readonly string[]
}

/** Reads objects one by one. */
export class SourceReader {
  readonly #options: SourceReaderOptions

  constructor(options: SourceReaderOptions) {
    this.#options = options
  }

  /**
   * The object as it is now or, with `version`, was in that version; `undefined` where there is none. A read that breaks off is begun anew,
   * three times in all. @throws UnreadableSourceError, StatusError (`isExpired` where versions are forgotten), another OutsideError, `signal.reason`
   */
  async read(at: SourcePlace, signal: AbortSignal): Promise<SourceReading | undefined> {
    const { api, clock } = this.#options
    const resource = api.resource<KubeObject>(resourceOfReadable[at.kind])
    for (let tries = 1; ; tries++) {
      try {
        return await this.#hash(at, await this.#bytes(resource, at, signal))
      } catch (error) {
        if (isNotFound(error)) return undefined
        if (!(error instanceof ConnectionError) || tries === readTries) throw named(error, at)
        await clock.after(afterBrokenReadMs, signal)
      }
    }
  }

  /** Past versions can only be read from lists. */
  #bytes(resource: ResourceApi<KubeObject>, { namespace, name, version }: SourcePlace, signal: AbortSignal) {
    const options = { namespace, timeoutMs: readTimeoutMs, signal }
    if (version === undefined) return resource.bytes(name, options)
    const exactly = { resourceVersion: version, resourceVersionMatch: 'Exact' } as const
    return resource.listBytes({ ...options, ...exactly, fieldSelector: `metadata.name=${name}` })
  }

  async #hash({ kind, version }: SourcePlace, chunks: AsyncIterable<Uint8Array>): Promise<SourceReading | undefined> {
    using reading = new Reading(kind, { annotationKeys: this.#options.annotations, isList: version !== undefined })
    for await (const chunk of chunks) {
      try {
        reading.push(chunk)
      } finally {
        chunk.fill(0)
      }
    }
    return reading.end()
  }
}

/** Bytes that cannot be taken apart may be the object's own fault: it is named, and nothing that is in it. */
function named(error: unknown, { kind, namespace, name }: SourcePlace): unknown {
  return error instanceof JsonBytesError ? new UnreadableSourceError(`${kind} ${namespace}/${name}: ${error.message}`) : error
}

interface Value {
  readonly key: string
  readonly from: number
  readonly to: number
  readonly encoded: boolean
}

class Reading implements Disposable {
  readonly #kind: ReadableKind
  readonly #isList: boolean
  readonly #annotationKeys: ReadonlySet<string>
  readonly #arena = new ValueArena()
  readonly #walker: JsonBytes
  readonly #annotations = new Map<string, string>()
  /** By their field and key: of a name that comes twice the last counts, as everywhere. */
  readonly #values = new Map<string, Value>()
  /** Versions in the status of a mount, by place in its list. */
  readonly #mounted = new Map<string, { id: string; version: string }>()
  #uid = ''
  #resourceVersion = ''
  #secretProviderClass = ''
  #bytes = 0

  /** `isList`: what comes is a list of it or of nothing. */
  constructor(
    kind: ReadableKind,
    { annotationKeys, isList }: { readonly annotationKeys: readonly string[]; readonly isList: boolean },
  ) {
    this.#kind = kind
    this.#isList = isList
    this.#annotationKeys = new Set(annotationKeys)
    this.#walker = new JsonBytes(path => {
      if (!isList) return this.#sinkOf(path)
      const [items, place, ...rest] = path
      return items === 'items' && place === '0' ? this.#sinkOf(rest) : undefined
    })
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    if (this.#bytes > objectLimitBytes) throw new JsonBytesError(`it is larger than ${objectLimitBytes} bytes`)
    this.#walker.push(chunk)
  }

  end(): SourceReading | undefined {
    this.#walker.end()
    if (this.#isList && this.#uid === '') return undefined
    if (this.#uid === '' || this.#resourceVersion === '') throw new AnswerError('the answer is no object')
    return {
      uid: this.#uid,
      resourceVersion: this.#resourceVersion,
      annotations: Object.fromEntries(this.#annotations),
      content: hashContent(this.#kind === 'SecretProviderClassPodStatus' ? this.#mountedEntries() : this.#entries()),
      secretProviderClass: this.#kind === 'SecretProviderClassPodStatus' ? this.#secretProviderClass : undefined,
    }
  }

  [Symbol.dispose](): void {
    this.#arena[Symbol.dispose]()
  }

  *#entries(): Iterable<ContentEntry> {
    for (const { key, from, to, encoded } of this.#values.values()) yield { key, value: this.#arena.view(from, to), encoded }
  }

  *#mountedEntries(): Iterable<ContentEntry> {
    for (const { id, version } of this.#mounted.values())
      yield { key: id, value: new TextEncoder().encode(version), encoded: false }
    const value = new TextEncoder().encode(this.#secretProviderClass)
    yield { key: 'SecretProviderClassName', value, encoded: false }
  }

  #sinkOf(path: readonly string[]): ByteSink | undefined {
    const [field, second = '', third = '', fourth = ''] = path
    if (field === 'metadata') return this.#metadata(path)
    if (this.#kind === 'SecretProviderClassPodStatus') {
      if (field !== 'status') return undefined
      if (path.length === 2 && second === 'secretProviderClassName')
        return new TextSink(text => (this.#secretProviderClass = text))
      return path.length === 4 && second === 'objects' ? this.#mountedField(third, fourth) : undefined
    }
    if (path.length !== 2) return undefined
    if (field === 'data' && this.#kind === 'Secret') return this.#decoded(second, 'data')
    if (field === 'data' && this.#kind === 'ConfigMap') return this.#plain(second)
    return field === 'binaryData' && this.#kind === 'ConfigMap' ? this.#decoded(second, 'binaryData') : undefined
  }

  #metadata(path: readonly string[]): ByteSink | undefined {
    const [, second = '', third = ''] = path
    if (path.length === 2 && second === 'resourceVersion') return new TextSink(text => (this.#resourceVersion = text))
    if (path.length === 2 && second === 'uid') return new TextSink(text => (this.#uid = text))
    if (path.length !== 3 || second !== 'annotations' || !this.#annotationKeys.has(third)) return undefined
    return new TextSink(text => this.#annotations.set(third, text))
  }

  #mountedField(place: string, field: string): ByteSink | undefined {
    if (field !== 'id' && field !== 'version') return undefined
    const mounted = this.#mounted.get(place) ?? { id: '', version: '' }
    this.#mounted.set(place, mounted)
    return new TextSink(text => {
      mounted[field] = text
    })
  }

  #plain(key: string): ByteSink {
    const from = this.#arena.length
    return {
      push: byte => this.#arena.push(byte),
      end: () => this.#values.set(`data ${key}`, { key, from, to: this.#arena.length, encoded: false }),
    }
  }

  #decoded(key: string, field: 'data' | 'binaryData'): ByteSink {
    const from = this.#arena.length
    return new Base64Sink(this.#arena, isBase64 => {
      if (!isBase64) throw new JsonBytesError(`${field}[${JSON.stringify(key)}] is not base64`)
      this.#values.set(`${field} ${key}`, { key, from, to: this.#arena.length, encoded: field === 'binaryData' })
    })
  }
}

/** Short texts that are no secrets: names, versions, annotations of ours. */
class TextSink implements ByteSink {
  readonly #ended: (text: string) => void
  readonly #bytes: number[] = []

  constructor(ended: (text: string) => void) {
    this.#ended = ended
  }

  push(byte: number): void {
    if (this.#bytes.length < longestTextBytes) this.#bytes.push(byte)
  }

  end(): void {
    this.#ended(Buffer.from(this.#bytes).toString('utf8'))
  }
}
