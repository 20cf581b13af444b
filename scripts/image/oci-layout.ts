// An image as a directory that registries' tools read (OCI image layout 1.0), and as a file for `docker load`.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf, type Layer, type LayerEntry, packTar } from './layer.ts'

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly artifactType?: string
  readonly platform?: { readonly os: 'linux'; readonly architecture: string }
  readonly annotations?: Readonly<Record<string, string>>
}

/** What a container of the image starts with. */
export interface ImageConfiguration {
  readonly architecture: string
  readonly entrypoint: readonly string[]
  readonly environment: readonly string[]
  readonly user: string
  readonly ports: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly created: string
}

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const

/** One platform's image: its manifest, and what it refers to. */
export interface PlatformImage {
  readonly descriptor: Descriptor
  readonly configuration: Descriptor
  readonly layers: readonly Descriptor[]
}

/** Collects an image's blobs by digest. */
export class OciLayout {
  readonly #blobs = new Map<string, Uint8Array>()
  readonly #top: Descriptor[] = []

  /** Adds a platform's image out of layers, the lowest first, each with a word for the history. */
  addImage(configuration: ImageConfiguration, layers: readonly (readonly [word: string, layer: Layer])[]): PlatformImage {
    const { architecture, created } = configuration
    const config = this.#addJson(types.config, {
      created,
      architecture,
      os: 'linux',
      config: {
        User: configuration.user,
        ExposedPorts: Object.fromEntries(configuration.ports.map(port => [port, {}])),
        Env: configuration.environment,
        Entrypoint: configuration.entrypoint,
        WorkingDir: '/',
        Labels: configuration.labels,
      },
      rootfs: { type: 'layers', diff_ids: layers.map(([, { diffId }]) => diffId) },
      history: layers.map(([word]) => ({ created, created_by: word })),
    })
    const added = layers.map(([, { gzip }]) => this.#add(types.layer, gzip))
    const manifest = this.#addJson(types.manifest, {
      schemaVersion: 2,
      mediaType: types.manifest,
      config,
      layers: added,
      annotations: configuration.labels,
    })
    return { descriptor: { ...manifest, platform: { os: 'linux', architecture } }, configuration: config, layers: added }
  }

  /** Makes the images one, found by `tag`. */
  addIndex(images: readonly PlatformImage[], tag: string, annotations: Readonly<Record<string, string>>): Descriptor {
    const index = this.#addJson(types.index, {
      schemaVersion: 2,
      mediaType: types.index,
      manifests: images.map(({ descriptor }) => descriptor),
      annotations,
    })
    this.#top.push({ ...index, annotations: { 'org.opencontainers.image.ref.name': tag } })
    return index
  }

  /** Attaches a document to what `subject` names, so that the registry lists it among its referrers. */
  attach(subject: Descriptor, mediaType: string, document: Uint8Array, created: string): Descriptor {
    const annotations = { 'org.opencontainers.image.created': created }
    const { digest, size } = subject
    const manifest = this.#addJson(types.manifest, {
      schemaVersion: 2,
      mediaType: types.manifest,
      artifactType: mediaType,
      config: { ...this.#addJson(types.empty, {}), data: 'e30=' },
      layers: [this.#add(mediaType, document)],
      subject: { mediaType: subject.mediaType, digest, size },
      annotations,
    })
    this.#top.push({ ...manifest, artifactType: mediaType })
    return manifest
  }

  /** Writes the layout; a directory that is there is replaced. */
  write(directory: string): void {
    rmSync(directory, { recursive: true, force: true })
    const blobs = join(directory, 'blobs', 'sha256')
    mkdirSync(blobs, { recursive: true })
    for (const [digest, content] of this.#blobs) writeFileSync(join(blobs, hexOf(digest)), content)
    writeFileSync(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
    writeFileSync(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: this.#top }),
    )
  }

  /** A file that `docker load` and `ctr image import` take: one platform's image under `reference`. */
  async dockerArchive(image: PlatformImage, reference: string, seconds: number): Promise<Buffer> {
    const { descriptor, configuration, layers } = image
    const path = ({ digest }: Descriptor) => `blobs/sha256/${hexOf(digest)}`
    const file = (content: Uint8Array | string): LayerEntry => ({ type: 'file', content: Buffer.from(content) })
    const named = {
      ...descriptor,
      annotations: {
        'io.containerd.image.name': reference,
        'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
      },
    }
    const entries = new Map<string, LayerEntry>([
      ['oci-layout', file(JSON.stringify({ imageLayoutVersion: '1.0.0' }))],
      ['index.json', file(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [named] }))],
      ['manifest.json', file(JSON.stringify([{ Config: path(configuration), RepoTags: [reference], Layers: layers.map(path) }]))],
    ])
    for (const one of [descriptor, configuration, ...layers]) {
      const content = this.#blobs.get(one.digest)
      if (content !== undefined) entries.set(path(one), file(content))
    }
    return packTar(entries, seconds)
  }

  #add(mediaType: string, content: Uint8Array): Descriptor {
    const digest = digestOf(content)
    this.#blobs.set(digest, content)
    return { mediaType, digest, size: content.length }
  }

  #addJson(mediaType: string, value: object): Descriptor {
    return this.#add(mediaType, Buffer.from(JSON.stringify(value)))
  }
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length)
}
