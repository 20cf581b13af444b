// How much of each object of a kind is kept: as much as all who read it need together.

import { FieldPaths } from '../objects/field-paths.ts'
import type { KubeObject } from '../objects/objects.ts'
import type { KnownSpecs } from './known-specs.ts'
import { fieldProjection, type Projection, type SharedParts, sharingProjection } from './projection.ts'

/** `metadata`: asked for without anything else; paths: fields of the object beside names, times, labels and owners. */
export type Want = 'metadata' | 'whole' | FieldPaths

/** A need as capabilities declare it. */
export interface FieldNeed {
  /** Left out with `fields`: a projection; without them: everything. */
  readonly mode?: 'projection' | 'metadata' | 'full'
  readonly fields?: readonly string[]
}

/** What readers of metadata may read beside what a projection keeps anyway. */
const metadataFields = ['metadata.annotations', 'metadata.finalizers', 'metadata.generateName', 'metadata.selfLink']

/** @throws RangeError for a path that is none */
export function wantOf(need: FieldNeed): Want {
  if (need.mode === 'metadata') return 'metadata'
  return need.mode === 'full' || need.fields === undefined ? 'whole' : new FieldPaths(need.fields)
}

/** Enough for both. */
export function widest(one: Want, other: Want): Want {
  if (one === 'whole' || other === 'whole') return 'whole'
  if (one === 'metadata') return other === 'metadata' ? other : other.with(metadataFields)
  return one.with(other === 'metadata' ? metadataFields : other.paths)
}

export function isEnough(want: Want, forNeed: Want): boolean {
  if (want === 'whole') return true
  if (want === 'metadata' || forNeed === 'whole') return want === forNeed
  return want.covers(forNeed === 'metadata' ? metadataFields : forNeed.paths)
}

export function projectionOf<T extends KubeObject>(want: Want, parts: SharedParts, knownSpecs?: KnownSpecs): Projection<T> {
  return typeof want === 'string' ? sharingProjection(parts) : fieldProjection(want.paths, parts, knownSpecs)
}
