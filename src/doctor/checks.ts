// All checks of a cluster.
import { checkAdmission } from './admission-checks.ts'
import { checkApis } from './api-checks.ts'
import { checkDeschedulers } from './descheduler-checks.ts'
import type { ClusterFacts } from './facts.ts'
import { type Finding, inOrder } from './finding.ts'
import { checkLeftovers } from './leftover-checks.ts'
import { checkMirrors } from './mirror-checks.ts'
import { checkReload } from './reload-annotations.ts'
import { checkRights } from './rights-checks.ts'
import { checkUpstreams } from './upstream-checks.ts'
import { checkValues } from './value-checks.ts'

/** Everything that is wrong with a cluster, errors first. Pure. */
export function examineCluster(facts: ClusterFacts): readonly Finding[] {
  const checks = [
    checkUpstreams,
    checkDeschedulers,
    checkApis,
    checkLeftovers,
    checkRights,
    checkAdmission,
    checkValues,
    checkReload,
    checkMirrors,
  ]
  return inOrder(checks.flatMap(check => check(facts)))
}
