// Network interfaces: those of devices, and the others.

import type { FeatureSet } from '../matching/feature-set.ts'
import { Found, type Labels, type Machine, wholeNumber } from './source.ts'

const ofDevices = ['operstate', 'speed', 'device/sriov_numvfs', 'device/sriov_totalvfs', 'mtu']
const ofOthers = ['operstate', 'speed', 'mtu']

/** @throws Error where there are no interfaces to list: sysfs is not mounted */
export function discoverNetwork({ tree }: Machine): FeatureSet {
  const directory = tree.host('sys/class/net')
  const names = tree.names(directory)
  if (names === undefined) throw new Error(`network interfaces cannot be listed in ${directory}`)
  const found = new Found('network')
  const devices: ReadonlyMap<string, string>[] = []
  const others: ReadonlyMap<string, string>[] = []
  for (const name of names) {
    if (name === 'bonding_masters') continue
    const isDevice = tree.exists(`${directory}/${name}/device`)
    const one = new Map([['name', name]])
    for (const attribute of isDevice ? ofDevices : ofOthers) {
      // A speed cannot be read where there is no link.
      const value = tree.text(`${directory}/${name}/${attribute}`)
      if (value !== undefined) one.set(attribute.slice(attribute.lastIndexOf('/') + 1), value)
    }
    ;(isDevice ? devices : others).push(one)
  }
  found.instances('device', devices)
  found.instances('virtual', others)
  return found.features
}

export function networkLabels(features: FeatureSet): Labels {
  const labels = new Map<string, string>()
  for (const device of features.instances.get('network.device') ?? []) {
    if ((wholeNumber(device.get('sriov_totalvfs') ?? '') ?? 0) > 0) labels.set('sriov.capable', 'true')
    if ((wholeNumber(device.get('sriov_numvfs') ?? '') ?? 0) > 0) labels.set('sriov.configured', 'true')
  }
  return labels
}
