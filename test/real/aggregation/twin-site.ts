// The twin as the recorded scenarios ask it: by its administrator over HTTPS. For tests.
import { parse } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { delegationObjects } from '#kube/server/delegation-rights.ts'
import { itemsAt, textAt } from '#twin/json-value.ts'
import type { Twin } from '#twin/twin.ts'
import { httpsAsker } from './real-site.ts'
import type { Site } from './scenario.ts'
import { metricsService } from './small-metrics.ts'

/** The twin as its administrator asks it, over HTTPS. */
export async function siteOf(twin: Twin): Promise<Site & AsyncDisposable> {
  const kubeconfig: unknown = parse(await twin.kubeconfig())
  const [cluster] = itemsAt(kubeconfig, 'clusters')
  const [user] = itemsAt(kubeconfig, 'users')
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString()
  return {
    ...httpsAsker({
      server: textAt(cluster, 'cluster', 'server') ?? '',
      authority: decoded(textAt(cluster, 'cluster', 'certificate-authority-data')),
      certificate: decoded(textAt(user, 'user', 'client-certificate-data')),
      key: decoded(textAt(user, 'user', 'client-key-data')),
    }),
    async accountTransport() {
      const { name, namespace } = metricsService
      const account: KubeObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }
      twin.load([account, ...delegationObjects(metricsService)])
      return twin.transport({ token: await twin.issueToken({ namespace, serviceAccount: name }) })
    },
  }
}
