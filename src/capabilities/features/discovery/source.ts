// What a source of features is: it looks at the machine, and some of what it finds is worth a label.

import type { HostTree } from '#machines/host-tree.ts'
import type { FeatureSet, GrowingFeatures } from '../matching/feature-set.ts'
import { noFeatures } from '../matching/feature-set.ts'
import type { CpuidSource } from './cpu/cpuid-registers.ts'

/** What sources look at. */
export interface Machine {
  readonly tree: HostTree
  readonly cpuid: CpuidSource
  /** As Node.js names it: `x64`, `arm64`, … */
  readonly architecture: string
  readonly nodeName: string
  /** Since 1970: lines of feature files expire. */
  readonly nowMs: number
  /** Tells what was expected and is not so: a sentence, and what it is about. */
  readonly tell: (what: string, about: Readonly<Record<string, unknown>>) => void
}

/** Labels by the name behind `source-`. */
export type Labels = ReadonlyMap<string, string>

/** Features of one source: the names of the features lack the source in front. */
export class Found {
  readonly features: GrowingFeatures = noFeatures()
  readonly #source: string

  constructor(source: string) {
    this.#source = source
  }

  flags(feature: string, names: Iterable<string>): void {
    this.features.flags.set(`${this.#source}.${feature}`, new Set(names))
  }

  attributes(feature: string, elements: Iterable<readonly [string, string]>): void {
    this.features.attributes.set(`${this.#source}.${feature}`, new Map(elements))
  }

  instances(feature: string, elements: readonly ReadonlyMap<string, string>[]): void {
    this.features.instances.set(`${this.#source}.${feature}`, [...elements])
  }
}

/** The attributes of one feature; none where the source did not find it. */
export function attributesOf(features: FeatureSet, feature: string): ReadonlyMap<string, string> {
  return features.attributes.get(feature) ?? new Map()
}

/** A whole number as Go reads it; `undefined`: it is none. */
export function wholeNumber(text: string): number | undefined {
  return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined
}
