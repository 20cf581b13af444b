// What Prometheus and Grafana are given: how to scrape, what to warn of, and a dashboard.
import type { AlertRule, Capability } from '#coordination/capability.ts'
import { nodeTrusts } from '#coordination/part-hosts.ts'
import {
  all,
  block,
  type Condition,
  type Fields,
  named,
  not,
  type ObjectTree,
  type Tree,
  templatedText,
  text,
  value,
  when,
} from '../tree.ts'
import { runsOnNodes } from './agent-roles.ts'
import { alertGroups } from './alerts.ts'
import { dashboardText } from './dashboard.ts'
import { annotationsWith, fullName, labelsOf, nameText, selectorLabels } from './object-shapes.ts'
import { hasPartIn, runsApiserver } from './rights-tree.ts'

const component = 'controller'
export const prometheusOperator = 'monitoring.coreos.com/v1'
export const grafanaOperator = 'grafana.integreatly.org/v1beta1'

/** Monitor of one process; `serves`: where it runs at all. */
export function monitorOf(
  kind: 'ServiceMonitor' | 'PodMonitor',
  of: string,
  serves: readonly Condition[] = [],
  port: Fields = { port: kind === 'ServiceMonitor' ? 'metrics' : 'health' },
): ObjectTree {
  const path = `metrics.${kind === 'ServiceMonitor' ? 'serviceMonitor' : 'podMonitor'}`
  const endpoint: Fields = {
    ...port,
    path: '/metrics',
    interval: value(`${path}.interval`),
    scrapeTimeout: value(`${path}.scrapeTimeout`),
    relabelings: block(`${path}.relabelings`),
    metricRelabelings: block(`${path}.metricRelabelings`),
  }
  return {
    file: 'monitoring/monitors.yaml',
    when: all({ on: `${path}.enabled` }, { served: prometheusOperator }, ...serves),
    tree: {
      apiVersion: prometheusOperator,
      kind,
      metadata: {
        name: fullName(`-${of}`),
        namespace: templatedText(`${path}.namespace`),
        labels: { ...labelsOf(of), '...own': block(`${path}.labels`, true) },
        annotations: annotationsWith({}, ['commonAnnotations']),
      },
      spec: {
        namespaceSelector: { matchNames: [nameText(nodeTrusts.some(trust => trust === of) ? 'agentNamespace' : 'namespace')] },
        selector: { matchLabels: selectorLabels(of) },
        [kind === 'ServiceMonitor' ? 'endpoints' : 'podMetricsEndpoints']: [endpoint],
      },
    },
  }
}

function gatewayMonitors(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = hasPartIn(capabilities, 'gateway')
  return runs === undefined ? [] : [monitorOf('ServiceMonitor', 'gateway', [runs]), monitorOf('PodMonitor', 'gateway', [runs])]
}

function prometheusRule(capabilities: readonly Capability[]): ObjectTree {
  const isWanted = (name: string): Condition => not({ has: 'prometheusRule.disable', value: name })
  const rule = ({ alert, expr, for: during, severity, summary, description }: AlertRule): Fields => ({
    alert,
    expr,
    for: during,
    labels: { severity },
    annotations: {
      summary,
      description,
      runbook_url: when({ on: 'prometheusRule.runbooks' }, text({ value: 'prometheusRule.runbooks' }, `#${alert.toLowerCase()}`)),
    },
  })
  const groups = alertGroups(capabilities).map(({ name, rules }): Tree => {
    const group: Fields = { name: `ballast-${name}`, rules: rules.map(one => when(isWanted(one.alert), rule(one))) }
    return name === 'core' ? group : when({ on: `capabilities.${name}.enabled` }, group)
  })
  return {
    file: 'monitoring/prometheus-rule.yaml',
    when: all({ on: 'prometheusRule.enabled' }, { served: prometheusOperator }),
    tree: {
      apiVersion: prometheusOperator,
      kind: 'PrometheusRule',
      metadata: {
        name: fullName(),
        namespace: nameText('namespace'),
        labels: { ...labelsOf(component), '...own': block('prometheusRule.labels') },
        annotations: annotationsWith({}, ['commonAnnotations']),
      },
      spec: { groups },
    },
  }
}

function dashboards(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const path = 'grafanaDashboard'
  const metadata: Fields = {
    name: text(named('fullname'), '-dashboard'),
    namespace: nameText('namespace'),
    labels: { ...labelsOf(component), '...own': block(`${path}.labels`) },
    annotations: annotationsWith({}, ['commonAnnotations', `${path}.annotations`]),
  }
  return [
    {
      file: 'monitoring/dashboard.yaml',
      when: all({ on: `${path}.enabled` }, { is: `${path}.mode`, value: 'Sidecar' }),
      tree: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'ballast.json': dashboardText(capabilities) } },
    },
    {
      file: 'monitoring/dashboard.yaml',
      when: all({ on: `${path}.enabled` }, { is: `${path}.mode`, value: 'GrafanaOperator' }, { served: grafanaOperator }),
      tree: {
        apiVersion: grafanaOperator,
        kind: 'GrafanaDashboard',
        metadata,
        spec: { instanceSelector: { matchLabels: { dashboards: 'grafana' } }, json: dashboardText(capabilities) },
      },
    },
  ]
}

/** Each only where asked for and, but for ConfigMaps, where the cluster serves its kind. */
export function monitoringObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  return [
    monitorOf('ServiceMonitor', 'controller'),
    monitorOf('PodMonitor', 'controller'),
    monitorOf('ServiceMonitor', 'apiserver', [runsApiserver(capabilities)]),
    monitorOf('PodMonitor', 'apiserver', [runsApiserver(capabilities)]),
    ...gatewayMonitors(capabilities),
    prometheusRule(capabilities),
    ...mirrorMonitors(capabilities),
    ...dashboards(capabilities),
  ]
}

/** Monitors of pods on the host's network, which declare no ports. */
function mirrorMonitors(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent-mirror')
  if (runs === undefined) return []
  const port = { portNumber: value('capabilities.mirror.metricsPort') }
  return [monitorOf('ServiceMonitor', 'agent-mirror', [runs]), monitorOf('PodMonitor', 'agent-mirror', [runs], port)]
}
