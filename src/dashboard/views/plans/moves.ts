// The moves of a plan, in the order in which they are carried out, each with its state and why it is made or not.
import type { ClusterEvent } from '#coordination/account/cluster-events.ts'
import type { PlanMove, PlanStep, RebalancePlan } from '#coordination/api.ts'
import { plansFor } from '#coordination/intent.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import { type ServableGoal, servedGoals } from '#planning/goals/served-goals.ts'
import type { Move, MovePage, MoveState, Sentence } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-plan.ts'
import { activePermits, goalsOfPlan, isEnded, phaseOf } from './plan-facts.ts'

/** All moves of the plan. */
export function movesOf(picture: Picture, plan: RebalancePlan): readonly Move[] {
  const context = contextOf(picture, plan)
  return plan.spec.moves.map(move => moveOf(context, move))
}

/** A page of at most `limit` moves. `cursor` is the `next` of the page before, `undefined` for the first. */
export function movePage(picture: Picture, plan: RebalancePlan, cursor: string | undefined, limit: number): MovePage {
  const { moves } = plan.spec
  const from =
    cursor === undefined
      ? 0
      : Math.max(
          0,
          moves.findIndex(({ id }) => id === cursor),
        )
  const context = contextOf(picture, plan)
  return {
    moves: moves.slice(from, from + limit).map(move => moveOf(context, move)),
    total: moves.length,
    next: moves[from + limit]?.id ?? null,
  }
}

/** How many moves of a plan are done (on a node that was meant or elsewhere), and how many failed. */
export function stepTally({ status }: RebalancePlan): { readonly done: number; readonly failed: number } {
  const steps = status?.steps ?? []
  return {
    done: steps.filter(({ state }) => state === 'Landed' || state === 'Mismatch').length,
    failed: steps.filter(({ state }) => state === 'Failed').length,
  }
}

interface MoveContext {
  readonly picture: Picture
  readonly plan: RebalancePlan
  readonly goals: readonly ServableGoal[]
  readonly steps: ReadonlyMap<string, PlanStep>
  /** What waits, by the key of its wish. */
  readonly waits: ReadonlyMap<string, ClusterEvent>
}

function contextOf(picture: Picture, plan: RebalancePlan): MoveContext {
  return {
    picture,
    plan,
    goals: goalsOfPlan(picture, plan),
    steps: new Map((plan.status?.steps ?? []).map(step => [step.id, step])),
    waits: new Map(
      picture.book.events.flatMap(event =>
        event.verdict?.key === undefined || event.verdict.decision !== 'Queued' ? [] : [[event.verdict.key, event]],
      ),
    ),
  }
}

function moveOf(context: MoveContext, move: PlanMove): Move {
  const { kind, namespace, name } = move.workload
  const step = context.steps.get(move.id)
  const standing = standingOf(context, move, step)
  const landedOn = step?.landedOn ?? null
  const ms = step?.seconds === undefined ? null : step.seconds * 1_000
  const { requests } = move.certificate
  return {
    id: move.id,
    wave: move.wave,
    workload: { kind, namespace, name },
    pod: { ...move.pod },
    from: move.from,
    to: move.to,
    acceptable: move.acceptable,
    action: move.action,
    state: standing.state,
    because: standing.because ?? reasonOf(context, move),
    stateText: words.moveStateText({
      ...standing,
      landedOn,
      ms,
      ...(standing.because === undefined ? {} : { reason: standing.because.text }),
    }),
    landedOn,
    ms,
    cpu: requests['cpu'] ?? 0,
    memory: requests['memory'] ?? 0,
    volumeBound: isVolumeBound(context.picture, move),
  }
}

/** Why it is planned: the goals that it serves. */
export function reasonOf({ goals, plan }: Pick<MoveContext, 'goals' | 'plan'>, move: PlanMove): Sentence {
  if (plansFor(plan.spec.purpose).emptiesNodes) return words.moveLeaves({ node: move.from })
  return words.moveServes(servedGoals(move, goals))
}

interface Standing {
  readonly state: MoveState
  readonly stage?: words.MoveStage
  readonly forMs?: number
  /** In place of why it is planned. */
  readonly because?: Sentence
}

function standingOf(context: MoveContext, move: PlanMove, step: PlanStep | undefined): Standing {
  const { picture, plan } = context
  switch (step?.state) {
    case 'Landed':
      return { state: 'done' }
    case 'Mismatch':
      return { state: 'elsewhere' }
    case 'Skipped':
      return { state: 'skipped', because: kept(step) }
    case 'Failed':
      return { state: 'failed', because: kept(step) }
    default:
  }
  const key = moveKey(plan, move)
  const permit = activePermits(picture).get(key)
  if (permit !== undefined) {
    const forMs = Math.max(0, picture.nowMs - (permit.record.grant?.atMs ?? picture.nowMs))
    return { state: 'running', stage: stageOf(picture, move), forMs }
  }
  if (isEnded(plan)) return { state: 'skipped', because: words.moveNotBegun({ phase: phaseOf(plan).toLowerCase() }) }
  const broken = brokenWords(picture, move)
  if (broken !== undefined) return { state: 'planned', because: broken }
  const waits = phaseOf(plan) === 'Running' || phaseOf(plan) === 'Paused' ? context.waits.get(key)?.verdict : undefined
  if (waits !== undefined) return { state: 'waiting', because: words.moveKept({ rule: waits.reason, message: '' }) }
  if (step !== undefined && step.state !== 'Waiting') return { state: 'running', stage: stageOf(picture, move) }
  return step === undefined ? { state: 'planned' } : { state: 'waiting', because: kept(step) }
}

function kept({ state, reason, message }: PlanStep): Sentence {
  return words.moveKept({ rule: reason ?? state, message: message ?? '' })
}

/** What makes it impossible as the cluster is. Of the past nobody can say. */
function brokenWords({ state, past }: Picture, { from, to }: PlanMove): Sentence | undefined {
  if (from === to) return words.sameNode({ node: to })
  if (past !== undefined) return undefined
  if (!state.nodes.has(to)) return words.destinationGone({ node: to })
  return state.nodes.has(from) ? undefined : words.sourceGone({ node: from })
}

function stageOf({ state }: Picture, { pod, action }: PlanMove): words.MoveStage {
  const now = state.pods.get(`${pod.namespace}/${pod.name}`)
  const isThere = now !== undefined && now.uid === pod.uid
  if (action === 'surge' && isThere && !now.isTerminating) return 'starting'
  if (!isThere) return 'evicted'
  return now.isTerminating ? 'leaving' : 'asked'
}

/** It holds a claim on storage; of a pod that is gone its certificate says nothing, and its workload's others are asked. */
function isVolumeBound({ state }: Picture, { pod, workload }: PlanMove): boolean {
  const found = state.pods.get(`${pod.namespace}/${pod.name}`) ?? state.podsOf(workload.uid)[0]
  return (found?.object.spec.volumes ?? []).some(
    volume => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined,
  )
}
