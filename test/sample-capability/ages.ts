// `kubectl get ages`: the Deployments that ask to be refreshed, and after how long. The worked example of docs/writing-a-capability.md.
import type { ApiserverContext, Running } from '#coordination/capability.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { aggregatedApi } from '#kube/server/aggregated-api.ts'
import { refreshAnnotation } from './decision.ts'

export const agesApi = { group: 'refresh.example.ballast.dev', version: 'v1' } as const

export async function startAges(context: ApiserverContext, signal: AbortSignal): Promise<Running<unknown>> {
  const { apis, informers } = context
  const deployments = informers.of<KubeObject>(builtIn.deployments, { metadataOnly: true })
  await informers.allSynced(signal)
  const ages = () => [...deployments.store.list()].flatMap(ageOf)
  const served = apis?.serve(
    aggregatedApi({
      ...agesApi,
      resources: [
        {
          name: 'ages',
          kind: 'Age',
          namespaced: true,
          list: ages,
          get: ({ name, namespace }) => ages().find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
          columns: [
            { name: 'Name', format: 'name', cell: ({ metadata }) => metadata.name },
            { name: 'After', cell: age => String(age['after']) },
          ],
          schema: { type: 'object', properties: { after: { type: 'string' } } },
        },
      ],
    }),
  )
  return {
    health: () => [{ name: 'ages', ok: true, message: served === undefined ? 'no API server reaches this process' : 'served' }],
    reconfigure: async () => 'applied',
    [Symbol.asyncDispose]: async () => served?.[Symbol.dispose](),
  }
}

function ageOf({ metadata: { name, namespace = '', annotations = {}, creationTimestamp } }: KubeObject): readonly KubeObject[] {
  const after = annotations[refreshAnnotation]
  if (after === undefined) return []
  const metadata = { name, namespace, ...(creationTimestamp === undefined ? {} : { creationTimestamp }) }
  return [{ apiVersion: `${agesApi.group}/${agesApi.version}`, kind: 'Age', metadata, after }]
}
