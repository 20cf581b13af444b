// A registry out of memory that only answers pulls, and can stop in the middle of a blob: what a containerd of the checks pulls from.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

export interface PushedImage {
  /** What the tag leads to. */
  readonly digest: string
  readonly manifest: string
  readonly config: string
  readonly layers: readonly string[]
  /** Manifest and configuration of another platform in the index. */
  readonly others: readonly string[]
}

export interface SmallRegistry extends AsyncDisposable {
  /** `127.0.0.1:4711`. */
  readonly host: string
  /** An image of layers that are tar files with one file of random bytes each, under `repository:tag`; in an index where asked. */
  push(
    repository: string,
    tag: string,
    options: { readonly layerBytes: readonly number[]; readonly inIndex?: boolean },
  ): PushedImage
  /** The same content under another tag. */
  tag(repository: string, tag: string, digest: string): void
  /** From now on answers stop after `bytes` of this blob, until it is let go. */
  hold(digest: string, bytes: number): { letGo(): void; cut(): void; readonly reached: Promise<void> }
  bytesOf(digest: string): Buffer
  readonly asked: readonly string[]
}

interface Held {
  readonly bytes: number
  readonly reached: () => void
  readonly until: Promise<'go' | 'cut'>
}

/** Listens on 127.0.0.1. */
export async function startSmallRegistry(): Promise<SmallRegistry> {
  const contents = new Map<string, { readonly bytes: Buffer; readonly type: string }>()
  const tags = new Map<string, string>()
  const holds = new Map<string, Held>()
  const asked: string[] = []
  const put = (bytes: Buffer, type: string): string => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    contents.set(digest, { bytes, type })
    return digest
  }
  const described = (digest: string) => {
    const { bytes, type } = contents.get(digest) ?? missing(digest)
    return { mediaType: type, digest, size: bytes.length }
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [path = ''] = (request.url ?? '').split('?')
    asked.push(`${request.method} ${path}`)
    const [, repository = '', , reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? []
    const digest = tags.get(`${repository}:${reference}`) ?? reference
    const content = contents.get(digest)
    if (content === undefined) {
      response.writeHead(path === '/v2/' ? 200 : 404).end()
      return
    }
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? '0')
    const size = content.bytes.length
    response.writeHead(from > 0 ? 206 : 200, {
      'content-type': content.type,
      'content-length': size - from,
      'docker-content-digest': digest,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${size - 1}/${size}` } : {}),
    })
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    const held = holds.get(digest)
    if (held === undefined) {
      response.end(content.bytes.subarray(from))
      return
    }
    response.write(content.bytes.subarray(from, Math.max(from, held.bytes)))
    held.reached()
    if ((await held.until) === 'go') response.end(content.bytes.subarray(Math.max(from, held.bytes)))
    else response.destroy()
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    asked,
    push(repository, tag, { layerBytes, inIndex = false }) {
      const layerFiles = layerBytes.map((bytes, index) => tarOf(`file${index}`, randomBytes(bytes)))
      const layers = layerFiles.map(file => put(file, 'application/vnd.oci.image.layer.v1.tar'))
      const imageOf = (architecture: string, layerDescriptors: readonly object[], diffIds: readonly string[]) => {
        const rootfs = { type: 'layers', diff_ids: diffIds }
        const config = put(
          Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs, history: [] })),
          'application/vnd.oci.image.config.v1+json',
        )
        const body = { schemaVersion: 2, mediaType: manifestType, config: described(config), layers: layerDescriptors }
        return { config, manifest: put(Buffer.from(JSON.stringify(body)), manifestType) }
      }
      const { config, manifest } = imageOf('amd64', layers.map(described), layers)
      const absent = `sha256:${'0'.repeat(64)}`
      const others: string[] = []
      const index = () => {
        // Nobody fetches the layers of the other platform, and ctr 2.x fetches the rest.
        const other = imageOf(
          'arm64',
          [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: absent, size: 400 }],
          [absent],
        )
        others.push(other.manifest, other.config)
        const platforms = [
          { ...described(manifest), platform: { architecture: 'amd64', os: 'linux' } },
          { ...described(other.manifest), platform: { architecture: 'arm64', os: 'linux' } },
        ]
        return put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: platforms })), indexType)
      }
      const digest = inIndex ? index() : manifest
      tags.set(`${repository}:${tag}`, digest)
      return { digest, manifest, config, layers, others }
    },
    tag: (repository, tag, digest) => void tags.set(`${repository}:${tag}`, digest),
    hold(digest, bytes) {
      const reached = Promise.withResolvers<void>()
      const until = Promise.withResolvers<'go' | 'cut'>()
      holds.set(digest, { bytes, reached: reached.resolve, until: until.promise })
      const end = (how: 'go' | 'cut') => () => {
        holds.delete(digest)
        until.resolve(how)
      }
      return { letGo: end('go'), cut: end('cut'), reached: reached.promise }
    },
    bytesOf: digest => (contents.get(digest) ?? missing(digest)).bytes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function missing(digest: string): never {
  throw new Error(`the registry has no ${digest}`)
}

/** A tar file with one regular file in it. */
function tarOf(name: string, body: Buffer): Buffer {
  const header = Buffer.alloc(512)
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`
  header.write(name, 0)
  header.write(octal(0o644, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(body.length, 12), 124)
  header.write(octal(0, 12), 136)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (body.length % 512)) % 512)
  return Buffer.concat([header, body, padding, Buffer.alloc(1024)])
}
