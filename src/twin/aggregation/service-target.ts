// Where a Service is reached for real. Simulated pods listen nowhere: a Service leads out of the twin by its annotation, or, being an
// ExternalName, to this host. Other external names are left alone: a dump must not call what it came from.
import { numberAt, textAt } from '../json-value.ts'
import type { Store } from '../store.ts'

const endpointAnnotation = 'ballast.dev/twin-endpoint'

export interface ServiceReference {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

type ServiceTarget =
  | {
      readonly ok: true
      /** `https://127.0.0.1:8443`, without a slash at the end. */
      readonly url: string
      /** What its certificate is made out to. */
      readonly serverName: string
    }
  | { readonly ok: false; readonly problem: string }

/** The service that `service` of an APIService or of a webhook's `clientConfig` names. */
export function serviceReference(service: unknown): ServiceReference {
  return {
    namespace: textAt(service, 'namespace') ?? '',
    name: textAt(service, 'name') ?? '',
    port: numberAt(service, 'port') ?? 443,
  }
}

/** Where to call for a Service. */
export function serviceTarget(store: Store, { namespace, name, port }: ServiceReference): ServiceTarget {
  const service = store.get('services', namespace, name)
  if (service === undefined) return { ok: false, problem: `service ${JSON.stringify(name)} not found` }
  const serverName = `${name}.${namespace}.svc`
  const endpoint = service.metadata.annotations?.[endpointAnnotation]
  if (endpoint !== undefined) return { ok: true, url: endpoint.replace(/\/$/, ''), serverName }
  const external = textAt(service, 'spec', 'type') === 'ExternalName' ? (textAt(service, 'spec', 'externalName') ?? '') : ''
  if (isLoopback(external)) return { ok: true, url: `https://${external}:${port}`, serverName }
  return {
    ok: false,
    problem: `no endpoints available for service ${JSON.stringify(`${serverName}:${port}`)}: simulated pods listen nowhere`,
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host)
}
