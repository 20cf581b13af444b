// What this process may do, asked of the API server before it is done: for drop-ins that run with the role of their upstream.
import type { Api } from '#kube/client/api.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'

interface Right {
  readonly resource: GroupVersionResource
  readonly verbs: readonly string[]
  /** All where absent. */
  readonly namespace?: string
}

const accessReviews: GroupVersionResource = {
  group: 'authorization.k8s.io',
  version: 'v1',
  resource: 'selfsubjectaccessreviews',
}

interface AccessReview extends KubeObject {
  readonly status?: { readonly allowed?: boolean }
}

/**
 * The verbs of `right` that are refused. Where rights cannot be asked for at all (403, 404) they count as allowed: it shows when something
 * is done. @throws what comes from outside otherwise, `signal.reason`
 */
export async function refusedVerbs(
  { api, log }: { readonly api: Api; readonly log: Log },
  { resource, verbs, namespace }: Right,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const asked = verbs.map(async verb => {
    const { group, version } = resource
    const [name = resource.resource, subresource] = resource.resource.split('/')
    const resourceAttributes = {
      group,
      version,
      resource: name,
      verb,
      ...(subresource === undefined ? {} : { subresource }),
      ...(namespace === undefined ? {} : { namespace }),
    }
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      metadata: { name: '' },
      spec: { resourceAttributes },
    }
    try {
      const answer = await api.resource<AccessReview>(accessReviews).create(review, { signal })
      return answer.status?.allowed === false ? [verb] : []
    } catch (error) {
      if (!isForbidden(error) && !isNotFound(error)) throw error
      log.debug({ verb, resource: resource.resource, why: messageOf(error) }, 'own rights could not be asked')
      return []
    }
  })
  return (await Promise.all(asked)).flat()
}
