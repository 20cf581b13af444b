// Who may reach what Ballast listens on, and the addresses that this cluster suggests for a network policy.
import { at, listAt, shown, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClusterFacts, ofKind } from './facts.ts'
import { type Finding, finding } from './finding.ts'
import { ownDeployment } from './own-facts.ts'

/** Addresses of nodes that a fix names; a bigger cluster is better told by a range. */
const mostNodes = 20

/** Listeners of the controller that anybody in the cluster reaches. Pure. */
export function checkNetwork(facts: ClusterFacts): readonly Finding[] {
  const deployment = ownDeployment(facts.objects)
  const servers = apiServers(facts)
  if (deployment === undefined || servers.length === 0 || facts.unread.some(({ kind }) => kind.startsWith('networkpolicies')))
    return []
  const { namespace } = deployment.metadata
  const isNarrowed = ofKind(facts, 'NetworkPolicy').some(
    policy =>
      policy.metadata.namespace === namespace &&
      isOfController(policy) &&
      listAt(policy, 'spec', 'ingress').some(rule => listAt(rule, 'from').length > 0),
  )
  if (isNarrowed) return []
  const nodes = ofKind(facts, 'Node')
  const webhooks = [
    ...servers.map(cidrOf),
    ...nodes.filter(node => addressesOf(node).some(one => servers.includes(one))).flatMap(podRanges),
  ]
  const metrics = [
    ...nodes.flatMap(addressesOf).slice(0, mostNodes).map(cidrOf),
    ...prometheusNamespaces(facts).map(name => ({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    })),
  ]
  const left = Math.max(0, nodes.flatMap(addressesOf).length - mostNodes)
  const from = { webhooks: webhooks.map(peerOf), metrics: metrics.map(peerOf) }
  const more = left === 0 ? '' : `   # and ${left} more nodes: give their range`
  return [
    finding('listeners-open', {
      object: shown(deployment),
      message:
        'every pod of the cluster reaches its webhooks, health and metrics. The fix names what this cluster suggests: addresses of the API servers (and, for networks that overlay, the pods’ ranges of their nodes), of nodes for probes, and namespaces with a Prometheus. Look whether webhooks are still called: an API server behind a proxy has another address',
      fix: `helm upgrade ... --set-json 'networkPolicy=${JSON.stringify({ enabled: true, from })}'${more}`,
    }),
  ]
}

function isOfController(policy: KubeObject): boolean {
  const wanted = at(policy, 'spec', 'podSelector', 'matchLabels')
  if (typeof wanted !== 'object' || wanted === null) return true
  const component = Reflect.get(wanted, 'app.kubernetes.io/component')
  return component === undefined || component === 'controller'
}

/** Addresses behind the Service by which pods reach the API servers. */
function apiServers(facts: ClusterFacts): readonly string[] {
  const slices = ofKind(facts, 'EndpointSlice').filter(
    ({ metadata }) => metadata.namespace === 'default' && metadata.labels?.['kubernetes.io/service-name'] === 'kubernetes',
  )
  const addresses = slices.flatMap(slice => listAt(slice, 'endpoints').flatMap(endpoint => listAt(endpoint, 'addresses')))
  return [...new Set(addresses.map(String))].toSorted()
}

function addressesOf(node: KubeObject): readonly string[] {
  return listAt(node, 'status', 'addresses')
    .filter(address => textAt(address, 'type') === 'InternalIP')
    .flatMap(address => textAt(address, 'address') ?? [])
}

function podRanges(node: KubeObject): readonly string[] {
  const ranges = listAt(node, 'spec', 'podCIDRs').map(String)
  return ranges.length > 0 ? ranges : [textAt(node, 'spec', 'podCIDR')].filter(range => range !== undefined)
}

/** Where a Prometheus runs, by the labels and names that its charts and operators give it. */
function prometheusNamespaces(facts: ClusterFacts): readonly string[] {
  const found = ofKind(facts, 'StatefulSet', 'Deployment').filter(
    ({ metadata }) =>
      metadata.labels?.['app.kubernetes.io/name'] === 'prometheus' ||
      metadata.labels?.['operator.prometheus.io/name'] !== undefined ||
      /^prometheus-(server|k8s)$/.test(metadata.name),
  )
  return [...new Set(found.flatMap(({ metadata }) => metadata.namespace ?? []))].toSorted()
}

const cidrOf = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

const peerOf = (peer: string | object): object => (typeof peer === 'string' ? { ipBlock: { cidr: peer } } : peer)
