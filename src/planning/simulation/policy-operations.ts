// Policies in the simulation. A plan is carried out wave by wave, each move by eviction or surge, each landing as the plan steers it; a
// descheduler runs its cycles.

import type { Taint } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import type { Move, Plan } from '../plan-record.ts'
import { takeAway } from './controllers.ts'
import { runDescheduler } from './descheduler-cycles.ts'
import { ledgerOf } from './eviction-operations.ts'
import { taintNodes } from './node-operations.ts'
import { successorOf } from './pod-making.ts'
import { type OperationOf, type PlannedOperation, policyPlacesIn } from './scenario.ts'
import type { StepContext } from './step-context.ts'
import type { Steering } from './world.ts'

const steeringTaint: Taint = { key: 'ballast.dev/rebalance', value: 'plan', effect: 'PreferNoSchedule' }

/** Interval of upstream's chart. */
const standardIntervalMs = 300_000

export async function applyPolicy(context: StepContext, operation: OperationOf<'applyPolicy'>): Promise<string> {
  const answer = await context.outside.plan(operation, context.world)
  if (!answer.ok) throw new InputError(placed(context, answer.problems, policyPlacesIn(operation)[0] ?? 'policy'))
  if ('plan' in answer) {
    for (const field of ['cycles', 'interval'] as const)
      if (operation[field] !== undefined)
        context.refuse(field, String(operation[field]), 'a DeschedulerPolicy; a RebalancePolicy is planned once')
    return carryOut(context, answer.plan)
  }
  if (operation.landing !== undefined)
    context.refuse('landing', operation.landing, 'a RebalancePolicy; nobody steers what a descheduler evicts')
  const { cycles = 1, interval = standardIntervalMs } = operation
  return await runDescheduler(context, answer.descheduler, { cycles, intervalMs: interval })
}

export async function isolateNode(context: StepContext, operation: PlannedOperation): Promise<string> {
  context.nodes(operation.node)
  const answer = await context.outside.isolation(operation, context.world)
  if (!answer.ok) throw new InputError(placed(context, answer.problems, 'node'))
  const said = taintNodes(context, { op: 'taint', node: operation.node, key: answer.taint ?? '', effect: 'NoSchedule' })
  return `${said}; ${carryOut(context, answer.plan)}`
}

/** What a policy has wrong is said with the place of the step. */
function placed(context: StepContext, problems: readonly Problem[], field: string): readonly Problem[] {
  return problems.map(problem => ({ ...problem, where: `${context.where(field)}: ${problem.where}` }))
}

function carryOut(context: StepContext, plan: Plan): string {
  const { world } = context
  let elsewhere = 0
  let moved = 0
  for (const moves of Map.groupBy(plan.moves, move => move.wave).values()) {
    for (const move of moves) {
      const landed = carryOutMove(context, plan, move)
      if (landed === undefined) continue
      moved++
      if (!move.acceptable.includes(landed)) {
        elsewhere++
        context.notes.push(`${move.id}: ${move.pod.namespace}/${move.pod.name} landed on ${landed} instead of ${move.to}`)
      }
    }
    world.schedule()
    world.stage()
  }
  const missed = plan.moves.length - moved
  context.plan = {
    policy: plan.policyName,
    outcome: plan.outcome,
    moves: plan.moves.length,
    lowerBound: Math.round(plan.objective.lowerBound * 100) / 100,
    landing: plan.landing,
    elsewhere,
  }
  return `plan of ${plan.policyName}: ${plan.moves.length} moves${missed === 0 ? '' : `, ${missed} of them not made`}${elsewhere === 0 ? '' : `, ${elsewhere} landed elsewhere`}`
}

/** Where the replacement landed; `undefined` where the pod stays or its replacement waits. */
function carryOutMove(context: StepContext, plan: Plan, move: Move): string | undefined {
  const { world } = context
  const pod = world.state.pods.get(`${move.pod.namespace}/${move.pod.name}`)
  if (pod === undefined) return undefined
  const steering = steeringOf(context, plan, move.to)
  if (move.action === 'surge') {
    const origin = { replaces: pod.key, ...(pod.nodeName === undefined ? {} : { from: pod.nodeName }) }
    const next = world.create(successorOf(world, pod.object), origin)
    const landed = world.placeFirst(next, steering)
    // It is ready before the old one goes; where it finds no place the old one stays and the surge is given up.
    world.remove(landed === undefined ? next : pod.object)
    return landed
  }
  const answer = ledgerOf(context).ask(pod)
  if (answer.kind === 'refused') {
    const { code, message, cause, budget } = answer
    context.refusals.push({
      pod: pod.key,
      code,
      message,
      ...(cause === undefined ? {} : { cause }),
      ...(budget === undefined ? {} : { budget }),
    })
    return undefined
  }
  const after = takeAway(world, pod)
  if (after.kind === 'lost') context.tellLost(pod)
  return after.kind === 'replaced' ? world.placeFirst(after.pod, steering) : undefined
}

function steeringOf(context: StepContext, plan: Plan, to: string): Steering {
  if (plan.landing === 'hold') return { boundTo: to }
  if (plan.landing === 'observe') return {}
  const others = [...context.world.state.nodes.keys()].filter(name => name !== to)
  return { extraTaints: new Map(others.map(name => [name, [steeringTaint]])) }
}
