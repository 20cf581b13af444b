// Images of random bytes: real tar layers, a configuration, a manifest for each platform and an index over them, pushed through the
// registry's own API. The same seed gives the same bytes.
import { createCipheriv, createHash } from 'node:crypto'
import { type LayerEntry, packTar } from '../../../../scripts/image/layer.ts'

export interface ImageOptions {
  /** `acme/app`. */
  readonly repository: string
  readonly tag: string
  /** Bytes of the file in each layer. */
  readonly layers: readonly number[]
  /** Bytes differ by it; default: the repository and the tag. */
  readonly seed?: string
  /** `linux/amd64` first; more than one makes an index, whose other platforms have one small layer. */
  readonly platforms?: readonly string[]
}

export interface PushedImage {
  readonly repository: string
  readonly tag: string
  /** Digest that the tag has: of the index where there is one. */
  readonly digest: string
  /** Manifest of the first platform. */
  readonly manifest: string
  readonly layers: readonly { readonly digest: string; readonly size: number }[]
  readonly config: string
}

const chunkBytes = 1 << 20
const blockBytes = 512
const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const

/** Pushes an image that runs: a program at a path without a leading slash, and beside it a layer of random bytes. */
export async function pushProgram(
  base: string,
  options: Pick<ImageOptions, 'repository' | 'tag'> & {
    readonly program: { readonly path: string; readonly content: Uint8Array }
    readonly command: readonly string[]
    readonly besides: number
    /** What a pod's `args` are given to; `command` is only what it is without any. */
    readonly entrypoint?: readonly string[]
    /** By whom it is run; root unless given. */
    readonly user?: string
    /** Further files by their paths. */
    readonly files?: Readonly<Record<string, string>>
  },
): Promise<PushedImage> {
  const { repository, tag, program, command, entrypoint, user, files = {} } = options
  const entries = new Map<string, LayerEntry>([[program.path, { type: 'file', content: program.content, isProgram: true }]])
  for (const [path, text] of Object.entries(files)) entries.set(path, { type: 'file', content: Buffer.from(text) })
  const packed = await packTar(entries, 0)
  const layers = [[packed], tarOfRandomBytes('besides', options.besides, `${repository}:${tag}`)]
  const {
    text,
    digest,
    layers: pushed,
    config,
  } = await pushLayers(base, repository, 'linux/amd64', layers, { Cmd: command, Entrypoint: entrypoint, User: user })
  await putManifest(base, repository, tag, mediaTypes.manifest, text)
  return { repository, tag, digest, manifest: digest, layers: pushed, config }
}

/** Pushes an image to the registry at `base` (`http://…`). */
export async function pushImage(base: string, options: ImageOptions): Promise<PushedImage> {
  const { repository, tag, platforms = ['linux/amd64'] } = options
  const seed = options.seed ?? `${repository}:${tag}`
  const pushed = await Promise.all(
    platforms.map((platform, index) =>
      pushPlatform(base, repository, platform, index === 0 ? options.layers : [2_000], `${seed} ${platform}`),
    ),
  )
  const [first] = pushed
  if (first === undefined) throw new Error('an image needs a platform')
  const shared = { repository, tag, manifest: first.digest, layers: first.layers, config: first.config }
  if (pushed.length === 1) {
    const digest = await putManifest(base, repository, tag, mediaTypes.manifest, first.text)
    return { ...shared, digest }
  }
  for (const { digest, text } of pushed) await putManifest(base, repository, digest, mediaTypes.manifest, text)
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: pushed.map(({ digest, text, platform }) => ({
      mediaType: mediaTypes.manifest,
      digest,
      size: Buffer.byteLength(text),
      platform,
    })),
  })
  const digest = await putManifest(base, repository, tag, mediaTypes.index, index)
  return { ...shared, digest }
}

function pushPlatform(base: string, repository: string, name: string, sizes: readonly number[], seed: string) {
  const contents = sizes.map((size, index) => tarOfRandomBytes(`file-${index}`, size, `${seed} ${index}`))
  return pushLayers(base, repository, name, contents, { Cmd: ['/file-0'] })
}

async function pushLayers(
  base: string,
  repository: string,
  name: string,
  contents: readonly Iterable<Buffer>[],
  started: {
    readonly Cmd: readonly string[]
    readonly Entrypoint?: readonly string[] | undefined
    readonly User?: string | undefined
  },
) {
  const layers: { readonly digest: string; readonly size: number }[] = []
  for (const content of contents) layers.push(await pushBlob(base, repository, content))
  const [os = 'linux', architecture = 'amd64'] = name.split('/')
  const platform = { os, architecture }
  const configText = JSON.stringify({
    ...platform,
    config: started,
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created_by: 'random' })),
  })
  const config = await pushBlob(base, repository, [Buffer.from(configText)])
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...config },
    layers: layers.map(layer => ({ mediaType: mediaTypes.layer, ...layer })),
  })
  return { platform, text, digest: digestOf(text), layers, config: config.digest }
}

/** A tar archive of one file of `size` bytes, in pieces. */
export function* tarOfRandomBytes(name: string, size: number, seed: string): Generator<Buffer> {
  yield tarHeader(name, size)
  const key = createHash('sha256').update(seed).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  const zeros = Buffer.alloc(chunkBytes)
  for (let left = size; left > 0; left -= chunkBytes) yield cipher.update(zeros.subarray(0, Math.min(left, chunkBytes)))
  yield Buffer.alloc(((blockBytes - (size % blockBytes)) % blockBytes) + 2 * blockBytes)
}

function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(blockBytes)
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`
  header.write(name, 0)
  header.write(octal(0o644, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(size, 12), 124)
  header.write(octal(0, 12), 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

async function pushBlob(base: string, repository: string, pieces: Iterable<Buffer>) {
  const begun = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const hash = createHash('sha256')
  let size = 0
  const counted = function* () {
    for (const piece of pieces) {
      hash.update(piece)
      size += piece.length
      yield piece
    }
  }
  const body = ReadableStream.from(counted())
  const sent = await fetch(locationOf(begun, 202), { method: 'PATCH', body, duplex: 'half' })
  const digest = `sha256:${hash.digest('hex')}`
  const end = new URL(locationOf(sent, 202))
  end.searchParams.set('digest', digest)
  locationOf(await fetch(end, { method: 'PUT' }), 201)
  return { digest, size }
}

function locationOf(response: Response, expected: number): string {
  const location = response.headers.get('location')
  if (response.status !== expected || location === null)
    throw new Error(`${response.url}: found status ${response.status}, expected ${expected} with a location`)
  return new URL(location, response.url).href
}

async function putManifest(base: string, repository: string, name: string, mediaType: string, text: string) {
  const url = `${base}/v2/${repository}/manifests/${name}`
  locationOf(await fetch(url, { method: 'PUT', headers: { 'content-type': mediaType }, body: text }), 201)
  return digestOf(text)
}

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
