// What belongs to an image: an index names manifests, a manifest names a configuration and layers.
import { type Digest, parseDigest } from '../reference.ts'
import { firstObject, isObject, largestFingerprint } from './fingerprint.ts'

/** An index or a manifest, as far as it names others. */
export interface Manifest {
  readonly kind: 'index' | 'manifest'
  readonly children: readonly Digest[]
}

/** What hangs below an image's target. Of a manifest that could not be read only its digest is known. */
export interface ImageTree {
  readonly root: Digest
  readonly manifests: ReadonlyMap<Digest, Manifest>
  /** Every digest of it, the root first, each once. */
  readonly parts: readonly Digest[]
  /** Named as manifests, but not there to be read. */
  readonly unread: ReadonlySet<Digest>
}

/** An index within an index within one: more is nobody's image. */
const deepest = 4
/** Digests of one image. */
const mostParts = 20_000

/** The index or manifest in `content`; `undefined` where it is neither. Names that are no digests are left out. */
export function readManifest(content: Uint8Array): Manifest | undefined {
  if (content.length > largestFingerprint) return undefined
  const object = firstObject(content)
  if (object === undefined) return undefined
  const { manifests, config, layers } = object
  if (Array.isArray(manifests)) return { kind: 'index', children: digestsOf(manifests) }
  if (isObject(config) && Array.isArray(layers)) return { kind: 'manifest', children: digestsOf([config, ...layers]) }
  return undefined
}

/** Reads an image's tree; `read` yields `undefined` for what is not there. Its errors are passed on. */
export async function walkImage(root: Digest, read: (digest: Digest) => Promise<Manifest | undefined>): Promise<ImageTree> {
  const manifests = new Map<Digest, Manifest>()
  const unread = new Set<Digest>()
  const parts = new Set<Digest>([root])
  let level: readonly Digest[] = [root]
  for (let depth = 0; depth < deepest && level.length > 0; depth++) {
    const next: Digest[] = []
    for (const digest of level) {
      const manifest = await read(digest)
      if (manifest === undefined) {
        unread.add(digest)
        continue
      }
      manifests.set(digest, manifest)
      for (const child of manifest.children) {
        if (parts.has(child) || parts.size >= mostParts) continue
        parts.add(child)
        if (manifest.kind === 'index') next.push(child)
      }
    }
    level = next
  }
  return { root, manifests, parts: [...parts], unread }
}

/** Whether somebody could pull it from here: a manifest with all that it names, alone or in an index. */
export function isWhole({ root, manifests }: ImageTree, has: (digest: Digest) => boolean): boolean {
  const judged = new Map<Digest, boolean>()
  const isWholeBelow = (digest: Digest): boolean => {
    const known = judged.get(digest)
    if (known !== undefined) return known
    judged.set(digest, false) // an index that names itself leads nowhere
    const manifest = has(digest) ? manifests.get(digest) : undefined
    const isIt =
      manifest !== undefined &&
      (manifest.kind === 'manifest'
        ? manifest.children.every(has)
        : manifest.children.length === 0 || manifest.children.some(isWholeBelow))
    judged.set(digest, isIt)
    return isIt
  }
  return isWholeBelow(root)
}

/** Whether a manifest of it names the digest as a layer. */
export function layersHave({ manifests }: ImageTree, digest: Digest): boolean {
  return manifests.values().some(({ kind, children }) => kind === 'manifest' && children.indexOf(digest, 1) > 0)
}

/** Whether it was pulled and nobody can pull it from here: its manifest and configuration are kept, and layers were thrown away. */
export function lacksLayers(tree: ImageTree, has: (digest: Digest) => boolean): boolean {
  // Manifests and configurations of further platforms may come along without their layers.
  if (isWhole(tree, has)) return false
  return [...tree.manifests].some(([digest, { kind, children }]) => {
    const [config, ...layers] = children
    return kind === 'manifest' && config !== undefined && has(digest) && has(config) && !layers.every(has)
  })
}

function digestsOf(descriptors: readonly unknown[]): readonly Digest[] {
  return descriptors.flatMap(descriptor => {
    if (!isObject(descriptor) || typeof descriptor.digest !== 'string') return []
    return parseDigest(descriptor.digest) ?? []
  })
}
