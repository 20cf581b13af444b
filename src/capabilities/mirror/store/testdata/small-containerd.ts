// A containerd with images and content in memory and its content as files, for tests that change it.
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { type Digest, parseDigest } from '../../reference.ts'
import * as api from '../containerd-api.ts'
import { answerOf, ContainerdServer, envelopeOf, type Handler, Refusal } from './containerd-server.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

interface Content {
  readonly bytes: Buffer
  labels: ReadonlyMap<string, string>
}

export class SmallContainerd implements AsyncDisposable {
  readonly images = new Map<string, Digest>()
  readonly contents = new Map<Digest, Content>()
  version = '2.1.9'
  criConfig: string | undefined
  server: ContainerdServer
  readonly contentPath: string
  readonly #namespace = 'k8s.io'
  readonly #awaited = new Map<string, () => void>()
  /** Digests that were asked about, each time. */
  readonly infos: Digest[] = []

  private constructor(server: ContainerdServer) {
    this.server = server
    this.contentPath = join(server.directory, 'content')
    mkdirSync(join(this.contentPath, 'blobs', 'sha256'), { recursive: true })
  }

  static async start(): Promise<SmallContainerd> {
    const handlers = new Map<string, Handler>()
    const server = await ContainerdServer.start(path => handlers.get(path) ?? unimplemented)
    const containerd = new SmallContainerd(server)
    for (const [method, handler] of containerd.#handlers()) handlers.set(method.path, handler)
    return containerd
  }

  /** Places content without an event. */
  place(bytes: string | Buffer, labels: Readonly<Record<string, string>> = {}): Digest {
    const content = Buffer.from(bytes)
    const digest = parseDigest(`sha256:${createHash('sha256').update(content).digest('hex')}`)
    if (digest === undefined) throw new Error('no digest')
    this.contents.set(digest, { bytes: content, labels: new Map(Object.entries(labels)) })
    writeFileSync(join(this.contentPath, 'blobs', 'sha256', digest.slice(7)), content)
    return digest
  }

  /** Places an image of one layer without an event. */
  placeImage(name: string, layer: string): { readonly manifest: Digest; readonly config: Digest; readonly layer: Digest } {
    const config = this.place(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [layer] } }))
    const layerDigest = this.place(layer)
    const manifest = this.place(
      JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: { digest: config }, layers: [{ digest: layerDigest }] }),
    )
    this.images.set(name, manifest)
    return { manifest, config, layer: layerDigest }
  }

  label(digest: Digest, labels: Readonly<Record<string, string>>): void {
    const content = this.contents.get(digest)
    if (content !== undefined) content.labels = new Map(Object.entries(labels))
  }

  removeContent(digest: Digest): void {
    this.contents.delete(digest)
    rmSync(join(this.contentPath, 'blobs', 'sha256', digest.slice(7)), { force: true })
  }

  /** Resolves when it was answered about this content as it is now. */
  infoAsked(digest: Digest): Promise<void> {
    return new Promise(resolve => this.#awaited.set(digest, resolve))
  }

  /** `size`: said of fresh content, as from containerd 2.1 on. */
  tell(
    topic: '/images/create' | '/images/update' | '/images/delete' | '/content/create' | '/content/delete',
    of: string,
    size = 0,
  ): void {
    const type = topic.startsWith('/images') ? 'containerd.services.images.v1.Image' : 'containerd.events.Content'
    const value = topic.startsWith('/images') ? api.imageEvent.encode({ name: of }) : api.contentEvent.encode({ digest: of, size })
    this.server.emit(envelopeOf(this.#namespace, topic, type, value))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
  }

  #handlers(): readonly (readonly [{ readonly path: string }, Handler])[] {
    const found = (name: string, isThere: boolean) => {
      if (!isThere) throw new Refusal(status.NOT_FOUND, `${name}: not found`)
    }
    const own = (handler: Handler): Handler => (request, namespace, call) => {
      found(namespace, namespace === this.#namespace)
      return handler(request, namespace, call)
    }
    const image = (name: string) => ({
      name,
      labels: new Map(),
      target: { mediaType: manifestType, digest: this.images.get(name) ?? '', size: 0 },
    })
    const info = (digest: Digest) => {
      const content = this.contents.get(digest)
      return { digest, size: content?.bytes.length ?? 0, labels: new Map(content?.labels) }
    }
    const asked = (text: string): Digest => {
      const digest = parseDigest(text)
      if (digest === undefined || !this.contents.has(digest)) throw new Refusal(status.NOT_FOUND, `${text}: not found`)
      return digest
    }
    return [
      [api.version, () => answerOf(api.version.response, { version: this.version })],
      [
        api.listPlugins,
        () =>
          answerOf(api.listPlugins.response, {
            plugins: [{ type: 'io.containerd.content.v1', id: 'content', exports: new Map([['root', this.contentPath]]) }],
          }),
      ],
      [
        api.criStatus,
        () => {
          if (this.criConfig === undefined) throw new Refusal(status.UNIMPLEMENTED, 'no CRI')
          return answerOf(api.criStatus.response, { info: new Map([['config', this.criConfig]]) })
        },
      ],
      [api.listImages, own(() => answerOf(api.listImages.response, { images: [...this.images.keys()].map(image) }))],
      [
        api.getImage,
        own(request => {
          const { name } = api.getImage.request.decode(request)
          found(name, this.images.has(name))
          return answerOf(api.getImage.response, { image: image(name) })
        }),
      ],
      [
        api.contentInfo,
        own(request => {
          const { digest } = api.contentInfo.request.decode(request)
          const answer = answerOf(api.contentInfo.response, { info: info(asked(digest)) })
          this.infos.push(asked(digest))
          this.#awaited.get(digest)?.()
          return answer
        }),
      ],
      [api.listContent, own(() => [...this.contents.keys()].map(digest => api.listContent.response.encode({ info: [info(digest)] })))],
      [
        api.readContent,
        own(request => {
          const { digest, offset, size } = api.readContent.request.decode(request)
          const bytes = this.contents.get(asked(digest))?.bytes ?? Buffer.alloc(0)
          const pieces: Buffer[] = []
          for (let at = offset; at < offset + size; at += 7)
            pieces.push(
              api.readContent.response.encode({ offset: at, data: bytes.subarray(at, Math.min(at + 7, offset + size)) }),
            )
          return pieces
        }),
      ],
      [api.listStatuses, own(() => answerOf(api.listStatuses.response, { statuses: [] }))],
    ]
  }
}

const unimplemented: Handler = () => {
  throw new Refusal(status.UNIMPLEMENTED, 'not here')
}
