// EndpointSlices of Services without a selector, whose traffic goes to whoever leads: of the page, and of parts that lead.
import type { Api } from '#kube/client/api.ts'
import { inPlaceOf } from '#kube/client/update.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'

/** In our own namespace, as `leaderSlice` is; the Service is named by a label. */
export const dashboardSlice = 'ballast-dashboard'
const fieldManager = 'ballast-apiserver'
const writeMs = 3_000
/** With what the page takes to close less than a term may take to end. */
const removeMs = 1_500
const firstRetryMs = 1_000
const longestRetryMs = 30_000

interface Endpoint {
  /** Name of the EndpointSlice, and of its Service. */
  readonly slice: string
  readonly service: string
  readonly namespace: string
  readonly address: string
  readonly pod: string
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: 'TCP' | 'UDP' }[]
}

interface Around {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  /** Signal of the term; what is not written by its end is not written. */
  readonly signal: AbortSignal
}

/** Writes the slice, again and again until that succeeds. Disposing takes it away, unless a later leader wrote it over meanwhile. */
export async function keepEndpoint(endpoint: Endpoint, around: Around): Promise<AsyncDisposable> {
  const { api, clock, log, signal } = around
  const { slice, service } = endpoint
  const slices = api.resource<KubeObject>(builtIn.endpointslices)
  const options = { namespace: endpoint.namespace, timeoutMs: writeMs }
  let written: KubeObject | undefined
  const write = async () => {
    const object = sliceOf(endpoint)
    try {
      written = await slices.create(object, { ...options, signal, fieldManager })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const before = await slices.get(slice, { ...options, signal })
      written = await slices.update(inPlaceOf(before, object), { ...options, signal, fieldManager })
    }
  }
  const writing = (async () => {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        return await write()
      } catch (error) {
        if (signal.aborted) return
        const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures)
        log.warn({ slice, service, delayMs, why: messageOf(error) }, 'the endpoint of a Service was not written, tried again')
        await clock.after(delayMs, signal).catch((reason: unknown) => {
          if (!signal.aborted) throw reason
        })
      }
    }
  })()
  return {
    [Symbol.asyncDispose]: async () => {
      await writing
      const { uid, resourceVersion } = written?.metadata ?? {}
      if (uid === undefined || resourceVersion === undefined) return
      try {
        await slices.delete(slice, {
          ...options,
          timeoutMs: removeMs,
          signal: new AbortController().signal,
          preconditions: { uid, resourceVersion },
        })
      } catch (error) {
        if (isNotFound(error) || isConflict(error)) return
        log.warn({ slice, service, why: messageOf(error) }, 'the endpoint of a Service stays behind')
      }
    },
  }
}

function sliceOf({ slice, service, namespace, address, pod, ports }: Endpoint): KubeObject {
  const object = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: slice,
      namespace,
      labels: {
        'kubernetes.io/service-name': service,
        'endpointslice.kubernetes.io/managed-by': 'ballast-apiserver',
        'app.kubernetes.io/part-of': 'ballast',
      },
    },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [
      {
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', namespace, name: pod },
      },
    ],
    ports,
  }
  return object
}
