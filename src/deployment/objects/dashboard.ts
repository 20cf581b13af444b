// The Grafana dashboard: made from a table, with ids that stay.
import type { Capability, PanelRow } from '#coordination/capability.ts'

const arbiterRow: PanelRow = {
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
}

const processRow: PanelRow = {
  title: 'Process',
  panels: [
    { title: 'Memory', expr: 'process_resident_memory_bytes{job=~".*ballast.*"}', legend: '{{pod}}', unit: 'bytes' },
    { title: 'CPU', expr: 'rate(process_cpu_seconds_total{job=~".*ballast.*"}[$__rate_interval])', legend: '{{pod}}' },
    { title: 'Objects held', expr: 'sum by (resource) (ballast_informer_objects)', legend: '{{resource}}' },
    { title: 'Parts', expr: 'sum by (capability, part, state) (ballast_part_state) > 0' },
  ],
}

const width = 12
const height = 8

function panelsOf(rows: readonly PanelRow[]): readonly object[] {
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

/** As Grafana imports it, with the rows of `capabilities`. */
export function dashboardText(capabilities: readonly Capability[]): string {
  const own = capabilities.flatMap(({ panels }) => (panels === undefined ? [] : [panels]))
  return `${JSON.stringify(
    {
      uid: 'ballast',
      title: 'Ballast',
      tags: ['ballast'],
      schemaVersion: 39,
      timezone: 'browser',
      refresh: '30s',
      time: { from: 'now-6h', to: 'now' },
      annotations: { list: [] },
      templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
      panels: panelsOf([arbiterRow, ...own, processRow]),
    },
    undefined,
    2,
  )}\n`
}
