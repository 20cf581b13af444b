// GPUs of Intel where Linux runs below Windows (WSL): one file for all, and the number by which Level-Zero chooses among them.

import type { HostTree } from '#machines/host-tree.ts'
import type { DevicesConfig } from '../config.ts'
import { intelGpuDomain } from '../names.ts'
import type { Found, FoundDevice } from './found-device.ts'
import { deviceNode } from './intel-gpu.ts'

const file = 'dxg'
/** Windows has its own libraries there. */
const libraries = '/usr/lib/wsl'
const chosenCard = 'ZE_AFFINITY_MASK'

/** @param indices the cards by their numbers, as the Level-Zero sidecar says them; absent: nobody was asked */
export function windowsGpus(tree: HostTree, config: DevicesConfig['gpu'], indices: readonly number[] | undefined): Found {
  if (indices === undefined)
    return {
      devices: [],
      passedOver: [{ id: file, reason: 'GPUs of Windows are known to the Level-Zero sidecar alone, which was not asked' }],
    }
  const devices = indices.map(
    (index): FoundDevice => ({
      id: `card${index}`,
      resource: `${intelGpuDomain}/${file}`,
      pciId: '',
      vendor: 'intel',
      kind: 'gpu',
      driver: file,
      // A plugin's pod need not see it: the sidecar does.
      nodes: [deviceNode(tree, file) ?? { path: `/dev/${file}`, group: 0 }],
      mounts: [libraries],
      environment: { [chosenCard]: String(index) },
      numaNodes: [],
      directory: '',
      shares: config.sharedDevNum,
    }),
  )
  return { devices, passedOver: [] }
}
