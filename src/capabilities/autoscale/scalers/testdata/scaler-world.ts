// A world for scalers under test: sources on this host are reached, and the cluster has what the test says.
import type { LookupFunction } from 'node:net'
import type { Dial } from '#kube/client/dispatcher.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { refusedByDefault } from '../../refused-addresses.ts'
import { Outgoing } from '../outgoing.ts'
import type { ClusterReads, OpenedTrigger, ScalerWorld, ServiceEndpoint } from '../scaler.ts'

interface WorldOptions {
  readonly clock?: Clock
  readonly timeoutMs?: number
  /** Default: this host, where sources of tests are. */
  readonly allowed?: readonly string[]
  readonly lookup?: LookupFunction
  /** Where hosts are, for sources of a twin. */
  readonly dial?: Dial
  readonly pods?: readonly Pod[]
  /** By kind, namespace and name: `ConfigMap/media/queue`. */
  readonly data?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly endpoints?: readonly ServiceEndpoint[]
}

export function scalerWorld(options: WorldOptions = {}): ScalerWorld & AsyncDisposable {
  const { clock = systemClock, timeoutMs = 3_000, allowed = ['127.0.0.1/32'], lookup, dial, pods = [], data = {}, endpoints = [] } = options
  const guard = { refused: refusedByDefault, allowed }
  const outgoing = new Outgoing({ clock, timeoutMs, guard, dial, ...(lookup === undefined ? {} : { lookup }) })
  const cluster: ClusterReads = {
    pods: namespace => pods.filter(pod => pod.metadata.namespace === namespace),
    data: async (kind, namespace, name) => {
      const found = data[`${kind}/${namespace}/${name}`]
      if (found === undefined) throw new Error(`${kind} ${namespace}/${name} is not there`)
      return found
    },
    endpoints: async () => endpoints,
  }
  return { clock, log: silentLog, outgoing, cluster, [Symbol.asyncDispose]: () => outgoing[Symbol.asyncDispose]() }
}

/** A trigger of a ScaledObject `media/sonarr`. */
export function openedTrigger(
  type: string,
  metadata: Readonly<Record<string, string>>,
  more: { readonly auth?: Readonly<Record<string, string>>; readonly env?: Readonly<Record<string, string>>; readonly index?: number } = {},
): OpenedTrigger {
  const { auth = {}, env = {}, index = 0 } = more
  return {
    ...{ type, index, name: undefined, metricType: undefined },
    given: { metadata, env, auth },
    owner: { kind: 'ScaledObject', namespace: 'media', name: 'sonarr', uid: 'u', generation: 1 },
  }
}
