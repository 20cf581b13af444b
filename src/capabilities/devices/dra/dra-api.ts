// The kubelet's API for drivers of claims: registration, preparing and unpreparing (v1; v1beta1 is the same on the wire), health. Numbers of fields are the
// contract.

import { method } from '#kube/grpc/method.ts'
import { integer, list, message, messageMap, nested, optionalText, text, texts } from '#kube/protobuf-message.ts'

/** What a driver is called among the kinds of plugins. */
export const pluginType = 'DRAPlugin'
/** Services that a driver has, the best first: kubelets take the first that they know. */
export const draServices = ['v1.DRAPlugin', 'v1beta1.DRAPlugin', 'v1.DRAResourceHealth', 'v1alpha1.DRAResourceHealth'] as const

const claims = message({ claims: list(1, message({ namespace: text(1), uid: text(2), name: text(3) })) })

const preparedDevice = message({
  requestNames: texts(1),
  poolName: text(2),
  deviceName: text(3),
  cdiDeviceIds: texts(4),
  shareId: optionalText(5),
})
const prepared = message({ claims: messageMap(1, message({ devices: list(1, preparedDevice), error: text(2) })) })
const unprepared = message({ claims: messageMap(1, message({ error: text(1) })) })

const deviceHealth = message({
  device: nested(1, message({ poolName: text(1), deviceName: text(2) })),
  health: integer(2),
  lastUpdatedTime: integer(3),
  healthCheckTimeoutSeconds: integer(4),
  message: text(5),
})

const healthOf = (version: 'v1' | 'v1alpha1') =>
  method(`/${version}.DRAResourceHealth/NodeWatchResources`, message({}), message({ devices: list(1, deviceHealth) }))

const pluginOf = (version: 'v1' | 'v1beta1') => ({
  prepare: method(`/k8s.io.kubelet.pkg.apis.dra.${version}.DRAPlugin/NodePrepareResources`, claims, prepared),
  unprepare: method(`/k8s.io.kubelet.pkg.apis.dra.${version}.DRAPlugin/NodeUnprepareResources`, claims, unprepared),
})

export const draMethods = {
  v1: pluginOf('v1'),
  v1beta1: pluginOf('v1beta1'),
  healthV1: healthOf('v1'),
  healthV1alpha1: healthOf('v1alpha1'),
} as const
