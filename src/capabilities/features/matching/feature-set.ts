// What is known of one node: features by name, each as flags, attributes and instances. One name may be all three.

/** The elements of a feature that have values, in no order that means anything. */
export type Attributes = ReadonlyMap<string, string>

export interface FeatureSet {
  /** Feature name in small letters, such as `cpu.cpuid`, to the names of its elements. */
  readonly flags: ReadonlyMap<string, ReadonlySet<string>>
  readonly attributes: ReadonlyMap<string, Attributes>
  /** A device each; they keep their order. */
  readonly instances: ReadonlyMap<string, readonly Attributes[]>
}

/** A feature set that is being put together. */
export interface GrowingFeatures {
  readonly flags: Map<string, Set<string>>
  readonly attributes: Map<string, Map<string, string>>
  readonly instances: Map<string, Attributes[]>
}

/** A feature set with nothing in it. */
export function noFeatures(): GrowingFeatures {
  return { flags: new Map(), attributes: new Map(), instances: new Map() }
}

/** `features` with `more` on top: elements of the later one win, instances are appended. */
export function addFeatures(features: GrowingFeatures, more: FeatureSet): void {
  for (const [name, elements] of more.flags) {
    const flags = features.flags.get(name) ?? new Set()
    for (const element of elements) flags.add(element)
    features.flags.set(name, flags)
  }
  for (const [name, elements] of more.attributes) setAttributes(features, name, elements)
  for (const [name, elements] of more.instances)
    features.instances.set(name, [...(features.instances.get(name) ?? []), ...elements])
}

/** Elements of the attributes called `feature`; those that are there get the new value. */
export function setAttributes(features: GrowingFeatures, feature: string, elements: Iterable<readonly [string, string]>): void {
  const attributes = features.attributes.get(feature) ?? new Map<string, string>()
  for (const [name, value] of elements) attributes.set(name, value)
  features.attributes.set(feature, attributes)
}
