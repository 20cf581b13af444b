// What a look at a machine finds: devices with all that a container needs of them, and what was passed over, with the reason.

/** A file in `/dev` that a container gets to read and write, at the same path. */
export interface DeviceNode {
  readonly path: string
  /** The group that may open it. */
  readonly group: number
}

/** One physical device, or one virtual function of it. */
export interface FoundDevice {
  /** Begins the ids of its shares: `card0`, `accel1`, `0000:05:00.0`. Unique on the machine. */
  readonly id: string
  /** The resource by its own name. */
  readonly resource: string
  /** Its PCI address; absent where nobody could say it. */
  readonly address?: string
  /** `0x56a0`. */
  readonly pciId: string
  readonly vendor: 'intel' | 'amd'
  readonly kind: 'gpu' | 'npu'
  readonly driver: string
  readonly nodes: readonly DeviceNode[]
  /** Files and folders that a container may read besides, at the same path. */
  readonly mounts: readonly string[]
  /** Variables that its processes get; of several devices in a container the values are joined by commas. */
  readonly environment?: Readonly<Record<string, string>>
  /** In rising order; empty where nothing is known. */
  readonly numaNodes: readonly number[]
  /** Where sysfs has it, as this process sees it. */
  readonly directory: string
  /** How many containers share it. */
  readonly shares: number
}

/** Something that looks like a device and is not offered. */
export interface PassedOver {
  readonly id: string
  readonly reason: string
}

export interface Found {
  readonly devices: readonly FoundDevice[]
  readonly passedOver: readonly PassedOver[]
}

/** Orders `card2` before `card10`. */
export function byNumber(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true })
}
