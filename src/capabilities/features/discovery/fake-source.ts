// Features that somebody made up, to try rules with. Only whoever asks for it by name gets it.

import type { FeatureSet } from '../matching/feature-set.ts'
import { Found, type Labels } from './source.ts'

interface FakeSettings {
  readonly labels: Readonly<Record<string, string>>
  readonly flagFeatures: readonly string[]
  readonly attributeFeatures: Readonly<Record<string, string>>
  readonly instanceFeatures: readonly Readonly<Record<string, string>>[]
}

export function discoverFake({ flagFeatures, attributeFeatures, instanceFeatures }: FakeSettings): FeatureSet {
  const found = new Found('fake')
  found.flags('flag', flagFeatures)
  found.attributes('attribute', Object.entries(attributeFeatures))
  found.instances(
    'instance',
    instanceFeatures.map(attributes => new Map(Object.entries(attributes))),
  )
  return found.features
}

export function fakeLabels({ labels }: FakeSettings): Labels {
  return new Map(Object.entries(labels))
}
