// An image layout on disk, in the order in which a registry takes it: blobs, then what names them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { digestOf } from '../image/layer.ts'
import type { Manifest } from './repository.ts'

const descriptor = z.looseObject({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  platform: z.looseObject({ os: z.string(), architecture: z.string() }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})
const index = z.looseObject({ manifests: z.array(descriptor) })
const manifest = z.looseObject({
  config: descriptor,
  layers: z.array(descriptor),
  subject: descriptor.optional(),
  artifactType: z.string().optional(),
})

export interface PlatformManifest extends Manifest {
  readonly digest: string
  /** `linux/arm64` */
  readonly platform: string
}

export interface LayoutContent {
  /** What the tag is to name. */
  readonly index: Manifest & { readonly digest: string }
  readonly platforms: readonly PlatformManifest[]
  /** What is attached to the index. */
  readonly attached: readonly Manifest[]
  /** Digests of all blobs that the manifests name, each once. */
  readonly blobs: readonly string[]
}

/** Reads what the layout holds. @throws Error where a file is not what its name says, or is not there */
export function layoutContent(directory: string): LayoutContent {
  const top = index.parse(JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))).manifests
  const named = top.filter(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] !== undefined)
  const [image] = named
  if (image === undefined || named.length > 1) throw new Error(`${directory}: ${named.length} images with a name, expected one`)
  const blobs = new Set<string>()
  const take = (one: z.infer<typeof descriptor>): Manifest => {
    const content = layoutBlob(directory, one.digest)
    const { config, layers } = manifest.parse(JSON.parse(content.toString('utf8')))
    for (const { digest } of [config, ...layers]) blobs.add(digest)
    return { mediaType: one.mediaType, content }
  }
  const content = layoutBlob(directory, image.digest)
  const platforms = index.parse(JSON.parse(content.toString('utf8'))).manifests.map((one): PlatformManifest => {
    const { os = 'linux', architecture = 'unknown' } = one.platform ?? {}
    return { ...take(one), digest: one.digest, platform: `${os}/${architecture}` }
  })
  const attached = top.filter(one => one !== image).map(take)
  return { index: { mediaType: image.mediaType, content, digest: image.digest }, platforms, attached, blobs: [...blobs] }
}

/** A blob of the layout. @throws Error where it is another than its name says */
export function layoutBlob(directory: string, digest: string): Buffer {
  const content = readFileSync(join(directory, 'blobs', 'sha256', digest.slice('sha256:'.length)))
  if (digestOf(content) !== digest) throw new Error(`${directory}: ${digest} is damaged: build the release anew`)
  return content
}
