// The service `api.MetricsService` by which KEDA's adapter asks KEDA's operator: numbers of fields are the contract. It has the wire of
// Kubernetes's own ExternalMetricValueList.

import type { Method } from '#coordination/external-scaler-api.ts'
import { integer, list, message, nested, type Of, text, textMap } from '#kube/protobuf-message.ts'

const scaledObjectRef = message({ name: text(1), namespace: text(2), metricName: text(3) })
const quantity = message({ string: text(1) })
/** Seconds alone, as upstream sends it: nanoseconds are passed over. */
const time = message({ seconds: integer(1) })
const metricValue = message({
  metricName: text(1),
  metricLabels: textMap(2),
  timestamp: nested(3, time),
  window: integer(4),
  value: nested(5, quantity),
})
const listMeta = message({ selfLink: text(1), resourceVersion: text(2), continue: text(3) })
const metricValues = message({ metadata: nested(1, listMeta), items: list(2, metricValue) })

export type ScaledObjectRef = Of<typeof scaledObjectRef>
export type MetricValues = Of<typeof metricValues>

export const getMetrics: Method<ScaledObjectRef, MetricValues> = {
  path: '/api.MetricsService/GetMetrics',
  request: scaledObjectRef,
  response: metricValues,
}

/** What stands before every failure to tell a metric. */
export const failurePrefix = 'error when getting metric values '
