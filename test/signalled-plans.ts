// What tests of plans with signals share: a Prometheus of one figure, the signals that ask it, and where pods are.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ControlledCluster } from './controlled-cluster.ts'

/** A Prometheus whose only series has the value of `value`; `undefined`: it has no series. */
export async function prometheus(value: () => string | undefined) {
  const server = createServer((_request, response) => {
    const now = value()
    const result = now === undefined ? [] : [{ metric: {}, value: [1, now] }]
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }))
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const { port } = server.address() as AddressInfo
  return {
    address: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export const canary = { share: 10, waitSeconds: 300 }
export const signalsOf = (serverAddress: string) => [
  { name: 'errors', kind: 'prometheus', serverAddress, query: 'errors', max: 1 },
  { name: 'web', kind: 'ready', workloads: ['shop/Deployment/web'] },
]
export const podsOn = (cluster: ControlledCluster, app: string) =>
  cluster
    .list<KubeObject & { readonly spec: { readonly nodeName?: string } }>('pods')
    .filter(({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined)
    .map(({ spec }) => spec.nodeName ?? 'nowhere')
    .toSorted()
