// Calls of the Container Storage Interface by their paths.

import { method } from '#kube/grpc/method.ts'
import { csiMessages as m } from './messages.ts'

const identity = '/csi.v1.Identity'
const controller = '/csi.v1.Controller'
const groupController = '/csi.v1.GroupController'
const node = '/csi.v1.Node'

export const identityMethods = {
  getPluginInfo: method(`${identity}/GetPluginInfo`, m.empty, m.pluginInfo),
  getPluginCapabilities: method(`${identity}/GetPluginCapabilities`, m.empty, m.pluginCapabilities),
  probe: method(`${identity}/Probe`, m.empty, m.probed),
} as const

export const controllerMethods = {
  createVolume: method(`${controller}/CreateVolume`, m.createVolume, m.createdVolume),
  deleteVolume: method(`${controller}/DeleteVolume`, m.deleteVolume, m.empty),
  validateVolumeCapabilities: method(`${controller}/ValidateVolumeCapabilities`, m.validateCapabilities, m.validatedCapabilities),
  listVolumes: method(`${controller}/ListVolumes`, m.listVolumes, m.listedVolumes),
  getCapacity: method(`${controller}/GetCapacity`, m.getCapacity, m.capacity),
  controllerGetCapabilities: method(`${controller}/ControllerGetCapabilities`, m.empty, m.capabilities),
  createSnapshot: method(`${controller}/CreateSnapshot`, m.createSnapshot, m.createdSnapshot),
  deleteSnapshot: method(`${controller}/DeleteSnapshot`, m.deleteSnapshot, m.empty),
  listSnapshots: method(`${controller}/ListSnapshots`, m.listSnapshots, m.listedSnapshots),
  getSnapshot: method(`${controller}/GetSnapshot`, m.getSnapshot, m.createdSnapshot),
  controllerModifyVolume: method(`${controller}/ControllerModifyVolume`, m.modifyVolume, m.empty),
  controllerExpandVolume: method(`${controller}/ControllerExpandVolume`, m.expandVolume, m.expandedVolume),
} as const

/** What has a node's use of a volume known to the controller. */
export const attachMethods = {
  controllerPublishVolume: method(`${controller}/ControllerPublishVolume`, m.attachVolume, m.attachedVolume),
  controllerUnpublishVolume: method(`${controller}/ControllerUnpublishVolume`, m.detachVolume, m.empty),
} as const

export const groupMethods = {
  getCapabilities: method(`${groupController}/GroupControllerGetCapabilities`, m.empty, m.capabilities),
  create: method(`${groupController}/CreateVolumeGroupSnapshot`, m.createGroupSnapshot, m.groupSnapshot),
  delete: method(`${groupController}/DeleteVolumeGroupSnapshot`, m.groupSnapshotOf, m.empty),
  get: method(`${groupController}/GetVolumeGroupSnapshot`, m.groupSnapshotOf, m.groupSnapshot),
} as const

export const nodeMethods = {
  nodeStageVolume: method(`${node}/NodeStageVolume`, m.stageVolume, m.empty),
  nodeUnstageVolume: method(`${node}/NodeUnstageVolume`, m.unstageVolume, m.empty),
  nodePublishVolume: method(`${node}/NodePublishVolume`, m.publishVolume, m.empty),
  nodeUnpublishVolume: method(`${node}/NodeUnpublishVolume`, m.unpublishVolume, m.empty),
  nodeGetVolumeStats: method(`${node}/NodeGetVolumeStats`, m.volumeStats, m.measuredVolume),
  nodeExpandVolume: method(`${node}/NodeExpandVolume`, m.nodeExpandVolume, m.nodeExpandedVolume),
  nodeGetCapabilities: method(`${node}/NodeGetCapabilities`, m.empty, m.capabilities),
  nodeGetInfo: method(`${node}/NodeGetInfo`, m.empty, m.nodeInfo),
} as const
