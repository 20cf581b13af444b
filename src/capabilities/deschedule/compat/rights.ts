// Which rights a descheduler needs for what it is told to do, and no more. Manifests are made from this; a test holds it to what the
// process asks for.
import { evictPermission } from '#coordination/effects/evict.ts'
import type { Right } from '#coordination/rbac.ts'
import type { DeschedulerPolicy } from './policy/args.ts'

/** What the rights depend on. */
export interface RightsFor {
  readonly policy: Pick<DeschedulerPolicy, 'kubernetesMetrics' | 'prometheus'>
  /** Nothing is written. */
  readonly dryRun: boolean
  /** The Lease; absent: none. */
  readonly leaderElection?: { readonly name: string; readonly namespace: string }
  /** DisruptionPermits are written: the kinds of Ballast are installed. */
  readonly permits: boolean
}

const everywhere = 'cluster'
const read = ['get', 'list', 'watch'] as const

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

function* grantsFor({ policy, dryRun, leaderElection, permits }: RightsFor): Generator<Grant> {
  for (const resource of ['namespaces', 'nodes', 'persistentvolumeclaims', 'pods']) yield { group: '', resource, verbs: read }
  yield { group: 'policy', resource: 'poddisruptionbudgets', verbs: read }
  yield { group: 'scheduling.k8s.io', resource: 'priorityclasses', verbs: read }
  if (policy.kubernetesMetrics)
    for (const resource of ['nodes', 'pods']) yield { group: 'metrics.k8s.io', resource, verbs: ['list'] }
  const secret = policy.prometheus?.tokenSecret
  if (secret !== undefined)
    yield { place: secret.namespace, group: '', resource: 'secrets', names: [secret.name], verbs: ['get'] }
  if (dryRun) return
  for (const resource of evictPermission.resources) yield { group: '', resource, verbs: evictPermission.verbs }
  yield { group: 'events.k8s.io', resource: 'events', verbs: ['create', 'patch'] }
  if (leaderElection !== undefined) {
    const { name, namespace } = leaderElection
    const lease = { place: namespace, group: 'coordination.k8s.io', resource: 'leases' }
    yield { ...lease, verbs: ['create'] }
    yield { ...lease, names: [name], verbs: ['get', 'update'] }
  }
  if (permits) {
    const permit = { group: 'ballast.dev', resource: 'disruptionpermits' }
    yield { ...permit, verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] }
    yield { ...permit, resource: 'disruptionpermits/status', verbs: ['patch', 'update'] }
  }
}
