// One cycle of a policy with everything real but the cluster: each wish comes true, or ends as the test says.
import { buildClusterState, type ClusterState, type PodState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type CycleReport, runCycle } from '../../cycle.ts'
import type { EvictionOutcome } from '../../eviction.ts'
import { policyRefusal, readPolicy } from '../../policy/read-policy.ts'
import type { MeasuredFigures } from '../low-node-utilization.ts'
import { strategyMaker } from '../strategies.ts'

interface Told {
  readonly level: number
  readonly message: string
  readonly fields: Readonly<Record<string, string | number>>
}

interface CycleOfTest {
  readonly state: ClusterState
  readonly report: CycleReport
  /** Those that were evicted, in order. */
  readonly evicted: readonly PodState[]
  readonly told: readonly Told[]
}

interface CycleOptions {
  readonly nowMs: number
  readonly measured?: MeasuredFigures
  /** How a wish ends that no limit refuses; evicted without it. */
  readonly answer?: (pod: PodState) => EvictionOutcome
}

/** What a policy does to a cluster in its first cycle. @throws Error where the policy is refused */
export function oneCycle(objects: readonly KubeObject[], policyText: string, options: CycleOptions): CycleOfTest {
  const read = readPolicy(policyText, { file: 'policy.yaml', priorityOf: () => undefined })
  if (!read.ok) throw new Error(policyRefusal(read.problems))
  const { state } = buildClusterState(objects)
  const { nowMs, measured = {}, answer = () => ({ kind: 'evicted' }) } = options
  const told: Told[] = []
  const cycle = runCycle({
    policy: read.policy,
    state,
    strategies: strategyMaker(measured),
    nowMs,
    isDryRun: false,
    verbosity: 4,
    tell: (level, message, fields) => told.push({ level, message, fields }),
  })
  const evicted: PodState[] = []
  let step = cycle.next()
  while (step.done !== true) {
    if (step.value.kind !== 'evict') {
      step = cycle.next()
      continue
    }
    const { pod } = step.value.wish
    const outcome = answer(pod)
    if (outcome.kind === 'evicted') evicted.push(pod)
    step = cycle.next(outcome)
  }
  return { state, report: step.value, evicted, told }
}
