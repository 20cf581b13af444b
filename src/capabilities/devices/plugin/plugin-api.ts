// The kubelet's API for device plugins, `v1beta1`: numbers of fields are the contract.

import { method } from '#kube/grpc/method.ts'
import { flag, integer, list, type Message, message, nested, text, textMap, texts } from '#kube/protobuf-message.ts'

export const apiVersion = 'v1beta1'

const empty = message({})
const pluginOptions = message({ preStartRequired: flag(1), getPreferredAllocationAvailable: flag(2) })

const device = message({
  id: text(1),
  health: text(2),
  topology: nested(3, message({ nodes: list(1, message({ id: integer(1) })) })),
})
const containerAllocation = message({
  envs: textMap(1),
  mounts: list(2, message({ containerPath: text(1), hostPath: text(2), readOnly: flag(3) })),
  devices: list(3, message({ containerPath: text(1), hostPath: text(2), permissions: text(3) })),
  annotations: textMap(4),
  cdiDevices: list(5, message({ name: text(1) })),
})

const pluginMethod = <Request, Response>(path: string, request: Message<Request>, response: Message<Response>) =>
  method(`/${apiVersion}.${path}`, request, response)

export const registerMethod = pluginMethod(
  'Registration/Register',
  message({ version: text(1), endpoint: text(2), resourceName: text(3), options: nested(4, pluginOptions) }),
  empty,
)

export const pluginMethods = {
  options: pluginMethod('DevicePlugin/GetDevicePluginOptions', empty, pluginOptions),
  listAndWatch: pluginMethod('DevicePlugin/ListAndWatch', empty, message({ devices: list(1, device) })),
  preferred: pluginMethod(
    'DevicePlugin/GetPreferredAllocation',
    message({
      containerRequests: list(
        1,
        message({ availableDeviceIds: texts(1), mustIncludeDeviceIds: texts(2), allocationSize: integer(3) }),
      ),
    }),
    message({ containerResponses: list(1, message({ deviceIds: texts(1) })) }),
  ),
  allocate: pluginMethod(
    'DevicePlugin/Allocate',
    message({ containerRequests: list(1, message({ deviceIds: texts(1) })) }),
    message({ containerResponses: list(1, containerAllocation) }),
  ),
  preStart: pluginMethod('DevicePlugin/PreStartContainer', message({ deviceIds: texts(1) }), empty),
} as const
