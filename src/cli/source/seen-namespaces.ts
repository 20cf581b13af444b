// Which namespaces an account may look into that may not look into all: those that somebody names, else the context's and its own.
import type { Api } from '#kube/client/api.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { valueAt } from '#upstreams/values-tree.ts'

interface Wanted {
  /** Named on the command line; none: nobody named any. */
  readonly named: readonly string[]
  /** That of the kubeconfig's context. */
  readonly ofContext: string
  readonly signal: AbortSignal
}

/**
 * `undefined`: all namespaces, because nobody named one and the account may list all pods, or because no namespace is known that it may
 * list. @throws CommandRefused for a namespace that was named and may not be read
 */
export async function seenNamespaces(api: Api, { named, ofContext, signal }: Wanted): Promise<readonly string[] | undefined> {
  if (named.length === 0 && (await mayListPods(api, undefined, signal))) return undefined
  const candidates = named.length > 0 ? named : [ofContext, ...(await ownNamespace(api, signal))]
  const seen: string[] = []
  for (const namespace of new Set(candidates)) {
    if (await mayListPods(api, namespace, signal)) seen.push(namespace)
    else if (named.length > 0)
      throw new CommandRefused(`--namespace ${namespace}: your account may not list pods in it; name one that it may read`)
  }
  return seen.length === 0 ? undefined : seen
}

async function mayListPods(api: Api, namespace: string | undefined, signal: AbortSignal): Promise<boolean> {
  try {
    await api.resource(builtIn.pods).list({ ...(namespace === undefined ? {} : { namespace }), limit: 1, signal })
    return true
  } catch (error) {
    if (isForbidden(error)) return false
    throw error
  }
}

const reviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'selfsubjectreviews' } as const
const serviceAccount = /^system:serviceaccount:([^:]+):/

/** The namespace that a service account lives in; none for other users, and where the server does not say who asks. */
async function ownNamespace(api: Api, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: { name: '' } }
    const username = valueAt(await api.resource(reviews).create(review, { signal }), ['status', 'userInfo', 'username'])
    const [, namespace] = serviceAccount.exec(typeof username === 'string' ? username : '') ?? []
    return namespace === undefined ? [] : [namespace]
  } catch (error) {
    if (isForbidden(error) || isNotFound(error)) return []
    throw error
  }
}
