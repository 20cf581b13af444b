// The process that faces the outside: Deployment, disruption budget, network policy, and the Service of the page where it is exposed.
import type { Capability } from '#coordination/capability.ts'
import { processPorts } from '#coordination/part-hosts.ts'
import {
  all,
  any,
  block,
  type Condition,
  checksum,
  type Fields,
  named,
  not,
  type ObjectTree,
  type Tree,
  text,
  value,
  when,
} from '../tree.ts'
import { runsOnNodes } from './agent-roles.ts'
import { fullName, metadataOf, selectorLabels } from './object-shapes.ts'
import { allowed, connectionsOf, leaderPortsOf, portsOf, servesApis } from './part-listeners.ts'
import { processBudget, processDeployment } from './process-objects.ts'
import { hasPartIn, isDashboardExposed, runsApiserver, servesDashboard } from './rights-tree.ts'

const component = 'apiserver'
const selector = selectorLabels(component)

/** The objects that make it run: none unless somebody enables the page, or a capability with a part there. */
export function apiserverObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsApiserver(capabilities)
  const led = leaderPortsOf(capabilities)
  return [
    { file: 'apiserver/service.yaml', when: runs, tree: service(capabilities) },
    { file: 'apiserver/service.yaml', when: all(servesDashboard, isDashboardExposed), tree: dashboardService() },
    ...(led === undefined ? [] : [{ file: 'apiserver/service.yaml', when: led.when, tree: leaderService(led.ports) }]),
    {
      file: 'apiserver/network-policy.yaml',
      when: all(runs, { on: 'networkPolicy.enabled' }),
      tree: networkPolicy(capabilities),
    },
    {
      file: 'apiserver/pod-disruption-budget.yaml',
      when: all(runs, { on: 'apiserver.podDisruptionBudget.enabled' }),
      tree: processBudget(component),
    },
    { file: 'apiserver/deployment.yaml', when: runs, tree: deployment(capabilities) },
  ]
}

/** Where it is exposed, of a process that may run without the page. */
function exposedPage(capabilities: readonly Capability[]): Condition {
  return hasPartIn(capabilities, 'apiserver') === undefined ? isDashboardExposed : all(servesDashboard, isDashboardExposed)
}

function service(capabilities: readonly Capability[]): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName('-apiserver'), component }),
    spec: {
      type: 'ClusterIP',
      selector,
      ports: [
        { name: 'metrics', port: processPorts.health, targetPort: 'health', protocol: 'TCP' },
        ...portsOf(capabilities, component).service,
      ],
    },
  }
}

/** Without a selector: a standby has nothing to show. Whoever leads writes the endpoint. */
function dashboardService(): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName('-dashboard'), component, annotationsOf: ['apiserver.service.annotations'] }),
    spec: {
      type: 'ClusterIP',
      ports: [{ name: 'http', port: value('apiserver.service.port'), targetPort: processPorts.dashboard, protocol: 'TCP' }],
    },
  }
}

/** Without a selector, too: what parts listen on that lead, a standby does not. */
function leaderService(ports: readonly Tree[]): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName('-apiserver-leader'), component }),
    spec: { type: 'ClusterIP', ports },
  }
}

function networkPolicy(capabilities: readonly Capability[]): Fields {
  // Whose counts the page shows.
  const mirrors = runsOnNodes(capabilities, 'agent-mirror')
  const apis = servesApis(capabilities)
  const tcp = (port: number): Fields => ({ port, protocol: 'TCP' })
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf({ name: fullName('-apiserver'), component }),
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        { ports: [tcp(processPorts.health)], from: allowed('metrics') },
        when(exposedPage(capabilities), { ports: [tcp(processPorts.dashboard)], from: allowed('page') }),
        ...portsOf(capabilities, component).ingress,
        // Replicas ask each other, whoever else may come in.
        ...(apis === undefined
          ? []
          : [when(apis, { ports: [tcp(processPorts.aggregated)], from: [{ podSelector: { matchLabels: selector } }] })]),
      ],
      egress: [
        { ports: [{ port: 53, protocol: 'UDP' }, tcp(53)] },
        // API servers listen on either; policies see the port behind the Service.
        { ports: [tcp(443), tcp(6443)] },
        ...(mirrors === undefined
          ? []
          : [when(mirrors, { ports: [{ port: value('capabilities.mirror.metricsPort'), protocol: 'TCP' }] })]),
        ...connectionsOf(capabilities, component),
        block('networkPolicy.extraEgress'),
      ],
    },
  }
}

function deployment(capabilities: readonly Capability[]): Fields {
  const exposed = exposedPage(capabilities)
  const apis = servesApis(capabilities)
  const led = leaderPortsOf(capabilities)?.when
  return processDeployment({
    component,
    account: 'apiserverAccount',
    args: [
      when(exposed, text('--dashboard-service=', named('fullname'), '-dashboard')),
      ...(hasPartIn(capabilities, 'apiserver') === undefined ? [] : [when(not(servesDashboard), '--no-dashboard')]),
      ...(apis === undefined ? [] : [when(apis, text('--api-service=', named('fullname'), '-apiserver'))]),
      ...(led === undefined ? [] : [when(led, text('--leader-service=', named('fullname'), '-apiserver-leader'))]),
    ],
    env: [
      when(led === undefined ? exposed : any(exposed, led), {
        name: 'BALLAST_POD_IP',
        valueFrom: { fieldRef: { fieldPath: 'status.podIP' } },
      }),
    ],
    ports: [
      { name: 'health', containerPort: processPorts.health, protocol: 'TCP' },
      when(exposed, { name: 'dashboard', containerPort: processPorts.dashboard, protocol: 'TCP' }),
      ...portsOf(capabilities, component).container,
    ],
    checksums: { 'ballast.dev/dashboard-checksum': checksum('dashboard') },
  })
}
