// Webhooks are asked in real time, whatever clock the cluster has: where one is not to be missed, it has the time that a busy machine takes.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster } from './controlled-cluster.ts'

/** The longest that an API server takes. */
const longestSeconds = 30
const { signal } = new AbortController()

/** API servers wait half a minute for each webhook that there is now. */
export async function makePatient(of: ControlledCluster): Promise<void> {
  for (const resource of [builtIn.mutatingwebhookconfigurations, builtIn.validatingwebhookconfigurations]) {
    const configurations = of.admin.resource<KubeObject & { readonly webhooks?: readonly object[] }>(resource)
    const { items } = await configurations.list({ signal })
    for (const { metadata, webhooks = [] } of items) {
      const body = webhooks.map((_, at) => ({ op: 'replace', path: `/webhooks/${at}/timeoutSeconds`, value: longestSeconds }))
      await configurations.patch(metadata.name, { type: 'json', body }, { signal })
    }
  }
}
