// What a plan brings to the arbiter for one move: the run asks by it, and the timetable plays by it.
import type { PlanPolicy } from '#planning/goals/policy.ts'
import type { Move } from '#planning/plan-record.ts'
import { type FitProof, type Intent, mostDestinations } from '../intent.ts'
import { type MoveRequirements, moveLimits } from './move-context.ts'
import type { Asking } from './names.ts'

/** What the policy behind a plan says of whose pods it may move. */
export function requirementsOf({ isolation, coordination }: Pick<PlanPolicy, 'isolation' | 'coordination'>): MoveRequirements {
  return {
    // What is to be emptied is emptied also of what has no budget; those that exist hold.
    requireBudget: isolation === undefined && coordination.requirePDB && coordination.enforce,
    unlabelled: coordination.unlabelled,
    ignoreScalers: coordination.kedaPresence === 'ignore',
    evictScaled: isolation?.keda === 'evict',
    spareUnmanaged: isolation?.includeUnmanaged === false,
  }
}

interface MoveAsked {
  readonly asking: Asking
  readonly plan: string
  readonly policy: string
  /** The same for the same move of the same plan, whoever leads. */
  readonly key: string
  readonly batch: string
  readonly isForUsage: boolean
  readonly deadlineMs: number
  /** How long a replacement may take to be Ready, in milliseconds. */
  readonly readyMs: number
  readonly requirements: MoveRequirements
  readonly proof: FitProof
}

/** The parts of a move that are asked for. */
export type AskedMove = Pick<Move, 'id' | 'pod' | 'from' | 'to' | 'acceptable' | 'action'> & {
  readonly workload: Pick<Move['workload'], 'apiVersion' | 'kind' | 'namespace' | 'name' | 'uid'>
}

export function moveIntent(move: AskedMove, asked: MoveAsked): Intent {
  const { plan, policy, proof } = asked
  const pod = { apiVersion: 'v1', kind: 'Pod', namespace: move.pod.namespace, name: move.pod.name, uid: move.pod.uid }
  const { apiVersion, kind, namespace, name, uid } = move.workload
  const workload = { apiVersion, kind, namespace, name, uid }
  const isSurge = move.action === 'surge'
  return {
    ...asked.asking,
    verb: isSurge ? 'restart' : 'evict',
    targets: [isSurge ? workload : pod],
    workload,
    disrupts: [pod],
    reasons: [
      {
        code: 'rebalance',
        message: `plan ${plan} of policy ${policy} moves it from ${move.from} to ${move.to}`,
        data: {
          ...{ plan, move: move.id, from: move.from, to: move.to },
          ...(asked.isForUsage ? { stat: 'usage' } : {}),
        },
      },
    ],
    idempotencyKey: asked.key,
    batch: asked.batch,
    deadlineMs: asked.deadlineMs,
    timeToLiveMs: isSurge ? asked.readyMs + 300_000 : moveLimits.permitMs,
    proof,
    relocation: {
      from: move.from,
      to: [move.to, ...move.acceptable.filter(node => node !== move.to)].slice(0, mostDestinations),
    },
    ...asked.requirements,
  }
}
