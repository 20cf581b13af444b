// The Grafana dashboard: made from a table, with ids that stay.

interface Panel {
  readonly title: string
  readonly expr: string
  readonly legend?: string
  readonly unit?: string
}

const rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: 'Arbiter',
    panels: [
      {
        title: 'Answers by decision',
        expr: 'sum by (requester, decision) (rate(ballast_arbiter_requests_total[$__rate_interval]))',
        unit: 'ops',
      },
      { title: 'Permits that are out', expr: 'sum by (class) (ballast_arbiter_inflight)' },
      { title: 'Oldest permit', expr: 'max(ballast_arbiter_oldest_permit_seconds)', unit: 's' },
      { title: 'Frozen', expr: 'max by (gate) (ballast_arbiter_frozen)', legend: '{{gate}}' },
    ],
  },
  {
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
  },
  {
    title: 'Process',
    panels: [
      { title: 'Memory', expr: 'process_resident_memory_bytes{job=~".*ballast.*"}', legend: '{{pod}}', unit: 'bytes' },
      { title: 'CPU', expr: 'rate(process_cpu_seconds_total{job=~".*ballast.*"}[$__rate_interval])', legend: '{{pod}}' },
      { title: 'Objects held', expr: 'sum by (resource) (ballast_informer_objects)', legend: '{{resource}}' },
      { title: 'Parts', expr: 'sum by (capability, part, state) (ballast_part_state) > 0' },
    ],
  },
]

const width = 12
const height = 8

function panelsOf(): readonly object[] {
  let id = 0
  let y = 0
  return rows.flatMap(({ title, panels }) => {
    const top = y
    const made = panels.map((panel, at) => ({
      id: ++id,
      type: 'timeseries',
      title: panel.title,
      datasource: { type: 'prometheus', uid: `$${'{datasource}'}` },
      fieldConfig: { defaults: { unit: panel.unit ?? 'short' }, overrides: [] },
      gridPos: { h: height, w: width, x: (at % 2) * width, y: top + 1 + Math.floor(at / 2) * height },
      targets: [{ refId: 'A', expr: panel.expr, legendFormat: panel.legend ?? '__auto' }],
    }))
    y = top + 1 + Math.ceil(panels.length / 2) * height
    return [{ id: ++id, type: 'row', title, collapsed: false, gridPos: { h: 1, w: 24, x: 0, y: top }, panels: [] }, ...made]
  })
}

export const dashboardText = `${JSON.stringify(
  {
    uid: 'ballast',
    title: 'Ballast',
    tags: ['ballast'],
    schemaVersion: 39,
    timezone: 'browser',
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels: panelsOf(),
  },
  undefined,
  2,
)}\n`
