// The process in the way of requests: Deployment, disruption budget, Service, network policy. Nothing of it where no capability has a part there.
import type { Capability } from '#coordination/capability.ts'
import { processPorts } from '#coordination/part-hosts.ts'
import { all, block, type Condition, type Fields, type ObjectTree } from '../tree.ts'
import { fullName, metadataOf, selectorLabels } from './object-shapes.ts'
import { allowed, connectionsOf, portsOf } from './part-listeners.ts'
import { processBudget, processDeployment } from './process-objects.ts'
import { hasPartIn } from './rights-tree.ts'

const component = 'gateway'

/**
 * Requests live for a moment and there are many: with the image's young generation of one MiB a request takes a third more processor time.
 * With more than four MiB it takes no less, and ten thousand requests that wait take 12 to 37 MiB more (`npm run bench -- gateway`).
 */
export const gatewayMemory = {
  NODE_OPTIONS: '--max-old-space-size-percentage=75 --max-semi-space-size=4',
} as const
const selector = selectorLabels(component)

/** The objects that make it run. */
export function gatewayObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = hasPartIn(capabilities, component)
  return runs === undefined ? [] : objectsWhere(runs, capabilities)
}

function objectsWhere(runs: Condition, capabilities: readonly Capability[]): readonly ObjectTree[] {
  const ports = portsOf(capabilities, component)
  const metadata = metadataOf({ name: fullName('-gateway'), component })
  const health: Fields = { name: 'metrics', port: processPorts.health, targetPort: 'health', protocol: 'TCP' }
  return [
    {
      file: 'gateway/service.yaml',
      when: runs,
      tree: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata,
        spec: { type: 'ClusterIP', selector, ports: [health, ...ports.service] },
      },
    },
    {
      file: 'gateway/network-policy.yaml',
      when: all(runs, { on: 'networkPolicy.enabled' }),
      tree: {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata,
        spec: {
          podSelector: { matchLabels: selector },
          policyTypes: ['Ingress', 'Egress'],
          ingress: [{ ports: [{ port: processPorts.health, protocol: 'TCP' }], from: allowed('metrics') }, ...ports.ingress],
          egress: [
            {
              ports: [
                { port: 53, protocol: 'UDP' },
                { port: 53, protocol: 'TCP' },
              ],
            },
            // API servers listen on either; policies see the port behind the Service.
            {
              ports: [
                { port: 443, protocol: 'TCP' },
                { port: 6443, protocol: 'TCP' },
              ],
            },
            ...connectionsOf(capabilities, component),
            block('networkPolicy.extraEgress'),
          ],
        },
      },
    },
    {
      file: 'gateway/pod-disruption-budget.yaml',
      when: all(runs, { on: 'gateway.podDisruptionBudget.enabled' }),
      tree: processBudget(component),
    },
    {
      file: 'gateway/deployment.yaml',
      when: runs,
      tree: processDeployment({
        component,
        account: 'gatewayAccount',
        args: [],
        env: Object.entries(gatewayMemory).map(([name, value]) => ({ name, value })),
        ports: [{ name: 'health', containerPort: processPorts.health, protocol: 'TCP' }, ...ports.container],
        checksums: {},
      }),
    },
  ]
}
