// A registry in memory for tests, as the distribution specification says, that fails where it is told to. Real ones are asked in test/real.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { digestOf } from '../image/layer.ts'

/** `cut`: the connection ends before it is done; `lost`: it is done, and the answer is lost; `half`: half of the body has arrived. */
export type Fault = 'cut' | 'lost' | 'half' | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }

export interface SmallRegistry extends AsyncDisposable {
  readonly origin: string
  /** `PUT /v2/a/manifests/1.0.0`, in the order in which they came. */
  readonly asked: readonly string[]
  /** By `repository@digest` and `repository:tag`. */
  readonly manifests: ReadonlyMap<string, Buffer>
  readonly blobs: ReadonlyMap<string, Buffer>
}

interface RegistryOptions {
  /** Whether it lists what refers to a manifest. */
  readonly listsReferrers?: boolean
  /** What goes wrong with the request of that number, from 0. */
  readonly fault?: (number: number, request: string) => Fault | undefined
  /** The authorization that a request must have; one without it is told where to get it. */
  readonly wants?: { readonly authorization: string; readonly challenge: (origin: string) => string }
  /** Answers what is no part of the protocol, as a token service does. */
  readonly other?: (request: IncomingMessage, body: Buffer) => object | undefined
}

interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

const path = /^\/v2\/(?<repository>.+?)\/(?<kind>blobs\/uploads|blobs|manifests|referrers)\/(?<name>[^/]*)$/

/** Starts it on a port of its own. */
export async function smallRegistry(options: RegistryOptions = {}): Promise<SmallRegistry> {
  const asked: string[] = []
  const manifests = new Map<string, Buffer>()
  const blobs = new Map<string, Buffer>()
  const uploads = new Map<string, Buffer>()
  const answer = (request: IncomingMessage, url: URL, body: Buffer): Answer => {
    const { repository = '', kind = '', name = '' } = path.exec(url.pathname)?.groups ?? {}
    const here = `/v2/${repository}/blobs/uploads/${name}`
    switch (`${request.method} ${kind}`) {
      case 'HEAD blobs':
      case 'GET blobs': {
        const blob = blobs.get(name)
        return blob === undefined ? { status: 404 } : { status: 200, body: blob }
      }
      case 'POST blobs/uploads': {
        const id = `${uploads.size + 1}`
        uploads.set(id, Buffer.alloc(0))
        return { status: 202, headers: { location: `${here}${id}` } }
      }
      case 'GET blobs/uploads': {
        const size = uploads.get(name)?.length
        return size === undefined
          ? { status: 404 }
          : { status: 204, headers: { location: here, range: `0-${Math.max(0, size - 1)}` } }
      }
      case 'PATCH blobs/uploads': {
        const sofar = uploads.get(name)
        const from = Number(/^(\d+)-/.exec(request.headers['content-range'] ?? '0-')?.[1])
        if (sofar?.length !== from) return { status: sofar === undefined ? 404 : 416 }
        uploads.set(name, Buffer.concat([sofar, body]))
        return { status: 202, headers: { location: here } }
      }
      case 'PUT blobs/uploads': {
        const whole = uploads.get(name)
        if (whole === undefined || digestOf(whole) !== url.searchParams.get('digest')) return refusal(400, 'DIGEST_INVALID')
        uploads.delete(name)
        blobs.set(digestOf(whole), whole)
        return { status: 201 }
      }
      case 'GET manifests': {
        const found = manifests.get(`${repository}${name.includes(':') ? '@' : ':'}${name}`)
        if (found === undefined) return { status: 404 }
        return { status: 200, headers: { 'content-type': JSON.parse(found.toString()).mediaType }, body: found }
      }
      case 'PUT manifests': {
        const { config, layers = [], manifests: parts = [], subject } = JSON.parse(body.toString())
        const named = [...(config === undefined ? [] : [config]), ...layers]
        const isWhole =
          named.every(({ digest }: { digest: string }) => blobs.has(digest)) &&
          parts.every(({ digest }: { digest: string }) => manifests.has(`${repository}@${digest}`))
        if (!isWhole) return refusal(400, 'MANIFEST_BLOB_UNKNOWN')
        manifests.set(`${repository}@${digestOf(body)}`, body)
        if (!name.includes(':')) manifests.set(`${repository}:${name}`, body)
        const listed = options.listsReferrers === true && subject !== undefined ? { 'oci-subject': subject.digest } : undefined
        return { status: 201, headers: { 'docker-content-digest': digestOf(body), ...listed } }
      }
      case 'GET referrers': {
        if (options.listsReferrers !== true) return { status: 404 }
        const found = [...manifests].flatMap(([key, content]) => {
          const { mediaType, artifactType, subject } = JSON.parse(content.toString())
          const isOne = key.startsWith(`${repository}@`) && subject?.digest === name
          return isOne ? [{ mediaType, digest: digestOf(content), size: content.length, artifactType }] : []
        })
        const mediaType = 'application/vnd.oci.image.index.v1+json'
        return {
          status: 200,
          headers: { 'content-type': mediaType },
          body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: found }),
        }
      }
    }
    return refusal(405, 'UNSUPPORTED')
  }
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '', 'http://localhost')
      const fault = options.fault?.(asked.length, `${request.method} ${url.pathname}`)
      asked.push(`${request.method} ${url.pathname}`)
      const body = await buffer(request)
      const other = options.other?.(request, body)
      const { wants } = options
      let given: Answer
      if (other !== undefined) given = { status: 200, body: JSON.stringify(other) }
      else if (wants !== undefined && request.headers.authorization !== wants.authorization)
        given = { ...refusal(401, 'UNAUTHORIZED'), headers: { 'www-authenticate': wants.challenge(origin) } }
      else if (typeof fault === 'object') given = { ...fault, body: '' }
      else if (fault === 'cut') given = { status: 0 }
      else given = answer(request, url, fault === 'half' ? body.subarray(0, body.length >> 1) : body)
      if (typeof fault === 'string') request.socket.destroy()
      else response.writeHead(given.status, given.headers).end(given.body ?? '')
    })()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${address.port}`
  return {
    ...{ origin, asked, manifests, blobs },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function refusal(status: number, code: string): Answer {
  return { status, body: JSON.stringify({ errors: [{ code, message: 'said by the registry' }] }) }
}
