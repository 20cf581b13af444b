// The controller itself: Deployment, disruption budget, Services, network policy.
import type { Capability } from '#coordination/capability.ts'
import { partsIn, processPorts } from '#coordination/part-hosts.ts'
import { all, any, block, type Condition, checksum, type Fields, named, type ObjectTree, text, value, when } from '../tree.ts'
import { runsOnNodes } from './agent-roles.ts'
import { clientAuthorityFile } from './namespace-objects.ts'
import { fullName, metadataOf, nameText, selectorLabels } from './object-shapes.ts'
import { allowed } from './part-listeners.ts'
import { processBudget, processDeployment } from './process-objects.ts'

const component = 'controller'
const selector = selectorLabels(component)
const ports = processPorts

/** Webhooks are served where somebody enabled has one. */
function servesWebhooks(capabilities: readonly Capability[]): Condition {
  const serving = capabilities.filter(one =>
    partsIn(component, one).some(({ listeners }) => listeners.some(({ kind }) => kind === 'webhook')),
  )
  return all({ on: 'webhooks.enabled' }, any(...serving.map(({ name }): Condition => ({ on: `capabilities.${name}.enabled` }))))
}

/** The objects that make the controller run. */
export function controllerObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const isServing = servesWebhooks(capabilities)
  return [
    { file: 'service.yaml', tree: service('-controller', { name: 'metrics', port: ports.health, targetPort: 'health' }) },
    {
      file: 'service.yaml',
      when: isServing,
      tree: service('-webhook', { name: 'webhooks', port: 443, targetPort: 'webhooks' }),
    },
    {
      file: 'network-policy.yaml',
      when: { on: 'networkPolicy.enabled' },
      tree: networkPolicy(runsOnNodes(capabilities, 'agent-mirror')),
    },
    {
      file: 'pod-disruption-budget.yaml',
      when: { on: 'controller.podDisruptionBudget.enabled' },
      tree: processBudget(component),
    },
    { file: 'deployment.yaml', tree: deployment(isServing, runsOnNodes(capabilities, 'agent', 'agent-mirror')) },
  ]
}

function service(suffix: string, port: Fields): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName(suffix), component }),
    spec: { type: 'ClusterIP', selector, ports: [{ ...port, protocol: 'TCP' }] },
  }
}

/** `mirrors`: when there are any, which are asked to pull beforehand. */
function networkPolicy(mirrors: Condition | undefined): Fields {
  const tcp = (port: number): Fields => ({ port, protocol: 'TCP' })
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf({ name: fullName('-controller'), component }),
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        { ports: [tcp(ports.health)], from: allowed('metrics') },
        { ports: [tcp(ports.webhooks)], from: allowed('webhooks') },
      ],
      egress: [
        { ports: [{ port: 53, protocol: 'UDP' }, tcp(53)] },
        // API servers listen on either; policies see the port behind the Service.
        { ports: [tcp(443), tcp(6443)] },
        ...(mirrors === undefined
          ? []
          : [when(mirrors, { ports: [{ port: value('capabilities.mirror.peerPort'), protocol: 'TCP' }] })]),
        block('networkPolicy.extraEgress'),
      ],
    },
  }
}

function deployment(isServing: Condition, agents: Condition | undefined): Fields {
  return processDeployment({
    component,
    account: 'serviceAccount',
    args: [
      '--install-crds=never',
      when(isServing, text('--webhook-host=', named('fullname'), '-webhook.', named('namespace'), '.svc:443')),
      when(all(isServing, { on: 'webhooks.clientCA' }), `--webhook-client-ca=/etc/ballast/${clientAuthorityFile}`),
    ],
    env: agents === undefined ? [] : [when(agents, { name: 'BALLAST_AGENT_NAMESPACE', value: nameText('agentNamespace') })],
    ports: [
      { name: 'health', containerPort: ports.health, protocol: 'TCP' },
      when(isServing, { name: 'webhooks', containerPort: ports.webhooks, protocol: 'TCP' }),
    ],
    // Read at the start.
    checksums: { 'ballast.dev/webhook-client-ca-checksum': when({ on: 'webhooks.clientCA' }, checksum('webhooks.clientCA')) },
  })
}
