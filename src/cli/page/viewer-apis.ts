// The API server with a viewer's own token: what mode `token` of the page writes with.

import { homedir } from 'node:os'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { systemRandom } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import type { Surroundings } from '../command-line.ts'
import type { SourceOptions } from '../source/cluster-source.ts'
import { kubeconfigOf } from '../source/live-source.ts'

interface ViewerApis extends AsyncDisposable {
  /** For nobody but the bearer: neither certificate nor impersonation of the kubeconfig is used. */
  of(token: string): Api
}

/** For viewers of the cluster that the options name; disposing closes what was opened. @throws InputError for a bad kubeconfig */
export async function viewerApis(options: SourceOptions, { environment }: Surroundings): Promise<ViewerApis> {
  const config = await loadConfig({
    environment,
    homeDirectory: homedir(),
    kubeconfig: kubeconfigOf(options.kubeconfig, environment),
    context: options.context,
  })
  const opened = new AsyncDisposableStack()
  return {
    of: token => {
      const transport = openHttpTransport(
        {
          ...config,
          tls: { ...config.tls, clientCertificate: undefined, clientKey: undefined },
          auth: { kind: 'token', token },
          impersonate: undefined,
        },
        { clock: systemClock, random: systemRandom, environment },
      )
      const api = openApi(transport, { clock: systemClock, userAgent: `ballast/${programVersion} dashboard` })
      opened.defer(() => api.close())
      return api
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
