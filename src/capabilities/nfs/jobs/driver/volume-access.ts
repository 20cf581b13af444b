// Access modes of Kubernetes as those of the Container Storage Interface, by the tables of csi-lib-utils 0.24.

import { accessModes, type VolumeCapability } from '../../csi/messages.ts'
import { type Outcome, refused, taken } from '../outcome.ts'

/** The one mode of CSI for modes of a claim or volume. `isFineGrained`: the driver tells one writer on a node from several (SINGLE_NODE_MULTI_WRITER). */
export function csiAccessMode(modes: readonly string[], isFineGrained: boolean): Outcome<number> {
  const has = (mode: string) => modes.includes(mode)
  if (has('ReadWriteOncePod'))
    return new Set(modes).size > 1
      ? refused('Kubernetes does not support use of ReadWriteOncePod with other access modes on the same PersistentVolume')
      : taken(isFineGrained ? accessModes.SINGLE_NODE_SINGLE_WRITER : accessModes.SINGLE_NODE_WRITER)
  // It is the widest, whatever stands beside it.
  if (has('ReadWriteMany')) return taken(accessModes.MULTI_NODE_MULTI_WRITER)
  if (has('ReadOnlyMany') && has('ReadWriteOnce'))
    return refused('CSI does not support ReadOnlyMany and ReadWriteOnce on the same PersistentVolume')
  if (has('ReadOnlyMany')) return taken(accessModes.MULTI_NODE_READER_ONLY)
  if (has('ReadWriteOnce')) return taken(isFineGrained ? accessModes.SINGLE_NODE_MULTI_WRITER : accessModes.SINGLE_NODE_WRITER)
  return refused(`unsupported AccessMode combination: [${modes.join(' ')}]`)
}

interface Volume {
  readonly volumeMode: string | undefined
  readonly fsType: string
  readonly mountOptions: readonly string[]
}

/** How a volume is used, as a driver is told. */
export function volumeCapability(mode: number, { volumeMode, fsType, mountOptions }: Volume): VolumeCapability {
  const accessMode = { mode }
  return volumeMode === 'Block'
    ? { block: {}, mount: undefined, accessMode }
    : { block: undefined, mount: { fsType, mountFlags: mountOptions, volumeMountGroup: '' }, accessMode }
}
