// Block devices.

import type { FeatureSet } from '../matching/feature-set.ts'
import { Found, type Labels, type Machine } from './source.ts'

const attributes = ['dax', 'rotational', 'nr_zones', 'zoned']

/** @throws Error where there are no block devices to list */
export function discoverStorage({ tree }: Machine): FeatureSet {
  const directory = tree.host('sys/block')
  const names = tree.names(directory)
  if (names === undefined) throw new Error(`block devices cannot be listed in ${directory}`)
  const found = new Found('storage')
  const devices = names.map(name => {
    const device = new Map([['name', name]])
    for (const attribute of attributes) {
      const value = tree.text(`${directory}/${name}/queue/${attribute}`)
      if (value !== undefined) device.set(attribute, value)
    }
    return device
  })
  found.instances('block', devices)
  return found.features
}

export function storageLabels(features: FeatureSet): Labels {
  const isFlash = (features.instances.get('storage.block') ?? []).some(device => device.get('rotational') === '0')
  return new Map(isFlash ? [['nonrotationaldisk', 'true']] : [])
}
