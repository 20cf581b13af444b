// What whoever watches over resource metrics is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const metricsAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastResourceMetricsDown',
    // Counted by kube-apiserver.
    expr: 'max by (name) (aggregator_unavailable_apiservice{name="v1beta1.metrics.k8s.io"}) == 1',
    for: '5m',
    severity: 'critical',
    summary: 'Nobody gets resource metrics.',
    description:
      'The API server cannot reach what answers APIService {{ $labels.name }}: kubectl top and autoscalers by CPU or memory stand still. kubectl describe apiservice {{ $labels.name }} says why.',
  },
  {
    alert: 'BallastKubeletSilent',
    expr: 'max by (node) (ballast_metrics_stale_seconds) > 600',
    for: '5m',
    severity: 'warning',
    summary: 'Node {{ $labels.node }} has not said for ten minutes what its containers use.',
    description: 'Its pods have no resource metrics. ballast doctor metrics asks its kubelet and says what it answers.',
  },
]

export const metricsPanels: PanelRow = {
  title: 'Resource metrics',
  panels: [
    {
      title: 'Scrapes that failed',
      expr: 'sum by (reason) (rate(ballast_metrics_scrape_errors_total[$__rate_interval]))',
      unit: 'ops',
    },
    {
      title: 'Time of a scrape of all nodes, 99th percentile',
      expr: 'histogram_quantile(0.99, sum by (le) (rate(metrics_server_manager_tick_duration_seconds_bucket[$__rate_interval])))',
      unit: 's',
    },
    { title: 'Nodes that do not answer, for how long', expr: 'max by (node) (ballast_metrics_stale_seconds)', unit: 's' },
    { title: 'Points that rates are served from', expr: 'max by (type) (metrics_server_storage_points)' },
  ],
}
