// Addresses and node ports of Services, given when they are created or change their type.
import { forbidden, invalid } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import { refused } from '../validation/validation.ts'

const nodePorts = { first: 30_000, last: 32_767 } as const
/** 10.96.0.10 and up; the first ten are left to what a cluster starts with. */
const firstAddress = (10 << 24) | (96 << 16) | 10
const addressCount = 65_000

/** Gives a Service what its type needs and it does not have. @throws StatusError 422 for an address or port that is taken. */
export function assignServiceAddresses(server: ApiServer, draft: Draft): void {
  const spec = fieldsAt(draft, 'spec')
  if (spec === undefined) return
  const others = server.store.list('services').filter(service => service.metadata.uid !== textAt(draft, 'metadata', 'uid'))
  const kind = textAt(spec, 'type')
  if (kind === 'ExternalName') {
    delete spec['clusterIP']
    delete spec['clusterIPs']
    return
  }
  assignClusterAddress(spec, draft, new Set(others.map(service => textAt(service, 'spec', 'clusterIP') ?? '')))
  const usedPorts = new Set(
    others.flatMap(service => itemsAt(service, 'spec', 'ports').map(port => numberAt(port, 'nodePort') ?? 0)),
  )
  const wantsPorts = kind === 'NodePort' || (kind === 'LoadBalancer' && spec['allocateLoadBalancerNodePorts'] !== false)
  for (const [index, port] of itemsAt(spec, 'ports').entries()) {
    if (wantsPorts) assignNodePort(draft, port, index, usedPorts)
    else if (kind === 'ClusterIP' && port['nodePort'] === 0) delete port['nodePort']
  }
}

function assignClusterAddress(spec: Draft, draft: Draft, used: ReadonlySet<string>): void {
  const given = textAt(spec, 'clusterIP') ?? ''
  if (given === '') {
    for (let offset = 0; offset < addressCount; offset++) {
      const address = addressText(firstAddress + offset)
      if (used.has(address)) continue
      spec['clusterIP'] = address
      break
    }
  } else if (given !== 'None' && used.has(given)) {
    throw refused({ kind: 'Service', group: '' }, textAt(draft, 'metadata', 'name') ?? '', [
      invalid('spec.clusterIPs', [given], `failed to allocate IP ${given}: provided IP is already allocated`),
    ])
  }
  if (listAt(spec, 'clusterIPs').length === 0) spec['clusterIPs'] = [spec['clusterIP']]
  // Without an address and without pods of its own it may stand for both families.
  const isBoth = given === 'None' && Object.keys(fieldsAt(spec, 'selector') ?? {}).length === 0
  spec['ipFamilies'] ??= isBoth ? ['IPv4', 'IPv6'] : ['IPv4']
  spec['ipFamilyPolicy'] ??= isBoth ? 'RequireDualStack' : 'SingleStack'
}

function addressText(address: number): string {
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
}

function assignNodePort(draft: Draft, port: Draft, index: number, used: Set<number>): void {
  const given = numberAt(port, 'nodePort') ?? 0
  if (given !== 0) {
    if (used.has(given)) {
      throw refused({ kind: 'Service', group: '' }, textAt(draft, 'metadata', 'name') ?? '', [
        forbidden(`spec.ports[${index}].nodePort`, 'provided port is already allocated'),
      ])
    }
    used.add(given)
    return
  }
  for (let candidate = nodePorts.first; candidate <= nodePorts.last; candidate++) {
    if (used.has(candidate)) continue
    used.add(candidate)
    port['nodePort'] = candidate
    return
  }
}
