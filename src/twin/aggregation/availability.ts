// Whether an API behind the twin can be asked: what the cluster says of its Service, and then what the server itself answers.
// Reasons and messages are upstream's.
import { request } from 'undici'
import type { KubeObject } from '#kube/objects/objects.ts'
import { fieldsAt, itemsAt, numberAt, textAt } from '../json-value.ts'
import type { Store } from '../store.ts'
import { connectionWords } from './connection-words.ts'
import { playedApi } from './local-api-services.ts'
import type { RemoteConnections } from './remote-connections.ts'
import { type ServiceReference, serviceReference, serviceTarget } from './service-target.ts'

export interface Verdict {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

const passed: Verdict = { status: 'True', reason: 'Passed', message: 'all checks passed' }
const probeMs = 5_000

/** Whether the twin itself answers for this API, as a metrics-server that cannot be called would. */
export function isPlayed(store: Store, apiService: KubeObject): boolean {
  const spec = fieldsAt(apiService, 'spec')
  if (textAt(spec, 'group') !== playedApi.group || textAt(spec, 'version') !== playedApi.version) return false
  return !serviceTarget(store, serviceReference(spec?.['service'])).ok
}

/** What can be told without asking the server; undefined where it must be asked. */
export function verdictOfCluster(store: Store, apiService: KubeObject): Verdict | undefined {
  if (isPlayed(store, apiService)) return passed
  const reference = serviceReference(fieldsAt(apiService, 'spec', 'service'))
  const { namespace, name, port } = reference
  const failed = (reason: string, message: string): Verdict => ({ status: 'False', reason, message })
  const service = store.get('services', namespace, name)
  const where = `service/${name} in ${JSON.stringify(namespace)}`
  if (service === undefined) return failed('ServiceNotFound', `${where} is not present`)
  const target = serviceTarget(store, reference)
  if (target.ok) return undefined
  if ((textAt(service, 'spec', 'type') ?? 'ClusterIP') === 'ClusterIP') {
    const found = itemsAt(service, 'spec', 'ports').find(candidate => numberAt(candidate, 'port') === port)
    if (found === undefined) return failed('ServicePortError', `${where} is not listening on port ${port}`)
    const slices = slicesOf(store, reference)
    if (slices.length === 0) return failed('EndpointsNotFound', `cannot find endpointslices for ${where}`)
    const portName = textAt(found, 'name') ?? ''
    if (!slices.some(slice => hasEndpoint(slice, portName))) {
      const message = `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`
      return failed('MissingEndpoints', message)
    }
  }
  return failed('FailedDiscoveryCheck', target.problem)
}

function slicesOf(store: Store, { namespace, name }: ServiceReference): readonly KubeObject[] {
  return store
    .list('endpointslices.discovery.k8s.io', namespace)
    .filter(slice => slice.metadata.labels?.['kubernetes.io/service-name'] === name)
}

function hasEndpoint(slice: KubeObject, portName: string): boolean {
  const isReady = itemsAt(slice, 'endpoints').some(endpoint => fieldsAt(endpoint, 'conditions')?.['ready'] !== false)
  const ports = itemsAt(slice, 'ports')
  return isReady && ports.some(port => (textAt(port, 'name') ?? '') === portName && numberAt(port, 'port') !== undefined)
}

/** What the server answers to the question that every API server must be able to answer. Takes real time. */
export async function verdictOfServer(
  store: Store,
  connections: RemoteConnections,
  apiService: KubeObject,
  signal: AbortSignal,
): Promise<Verdict> {
  const spec = fieldsAt(apiService, 'spec') ?? {}
  const target = serviceTarget(store, serviceReference(spec['service']))
  if (!target.ok) return { status: 'False', reason: 'FailedDiscoveryCheck', message: target.problem }
  const url = `${target.url}/apis/${textAt(spec, 'group') ?? ''}/${textAt(spec, 'version') ?? ''}`
  const failed = (why: string): Verdict => ({
    status: 'False',
    reason: 'FailedDiscoveryCheck',
    message: `failing or missing response from ${url}: ${why}`,
  })
  try {
    const answer = await request(url, {
      headers: aggregatorHeaders,
      dispatcher: connections.agentFor(spec, target.serverName),
      signal: AbortSignal.any([signal, AbortSignal.timeout(probeMs)]),
    })
    await answer.body.dump()
    const isWell = answer.statusCode >= 200 && answer.statusCode < 300
    return isWell ? passed : failed(`bad status from ${url}: ${answer.statusCode}`)
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    const why = isLate ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)' : connectionWords(error)
    return failed(`Get ${JSON.stringify(url)}: ${why}`)
  }
}

/** As whom the twin itself asks. */
export const aggregatorHeaders = { 'x-remote-user': 'system:kube-aggregator', 'x-remote-group': 'system:masters' } as const
