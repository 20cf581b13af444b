// NPUs of Intel: accelerators whose ids its plugin knows.

import { basename } from 'node:path'
import type { HostTree } from '#machines/host-tree.ts'
import type { DevicesConfig } from '../config.ts'
import { intelNpuResource } from '../names.ts'
import { byNumber, type Found, type FoundDevice, type PassedOver } from './found-device.ts'
import { deviceNode, intelVendor, pciAddress } from './intel-gpu.ts'
import { numaNodes } from './numa-nodes.ts'

const knownIds: ReadonlySet<string> = new Set(['7e4c', '643e', 'ad1d', '7d1d', 'b03e', 'fd3e', 'd71d'].map(id => `0x${id}`))

export function intelNpus(tree: HostTree, config: DevicesConfig['npu']): Found {
  const devices: FoundDevice[] = []
  const passedOver: PassedOver[] = []
  const directory = tree.host('sys/class/accel')
  for (const id of (tree.names(directory) ?? []).filter(name => /^accel[0-9]+$/.test(name)).sort(byNumber)) {
    const device = `${directory}/${id}/device`
    if (tree.text(`${device}/vendor`) !== intelVendor) continue
    const pciId = tree.text(`${device}/device`) ?? ''
    const node = deviceNode(tree, `accel/${id}`)
    if (!knownIds.has(pciId)) passedOver.push({ id, reason: `${pciId} is no NPU that is known` })
    else if (node === undefined) passedOver.push({ id, reason: `there is no /dev/accel/${id}` })
    else {
      const address = basename(tree.link(device) ?? '')
      devices.push({
        id,
        resource: intelNpuResource,
        ...(pciAddress.test(address) ? { address } : {}),
        pciId,
        vendor: 'intel',
        kind: 'npu',
        driver: basename(tree.link(`${device}/driver`) ?? 'intel_vpu'),
        nodes: [node],
        mounts: [],
        numaNodes: numaNodes(tree, [`${directory}/${id}`]),
        directory: device,
        shares: config.sharedDevNum,
      })
    }
  }
  return { devices, passedOver }
}
