// Which rights a descheduler needs for what it is told to do, and no more. Manifests are made from this; a test holds it to what the
// process asks for.
import { ballastGroup, disruptionPermits } from '#coordination/api.ts'
import { evictPermission } from '#coordination/effects/evict.ts'
import type { Right } from '#coordination/rbac.ts'
import type { DeschedulerPolicy } from './policy/args.ts'
import { ownerNeeds } from './run/needs.ts'
import { bookLease } from './run/records.ts'

/** What the rights depend on. */
interface RightsFor {
  readonly policy: Pick<DeschedulerPolicy, 'kubernetesMetrics' | 'prometheus'>
  /** Nothing is written. */
  readonly dryRun: boolean
  /** The Lease; absent: none. */
  readonly leaderElection?: { readonly name: string; readonly namespace: string }
  /** DisruptionPermits are written: the kinds of Ballast are installed. */
  readonly permits: boolean
  /** Owner labels hold (`coordination.enforce`): workloads are read. Default: they do not. */
  readonly enforced?: boolean
}

const everywhere = 'cluster'
/** Our own namespace. */
const own = ''
const watched = ['list', 'watch'] as const

interface Grant {
  /** Default: everywhere. */
  readonly place?: string
  readonly group: string
  readonly resource: string
  readonly verbs: readonly string[]
  readonly names?: readonly string[]
}

/** Every right of the ServiceAccount, each once, in order: as `rulesOf` and manifests take them. */
export function deschedulerRules(settings: RightsFor): readonly Right[] {
  const rights = new Map<string, Right>()
  for (const { place = everywhere, group, resource, verbs, names = [] } of grantsFor(settings))
    for (const verb of verbs) {
      const right: Right = { place, group, resource, names, verb }
      rights.set(JSON.stringify(right), right)
    }
  return [...rights].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, right]) => right)
}

function* grantsFor({ policy, dryRun, leaderElection, permits, enforced = false }: RightsFor): Generator<Grant> {
  for (const resource of ['namespaces', 'nodes', 'persistentvolumeclaims', 'pods']) yield { group: '', resource, verbs: watched }
  yield { group: 'policy', resource: 'poddisruptionbudgets', verbs: watched }
  // Those that a policy names, when it is read.
  yield { group: 'scheduling.k8s.io', resource: 'priorityclasses', verbs: ['get'] }
  if (enforced) for (const { group, resource } of ownerNeeds) yield { group, resource, verbs: watched }
  if (policy.kubernetesMetrics)
    for (const resource of ['nodes', 'pods']) yield { group: 'metrics.k8s.io', resource, verbs: ['list'] }
  const secret = policy.prometheus?.tokenSecret
  if (secret !== undefined)
    yield { place: secret.namespace, group: '', resource: 'secrets', names: [secret.name], verbs: ['get'] }
  if (dryRun) return
  for (const resource of evictPermission.resources) yield { group: '', resource, verbs: evictPermission.verbs }
  // An eviction without an answer: the pod is read back.
  yield { group: '', resource: 'pods', verbs: ['get'] }
  yield { group: 'events.k8s.io', resource: 'events', verbs: ['create', 'patch'] }
  if (leaderElection !== undefined) yield* leaseGrants(leaderElection)
  if (!permits) return
  yield { group: ballastGroup, resource: disruptionPermits.resource, verbs: ['create', 'delete', 'list', 'watch'] }
  yield { group: ballastGroup, resource: `${disruptionPermits.resource}/status`, verbs: ['patch'] }
  // Who leads by upstream's Lease needs no other to keep the book.
  if (leaderElection === undefined) yield* leaseGrants({ name: bookLease, namespace: own })
}

function* leaseGrants({ name, namespace }: { readonly name: string; readonly namespace: string }): Generator<Grant> {
  const lease = { place: namespace, group: 'coordination.k8s.io', resource: 'leases' }
  // The server does not know the name of what is yet to be made.
  yield { ...lease, verbs: ['create'] }
  yield { ...lease, names: [name], verbs: ['get', 'update'] }
}
