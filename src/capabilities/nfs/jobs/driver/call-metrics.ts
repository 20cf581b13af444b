// How long calls of the driver take, under the name, labels and buckets that upstream's sidecars have.

import { Histogram, type Registry } from 'prom-client'

const labelNames = ['driver_name', 'method_name', 'grpc_status_code'] as const
export type CallTimes = Histogram<(typeof labelNames)[number]>

const metricName = 'csi_sidecar_operations_seconds'
/** In seconds, by csi-lib-utils 0.24. */
const buckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600]

/** What calls are counted under before the driver has said its name. */
export const unknownDriver = 'unknown-driver'

/** The histogram of `registry`, made where it is not there yet. */
export function callTimes(registry: Registry): CallTimes {
  const known = registry.getSingleMetric(metricName)
  if (known instanceof Histogram) return known
  return new Histogram({
    name: metricName,
    help: 'How long calls of the CSI driver took, by how they ended',
    labelNames,
    buckets,
    registers: [registry],
  })
}
