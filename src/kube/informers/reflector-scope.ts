// Which objects of a resource are watched.
import type { KnownSpecs } from './known-specs.ts'

export interface ReflectorScope {
  readonly namespace: string | undefined
  readonly labelSelector: string | undefined
  readonly fieldSelector: string | undefined
  readonly metadataOnly: boolean
  /** Nobody reads them, and nothing else of the kind has their name. */
  readonly withoutManagedFields: boolean
  /** The only annotations that are read. */
  readonly annotations?: readonly string[] | undefined
  /** Specs as the store keeps them. */
  readonly knownSpecs?: KnownSpecs | undefined
}
