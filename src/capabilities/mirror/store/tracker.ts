// What is to be announced, from what is known of a store: the decision alone. Whoever drives it reads the store's present state of what an
// event names and hands that in; so the order of events, and how often they come, changes nothing in the end.
import type { StoreChange, StoredImage } from '../contract.ts'
import { passes, type RegistryFilters } from '../filters.ts'
import { type Digest, type ImageName, parseImageName, tagKey } from '../reference.ts'
import { comesFromMirrored } from './content-sources.ts'
import { type ImageTree, isWhole, lacksLayers, layersHave } from './image-tree.ts'

export interface KnownContent {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly labels: ReadonlyMap<string, string>
  /** It was asked for as a part of a mirrored image, whatever its labels say (yet). */
  readonly isExpected?: boolean
}
export interface KnownImage {
  readonly name: string
  readonly tree: ImageTree
}
export type Changed = Extract<StoreChange, { readonly kind: 'changed' }>

interface TrackedImage {
  readonly name: ImageName
  readonly tree: ImageTree
}

/** The image of this name, where it is one to be mirrored. */
export function mirroredImage(filters: RegistryFilters, name: string): ImageName | undefined {
  const parsed = parseImageName(name)
  return parsed !== undefined && passes(filters, parsed) ? parsed : undefined
}

/**
 * Announced are the tag of each mirrored image that can be pulled from here, and each piece of content that is here and belongs to a mirrored
 * image or was fetched for one. Images whose names are no names, or are filtered, are as if they were not there.
 */
export class Tracker {
  readonly #filters: RegistryFilters
  #images = new Map<string, TrackedImage>()
  /** Sizes in bytes; one that was not fetched for a mirrored image is below 0. A node may hold tens of thousands. */
  #contents = new Map<Digest, number>()
  /** Names of the images that a digest belongs to. Nearly always it is one: a set for each would weigh more than all else here. */
  #holders = new Map<Digest, string | Set<string>>()
  #announced = new Set<string>()

  constructor(filters: RegistryFilters) {
    this.#filters = filters
  }

  /** The whole store, as it was listed. Yields what that changed. */
  replaceAll(images: Iterable<KnownImage>, contents: Iterable<KnownContent>): Changed {
    const before = this.#announced
    this.#images = new Map()
    this.#contents = new Map()
    this.#holders = new Map()
    this.#announced = new Set()
    const fresh: MutableChange = { kind: 'changed', added: [], removed: [] }
    for (const content of contents) this.#contents.set(content.digest, this.#content(content))
    for (const image of images) this.#hold(image)
    for (const digest of this.#contents.keys()) this.#judgeDigest(digest, fresh)
    for (const name of this.#images.keys()) this.#judgeTag(name, fresh)
    return {
      kind: 'changed',
      added: [...this.#announced.difference(before)],
      removed: [...before.difference(this.#announced)],
    }
  }

  /** An image as it is now. */
  putImage(image: KnownImage): Changed {
    return this.#change(change => {
      const freed = this.#release(image.name)
      this.#hold(image)
      for (const digest of new Set([...freed.parts, ...image.tree.parts])) this.#judgeDigest(digest, change)
      this.#judgeTagKey(freed.tag, change)
      this.#judgeTag(image.name, change)
    })
  }

  /** There is no image of this name. */
  removeImage(name: string): Changed {
    return this.#change(change => {
      const freed = this.#release(name)
      for (const digest of freed.parts) this.#judgeDigest(digest, change)
      this.#judgeTagKey(freed.tag, change)
    })
  }

  /** Content as it is now. */
  putContent(content: KnownContent): Changed {
    return this.#change(change => {
      this.#contents.set(content.digest, this.#content(content))
      this.#judgeContent(content.digest, change)
    })
  }

  /** There is no such content. */
  removeContent(digest: Digest): Changed {
    return this.#change(change => {
      if (this.#contents.delete(digest)) this.#judgeContent(digest, change)
    })
  }

  /** A copy. */
  keys(): ReadonlySet<string> {
    return new Set(this.#announced)
  }

  has(digest: Digest): boolean {
    return this.#contents.has(digest)
  }

  /** Bytes of content that is here. */
  sizeOf(digest: Digest): number | undefined {
    const noted = this.#contents.get(digest)
    return noted === undefined ? undefined : sizeIn(noted)
  }

  get imageCount(): number {
    return this.#images.size
  }

  isHeld(digest: Digest): boolean {
    return this.#holders.has(digest)
  }

  /** Whether an image has it as a layer, and none as anything that could be a manifest: then it is not to be looked into. */
  isLayer(digest: Digest): boolean {
    const trees = this.#holdersOf(digest).flatMap(name => this.#images.get(name)?.tree ?? [])
    return (
      trees.some(tree => layersHave(tree, digest)) && trees.every(tree => !tree.manifests.has(digest) && !tree.unread.has(digest))
    )
  }

  /** Images that name the digest as a manifest that was not there when they were read: to be read again when it comes. */
  waitingFor(digest: Digest): readonly string[] {
    return this.#holdersOf(digest).filter(name => this.#images.get(name)?.tree.unread.has(digest))
  }

  images(): readonly StoredImage[] {
    return [...this.#images].map(([name, { name: parsed, tree }]) => ({
      name,
      registry: parsed.registry,
      digest: tree.root,
      parts: new Map(
        tree.parts.flatMap(part => {
          const content = this.#contents.get(part)
          return content === undefined ? [] : [[part, sizeIn(content)] as const]
        }),
      ),
    }))
  }

  /** Names of images that were pulled and whose layers were thrown away. */
  withoutLayers(): readonly string[] {
    const has = (digest: Digest) => this.#contents.has(digest)
    return [...this.#images].flatMap(([name, { tree }]) => (lacksLayers(tree, has) ? [name] : []))
  }

  #content({ size, labels, isExpected }: KnownContent): number {
    return isExpected === true || comesFromMirrored(this.#filters, labels) ? size : -size - 1
  }

  #holdersOf(digest: Digest): readonly string[] {
    const held = this.#holders.get(digest)
    return held === undefined ? [] : typeof held === 'string' ? [held] : [...held]
  }

  #change(act: (change: MutableChange) => void): Changed {
    const change: MutableChange = { kind: 'changed', added: [], removed: [] }
    act(change)
    return change
  }

  #hold({ name, tree }: KnownImage): void {
    const parsed = mirroredImage(this.#filters, name)
    if (parsed === undefined) return
    this.#images.set(name, { name: parsed, tree })
    for (const part of tree.parts) {
      const holders = this.#holders.get(part)
      if (holders === undefined) this.#holders.set(part, name)
      else if (typeof holders !== 'string') holders.add(name)
      else if (holders !== name) this.#holders.set(part, new Set([holders, name]))
    }
  }

  #release(name: string): { readonly parts: readonly Digest[]; readonly tag: string | undefined } {
    const image = this.#images.get(name)
    if (image === undefined) return { parts: [], tag: undefined }
    this.#images.delete(name)
    for (const part of image.tree.parts) {
      const holders = this.#holders.get(part)
      if (holders === name) this.#holders.delete(part)
      if (holders === undefined || typeof holders === 'string') continue
      holders.delete(name)
      if (holders.size === 0) this.#holders.delete(part)
    }
    return { parts: image.tree.parts, tag: tagOf(image.name) }
  }

  #judgeContent(digest: Digest, change: MutableChange): void {
    this.#judgeDigest(digest, change)
    for (const name of this.#holdersOf(digest)) this.#judgeTag(name, change)
  }

  #judgeDigest(digest: Digest, change: MutableChange): void {
    const content = this.#contents.get(digest)
    this.#set(digest, content !== undefined && (isFetched(content) || this.#holders.has(digest)), change)
  }

  #judgeTag(name: string, change: MutableChange): void {
    const image = this.#images.get(name)
    if (image !== undefined) this.#judgeTagKey(tagOf(image.name), change)
  }

  #judgeTagKey(key: string | undefined, change: MutableChange): void {
    if (key === undefined) return
    // A tag's key is its image's name: two names of one key cannot be.
    const image = this.#images.get(key)
    this.#set(key, image !== undefined && isWhole(image.tree, digest => this.#contents.has(digest)), change)
  }

  #set(key: string, isHere: boolean, { added, removed }: MutableChange): void {
    if (isHere === this.#announced.has(key)) return
    if (isHere) this.#announced.add(key)
    else this.#announced.delete(key)
    ;(isHere ? added : removed).push(key)
  }
}

/** Bytes of noted content. */
const sizeIn = (noted: number): number => (noted < 0 ? -noted - 1 : noted)
const isFetched = (noted: number): boolean => noted >= 0

interface MutableChange {
  readonly kind: 'changed'
  readonly added: string[]
  readonly removed: string[]
}

/** `undefined` for a name with a digest: nobody resolves such a name by its tag. */
function tagOf({ registry, repository, tag, digest }: ImageName): string | undefined {
  return tag === undefined || digest !== undefined ? undefined : tagKey({ registry, repository, tag })
}
