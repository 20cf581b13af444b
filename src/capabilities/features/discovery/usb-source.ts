// USB devices: one instance each, or one for each interface where the device leaves its class to them.

import type { FeatureSet } from '../matching/feature-set.ts'
import { type DeviceLabelSettings, deviceStems, unknownFields } from './device-labels.ts'
import { Found, type Labels, type Machine } from './source.ts'

const files = new Map([
  ['class', 'bDeviceClass'],
  ['vendor', 'idVendor'],
  ['device', 'idProduct'],
  ['serial', 'serial'],
])
const fields = [...files.keys()]
/** A device's class where each of its interfaces has its own. */
const byInterface = '00'

export function discoverUsb({ tree, tell }: Machine): FeatureSet {
  const directory = tree.host('sys/bus/usb/devices')
  const found = new Found('usb')
  const devices: ReadonlyMap<string, string>[] = []
  for (const name of tree.names(directory) ?? []) {
    // Interfaces lie beside devices and have no product.
    if (!tree.exists(`${directory}/${name}/idProduct`)) continue
    const device = new Map<string, string>()
    for (const [attribute, file] of files) {
      const value = tree.text(`${directory}/${name}/${file}`) ?? ''
      if (value !== '') device.set(attribute, value)
    }
    if (device.get('class') !== byInterface) {
      devices.push(device)
      continue
    }
    const parts = (tree.names(`${directory}/${name}`) ?? []).filter(part =>
      tree.exists(`${directory}/${name}/${part}/bInterfaceClass`),
    )
    const classes = parts.map(part => tree.text(`${directory}/${name}/${part}/bInterfaceClass`))
    if (classes.includes(undefined)) tell('a USB device is passed over, for the class of an interface cannot be read', { name })
    else devices.push(...classes.map(value => new Map([...device, ['class', value ?? '']])))
  }
  found.instances('device', devices)
  return found.features
}

export function usbLabels(features: FeatureSet, settings: DeviceLabelSettings, tell: Machine['tell']): Labels {
  const labels = new Map<string, string>()
  const unknown = unknownFields(settings, fields)
  if (unknown.length > 0) tell('fields of USB labels are not known', { fields: unknown, known: fields })
  const of = { known: fields, standard: ['class', 'vendor', 'device'] }
  for (const { stem } of deviceStems(features.instances.get('usb.device') ?? [], settings, of))
    labels.set(`${stem}.present`, 'true')
  return labels
}
