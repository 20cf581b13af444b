// What ships for Prometheus and Grafana, judged by their own programs: promtool reads and tries each alert, and Grafana's types read the
// dashboard, whose queries promtool parses.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { installationValues, plainRelease } from '../../../src/deployment/installation.ts'
import { objects } from '../../../src/deployment/objects.ts'
import { enabledCapabilities as capabilities } from '../../../src/process/enabled-capabilities.ts'
import { builtOnce } from '../cache.ts'
import type { Check } from '../check.ts'
import { builtProgram } from '../clients/build.ts'
import { machineSuite, programPath } from '../control-plane/debian.ts'
import { type AlertCase, alertCases } from './alert-series.ts'

interface Rule {
  readonly alert: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** As `ballast manifests` prints it with everything enabled. */
function made(kind: string): KubeObject {
  const preset = { prometheusRule: { enabled: true }, grafanaDashboard: { enabled: true }, apiserver: { enabled: true } }
  const values = installationValues({ preset, enable: capabilities.map(({ name }) => name) }, capabilities)
  const all = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
  const found = all.find(one => one.kind === kind && /^ballast(-dashboard)?$/.test(one.metadata.name))
  if (found === undefined) throw new Error(`nothing of kind ${kind} is made`)
  return found
}

const rulesOf = (rule: KubeObject): readonly Rule[] =>
  listAt(rule, 'spec', 'groups').flatMap(group => listAt(group, 'rules') as readonly Rule[])

/** Files in a folder of their own, and promtool on them. @throws Error with what it says where it is not content */
async function promtool(files: Readonly<Record<string, unknown>>, ...words: readonly string[]): Promise<string> {
  const program = await programPath(machineSuite(), 'prometheus', 'usr/bin/promtool')
  const folder = mkdtempSync(join(tmpdir(), 'ballast-promtool-'))
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content))
    const { status, stdout, stderr } = spawnSync(program, words, { cwd: folder, encoding: 'utf8', timeout: 120_000 })
    if (status !== 0) throw new Error(`promtool ${words.join(' ')}: ${stdout}${stderr}`)
    return `${stdout}${stderr}`
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A text of a rule as Prometheus fills it in. */
const filled = (text: string, labels: Readonly<Record<string, string>>, value: string | undefined): string =>
  text
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? '')
    .replaceAll(/\{\{ \$value[^}]*\}\}/g, () => value ?? '')

function testsOf({ alert, fires, quiet }: AlertCase, rules: readonly Rule[]): readonly object[] {
  const rule = rules.find(one => one.alert === alert)
  if (rule === undefined) throw new Error(`${alert} is among no rules`)
  const { labels = {}, value } = fires
  const series = (of: Readonly<Record<string, string>>) => Object.entries(of).map(([name, values]) => ({ series: name, values }))
  const annotations = Object.entries(rule.annotations).map(([name, text]) => [name, filled(text, labels, value)])
  const expected = { exp_labels: { ...labels, ...rule.labels }, exp_annotations: Object.fromEntries(annotations) }
  return [
    {
      name: `${alert} fires`,
      interval: '1m',
      input_series: series(fires.series),
      alert_rule_test: [{ eval_time: fires.at, alertname: alert, exp_alerts: [expected] }],
    },
    ...quiet.map(one => ({
      name: `${alert}: ${one.why}`,
      interval: '1m',
      input_series: series(one.series),
      alert_rule_test: [{ eval_time: one.at, alertname: alert, exp_alerts: [] }],
    })),
  ]
}

/** What Grafana puts in the place of its variables. */
const asAsked = (query: string): string => query.replaceAll('$__rate_interval', '4m').replaceAll('$__range', '6h')

export const monitoringChecks: readonly Check[] = [
  {
    name: 'promtool takes the alerts, and each fires when it should and not otherwise',
    async run() {
      const { spec } = made('PrometheusRule')
      const rules = rulesOf({ apiVersion: '', kind: '', metadata: { name: '' }, spec })
      const untried = rules.filter(({ alert }) => !alertCases.some(one => one.alert === alert))
      if (untried.length > 0) throw new Error(`no series for ${untried.map(({ alert }) => alert).join(', ')}: alert-series.ts`)
      await promtool({ 'rules.json': spec }, 'check', 'rules', 'rules.json')
      const tests = alertCases.flatMap(one => testsOf(one, rules))
      const files = { 'rules.json': spec, 'tests.json': { rule_files: ['rules.json'], evaluation_interval: '1m', tests } }
      await promtool(files, 'test', 'rules', 'tests.json')
      // One that must not pass: the check itself is seen to fail.
      const broken = tests.slice(0, 1).map(one => ({ ...one, input_series: [] as const, alert_rule_test: [] as const }))
      const wrong = { eval_time: '6m', alertname: 'BallastDown', exp_alerts: [] }
      const bad = {
        ...files,
        'tests.json': { ...files['tests.json'], tests: broken.map(one => ({ ...one, alert_rule_test: [wrong] })) },
      }
      const passed = await promtool(bad, 'test', 'rules', 'tests.json').then(
        () => true,
        () => false,
      )
      if (passed) throw new Error('promtool passed a test that must fail')
      return `${rules.length} alerts, ${tests.length} tests of series`
    },
  },
  {
    name: "Grafana's own types take the dashboard, and promtool parses its queries",
    async run() {
      const text = textAt(made('ConfigMap'), 'data', 'ballast.json') ?? ''
      const program = await builtOnce("Grafana's types", () => builtProgram(join(import.meta.dirname, 'go'), 'grafana-dashboard'))
      const { status, stdout, stderr } = spawnSync(program, { input: text, encoding: 'utf8', timeout: 60_000 })
      if (status !== 0) throw new Error(`the dashboard: ${stderr}`)
      const panels = listAt(JSON.parse(text), 'panels')
      const queries = panels.flatMap(panel => listAt(panel, 'targets').map(target => textAt(target, 'expr') ?? ''))
      const told = `${panels.filter(one => at(one, 'type') !== 'row').length} panels, ${panels.filter(one => at(one, 'type') === 'row').length} rows, ${queries.length} queries`
      if (stdout.trim() !== told) throw new Error(`Grafana read ${stdout.trim()}, of ${told}`)
      const rules = queries.map((query, index) => ({ record: `query:${index}`, expr: asAsked(query) }))
      await promtool({ 'rules.json': { groups: [{ name: 'queries', rules }] } }, 'check', 'rules', 'rules.json')
      return told
    },
  },
]
