// What the Node itself says, as features that rules look at: its labels (`node.label`) and what its kubelet told (`node.info`). Pure.

import type { Node } from '#kube/objects/objects.ts'
import { type FeatureSet, type GrowingFeatures, noFeatures } from '../matching/feature-set.ts'
import { trackingNamespace, withFeatureNamespace } from '../names.ts'
import { looksAt, type References } from './references.ts'

type Named = NonNullable<References>

/** The domain of these features: no worker finds any of it. */
export const nodeDomain = 'node.'
const label = 'node.label'
const info = 'node.info'

/** What a kubelet says of its machine that is the same from boot to boot; numbers of the machine and of a boot name nothing that rules could ask for. */
const infoFields = [
  'architecture',
  'operatingSystem',
  'osImage',
  'kernelVersion',
  'kubeletVersion',
  'containerRuntimeVersion',
] as const

/**
 * The elements that rules name in so many words (`namedReferences`); what a template may make up is none of them. Labels that any master listed as its own are none of them: a rule never looks at what rules wrote, so that what
 * it sees does not depend on what it does.
 */
export function featuresOfNode({ metadata, status }: Node, references: Named): FeatureSet {
  const features = noFeatures()
  if (!references.has(label) && !references.has(info)) return features
  const own = ownedLabels(metadata.annotations ?? {})
  const labels = Object.entries(metadata.labels ?? {}).filter(([key]) => !own.has(key) && looksAt(references, label, key))
  const said = infoFields.flatMap(field => {
    const value = status?.nodeInfo?.[field]
    return typeof value === 'string' && looksAt(references, info, field) ? [[field, value] as const] : []
  })
  features.attributes.set(label, new Map(labels))
  features.attributes.set(info, new Map(said))
  return features
}

/** `features` with those of the node in the place of what anybody else published under their names. */
export function withNode(features: GrowingFeatures, ofNode: FeatureSet): GrowingFeatures {
  for (const name of [label, info]) {
    features.flags.delete(name)
    features.instances.delete(name)
    const said = ofNode.attributes.get(name)
    if (said === undefined) features.attributes.delete(name)
    else features.attributes.set(name, new Map(said))
  }
  return features
}

/** Whether rules look at this label of the node, so that none of them may write it. */
export function isLookedAt(ofNode: FeatureSet | undefined, key: string): boolean {
  return ofNode?.attributes.get(label)?.has(key) === true
}

/** Labels that masters, of any instance, list as theirs. */
function ownedLabels(annotations: Readonly<Record<string, string>>): ReadonlySet<string> {
  const list = `${trackingNamespace}/feature-labels`
  const lists = Object.entries(annotations).filter(([key]) => key === list || key.endsWith(`.${list}`))
  return new Set(lists.flatMap(([, keys]) => keys.split(',')).map(withFeatureNamespace))
}
