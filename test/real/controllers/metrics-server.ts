// Serves the tables of metrics behind a real API server.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeCertificates } from '../control-plane/certificates.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { type MetricsTables, metricsGroups } from './metrics-table.ts'

/** Registers the three APIs and listens on loopback; resolves when the API server hands requests on. */
export async function serveMetrics({ client }: ControlPlane, tables: MetricsTables): Promise<AsyncDisposable> {
  const { server: identity } = await makeCertificates()
  const server = createServer({ cert: identity.certificate, key: identity.key }, (request, response) => {
    const answer = tables.answer(new URL(request.url ?? '/', 'https://metrics').pathname)
    response.writeHead(answer?.status ?? 404, { 'content-type': answer === undefined ? 'text/plain' : 'application/json' })
    response.end(answer === undefined ? '404 page not found' : JSON.stringify(answer.body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'tables' },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port, name: 'https' }] },
  }
  await client.want('POST', '/api/v1/namespaces/default/services', service)
  for (const { group, version } of metricsGroups) {
    await client.want('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `${version}.${group}` },
      spec: {
        group,
        version,
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
        service: { namespace: 'default', name: 'tables', port },
      },
    })
  }
  for (const { group, version } of metricsGroups) {
    const deadline = Date.now() + 60_000
    while ((await client.send('GET', `/apis/${group}/${version}`)).status !== 200) {
      if (Date.now() > deadline) throw new Error(`${group} is not served after a minute`)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
