// Charts that the mirror of charts without an OCI source has dropped, most of them because upstream publishes them itself by now.

/** End of the mirror's address, before the chart's name. */
export const mirrorAddress = 'ghcr.io/home-operations/charts-mirror'

interface GoneChart {
  readonly chart: string
  /** The day it was dropped, where that is known. */
  readonly since?: string
  /** Where upstream publishes it; absent: look there. */
  readonly source?: string
}

export const goneCharts: readonly GoneChart[] = [
  {
    chart: 'node-feature-discovery',
    since: '2025-10-02',
    source: 'oci://registry.k8s.io/nfd/charts/node-feature-discovery',
  },
  { chart: 'openebs' },
  {
    chart: 'intel-device-plugins-gpu',
    since: '2025-12-11',
    source: 'oci://ghcr.io/intel/helm-charts/intel-device-plugins-gpu',
  },
  {
    chart: 'intel-device-plugins-operator',
    since: '2025-12-11',
    source: 'oci://ghcr.io/intel/helm-charts/intel-device-plugins-operator',
  },
  { chart: 'cilium', since: '2026-01-13' },
  { chart: 'kubernetes-dashboard' },
  { chart: 'fluent-bit' },
]
