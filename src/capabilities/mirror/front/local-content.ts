// What this node's own store has of what was asked: content by its digest, or a tag that containerd could really pull by.
import type { ContentInfo, Store } from '../contract.ts'
import { type Digest, parseDigest, tagKey } from '../reference.ts'
import type { AskedContent } from './request.ts'

type Local =
  | { readonly kind: 'here'; readonly content: ContentInfo }
  | { readonly kind: 'absent' }
  /** It is here, but not what the route answers: a manifest asked as a blob, or the other way round. */
  | { readonly kind: 'other-kind' }

/** Bytes of an index that are read to see what is in it. */
const largestIndex = 4_194_304
/** Manifests of an index that are looked for. */
const mostManifests = 256

/** @throws StoreUnavailable, or what reading an index throws */
export async function findLocal(store: Store, asked: AskedContent, signal: AbortSignal): Promise<Local> {
  const digest = asked.digest ?? (await taggedDigest(store, asked, signal))
  if (digest === undefined) return { kind: 'absent' }
  const content = await store.info(digest, signal)
  if (content === undefined) return { kind: 'absent' }
  if (content.isManifest !== (asked.route === 'manifests')) return { kind: 'other-kind' }
  if (asked.tag !== undefined && !(await canBePulled(store, content, signal))) return { kind: 'absent' }
  return { kind: 'here', content }
}

async function taggedDigest(store: Store, asked: AskedContent, signal: AbortSignal): Promise<Digest | undefined> {
  const { tag, registry, repository } = asked
  // Where layers are thrown away once unpacked a tag leads to a pull that cannot be served.
  if (tag === undefined || store.health().problems.some(({ reason }) => reason === 'LayersDiscarded')) return undefined
  return await store.resolve(tagKey({ registry, repository, tag }), signal)
}

/** An index alone is of no use: containerd would find none of its manifests and fail. */
async function canBePulled(store: Store, content: ContentInfo, signal: AbortSignal): Promise<boolean> {
  const manifests = manifestsIn(await store.read(content.digest, largestIndex, signal))
  if (manifests === undefined || manifests.length === 0) return true
  for (const digest of manifests.slice(0, mostManifests)) {
    const found = await store.info(digest, signal)
    if (found?.isManifest === true) return true
  }
  return false
}

/** Digests of the platforms' manifests of an index, in its order; `undefined` where the bytes are none. */
function manifestsIn(bytes: Buffer): readonly Digest[] | undefined {
  const parsed = parsedJson(bytes)
  if (typeof parsed !== 'object' || parsed === null || !('manifests' in parsed) || !Array.isArray(parsed.manifests))
    return undefined
  const entries: readonly unknown[] = parsed.manifests
  return entries.flatMap(entry => {
    if (typeof entry !== 'object' || entry === null || !('digest' in entry) || typeof entry.digest !== 'string') return []
    return 'platform' in entry && isOfNoPlatform(entry.platform) ? [] : (parseDigest(entry.digest) ?? [])
  })
}

/** Attestations are listed beside the platforms, and pulled by nobody. */
function isOfNoPlatform(platform: unknown): boolean {
  return typeof platform === 'object' && platform !== null && 'os' in platform && platform.os === 'unknown'
}

function parsedJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined // SyntaxError: not JSON, so no index
  }
}
