// pods/…/proxy and services/…/proxy: requests to a port of a pod through the API server, answered as the port answers a forwarded one.
import { BlockList, isIP } from 'node:net'
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { podAnswer, podPort } from '../../containers/pod-http.ts'
import { portIn } from '../../containers/port-forwarding.ts'
import { itemsAt, numberAt, textAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'

/** `[scheme:]name[:port]` in a path; undefined where it is none. Ports have names, too. */
interface Asked {
  readonly name: string
  readonly port: string
}

/** Loopback, link-local, multicast, broadcast and unspecified addresses: kube-apiserver goes to none of them. */
const notForPods = new BlockList()
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['0.0.0.0', 32],
  ['255.255.255.255', 32],
] as const)
  notForPods.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  notForPods.addSubnet(network, bits, 'ipv6')

interface Target {
  readonly address: string
  readonly port: number
}

/** Answers what is asked of the pod or Service. @throws StatusError in the words of kube-apiserver */
export function answerProxy(server: ApiServer, { type, info, request }: WriteRequest): TwinResponse {
  const isPod = type.key === 'pods'
  const named = info.name ?? ''
  const asked = askedIn(named)
  if (asked === undefined) throw badRequest(`invalid ${isPod ? 'pod' : 'service'} request ${JSON.stringify(named)}`)
  const { address, port } = isPod ? podTarget(server, info.namespace, asked) : serviceTarget(server, info.namespace, asked, named)
  const inner = request.path.replace(/^.*?\/(?:pods|services)\/[^/]+\/proxy/, '')
  if (inner === '' && (request.method === 'GET' || request.method === 'HEAD')) {
    const query = request.query.size === 0 ? '' : `?${request.query}`
    return { kind: 'whole', status: 301, headers: { location: `${request.path}/${query}` }, body: '' }
  }
  const place = podWithAddress(server, address).flatMap(pod => podPort(pod, port) ?? [])[0]
  if (place === undefined) throw unreachable(`dial tcp ${joined(address, port)}: connect: connection refused`)
  const { authorization: _own, ...headers } = request.headers
  const path = `${inner === '' ? '/' : inner}${request.query.size === 0 ? '' : `?${request.query}`}`
  const { status, headers: told, body } = podAnswer(place, { method: request.method, path, headers })
  return { kind: 'whole', status, headers: told, body }
}

function askedIn(text: string): Asked | undefined {
  const parts = text.split(':')
  if (parts.length > 3 || (parts.length === 3 && !/^(http|https|)$/.test(parts[0] ?? ''))) return undefined
  const [name = '', port = ''] = parts.length === 3 ? parts.slice(1) : parts
  return name === '' ? undefined : { name, port }
}

function podTarget({ store }: ApiServer, namespace: string | undefined, { name, port }: Asked): Target {
  const pod = store.get('pods', namespace, name)
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name)
  const first = itemsAt(pod, 'spec', 'containers').flatMap(one => itemsAt(one, 'ports'))[0]
  const address = textAt(pod, 'status', 'podIP') ?? ''
  const family = isIP(address)
  if (family === 0 || notForPods.check(address, family === 6 ? 'ipv6' : 'ipv4')) throw badRequest('address not allowed')
  if (port !== '' && portIn(port) === undefined) throw unreachable(`dial tcp: lookup tcp/${port}: unknown port`)
  return { address, port: portIn(port) ?? numberAt(first, 'containerPort') ?? 80 }
}

/** The first ready address behind the port: nobody's choice depends on chance here. */
function serviceTarget({ store }: ApiServer, namespace: string | undefined, { name, port }: Asked, named: string): Target {
  const unavailable = (message: string) => new StatusError(statusBody(503, message, 'ServiceUnavailable'))
  let portName = port
  if (/^[+-]?\d+$/.test(port)) {
    const service = store.get('services', namespace, name)
    if (service === undefined) throw notFound({ group: '', resource: 'services' }, name)
    const found = itemsAt(service, 'spec', 'ports').find(one => numberAt(one, 'port') === Number(port))
    if (found === undefined) throw unavailable(`no service port ${Number(port)} found for service ${JSON.stringify(name)}`)
    portName = textAt(found, 'name') ?? ''
  }
  const endpoints = store.get('endpoints', namespace, name)
  if (endpoints === undefined) throw notFound({ group: '', resource: 'services' }, name)
  const subsets = itemsAt(endpoints, 'subsets')
  if (subsets.length === 0) throw unavailable(`no endpoints available for service ${JSON.stringify(name)}`)
  for (const subset of subsets) {
    const number = itemsAt(subset, 'ports').find(one => (textAt(one, 'name') ?? '') === portName)
    const target = itemsAt(subset, 'addresses').find(one => textAt(one, 'targetRef', 'kind') === 'Pod')
    const address = textAt(target, 'ip')
    if (number !== undefined && address !== undefined) return { address, port: numberAt(number, 'port') ?? 0 }
  }
  throw unavailable(`no endpoints available for service ${JSON.stringify(named)}`)
}

/** Several pods have it where they are on their node's network. */
function podWithAddress({ store }: ApiServer, address: string): readonly KubeObject[] {
  return store.list('pods').filter(pod => textAt(pod, 'status', 'podIP') === address)
}

function joined(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function unreachable(why: string): StatusError {
  return new StatusError(statusBody(503, `error trying to reach service: ${why}`, 'ServiceUnavailable'))
}
