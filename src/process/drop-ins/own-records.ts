// Whether a drop-in may keep permits and Leases in the cluster: who only swapped the image has upstream's role, and maybe none of our kinds.
import { disruptionPermits } from '#coordination/api.ts'
import { builtIn, resourceKey } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { refusedVerbs } from './own-rights.ts'

type Asking = Parameters<typeof refusedVerbs>[0]

/** Why permits cannot be kept; `undefined` where they can. `verbs` are those on permits, beside the patch of their status. @throws what the API server says */
export async function permitsLack(asking: Asking, verbs: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  const ofStatus = { ...disruptionPermits, resource: `${disruptionPermits.resource}/status` }
  for (const right of [
    { resource: disruptionPermits, verbs },
    { resource: ofStatus, verbs: ['patch'] },
  ]) {
    const refused = await refusedVerbs(asking, right, signal)
    if (refused.length > 0) return `no right to ${refused.join(', ')} ${resourceKey(right.resource)}`
  }
  try {
    await asking.api.resource(disruptionPermits).list({ limit: 1, signal })
    return undefined
  } catch (error) {
    if (isNotFound(error)) return `${resourceKey(disruptionPermits)} is not installed`
    throw error
  }
}

/** Why Leases cannot be kept in `namespace`; `undefined` where they can. @throws what the API server says */
export async function leasesLack(asking: Asking, namespace: string, signal: AbortSignal): Promise<string | undefined> {
  const verbs = ['get', 'create', 'update']
  const refused = await refusedVerbs(asking, { resource: builtIn.leases, verbs, namespace }, signal)
  return refused.length === 0 ? undefined : `no right to ${refused.join(', ')} leases in ${namespace}`
}
