// Replica counts that fit together: said at admission, and again where an object came by another way.
import { defaultMostReplicas, type ScaledObjectSpec } from '../kinds/scaled-object.ts'

type Bounds = Pick<ScaledObjectSpec, 'minReplicaCount' | 'maxReplicaCount' | 'idleReplicaCount'>

/** Why the counts of `spec` cannot be kept, in upstream's words; undefined: they can. */
export function boundsProblem({ minReplicaCount, maxReplicaCount, idleReplicaCount }: Bounds): string | undefined {
  // Upstream's: a least of 0 that is written down counts as 0, one that is left out as well, and any other as itself.
  const least = minReplicaCount ?? 0
  const most = maxReplicaCount ?? defaultMostReplicas
  if (least > most) return `MinReplicaCount=${least} must be less than MaxReplicaCount=${most}`
  if (idleReplicaCount === undefined) return undefined
  const effective = minReplicaCount === undefined ? 0 : Math.max(1, minReplicaCount)
  if (idleReplicaCount < effective) return undefined
  const hint = idleReplicaCount > 0 ? ': for one warm replica use minReplicaCount 1 or a time window' : ''
  return `IdleReplicaCount=${idleReplicaCount} must be less than MinReplicaCount=${effective}${hint}`
}
