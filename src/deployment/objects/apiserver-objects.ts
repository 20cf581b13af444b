// The process that faces the outside: Deployment, disruption budget, network policy, and the Service of the page where it is exposed.
import type { Capability } from '#coordination/capability.ts'
import { all, block, type Condition, checksum, type Fields, named, type ObjectTree, text, value, when } from '../tree.ts'
import { runsOnNodes } from './agent-roles.ts'
import { fullName, metadataOf, selectorLabels } from './object-shapes.ts'
import { processBudget, processDeployment } from './process-objects.ts'
import { isDashboardExposed, servesDashboard } from './rights-tree.ts'

const component = 'apiserver'
const selector = selectorLabels(component)
const ports = { health: 8081, dashboard: 8080 } as const

/** The objects that make it run: none unless somebody enables it. */
export function apiserverObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  return [
    { file: 'apiserver/service.yaml', when: servesDashboard, tree: metricsService() },
    { file: 'apiserver/service.yaml', when: all(servesDashboard, isDashboardExposed), tree: dashboardService() },
    {
      file: 'apiserver/network-policy.yaml',
      when: all(servesDashboard, { on: 'networkPolicy.enabled' }),
      tree: networkPolicy(runsOnNodes(capabilities, 'agent-mirror')),
    },
    {
      file: 'apiserver/pod-disruption-budget.yaml',
      when: all(servesDashboard, { on: 'apiserver.podDisruptionBudget.enabled' }),
      tree: processBudget(component),
    },
    { file: 'apiserver/deployment.yaml', when: servesDashboard, tree: deployment() },
  ]
}

function metricsService(): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName('-apiserver'), component }),
    spec: {
      type: 'ClusterIP',
      selector,
      ports: [{ name: 'metrics', port: ports.health, targetPort: 'health', protocol: 'TCP' }],
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
      ports: [{ name: 'http', port: value('apiserver.service.port'), targetPort: ports.dashboard, protocol: 'TCP' }],
    },
  }
}

/** `mirrors`: when there are any, whose counts the page shows. */
function networkPolicy(mirrors: Condition | undefined): Fields {
  const tcp = (port: number): Fields => ({ port, protocol: 'TCP' })
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf({ name: fullName('-apiserver'), component }),
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [tcp(ports.health), when(isDashboardExposed, tcp(ports.dashboard))] }],
      egress: [
        { ports: [{ port: 53, protocol: 'UDP' }, tcp(53)] },
        // API servers listen on either; policies see the port behind the Service.
        { ports: [tcp(443), tcp(6443)] },
        ...(mirrors === undefined
          ? []
          : [when(mirrors, { ports: [{ port: value('capabilities.mirror.metricsPort'), protocol: 'TCP' }] })]),
        block('networkPolicy.extraEgress'),
      ],
    },
  }
}

function deployment(): Fields {
  return processDeployment({
    component,
    account: 'apiserverAccount',
    args: [when(isDashboardExposed, text('--dashboard-service=', named('fullname'), '-dashboard'))],
    env: [when(isDashboardExposed, { name: 'BALLAST_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } })],
    ports: [
      { name: 'health', containerPort: ports.health, protocol: 'TCP' },
      when(isDashboardExposed, { name: 'dashboard', containerPort: ports.dashboard, protocol: 'TCP' }),
    ],
    checksums: { 'ballast.dev/dashboard-checksum': checksum('dashboard') },
  })
}
