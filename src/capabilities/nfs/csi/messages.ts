// The Container Storage Interface 1.12, as far as a driver of files has to do with it. Numbers of fields are the contract; what no table names is
// passed over.

import { bigInteger, flag, integer, list, message, nested, type Of, text, textMap, texts } from '#kube/protobuf-message.ts'

/** Values of `access_mode.mode`. */
export const accessModes = {
  UNKNOWN: 0,
  SINGLE_NODE_WRITER: 1,
  SINGLE_NODE_READER_ONLY: 2,
  MULTI_NODE_READER_ONLY: 3,
  MULTI_NODE_SINGLE_WRITER: 4,
  MULTI_NODE_MULTI_WRITER: 5,
  SINGLE_NODE_SINGLE_WRITER: 6,
  SINGLE_NODE_MULTI_WRITER: 7,
} as const

/** What a plugin is beside a driver of nodes. */
export const pluginServices = { CONTROLLER_SERVICE: 1, VOLUME_ACCESSIBILITY_CONSTRAINTS: 2, GROUP_CONTROLLER_SERVICE: 3 } as const
export const volumeExpansion = { ONLINE: 1, OFFLINE: 2 } as const

/** Values of a controller's capability. */
export const controllerCapabilities = {
  CREATE_DELETE_VOLUME: 1,
  PUBLISH_UNPUBLISH_VOLUME: 2,
  LIST_VOLUMES: 3,
  GET_CAPACITY: 4,
  CREATE_DELETE_SNAPSHOT: 5,
  LIST_SNAPSHOTS: 6,
  CLONE_VOLUME: 7,
  PUBLISH_READONLY: 8,
  EXPAND_VOLUME: 9,
  SINGLE_NODE_MULTI_WRITER: 13,
  MODIFY_VOLUME: 14,
  GET_SNAPSHOT: 15,
} as const

/** Values of a group controller's capability. */
export const groupCapabilities = { CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT: 1 } as const

/** Values of a node's capability. */
export const nodeCapabilities = {
  STAGE_UNSTAGE_VOLUME: 1,
  GET_VOLUME_STATS: 2,
  EXPAND_VOLUME: 3,
  VOLUME_CONDITION: 4,
  SINGLE_NODE_MULTI_WRITER: 5,
} as const

/** What a figure of use counts. */
export const usageUnits = { BYTES: 1, INODES: 2 } as const

const empty = message({})

/** Sizes are of 64 bits, and come back as they went. */
const capacityRange = message({ requiredBytes: bigInteger(1), limitBytes: bigInteger(2) })

const contentSource = message({
  snapshot: nested(1, message({ snapshotId: text(1) })),
  volume: nested(2, message({ volumeId: text(1) })),
})

const capability = message({
  block: nested(1, empty),
  mount: nested(2, message({ fsType: text(1), mountFlags: texts(2), volumeMountGroup: text(3) })),
  accessMode: nested(3, message({ mode: integer(1) })),
})

const volume = message({
  capacityBytes: bigInteger(1),
  volumeId: text(2),
  volumeContext: textMap(3),
  contentSource: nested(4, contentSource),
})

const timestamp = message({ seconds: integer(1), nanos: integer(2) })

const snapshot = message({
  sizeBytes: bigInteger(1),
  snapshotId: text(2),
  sourceVolumeId: text(3),
  creationTime: nested(4, timestamp),
  isReadyToUse: flag(5),
  groupSnapshotId: text(6),
})

const groupSnapshot = message({
  groupSnapshotId: text(1),
  snapshots: list(2, snapshot),
  creationTime: nested(3, timestamp),
  isReadyToUse: flag(4),
})

/** A capability of a controller or a node is a message in a message. */
const rpc = message({ rpc: nested(1, message({ type: integer(1) })) })

export const csiMessages = {
  empty,
  pluginInfo: message({ name: text(1), vendorVersion: text(2), manifest: textMap(3) }),
  pluginCapabilities: message({
    capabilities: list(
      1,
      message({ service: nested(1, message({ type: integer(1) })), volumeExpansion: nested(2, message({ type: integer(1) })) }),
    ),
  }),
  probed: message({ ready: nested(1, message({ value: flag(1) })) }),

  createVolume: message({
    name: text(1),
    capacityRange: nested(2, capacityRange),
    volumeCapabilities: list(3, capability),
    parameters: textMap(4),
    secrets: textMap(5),
    contentSource: nested(6, contentSource),
    mutableParameters: textMap(8),
  }),
  createdVolume: message({ volume: nested(1, volume) }),
  deleteVolume: message({ volumeId: text(1), secrets: textMap(2) }),
  validateCapabilities: message({
    volumeId: text(1),
    volumeContext: textMap(2),
    volumeCapabilities: list(3, capability),
    parameters: textMap(4),
    secrets: textMap(5),
  }),
  validatedCapabilities: message({
    confirmed: nested(1, message({ volumeContext: textMap(1), volumeCapabilities: list(2, capability), parameters: textMap(3) })),
    message: text(2),
  }),
  listVolumes: message({ maxEntries: integer(1), startingToken: text(2) }),
  listedVolumes: message({ entries: list(1, message({ volume: nested(1, volume) })), nextToken: text(2) }),
  getCapacity: message({ volumeCapabilities: list(1, capability), parameters: textMap(2) }),
  capacity: message({ availableCapacity: bigInteger(1) }),
  capabilities: message({ capabilities: list(1, rpc) }),
  createSnapshot: message({ sourceVolumeId: text(1), name: text(2), secrets: textMap(3), parameters: textMap(4) }),
  createdSnapshot: message({ snapshot: nested(1, snapshot) }),
  deleteSnapshot: message({ snapshotId: text(1), secrets: textMap(2) }),
  listSnapshots: message({
    maxEntries: integer(1),
    startingToken: text(2),
    sourceVolumeId: text(3),
    snapshotId: text(4),
    secrets: textMap(5),
  }),
  getSnapshot: message({ snapshotId: text(1), secrets: textMap(2) }),
  listedSnapshots: message({ entries: list(1, message({ snapshot: nested(1, snapshot) })), nextToken: text(2) }),
  expandVolume: message({
    volumeId: text(1),
    capacityRange: nested(2, capacityRange),
    secrets: textMap(3),
    volumeCapability: nested(4, capability),
  }),
  modifyVolume: message({ volumeId: text(1), secrets: textMap(2), mutableParameters: textMap(3) }),
  expandedVolume: message({ capacityBytes: bigInteger(1), isNodeExpansionRequired: flag(2) }),

  attachVolume: message({
    volumeId: text(1),
    nodeId: text(2),
    volumeCapability: nested(3, capability),
    isReadonly: flag(4),
    secrets: textMap(5),
    volumeContext: textMap(6),
  }),
  attachedVolume: message({ publishContext: textMap(1) }),
  detachVolume: message({ volumeId: text(1), nodeId: text(2), secrets: textMap(3) }),

  createGroupSnapshot: message({ name: text(1), sourceVolumeIds: texts(2), secrets: textMap(3), parameters: textMap(4) }),
  groupSnapshotOf: message({ groupSnapshotId: text(1), snapshotIds: texts(2), secrets: textMap(3) }),
  groupSnapshot: message({ groupSnapshot: nested(1, groupSnapshot) }),

  publishVolume: message({
    volumeId: text(1),
    publishContext: textMap(2),
    stagingTargetPath: text(3),
    targetPath: text(4),
    volumeCapability: nested(5, capability),
    isReadonly: flag(6),
    secrets: textMap(7),
    volumeContext: textMap(8),
  }),
  unpublishVolume: message({ volumeId: text(1), targetPath: text(2) }),
  stageVolume: message({
    volumeId: text(1),
    publishContext: textMap(2),
    stagingTargetPath: text(3),
    volumeCapability: nested(4, capability),
    secrets: textMap(5),
    volumeContext: textMap(6),
  }),
  unstageVolume: message({ volumeId: text(1), stagingTargetPath: text(2) }),
  volumeStats: message({ volumeId: text(1), volumePath: text(2), stagingTargetPath: text(3) }),
  measuredVolume: message({
    usage: list(1, message({ available: integer(1), total: integer(2), used: integer(3), unit: integer(4) })),
  }),
  nodeExpandVolume: message({
    volumeId: text(1),
    volumePath: text(2),
    capacityRange: nested(3, capacityRange),
    stagingTargetPath: text(4),
    volumeCapability: nested(5, capability),
  }),
  nodeExpandedVolume: message({ capacityBytes: bigInteger(1) }),
  nodeInfo: message({ nodeId: text(1), maxVolumesPerNode: integer(2) }),
} as const

export type VolumeCapability = Of<typeof capability>
export type ContentSource = Of<typeof contentSource>
export type Volume = Of<typeof volume>
export type Snapshot = Of<typeof snapshot>
export type GroupSnapshot = Of<typeof groupSnapshot>
