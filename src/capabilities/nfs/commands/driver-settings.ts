// What the flags of csi-driver-nfs mean for our driver.

import type { ControllerSettings } from '../driver/controller-service.ts'
import { unlimited } from '../driver/expansion.ts'
import type { NodeSettings } from '../driver/node-service.ts'
import type { ShareFiles } from '../driver/share-files.ts'
import { KnownPlaces } from '../driver/volume-place.ts'
import type { DriverFlags } from '../flags/driver-flags.ts'

const minuteMs = 60_000

/** All services, as upstream's program has them. */
export function driverSettings(flags: DriverFlags, files: ShareFiles) {
  const { driverName, endpoint, nodeId, mountPermissions, workingMountDir, defaultOnDelete, useTarProgram } = flags
  const settings: ControllerSettings = {
    mountPermissions,
    defaultOnDelete,
    existingArchive: flags.removeArchived ? 'remove' : 'refuse',
    useTarProgram,
    compression: flags.compresses ? 'gzip' : 'none',
    modifies: flags.modifies,
    lists: flags.listedShares !== undefined,
    expansion: unlimited,
    nodeExpands: flags.nodeExpands,
    groups: flags.groups,
  }
  const { attachedNodes, mostVolumes } = flags
  const node: NodeSettings = {
    nodeId,
    mountPermissions,
    statsMs: flags.statsMinutes * minuteMs,
    stages: flags.stages,
    expands: flags.nodeExpands,
    mostVolumes,
  }
  const shares = (flags.listedShares ?? []).map(share => ({ ...share, options: [] }))
  const known = { shares: () => shares, places: () => new KnownPlaces([], shares) }
  const nodes = new Set(attachedNodes)
  const attach =
    attachedNodes === undefined ? undefined : { isNode: async (id: string) => nodes.has(id), mostPerNode: mostVolumes }
  return { name: driverName, endpoint, node, controller: { settings, workingMountDir, files, known, attach } }
}
