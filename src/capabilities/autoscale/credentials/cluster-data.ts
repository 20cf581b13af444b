// What ConfigMaps, Secrets and EndpointSlices say, read when it is asked for: a rotated Secret is taken at the next reading.
import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { AutoscaleConfig } from '../config.ts'
import type { ClusterReads, ServiceEndpoint } from '../scalers/scaler.ts'
import { TriggerProblem } from '../triggers/parameters.ts'

/** Slices of one Service. */
const mostSlices = 500

interface ClusterDataSettings {
  readonly api: Api
  readonly config: Pick<AutoscaleConfig, 'restrictSecretAccess'>
  readonly ownNamespace: string
  readonly pods: Informer<Pod>
}

export class ClusterData implements ClusterReads {
  readonly #settings: ClusterDataSettings

  constructor(settings: ClusterDataSettings) {
    this.#settings = settings
  }

  pods(namespace: string): Iterable<Pod> {
    return this.#settings.pods.store.list(namespace)
  }

  /** Whether Secrets of a namespace may be read at all. */
  readsSecretsOf(namespace: string): boolean {
    const { config, ownNamespace } = this.#settings
    return !config.restrictSecretAccess || namespace === ownNamespace
  }

  /** @throws StatusError; TriggerProblem where Secrets of the namespace are not for us */
  async data(
    kind: 'ConfigMap' | 'Secret',
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> {
    if (kind === 'Secret' && !this.readsSecretsOf(namespace))
      throw new TriggerProblem(`Secrets of the namespace ${namespace} are not read (restrictSecretAccess)`)
    const resource = kind === 'Secret' ? builtIn.secrets : builtIn.configmaps
    const data = at(await this.#settings.api.resource<KubeObject>(resource).get(name, { namespace, signal }), 'data')
    const said = Object.entries(typeof data === 'object' && data !== null ? data : {})
    return Object.fromEntries(
      said.map(([key, value]) => [key, kind === 'Secret' ? Buffer.from(String(value), 'base64').toString() : String(value)]),
    )
  }

  /** @throws StatusError */
  async endpoints(namespace: string, service: string, signal: AbortSignal): Promise<readonly ServiceEndpoint[]> {
    const { items } = await this.#settings.api
      .resource<KubeObject>(builtIn.endpointslices)
      .list({ namespace, labelSelector: `kubernetes.io/service-name=${service}`, limit: mostSlices, signal })
    return items.flatMap(slice => {
      const ports = listAt(slice, 'ports').flatMap(port => {
        const number = at(port, 'port')
        return typeof number === 'number' ? [number] : []
      })
      return listAt(slice, 'endpoints')
        .filter(endpoint => at(endpoint, 'conditions', 'ready') !== false)
        .flatMap(endpoint => listAt(endpoint, 'addresses').flatMap(address => textAt({ address }, 'address') ?? []))
        .map(address => ({ address, ports }))
    })
  }
}
