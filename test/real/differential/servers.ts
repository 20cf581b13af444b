// A real kube-apiserver and a twin beside it, each with the namespaces that lives need.
import { systemClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { endpointIn, endpointOf } from '../bad-input/endpoint.ts'
import { sent } from '../bad-input/requests.ts'
import { type Endpoint, WireClient } from '../bad-input/wire.ts'
import type { ApiClient } from '../control-plane/api-client.ts'
import type { MinorVersion } from '../control-plane/build.ts'
import { startControlPlane } from '../control-plane/start.ts'
import type { Pair, Side } from './pair.ts'

export interface Servers extends AsyncDisposable {
  readonly serverVersion: string
  /** Asks the real one. */
  readonly client: ApiClient
  /** Connections of their own to both. */
  open(): Pair & Disposable
  /** What broke in the twin so far, one line each. */
  readonly bugs: readonly string[]
}

export async function startServers(minor: MinorVersion): Promise<Servers> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, server: minor })
  const bugs: string[] = []
  try {
    const twin = await startTwin({
      clock: systemClock,
      seed: 1,
      components: false,
      listen: { port: 0 },
      kubernetesVersion: minor,
      onTrouble: ({ where, error }) => bugs.push(`${where}: ${error instanceof Error ? error.stack : error}`),
    })
    const endpoints = { real: endpointIn(plane.kubeconfig), twin: endpointOf(await twin.kubeconfig()) }
    return {
      serverVersion: plane.serverVersion,
      client: plane.client,
      bugs,
      open: () => opened(endpoints),
      async [Symbol.asyncDispose]() {
        await twin[Symbol.asyncDispose]()
        await plane.stop()
      },
    }
  } catch (cause) {
    await plane.stop()
    throw cause
  }
}

function opened({ real, twin }: { readonly real: Endpoint; readonly twin: Endpoint }): Pair & Disposable {
  const [left, right] = [new WireClient(real), new WireClient(twin)]
  return {
    real: named('kube-apiserver', left),
    twin: named('the twin', right),
    [Symbol.dispose]() {
      left.close()
      right.close()
    },
  }
}

/** Says which server did not answer, and to what. */
function named(name: string, client: WireClient): Side {
  return {
    async send(request) {
      try {
        return await client.send(request)
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`${name} gave no answer to ${request.verb} ${request.path}: ${why}`, { cause })
      }
    },
  }
}

/** Makes a namespace with the account that its pods run by. @throws Error where the server does not take it */
export async function makeNamespace(side: Side, name: string): Promise<void> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  for (const request of [
    sent('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
    sent('POST', `/api/v1/namespaces/${name}/serviceaccounts`, account),
  ]) {
    const { status, text } = await side.send(request)
    if (status !== 201 && status !== 409) throw new Error(`${request.path}: ${status} ${text}`)
  }
}
