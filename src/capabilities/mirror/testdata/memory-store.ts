// A store of a node that lies in memory: the same face as containerd's, with faults on demand. What was asked is counted.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ByteRange, ContentInfo, InFlight, Store, StoreChange, StoredImage, StoreHealth } from '../contract.ts'
import { StoreUnavailable } from '../contract.ts'
import { type Digest, parseDigest, parseImageName } from '../reference.ts'

const manifestTypes: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
])

interface Content {
  readonly info: ContentInfo
  bytes: Buffer
}

interface Download {
  readonly digest: Digest
  readonly total: number
  bytes: Buffer
  state: 'goes on' | 'whole' | 'gone'
}

/** `sha256:…` of the bytes. */
export function digestOf(bytes: string | Buffer): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  if (digest === undefined) throw new Error('no digest')
  return digest
}

export class MemoryStore implements Store {
  /** All calls but `changes`, `images` and `health` fail with StoreUnavailable meanwhile. */
  isDown = false
  /** Calls by name. */
  readonly asked: Record<'resolve' | 'info' | 'open' | 'read' | 'inFlight' | 'follow', number> = {
    resolve: 0,
    info: 0,
    open: 0,
    read: 0,
    inFlight: 0,
    follow: 0,
  }
  /** What containerd asked for as of a mirrored image. */
  readonly expected = new Set<Digest>()
  readonly #contents = new Map<Digest, Content>()
  readonly #tags = new Map<string, Digest>()
  readonly #downloads = new Map<Digest, Download>()
  readonly #listeners = new Set<(change: StoreChange) => void>()
  readonly #growth = new Set<() => void>()

  /** Places content; its media type is that of the JSON where it says one, unless given. Announced. */
  put(content: string | Buffer, mediaType = mediaTypeIn(content)): Digest {
    const bytes = Buffer.from(content)
    const digest = digestOf(bytes)
    this.#contents.set(digest, { info: { digest, size: bytes.length, mediaType, isManifest: manifestTypes.has(mediaType) }, bytes })
    this.#tell({ kind: 'changed', added: [digest], removed: [] })
    return digest
  }

  /** Names an image `registry/repository:tag`. Announced. */
  tag(name: string, digest: Digest): void {
    this.#tags.set(name, digest)
    this.#tell({ kind: 'changed', added: [name], removed: [] })
  }

  expect(digest: Digest): void {
    this.expected.add(digest)
  }

  untag(name: string): void {
    this.#tags.delete(name)
    this.#tell({ kind: 'changed', added: [], removed: [name] })
  }

  remove(digest: Digest): void {
    this.#contents.delete(digest)
    this.#tell({ kind: 'changed', added: [], removed: [digest] })
  }

  /** Its bytes become others without that anybody is told: a damaged or cut file. */
  damage(digest: Digest, change: (bytes: Buffer) => Buffer): void {
    const content = this.#contents.get(digest)
    if (content === undefined) throw new Error(`${digest} is not there`)
    content.bytes = change(Buffer.from(content.bytes))
  }

  /** The node's own containerd begins to load it. */
  begin(digest: Digest, total: number): void {
    this.#downloads.set(digest, { digest, total, bytes: Buffer.alloc(0), state: 'goes on' })
  }

  grow(digest: Digest, bytes: Buffer): void {
    const download = this.#download(digest)
    download.bytes = Buffer.concat([download.bytes, bytes])
    this.#wake()
  }

  /** The download is committed: its bytes are content now. */
  finish(digest: Digest): Digest {
    const download = this.#download(digest)
    download.state = 'whole'
    this.#downloads.delete(digest)
    const placed = this.put(download.bytes)
    this.#wake()
    return placed
  }

  /** The download vanishes. */
  abandon(digest: Digest): void {
    this.#download(digest).state = 'gone'
    this.#downloads.delete(digest)
    this.#wake()
  }

  async resolve(name: string, _signal?: AbortSignal): Promise<Digest | undefined> {
    this.#called('resolve')
    return this.#tags.get(name)
  }

  async info(digest: Digest, _signal?: AbortSignal): Promise<ContentInfo | undefined> {
    this.#called('info')
    return this.#contents.get(digest)?.info
  }

  async open(digest: Digest, range?: ByteRange): Promise<Readable> {
    this.#called('open')
    const content = this.#contents.get(digest)
    if (content === undefined) throw new Error(`${digest} is not there`)
    const { start, end } = range ?? { start: 0, end: content.info.size - 1 }
    return Readable.from(whole(content.bytes, { start, end, digest }))
  }

  async read(digest: Digest, limit: number, _signal?: AbortSignal): Promise<Buffer> {
    this.#called('read')
    const content = this.#contents.get(digest)
    if (content === undefined) throw new Error(`${digest} is not there`)
    if (content.bytes.length > limit) throw new Error(`${digest} has ${content.bytes.length} bytes, more than ${limit}`)
    return content.bytes
  }

  async inFlight(digest: Digest, _signal?: AbortSignal): Promise<InFlight | undefined> {
    this.#called('inFlight')
    const download = this.#downloads.get(digest)
    return download === undefined ? undefined : { digest, offset: download.bytes.length, total: download.total }
  }

  async follow(digest: Digest, start: number, _stallMs?: number): Promise<Readable> {
    this.#called('follow')
    const content = this.#downloads.has(digest) ? undefined : this.#contents.get(digest)
    if (content !== undefined) return Readable.from(whole(content.bytes, { start, end: content.bytes.length - 1, digest }))
    return Readable.from(this.#followed(this.#download(digest), start))
  }

  async *changes(signal: AbortSignal): AsyncIterable<StoreChange> {
    const waiting: StoreChange[] = [{ kind: 'all', keys: new Set<string>([...this.#contents.keys(), ...this.#tags.keys()]) }]
    let wake = () => {}
    const listener = (change: StoreChange) => {
      waiting.push(change)
      wake()
    }
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => wake(), { once: true })
    try {
      while (!signal.aborted) {
        const next = waiting.shift()
        if (next !== undefined) yield next
        else await new Promise<void>(resolve => (wake = resolve))
      }
    } finally {
      this.#listeners.delete(listener)
    }
  }

  /** Tags, each with its manifest alone and what is named in it, as far as it is here. */
  images(): readonly StoredImage[] {
    return [...this.#tags].flatMap(([name, digest]) => {
      const image = parseImageName(name)
      const content = this.#contents.get(digest)
      if (image === undefined || content === undefined) return []
      const named = content.bytes.toString().match(/sha256:[0-9a-f]{64}/g) ?? []
      const parts = new Map<Digest, number>()
      for (const part of [digest, ...named]) {
        const found = this.#contents.get(part as Digest)
        if (found !== undefined) parts.set(found.info.digest, found.info.size)
      }
      return [{ name, registry: image.registry, digest, parts }]
    })
  }

  health(): StoreHealth {
    return {
      isUp: !this.isDown,
      version: '2.1.9',
      problems: this.isDown ? [{ reason: 'ContainerdUnreachable', message: 'containerd does not answer' }] : [],
    }
  }

  #called(call: keyof MemoryStore['asked']): void {
    this.asked[call]++
    if (this.isDown) throw new StoreUnavailable('containerd does not answer')
  }

  #tell(change: StoreChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  #wake(): void {
    for (const wake of [...this.#growth]) wake()
  }

  #download(digest: Digest): Download {
    const download = this.#downloads.get(digest)
    if (download === undefined) throw new Error(`no download of ${digest}`)
    return download
  }

  async *#followed(download: Download, start: number): AsyncGenerator<Buffer> {
    for (let at = start; at < download.total; ) {
      if (download.bytes.length > at) {
        const piece = download.bytes.subarray(at)
        at += piece.length
        yield piece
      } else if (download.state === 'goes on') {
        await new Promise<void>(resolve => {
          const wake = () => {
            this.#growth.delete(wake)
            resolve()
          }
          this.#growth.add(wake)
        })
      } else throw new Error(`the download of ${download.digest} ended after ${at} of ${download.total} bytes`)
    }
  }
}

async function* whole(bytes: Buffer, { start, end, digest }: ByteRange & { readonly digest: Digest }): AsyncGenerator<Buffer> {
  const pieceBytes = 1 << 20
  for (let at = start; at <= end; at += pieceBytes) {
    const piece = bytes.subarray(at, Math.min(at + pieceBytes, end + 1))
    if (piece.length > 0) yield piece
    if (piece.length < Math.min(pieceBytes, end + 1 - at)) throw new Error(`${digest} is shorter than it was`)
  }
}

function mediaTypeIn(content: string | Buffer): string {
  try {
    const parsed: unknown = JSON.parse(content.toString())
    if (typeof parsed === 'object' && parsed !== null && 'mediaType' in parsed && typeof parsed.mediaType === 'string')
      return parsed.mediaType
  } catch {
    // Not JSON: a layer.
  }
  return 'application/octet-stream'
}
