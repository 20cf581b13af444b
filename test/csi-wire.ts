// CSI 1.12 as it is on the wire, for tests: written from the specification and not from the driver's own tables, so that a wrong number there is found.
// A row is a message; a field is its number, its name, and its type: `*` for many, `%` for a map of texts, a text where no type is named.

import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import protobuf from 'protobufjs/light.js'

const messages = {
  Empty: '',
  GetPluginInfoResponse: '1 name, 2 vendorVersion, 3 manifest %',
  GetPluginCapabilitiesResponse: '1 capabilities *PluginCapability',
  PluginCapability: '1 service PluginService, 2 volumeExpansion PluginExpansion',
  PluginService: '1 type PluginServiceType',
  PluginExpansion: '1 type PluginExpansionType',
  ProbeResponse: '1 ready BoolValue',
  BoolValue: '1 value bool',
  Int64Value: '1 value int64',
  Timestamp: '1 seconds int64, 2 nanos int32',
  CapacityRange: '1 requiredBytes int64, 2 limitBytes int64',
  Block: '',
  Mount: '1 fsType, 2 mountFlags *string, 3 volumeMountGroup',
  AccessMode: '1 mode Mode',
  VolumeCapability: '1 block Block, 2 mount Mount, 3 accessMode AccessMode',
  SnapshotSource: '1 snapshotId',
  VolumeSource: '1 volumeId',
  VolumeContentSource: '1 snapshot SnapshotSource, 2 volume VolumeSource',
  Topology: '1 segments %',
  TopologyRequirement: '1 requisite *Topology, 2 preferred *Topology',
  CreateVolumeRequest:
    '1 name, 2 capacityRange CapacityRange, 3 volumeCapabilities *VolumeCapability, 4 parameters %, 5 secrets %, 6 volumeContentSource VolumeContentSource, 7 accessibilityRequirements TopologyRequirement, 8 mutableParameters %',
  Volume:
    '1 capacityBytes int64, 2 volumeId, 3 volumeContext %, 4 contentSource VolumeContentSource, 5 accessibleTopology *Topology',
  CreateVolumeResponse: '1 volume Volume',
  DeleteVolumeRequest: '1 volumeId, 2 secrets %',
  ControllerPublishVolumeRequest:
    '1 volumeId, 2 nodeId, 3 volumeCapability VolumeCapability, 4 readonly bool, 5 secrets %, 6 volumeContext %',
  ControllerPublishVolumeResponse: '1 publishContext %',
  ControllerUnpublishVolumeRequest: '1 volumeId, 2 nodeId, 3 secrets %',
  ValidateVolumeCapabilitiesRequest:
    '1 volumeId, 2 volumeContext %, 3 volumeCapabilities *VolumeCapability, 4 parameters %, 5 secrets %, 6 mutableParameters %',
  Confirmed: '1 volumeContext %, 2 volumeCapabilities *VolumeCapability, 3 parameters %, 4 mutableParameters %',
  ValidateVolumeCapabilitiesResponse: '1 confirmed Confirmed, 2 message',
  ListVolumesRequest: '1 maxEntries int32, 2 startingToken',
  VolumeCondition: '1 abnormal bool, 2 message',
  VolumeStatus: '1 publishedNodeIds *string, 2 volumeCondition VolumeCondition',
  VolumeEntry: '1 volume Volume, 2 status VolumeStatus',
  ListVolumesResponse: '1 entries *VolumeEntry, 2 nextToken',
  ControllerGetVolumeRequest: '1 volumeId',
  ControllerGetVolumeResponse: '1 volume Volume, 2 status VolumeStatus',
  ControllerModifyVolumeRequest: '1 volumeId, 2 secrets %, 3 mutableParameters %',
  GetCapacityRequest: '1 volumeCapabilities *VolumeCapability, 2 parameters %, 3 accessibleTopology Topology',
  GetCapacityResponse: '1 availableCapacity int64, 2 maximumVolumeSize Int64Value, 3 minimumVolumeSize Int64Value',
  ControllerRpc: '1 type ControllerRpcType',
  ControllerServiceCapability: '1 rpc ControllerRpc',
  ControllerGetCapabilitiesResponse: '1 capabilities *ControllerServiceCapability',
  CreateSnapshotRequest: '1 sourceVolumeId, 2 name, 3 secrets %, 4 parameters %',
  Snapshot: '1 sizeBytes int64, 2 snapshotId, 3 sourceVolumeId, 4 creationTime Timestamp, 5 readyToUse bool, 6 groupSnapshotId',
  CreateSnapshotResponse: '1 snapshot Snapshot',
  DeleteSnapshotRequest: '1 snapshotId, 2 secrets %',
  ListSnapshotsRequest: '1 maxEntries int32, 2 startingToken, 3 sourceVolumeId, 4 snapshotId, 5 secrets %',
  SnapshotEntry: '1 snapshot Snapshot',
  ListSnapshotsResponse: '1 entries *SnapshotEntry, 2 nextToken',
  GetSnapshotRequest: '1 snapshotId, 2 secrets %',
  ControllerExpandVolumeRequest: '1 volumeId, 2 capacityRange CapacityRange, 3 secrets %, 4 volumeCapability VolumeCapability',
  ControllerExpandVolumeResponse: '1 capacityBytes int64, 2 nodeExpansionRequired bool',
  NodeStageVolumeRequest:
    '1 volumeId, 2 publishContext %, 3 stagingTargetPath, 4 volumeCapability VolumeCapability, 5 secrets %, 6 volumeContext %',
  NodeUnstageVolumeRequest: '1 volumeId, 2 stagingTargetPath',
  NodePublishVolumeRequest:
    '1 volumeId, 2 publishContext %, 3 stagingTargetPath, 4 targetPath, 5 volumeCapability VolumeCapability, 6 readonly bool, 7 secrets %, 8 volumeContext %',
  NodeUnpublishVolumeRequest: '1 volumeId, 2 targetPath',
  NodeGetVolumeStatsRequest: '1 volumeId, 2 volumePath, 3 stagingTargetPath',
  VolumeUsage: '1 available int64, 2 total int64, 3 used int64, 4 unit Unit',
  NodeGetVolumeStatsResponse: '1 usage *VolumeUsage, 2 volumeCondition VolumeCondition',
  NodeRpc: '1 type NodeRpcType',
  NodeServiceCapability: '1 rpc NodeRpc',
  NodeGetCapabilitiesResponse: '1 capabilities *NodeServiceCapability',
  NodeGetInfoResponse: '1 nodeId, 2 maxVolumesPerNode int64, 3 accessibleTopology Topology',
  NodeExpandVolumeRequest:
    '1 volumeId, 2 volumePath, 3 capacityRange CapacityRange, 4 stagingTargetPath, 5 volumeCapability VolumeCapability, 6 secrets %',
  NodeExpandVolumeResponse: '1 capacityBytes int64',
  GroupRpc: '1 type GroupRpcType',
  GroupControllerServiceCapability: '1 rpc GroupRpc',
  GroupControllerGetCapabilitiesResponse: '1 capabilities *GroupControllerServiceCapability',
  CreateVolumeGroupSnapshotRequest: '1 name, 2 sourceVolumeIds *string, 3 secrets %, 4 parameters %',
  VolumeGroupSnapshot: '1 groupSnapshotId, 2 snapshots *Snapshot, 3 creationTime Timestamp, 4 readyToUse bool',
  VolumeGroupSnapshotResponse: '1 groupSnapshot VolumeGroupSnapshot',
  VolumeGroupSnapshotRequest: '1 groupSnapshotId, 2 snapshotIds *string, 3 secrets %',
} as const satisfies Readonly<Record<string, string>>

/** Names by their numbers, from 0 on. */
const enums = {
  PluginServiceType: 'UNKNOWN CONTROLLER_SERVICE VOLUME_ACCESSIBILITY_CONSTRAINTS GROUP_CONTROLLER_SERVICE',
  PluginExpansionType: 'UNKNOWN ONLINE OFFLINE',
  Mode: 'UNKNOWN SINGLE_NODE_WRITER SINGLE_NODE_READER_ONLY MULTI_NODE_READER_ONLY MULTI_NODE_SINGLE_WRITER MULTI_NODE_MULTI_WRITER SINGLE_NODE_SINGLE_WRITER SINGLE_NODE_MULTI_WRITER',
  ControllerRpcType:
    'UNKNOWN CREATE_DELETE_VOLUME PUBLISH_UNPUBLISH_VOLUME LIST_VOLUMES GET_CAPACITY CREATE_DELETE_SNAPSHOT LIST_SNAPSHOTS CLONE_VOLUME PUBLISH_READONLY EXPAND_VOLUME LIST_VOLUMES_PUBLISHED_NODES VOLUME_CONDITION GET_VOLUME SINGLE_NODE_MULTI_WRITER MODIFY_VOLUME GET_SNAPSHOT',
  NodeRpcType:
    'UNKNOWN STAGE_UNSTAGE_VOLUME GET_VOLUME_STATS EXPAND_VOLUME VOLUME_CONDITION SINGLE_NODE_MULTI_WRITER VOLUME_MOUNT_GROUP',
  GroupRpcType: 'UNKNOWN CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT',
  Unit: 'UNKNOWN BYTES INODES',
} as const satisfies Readonly<Record<string, string>>

type MessageName = keyof typeof messages

/** Each call: its service, what it is sent, what it answers. */
export const csiCalls = {
  GetPluginInfo: ['Identity', 'Empty', 'GetPluginInfoResponse'],
  GetPluginCapabilities: ['Identity', 'Empty', 'GetPluginCapabilitiesResponse'],
  Probe: ['Identity', 'Empty', 'ProbeResponse'],
  CreateVolume: ['Controller', 'CreateVolumeRequest', 'CreateVolumeResponse'],
  DeleteVolume: ['Controller', 'DeleteVolumeRequest', 'Empty'],
  ControllerPublishVolume: ['Controller', 'ControllerPublishVolumeRequest', 'ControllerPublishVolumeResponse'],
  ControllerUnpublishVolume: ['Controller', 'ControllerUnpublishVolumeRequest', 'Empty'],
  ValidateVolumeCapabilities: ['Controller', 'ValidateVolumeCapabilitiesRequest', 'ValidateVolumeCapabilitiesResponse'],
  ListVolumes: ['Controller', 'ListVolumesRequest', 'ListVolumesResponse'],
  GetCapacity: ['Controller', 'GetCapacityRequest', 'GetCapacityResponse'],
  ControllerGetCapabilities: ['Controller', 'Empty', 'ControllerGetCapabilitiesResponse'],
  CreateSnapshot: ['Controller', 'CreateSnapshotRequest', 'CreateSnapshotResponse'],
  DeleteSnapshot: ['Controller', 'DeleteSnapshotRequest', 'Empty'],
  ListSnapshots: ['Controller', 'ListSnapshotsRequest', 'ListSnapshotsResponse'],
  GetSnapshot: ['Controller', 'GetSnapshotRequest', 'CreateSnapshotResponse'],
  ControllerExpandVolume: ['Controller', 'ControllerExpandVolumeRequest', 'ControllerExpandVolumeResponse'],
  ControllerGetVolume: ['Controller', 'ControllerGetVolumeRequest', 'ControllerGetVolumeResponse'],
  ControllerModifyVolume: ['Controller', 'ControllerModifyVolumeRequest', 'Empty'],
  NodeStageVolume: ['Node', 'NodeStageVolumeRequest', 'Empty'],
  NodeUnstageVolume: ['Node', 'NodeUnstageVolumeRequest', 'Empty'],
  NodePublishVolume: ['Node', 'NodePublishVolumeRequest', 'Empty'],
  NodeUnpublishVolume: ['Node', 'NodeUnpublishVolumeRequest', 'Empty'],
  NodeGetVolumeStats: ['Node', 'NodeGetVolumeStatsRequest', 'NodeGetVolumeStatsResponse'],
  NodeExpandVolume: ['Node', 'NodeExpandVolumeRequest', 'NodeExpandVolumeResponse'],
  NodeGetCapabilities: ['Node', 'Empty', 'NodeGetCapabilitiesResponse'],
  NodeGetInfo: ['Node', 'Empty', 'NodeGetInfoResponse'],
  GroupControllerGetCapabilities: ['GroupController', 'Empty', 'GroupControllerGetCapabilitiesResponse'],
  CreateVolumeGroupSnapshot: ['GroupController', 'CreateVolumeGroupSnapshotRequest', 'VolumeGroupSnapshotResponse'],
  DeleteVolumeGroupSnapshot: ['GroupController', 'VolumeGroupSnapshotRequest', 'Empty'],
  GetVolumeGroupSnapshot: ['GroupController', 'VolumeGroupSnapshotRequest', 'VolumeGroupSnapshotResponse'],
} as const satisfies Readonly<
  Record<string, readonly ['Identity' | 'Controller' | 'Node' | 'GroupController', MessageName, MessageName]>
>
export type CsiCall = keyof typeof csiCalls

/** A message as JSON: enums by name, numbers as numbers, what was not sent left out. */
export type CsiMessage = Readonly<Record<string, unknown>>

export interface CsiAnswer {
  /** The name of the code of gRPC: `OK`, `INVALID_ARGUMENT`. */
  readonly code: string
  /** What the error says; empty for `OK`. */
  readonly message: string
  readonly response?: CsiMessage
}

/** The fields of a row; several of these messages choose one of their fields, which is no matter on the wire. */
function typeOf(row: string): protobuf.IType {
  const fields: Record<string, protobuf.IField & { keyType?: string }> = {}
  for (const field of row.split(', ').filter(part => part !== '')) {
    const [number, name = '', shape = 'string'] = field.split(' ')
    const id = Number(number)
    if (shape === '%') fields[name] = { keyType: 'string', type: 'string', id }
    else if (shape.startsWith('*')) fields[name] = { rule: 'repeated', type: shape.slice(1), id }
    else fields[name] = { type: shape, id }
  }
  return { fields }
}

const root = protobuf.Root.fromJSON({
  nested: {
    ...Object.fromEntries(Object.entries(messages).map(([name, row]) => [name, typeOf(row)])),
    ...Object.fromEntries(
      Object.entries(enums).map(([name, words]) => [
        name,
        { values: Object.fromEntries(words.split(' ').map((word, number) => [word, number])) },
      ]),
    ),
  },
})

function encoded(name: MessageName, value: CsiMessage): Buffer {
  const type = root.lookupType(name)
  const message = type.fromObject(value)
  const problem = type.verify(message)
  if (problem !== null) throw new Error(`${name}: ${problem}`)
  return Buffer.from(type.encode(message).finish())
}

function decoded(name: MessageName, bytes: Buffer): CsiMessage {
  const type = root.lookupType(name)
  return type.toObject(type.decode(bytes), { enums: String, longs: Number })
}

const firstReconnectMs = 20

/** A driver behind its socket, as kubelet and sidecars have it. */
export class CsiClient implements Disposable {
  readonly #client: Client

  /**
   * @param address the absolute path of a socket, or `host:port`
   * @param authority what it calls the server: sidecars and kubelets say `localhost`, older ones the path with its slashes escaped
   */
  constructor(address: string, authority = 'localhost') {
    this.#client = new Client(address.startsWith('/') ? `unix://${address}` : address, credentials.createInsecure(), {
      'grpc.default_authority': authority,
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': firstReconnectMs,
      'grpc.max_reconnect_backoff_ms': firstReconnectMs,
      'grpc.use_local_subchannel_pool': 1,
    })
  }

  /** What is answered, whether it is an error or not. `UNAVAILABLE` where nobody listens, `DEADLINE_EXCEEDED` after `limitMs`. */
  ask(call: CsiCall, request: CsiMessage = {}, limitMs = 130_000): Promise<CsiAnswer> {
    const [service, sent, answered] = csiCalls[call]
    const { promise, resolve } = Promise.withResolvers<CsiAnswer>()
    this.#client.makeUnaryRequest(
      `/csi.v1.${service}/${call}`,
      (value: CsiMessage) => encoded(sent, value),
      (bytes: Buffer) => decoded(answered, bytes),
      request,
      { deadline: new Date(Date.now() + limitMs) },
      (error: ServiceError | null, response?: CsiMessage) => {
        if (error !== null) resolve({ code: status[error.code] ?? String(error.code), message: error.details })
        else resolve({ code: 'OK', message: '', response: response ?? {} })
      },
    )
    return promise
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}
