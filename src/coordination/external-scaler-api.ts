// The service `externalscaler.ExternalScaler` as KEDA's users implement it: numbers of fields are the contract.
import { double, flag, integer, list, type Message, message, nested, text, textMap } from '#kube/protobuf-message.ts'

const scaledObjectRef = message({ name: text(1), namespace: text(2), scalerMetadata: textMap(3) })
const metricSpec = message({ metricName: text(1), targetSize: integer(2), targetSizeFloat: double(3) })
const metricValue = message({ metricName: text(1), metricValue: integer(2), metricValueFloat: double(3) })
const metricSpecs = message({ metricSpecs: list(1, metricSpec) })
const isActive = message({ result: flag(1) })

export interface Method<Request, Response> {
  readonly path: string
  readonly request: Message<Request>
  readonly response: Message<Response>
}

const method = <Request, Response>(
  name: string,
  request: Message<Request>,
  response: Message<Response>,
): Method<Request, Response> => ({ path: `/externalscaler.ExternalScaler/${name}`, request, response })

export const externalApi = {
  isActive: method('IsActive', scaledObjectRef, isActive),
  getMetricSpec: method('GetMetricSpec', scaledObjectRef, metricSpecs),
  getMetrics: method(
    'GetMetrics',
    message({ scaledObjectRef: nested(1, scaledObjectRef), metricName: text(2) }),
    message({ metricValues: list(1, metricValue) }),
  ),
  streamIsActive: method('StreamIsActive', scaledObjectRef, isActive),
  streamMetricSpec: method('StreamMetricSpec', scaledObjectRef, metricSpecs),
} as const
