// How much of each registry this node announces.
import type { StoredImage } from './contract.ts'

interface Advertised {
  /** Names with a tag. */
  readonly tags: number
  /** Names with a digest. */
  readonly digests: number
  /** Pieces of content; what two registries share counts for both. */
  readonly content: number
}

/** By registry. */
export function advertisedBy(images: readonly StoredImage[]): ReadonlyMap<string, Advertised> {
  const registries = Map.groupBy(images, ({ registry }) => registry)
  return new Map(
    [...registries].map(([registry, own]) => {
      const byDigest = own.filter(({ name }) => name.includes('@')).length
      const content = new Set(own.flatMap(({ parts }) => [...parts.keys()]))
      return [registry, { tags: own.length - byDigest, digests: byDigest, content: content.size }]
    }),
  )
}
