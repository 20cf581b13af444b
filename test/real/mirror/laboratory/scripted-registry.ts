// A registry in this process that answers as it is told: what containerd makes of each answer is read off what it asks next.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { tarOfRandomBytes } from './images.ts'

/** What is asked, by the part of the image: `HEAD tag`, `GET manifest`, `GET config`, `GET layer`, the same with ` range`. */
export type Asked = string

export type Answer =
  /** As a registry would. */
  | { readonly kind: 'serve'; readonly headers?: Readonly<Record<string, string>>; readonly without?: readonly string[] }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The right headers, so many bytes, and the connection is reset. */
  | { readonly kind: 'cut'; readonly after: number }
  /** The right headers, one bit of the body turned. */
  | { readonly kind: 'flip' }
  /** The connection is reset before a header. */
  | { readonly kind: 'reset' }
  /** Nothing, until the registry is closed or released. */
  | { readonly kind: 'silence' }

export type Script = (asked: Asked, times: number) => Answer

export interface SmallImage {
  readonly repository: string
  readonly tag: string
  readonly manifest: Content
  readonly config: Content
  readonly layer: Content
}

interface Content {
  readonly digest: string
  readonly bytes: Buffer
}

export interface ScriptedRegistry extends AsyncDisposable {
  readonly url: string
  /** How often each was asked. */
  asked(): Readonly<Record<Asked, number>>
  /** Headers of each request, oldest first. */
  requests(): readonly { readonly asked: Asked; readonly path: string; readonly headers: IncomingMessage['headers'] }[]
  /** Destroys the connections that wait, and from now on each that would have to. */
  release(): void
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** An image of one layer of `size` random bytes. */
export function smallImage(repository: string, tag: string, size: number): SmallImage {
  const layer = contentOf(Buffer.concat([...tarOfRandomBytes('file', size, `${repository}:${tag}`)]))
  const config = contentOf(
    JSON.stringify({ os: 'linux', architecture: 'amd64', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
  )
  const descriptor = (mediaType: string, { digest, bytes }: Content) => ({ mediaType, digest, size: bytes.length })
  const manifest = contentOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  )
  return { repository, tag, manifest, config, layer }
}

function contentOf(text: string | Buffer): Content {
  const bytes = Buffer.from(text)
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` }
}

/** Listens on loopback until it is disposed. */
export async function startScriptedRegistry(image: SmallImage, script: Script): Promise<ScriptedRegistry> {
  const counts: Record<Asked, number> = {}
  const requests: { asked: Asked; path: string; headers: IncomingMessage['headers'] }[] = []
  const waiting = new Set<Socket>()
  let isReleased = false
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://registry').pathname
    const { name, content } = contentAt(image, path)
    const asked = `${request.method} ${name}${request.headers.range === undefined ? '' : ' range'}`
    counts[asked] = (counts[asked] ?? 0) + 1
    requests.push({ asked, path: request.url ?? '', headers: request.headers })
    const answer = script(asked, counts[asked])
    if (answer.kind === 'silence' && !isReleased) {
      waiting.add(request.socket)
      return
    }
    if (answer.kind === 'reset' || answer.kind === 'silence') {
      request.socket.resetAndDestroy()
      return
    }
    if (answer.kind === 'status') {
      response.writeHead(answer.status, { 'content-length': '0', ...answer.headers }).end()
      return
    }
    if (content === undefined) {
      response.writeHead(404).end()
      return
    }
    serve(request, response, name, content, answer)
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const release = () => {
    isReleased = true
    for (const socket of waiting) socket.destroy()
    waiting.clear()
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked: () => ({ ...counts }),
    requests: () => [...requests],
    release,
    async [Symbol.asyncDispose]() {
      release()
      server.closeAllConnections()
      await new Promise<void>(closed => server.close(() => closed()))
    },
  }
}

function contentAt(image: SmallImage, path: string): { readonly name: string; readonly content: Content | undefined } {
  const base = `/v2/${image.repository}`
  if (path === `${base}/manifests/${image.tag}`) return { name: 'tag', content: image.manifest }
  if (path === `${base}/manifests/${image.manifest.digest}`) return { name: 'manifest', content: image.manifest }
  if (path === `${base}/blobs/${image.config.digest}`) return { name: 'config', content: image.config }
  if (path === `${base}/blobs/${image.layer.digest}`) return { name: 'layer', content: image.layer }
  return { name: path.includes('/manifests/') ? 'other-manifest' : 'other-blob', content: undefined }
}

function serve(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  { digest, bytes }: Content,
  answer: Extract<Answer, { kind: 'serve' | 'cut' | 'flip' }>,
): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const body = Buffer.from(bytes.subarray(start))
  const middle = Math.floor(body.length / 2)
  if (answer.kind === 'flip') body[middle] = (body[middle] ?? 0) ^ 1
  const headers = new Map([
    ['content-type', name === 'tag' || name === 'manifest' ? manifestType : 'application/octet-stream'],
    ['content-length', String(body.length)],
    ['docker-content-digest', digest],
    ...(request.headers.range === undefined
      ? []
      : ([['content-range', `bytes ${start}-${bytes.length - 1}/${bytes.length}`]] as const)),
    ...Object.entries(answer.kind === 'serve' ? (answer.headers ?? {}) : {}),
  ])
  for (const left of answer.kind === 'serve' ? (answer.without ?? []) : []) headers.delete(left)
  response.writeHead(request.headers.range === undefined ? 200 : 206, Object.fromEntries(headers))
  if (request.method === 'HEAD') response.end()
  else if (answer.kind === 'cut') response.write(body.subarray(0, answer.after), () => request.socket.destroy())
  else response.end(body)
}
