// All checks of a cluster: those of every cluster, and those that capabilities bring.
import { checkAdmission } from './admission-checks.ts'
import { checkApis } from './api-checks.ts'
import { capabilityFindings } from './capability-findings.ts'
import type { ClusterFacts } from './facts.ts'
import { type Finding, inOrder } from './finding.ts'
import { checkLeftovers } from './leftover-checks.ts'
import { checkNetwork } from './network-checks.ts'
import { checkRights } from './rights-checks.ts'
import { checkUpstreams } from './upstream-checks.ts'
import { checkValues } from './value-checks.ts'

/** Everything that is wrong with a cluster, errors first. Pure. */
export function examineCluster(facts: ClusterFacts): readonly Finding[] {
  const ofCapabilities = [...capabilityFindings.values()].flatMap(({ cluster }) => (cluster === undefined ? [] : [cluster]))
  const checks = [
    checkUpstreams,
    checkApis,
    checkLeftovers,
    checkRights,
    checkAdmission,
    checkNetwork,
    checkValues,
    ...ofCapabilities,
  ]
  return inOrder(checks.flatMap(check => check(facts)))
}
