// Whether the drop-in descheduler may keep DisruptionPermits in the cluster: who only swapped the image has upstream's role.
import { disruptionPermits } from '#coordination/api.ts'
import { builtIn, resourceKey } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { refusedVerbs } from '#process/drop-ins/own-rights.ts'

type Asking = Parameters<typeof refusedVerbs>[0]

/**
 * Why not; `undefined` where they can be kept. `namespace`: where the book's Lease lies; `undefined`: another Lease stands for it.
 * @throws what the API server says
 */
export async function permitsLack(
  asking: Asking,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const ofStatus = { ...disruptionPermits, resource: `${disruptionPermits.resource}/status` }
  const wanted = [
    { resource: disruptionPermits, verbs: ['list', 'watch', 'create', 'delete'] },
    { resource: ofStatus, verbs: ['patch'] },
  ]
  for (const right of wanted) {
    const refused = await refusedVerbs(asking, right, signal)
    if (refused.length > 0) return `no right to ${refused.join(', ')} ${resourceKey(right.resource)}`
  }
  if (namespace !== undefined) {
    const lease = { resource: builtIn.leases, verbs: ['get', 'create', 'update'], namespace }
    const refusedLease = await refusedVerbs(asking, lease, signal)
    if (refusedLease.length > 0) return `no right to ${refusedLease.join(', ')} leases in ${namespace}`
  }
  try {
    await asking.api.resource(disruptionPermits).list({ limit: 1, signal })
    return undefined
  } catch (error) {
    if (isNotFound(error)) return `${resourceKey(disruptionPermits)} is not installed`
    throw error
  }
}
