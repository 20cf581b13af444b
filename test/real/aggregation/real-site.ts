// The real API server as the scenario of aggregation asks it.

import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { Agent, request } from 'undici'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { delegationObjects } from '#kube/server/delegation-rights.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { apiPath } from '../control-plane/api-client.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import type { Site } from './scenario.ts'
import { metricsService } from './small-metrics.ts'

interface Admin {
  readonly server: string
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

/** The administrator's requests to an API server, over HTTPS. Disposing of it closes its connections. */
export function httpsAsker({ server, authority, certificate, key }: Admin): Pick<Site, 'ask'> & AsyncDisposable {
  const agent = new Agent({ connect: { ca: authority, cert: certificate, key } })
  return {
    async ask({ method, path, body, headers }) {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const answer = await request(`${server}${path}`, {
        method,
        dispatcher: agent,
        headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': type }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.body.text()
      const warnings = [answer.headers['warning'] ?? []].flat()
      return { status: answer.statusCode, contentType: String(answer.headers['content-type'] ?? ''), text, warnings }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

/** As the administrator `ballast-admin`, whom the twin has too. */
export async function realSite(plane: ControlPlane): Promise<Site & AsyncDisposable> {
  const admin = await plane.issueClient('CN=ballast-admin, O=system:masters')
  return { ...httpsAsker({ ...plane, ...admin }), accountTransport: () => accountTransport(plane) }
}

/** Makes the ServiceAccount with the rights that the library generates, and speaks with its token. */
export async function accountTransport(plane: ControlPlane): Promise<Transport> {
  const { name, namespace } = metricsService
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`
  await plane.client.want('POST', accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })
  for (const object of delegationObjects(metricsService)) {
    await plane.client.want('POST', apiPath(object, object.metadata.namespace), object)
  }
  const review = await plane.client.want('POST', `${accounts}/${name}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 3600 },
  })
  const status: { readonly token?: string } = Object(review['status'])
  using kubeconfig = tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), status.token ?? '')
  const config = await loadConfig({ environment: {}, homeDirectory: homedir(), kubeconfig: kubeconfig.file, context: undefined })
  return openHttpTransport(config, {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    environment: {},
    isTerminal: false,
  })
}
