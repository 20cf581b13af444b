// PCI devices.

import type { FeatureSet } from '../matching/feature-set.ts'
import { type DeviceLabelSettings, deviceStems, unknownFields } from './device-labels.ts'
import { Found, type Labels, type Machine } from './source.ts'

const mandatory = ['class', 'vendor', 'device', 'subsystem_vendor', 'subsystem_device']
const optional = ['sriov_totalvfs', 'iommu_group/type', 'iommu/intel-iommu/version']

/** @throws Error where there is no PCI bus to list */
export function discoverPci({ tree, tell }: Machine): FeatureSet {
  const directory = tree.host('sys/bus/pci/devices')
  const names = tree.names(directory)
  if (names === undefined) throw new Error(`PCI devices cannot be listed in ${directory}`)
  const found = new Found('pci')
  const devices: ReadonlyMap<string, string>[] = []
  for (const name of names) {
    const read = (attribute: string): string | undefined => {
      const value = tree.rawText(`${directory}/${name}/${attribute}`)?.replace(/^0x/, '').trim()
      // The last two digits are the programming interface.
      return attribute === 'class' ? value?.slice(0, 4) : value
    }
    const missing = mandatory.find(attribute => !tree.exists(`${directory}/${name}/${attribute}`))
    const values = [...mandatory, ...optional].map(attribute => [attribute, read(attribute)] as const)
    const unread = values.find(([attribute, value]) => value === undefined && mandatory.includes(attribute))?.[0] ?? missing
    if (unread !== undefined) {
      tell('a PCI device is passed over, for one of its attributes cannot be read', { device: name, attribute: unread })
      continue
    }
    devices.push(new Map(values.flatMap(([attribute, value]) => (value === undefined ? [] : [[attribute, value]]))))
  }
  found.instances('device', devices)
  return found.features
}

export function pciLabels(features: FeatureSet, settings: DeviceLabelSettings, tell: Machine['tell']): Labels {
  const labels = new Map<string, string>()
  const unknown = unknownFields(settings, mandatory)
  if (unknown.length > 0) tell('fields of PCI labels are not known', { fields: unknown, known: mandatory })
  const fields = { known: mandatory, standard: ['class', 'vendor'] }
  for (const { stem, device } of deviceStems(features.instances.get('pci.device') ?? [], settings, fields)) {
    labels.set(`${stem}.present`, 'true')
    if (device.has('sriov_totalvfs')) labels.set(`${stem}.sriov.capable`, 'true')
  }
  return labels
}
