// What whoever watches over reload is shown and told.
import type { AlertRule, PanelRow } from '#coordination/capability.ts'

export const reloadAlerts: readonly AlertRule[] = [
  {
    alert: 'BallastReloadFailed',
    expr: 'increase(reloader_reload_executed_total{success="false"}[15m]) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'A workload could not be reloaded.',
    description: 'Events ReloadFail on the ConfigMap or Secret say which, and why.',
  },
  {
    alert: 'BallastReloadForbidden',
    expr: 'increase(ballast_reload_forbidden_total[15m]) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'Ballast lacks a right to reload {{ $labels.kind }}.',
    description: 'ballast doctor names the missing rule.',
  },
]

export const reloadPanels: PanelRow = {
  title: 'Reload',
  panels: [
    {
      title: 'Reloads',
      expr: 'sum by (success) (rate(reloader_reload_executed_total[$__rate_interval]))',
      unit: 'ops',
    },
    {
      title: 'From change to roll-out, 99th percentile',
      expr: 'histogram_quantile(0.99, sum by (le) (rate(reloader_action_latency_seconds_bucket[$__rate_interval])))',
      unit: 's',
    },
    { title: 'Held back by the rate guard', expr: 'rate(ballast_reload_throttled_total[$__rate_interval])', unit: 'ops' },
    { title: 'Workloads waiting', expr: 'sum(reloader_workqueue_depth)' },
  ],
}
