// Bootstrap by the API server: EndpointSlices of the headless Service. Needs no names service.
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Contact, parseContact } from '../address.ts'
import type { Bootstrap } from './bootstrap-way.ts'

/** Addresses that one try takes. */
const mostEndpoints = 6

interface EndpointSlice extends KubeObject {
  readonly endpoints?:
    | readonly { readonly addresses?: readonly string[]; readonly conditions?: { readonly terminating?: boolean } }[]
    | null
}

const endpointSlices = { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' }

export function kubernetesBootstrap(
  { api, namespace, name }: { readonly api: Api; readonly namespace: string; readonly name: string },
  routerPort: number,
): Bootstrap {
  const slices = api.resource<EndpointSlice>(endpointSlices)
  return {
    async find(signal) {
      const list = await slices.list({ signal, namespace, labelSelector: `kubernetes.io/service-name=${name}` })
      const addresses = list.items
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.terminating !== true)
        .flatMap(({ addresses: found = [] }) => found)
      return [...new Set(addresses)]
        .toSorted()
        .flatMap((address): Contact[] => {
          const parsed = parseContact(address, routerPort, name)
          return parsed.ok ? [parsed.value] : []
        })
        .slice(0, mostEndpoints)
    },
  }
}
