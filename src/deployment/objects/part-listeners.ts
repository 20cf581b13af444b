// Where others reach the parts of a process: ports of its pods, its Service and its network policy, and the APIServices that lead to it.
import type { Capability, Listener } from '#coordination/capability.ts'
import { aggregatedPortName, apiServicesOf, partsIn, processPorts } from '#coordination/part-hosts.ts'
import { certificateSecrets } from '#coordination/rbac.ts'
import { injectAnnotation } from '#kube/server/bundle-injection.ts'
import { any, block, type Condition, type Fields, type ObjectTree, type Tree, text, value, when } from '../tree.ts'
import { fullName, metadataOf, nameText } from './object-shapes.ts'

type Process = 'apiserver' | 'gateway'
type Port = Extract<Listener, { kind: 'port' }>

interface Listening {
  /** When its capability is enabled. */
  readonly when: Condition
  readonly port: Port
  /** What the leader alone listens on has a Service of its own, which leads to the leader. */
  readonly presence: 'leading' | 'always'
}

const isEnabled = (name: string): Condition => ({ on: `capabilities.${name}.enabled` })

function listening(capabilities: readonly Capability[], process: Process): readonly Listening[] {
  return capabilities.flatMap(capability =>
    partsIn(process, capability).flatMap(({ listeners, presence }) =>
      listeners
        .filter((listener): listener is Port => listener.kind === 'port' && listener.exposure === 'pod')
        .map(port => ({ when: isEnabled(capability.name), port, presence })),
    ),
  )
}

/** When any enabled capability serves an API; `undefined`: there is none. */
export function servesApis(capabilities: readonly Capability[]): Condition | undefined {
  const serving = capabilities.filter(one => apiServicesOf(partsIn('apiserver', one)).length > 0)
  return serving.length === 0 ? undefined : any(...serving.map(({ name }) => isEnabled(name)))
}

function servedBy(found: readonly Listening[], presence: Listening['presence']): readonly Tree[] {
  return found
    .filter(one => one.presence === presence && one.port.servicePort !== 'none')
    .map(({ when: condition, port: { name, port, servicePort = port, protocol } }) =>
      when(condition, { name, port: servicePort, targetPort: name, protocol }),
    )
}

/** What the Service of the leader has, and when there is one; `undefined`: no part that leads listens. */
export function leaderPortsOf(
  capabilities: readonly Capability[],
): { readonly when: Condition; readonly ports: readonly Tree[] } | undefined {
  const found = listening(capabilities, 'apiserver')
  const leading = found.filter(({ presence }) => presence === 'leading')
  return leading.length === 0 ? undefined : { when: any(...leading.map(one => one.when)), ports: servedBy(found, 'leading') }
}

/** `from` of a rule of a network policy; left out, and so everybody, where the values name nobody. */
export const allowed = (listener: 'webhooks' | 'metrics' | 'page'): Tree => block(`networkPolicy.from.${listener}`)

/** Ports of the container and of the Service, and rules of the network policy's `ingress`, each where its capability is enabled. */
export function portsOf(
  capabilities: readonly Capability[],
  process: Process,
): { readonly container: readonly Tree[]; readonly service: readonly Tree[]; readonly ingress: readonly Tree[] } {
  const found = listening(capabilities, process)
  const apis = process === 'apiserver' ? servesApis(capabilities) : undefined
  const onlyIf = (condition: Condition | undefined, item: Fields): readonly Tree[] =>
    condition === undefined ? [] : [when(condition, item)]
  return {
    container: [
      ...onlyIf(apis, { name: aggregatedPortName, containerPort: processPorts.aggregated, protocol: 'TCP' }),
      ...found.map(({ when: condition, port: { name, port, protocol } }) =>
        when(condition, { name, containerPort: port, protocol }),
      ),
    ],
    service: [
      ...onlyIf(apis, { name: aggregatedPortName, port: 443, targetPort: aggregatedPortName, protocol: 'TCP' }),
      ...servedBy(found, 'always'),
    ],
    ingress: [
      ...onlyIf(apis, { ports: [{ port: processPorts.aggregated, protocol: 'TCP' }], from: allowed('webhooks') }),
      ...found.map(({ when: condition, port: { port, protocol } }) => when(condition, { ports: [{ port, protocol }] })),
    ],
  }
}

/** Rules of the network policy's `egress`, each where its capability is enabled. */
export function connectionsOf(capabilities: readonly Capability[], process: Process): readonly Tree[] {
  return capabilities.flatMap(capability =>
    partsIn(process, capability)
      .flatMap(({ connectsTo = [] }) => connectsTo)
      .map(to =>
        when(
          isEnabled(capability.name),
          'anywhere' in to ? {} : { ports: [{ port: value(`capabilities.${capability.name}.${to.setting}`), protocol: 'TCP' }] },
        ),
      ),
  )
}

/** What tells API servers which APIs lead here. Their bundle is put in by whoever keeps the certificates. */
export function apiServiceObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  return capabilities.flatMap(capability =>
    apiServicesOf(partsIn('apiserver', capability)).map(
      ({ group, version, groupPriority, versionPriority }): ObjectTree => ({
        file: 'apiserver/api-services.yaml',
        when: isEnabled(capability.name),
        tree: {
          apiVersion: 'apiregistration.k8s.io/v1',
          kind: 'APIService',
          metadata: metadataOf({
            name: `${version}.${group}`,
            namespace: undefined,
            component: 'apiserver',
            labels: { 'ballast.dev/capability': capability.name },
            annotations: { [injectAnnotation]: text({ named: 'namespace' }, `/${certificateSecrets.edge}`) },
          }),
          spec: {
            group,
            version,
            groupPriorityMinimum: groupPriority,
            versionPriority,
            service: { name: fullName('-apiserver'), namespace: nameText('namespace'), port: 443 },
          },
        },
      }),
    ),
  )
}
