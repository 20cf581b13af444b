// A cluster as a user has it who follows the page: the gateway's Service as `ballast manifests` writes it, and the page's own objects. Nobody
// makes endpoints here, and pods have no addresses: the Service's slice leads to where the gateway listens on this machine.
import { parseAllDocuments } from 'yaml'
import { commandLine } from '../../../cli/bundled.ts'
import type { ApiObject } from '../../control-plane/api-client.ts'
import { kubectlPath } from '../../control-plane/debian.ts'
import { commandOutput } from '../../run-command.ts'
import { type Door, type GatewaySite, machineAddress } from '../site.ts'
import { documentedObjects } from './documented.ts'
import { strangeHost } from './trials.ts'

const ownNamespace = 'ballast-system'
export const userNamespace = 'catalyst-llm'
const service = 'ballast-gateway'
/** The target of gRPC's cases, through either. */
export const grpcHost = 'calls.home.arpa'

/** By `kubectl apply`. @throws Error with what it said */
export async function apply(site: GatewaySite, objects: readonly ApiObject[]): Promise<void> {
  const flags = [`--kubeconfig=${site.plane.kubeconfig}`, 'apply', '--server-side', '-f', '-']
  const input = objects.map(object => JSON.stringify(object)).join('\n---\n')
  await commandOutput(await kubectlPath('newest'), flags, { input, timeoutMs: 60_000 })
}

/** Namespaces, and the gateway's Service with its endpoint. @returns the Service's port for requests */
export async function makeCluster(site: GatewaySite, door: Door): Promise<number> {
  const manifests = await commandOutput(process.execPath, [commandLine, 'manifests', '--enable', 'gateway'])
  const found = parseAllDocuments(manifests)
    .map(document => document.toJS() as ApiObject)
    .find(({ kind, metadata }) => kind === 'Service' && metadata.name === service)
  if (found === undefined) throw new Error(`ballast manifests has no Service ${service}`)
  const ports: readonly { readonly name: string; readonly port: number }[] = Object(found['spec']).ports
  const port = ports.find(({ name }) => name === 'http')?.port
  if (port === undefined) throw new Error(`the Service ${service} has no port http`)
  const namespaces = [ownNamespace, userNamespace].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  await apply(site, [...namespaces, found, sliceOf(door)])
  return port
}

const sliceOf = ({ port }: Door) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${service}-1`, namespace: ownNamespace, labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port, protocol: 'TCP' }],
  endpoints: [{ addresses: [machineAddress()], conditions: { ready: true } }],
})

/** The page's Ingress and its Service; the same for a host that no route has; and for gRPC, which Traefik speaks where the Service says so. */
export function ingressObjects(): readonly ApiObject[] {
  const documented = documentedObjects('An Ingress')
  const [external, ingress] = documented
  if (external === undefined || ingress === undefined) throw new Error('the page shows a Service and an Ingress')
  const grpcService = `${external.metadata.name}-h2c`
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'traefik' },
      spec: { controller: 'traefik.io/ingress-controller' },
    },
    ...documented,
    changed(ingress, 'nobody', text => text.replaceAll('ollama.home.arpa', strangeHost)),
    changed(external, grpcService, text => text, { 'traefik.ingress.kubernetes.io/service.serversscheme': 'h2c' }),
    changed(ingress, 'calls', text =>
      text
        .replaceAll('ollama.home.arpa', grpcHost)
        .replaceAll(JSON.stringify(external.metadata.name), JSON.stringify(grpcService)),
    ),
  ]
}

/** The page's Gateway, at Traefik's own port, and its HTTPRoute; the same for a host that no route has, and for gRPC. The grant is apart. */
export function routeObjects(port: number): { readonly routes: readonly ApiObject[]; readonly grants: readonly ApiObject[] } {
  const documented = documentedObjects('The Gateway API')
  const of = (wanted: string) => documented.filter(({ kind }) => kind === wanted)
  const [gateway] = of('Gateway')
  const [route] = of('HTTPRoute')
  if (gateway === undefined || route === undefined) throw new Error('the page shows a Gateway and an HTTPRoute')
  return {
    routes: [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'GatewayClass',
        metadata: { name: 'traefik' },
        spec: { controllerName: 'traefik.io/gateway-controller' },
      },
      changed(gateway, gateway.metadata.name, text => text.replace(/"port":\d+/, `"port":${port}`)),
      route,
      changed(route, 'nobody', text => text.replaceAll('ollama.home.arpa', strangeHost)),
      changed(route, 'calls', text => text.replaceAll('ollama.home.arpa', grpcHost).replace('"HTTPRoute"', '"GRPCRoute"')),
    ],
    grants: of('ReferenceGrant'),
  }
}

function changed(
  object: ApiObject,
  name: string,
  change: (text: string) => string,
  annotations: Readonly<Record<string, string>> = {},
): ApiObject {
  const made: ApiObject = JSON.parse(change(JSON.stringify(object)))
  return { ...made, metadata: { ...made.metadata, name, annotations } }
}
