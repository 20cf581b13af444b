// One repository of a registry: blobs, manifests, tags, and what refers to a manifest. Whatever is there already is not sent again.
import { z } from 'zod'
import { digestOf } from '../image/layer.ts'
import { type RegistryConnection, RegistryRefusal } from './registry-connection.ts'

const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestType = 'application/vnd.oci.image.manifest.v1+json'
/** What a manifest may be; a registry that is not told sends something older. */
const accept = [indexType, manifestType].join(', ')

const descriptor = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.number(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})
const indexSchema = z.looseObject({ manifests: z.array(descriptor) })

/** A manifest as it is sent, byte for byte. */
export interface Manifest {
  readonly mediaType: string
  readonly content: Uint8Array
}

export type Referrer = z.infer<typeof descriptor>

export class Repository {
  readonly #connection: RegistryConnection
  readonly name: string

  constructor(connection: RegistryConnection, name: string) {
    this.#connection = connection
    this.name = name
  }

  /** Has the blob in the repository. @returns whether it had to be sent */
  async putBlob(digest: string, content: Uint8Array): Promise<boolean> {
    const what = `blob ${digest.slice(0, 19)} of ${this.name}`
    const upload: Upload = { at: undefined, sent: 0 }
    return await this.#connection.persistently(what, async () => {
      const there = await this.#ask({ method: 'HEAD', at: `/blobs/${digest}`, also: [404] })
      if (there.ok) return false
      await this.#send(upload, content)
      await this.#finish(upload, digest)
      return true
    })
  }

  /** Sends what the registry does not have yet of an upload, in one piece. */
  async #send(upload: Upload, content: Uint8Array): Promise<void> {
    if (upload.at !== undefined) await this.#resume(upload)
    if (upload.at === undefined) {
      const begun = await this.#ask({ method: 'POST', at: '/blobs/uploads/' })
      upload.at = whereOf(begun, this.#connection.origin)
      upload.sent = 0
    }
    if (upload.sent >= content.length) return
    const range = upload.sent === 0 ? {} : { 'content-range': `${upload.sent}-${content.length - 1}` }
    const answer = await this.#connection.ask(this.name, {
      method: 'PATCH',
      at: upload.at,
      headers: { 'content-type': 'application/octet-stream', ...range },
      body: content.subarray(upload.sent),
      // A registry that forgot the upload, or has another part of it than it said: it begins anew.
      also: [404, 416],
    })
    if (!answer.ok) {
      upload.at = undefined
      await this.#send(upload, content)
      return
    }
    upload.at = whereOf(answer, this.#connection.origin)
    upload.sent = content.length
  }

  /** After a failure: asks how much of it has arrived. */
  async #resume(upload: Upload): Promise<void> {
    const at = upload.at ?? ''
    const answer = await this.#connection.ask(this.name, { method: 'GET', at, also: [400, 404, 405, 416] })
    const last = answer.ok ? /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get('range') ?? '')?.[1] : undefined
    await answer.body?.cancel()
    // "0-0" is said of nothing as well as of one byte.
    if (last === undefined || last === '0') upload.at = undefined
    else {
      upload.at = whereOf(answer, this.#connection.origin, at)
      upload.sent = Number(last) + 1
    }
  }

  async #finish(upload: Upload, digest: string): Promise<void> {
    const at = new URL(upload.at ?? '')
    at.searchParams.set('digest', digest)
    try {
      await this.#connection.ask(this.name, { method: 'PUT', at })
    } catch (error) {
      // What it has put together is not what was sent, or is gone: the next try begins anew.
      if (error instanceof RegistryRefusal) upload.at = undefined
      throw error
    }
  }

  /** The manifest of a tag or digest; undefined where there is none. */
  async manifest(reference: string): Promise<Manifest | undefined> {
    return await this.#connection.persistently(`manifest ${reference} of ${this.name}`, async () => {
      const answer = await this.#ask({ method: 'GET', at: `/manifests/${reference}`, headers: { accept }, also: [404] })
      if (answer.status === 404) return undefined
      const content = await this.#connection.bytes(answer)
      return { mediaType: (answer.headers.get('content-type') ?? '').replace(/;.*/, ''), content }
    })
  }

  /** A blob of a bounded size, as documents have. @throws RegistryRefusal where there is none */
  async blob(digest: string): Promise<Buffer> {
    return await this.#connection.persistently(`blob ${digest.slice(0, 19)} of ${this.name}`, async () => {
      const content = await this.#connection.bytes(await this.#ask({ method: 'GET', at: `/blobs/${digest}` }))
      if (digestOf(content) !== digest) throw new Error(`${this.name} has something else under ${digest}`)
      return content
    })
  }

  /**
   * Puts a manifest under its digest, or under a tag. One that has a subject is listed among what refers to it, by the registry,
   * or by us under the tag `sha256-…` where the registry does not know how.
   */
  async putManifest({ mediaType, content }: Manifest, tag?: string): Promise<void> {
    const digest = digestOf(content)
    const at = `/manifests/${tag ?? digest}`
    const listed = await this.#connection.persistently(`manifest ${tag ?? digest.slice(0, 19)} of ${this.name}`, async () => {
      const answer = await this.#ask({ method: 'PUT', at, headers: { 'content-type': mediaType }, body: content })
      const said = answer.headers.get('docker-content-digest') ?? digest
      if (said !== digest) throw new Error(`${this.name} took ${digest} for ${said}`)
      return answer.headers.has('oci-subject')
    })
    const subject = subjectOf(content)
    if (subject !== undefined && !listed) await this.#listReferrer(subject, { mediaType, content })
  }

  /** What refers to a manifest. */
  async referrers(digest: string): Promise<readonly Referrer[]> {
    const found = await this.#connection.persistently(`referrers of ${this.name}`, async () => {
      const answer = await this.#ask({ method: 'GET', at: `/referrers/${digest}`, headers: { accept }, also: [400, 404, 405] })
      const isIndex = answer.headers.get('content-type')?.startsWith(indexType) === true
      if (answer.ok && isIndex) return indexSchema.parse(await this.#connection.json(answer)).manifests
      await answer.body?.cancel()
      return undefined
    })
    return found ?? (await this.#listedUnderTag(digest))
  }

  async #listedUnderTag(digest: string): Promise<readonly Referrer[]> {
    const index = await this.manifest(fallbackTag(digest))
    return index === undefined ? [] : indexSchema.parse(JSON.parse(Buffer.from(index.content).toString('utf8'))).manifests
  }

  async #listReferrer(subject: string, { mediaType, content }: Manifest): Promise<void> {
    const digest = digestOf(content)
    const { artifactType, annotations } = z
      .looseObject({ artifactType: z.string().optional(), annotations: z.record(z.string(), z.string()).optional() })
      .parse(JSON.parse(Buffer.from(content).toString('utf8')))
    const own: Referrer = {
      ...{ mediaType, digest, size: content.length },
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    }
    const others = await this.#listedUnderTag(subject)
    if (others.some(one => one.digest === digest)) return
    const index = { schemaVersion: 2, mediaType: indexType, manifests: [...others, own] }
    await this.putManifest({ mediaType: indexType, content: Buffer.from(JSON.stringify(index)) }, fallbackTag(subject))
  }

  #ask(request: Parameters<RegistryConnection['ask']>[1] & { readonly at: string }): Promise<Response> {
    return this.#connection.ask(this.name, { ...request, at: `/v2/${this.name}${request.at}` })
  }
}

interface Upload {
  /** Where the next request of it goes. */
  at: string | undefined
  /** Bytes that have arrived. */
  sent: number
}

/** The tag under which a registry without the referrers API lists what refers to a manifest. */
function fallbackTag(digest: string): string {
  return digest.replace(':', '-')
}

function subjectOf(content: Uint8Array): string | undefined {
  return z.looseObject({ subject: descriptor.optional() }).parse(JSON.parse(Buffer.from(content).toString('utf8'))).subject
    ?.digest
}

function whereOf(answer: Response, origin: string, otherwise?: string): string {
  const location = answer.headers.get('location') ?? otherwise
  if (location === undefined) throw new Error(`${answer.url}: an upload without a Location`)
  return new URL(location, origin).href
}
