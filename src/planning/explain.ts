// Why one pod moves or stays, and what would change that.

import { churnOf } from './candidates/churn.ts'
import type { PlanInput } from './plan-input.ts'
import type { Amounts, GoalOutcome, Move, Plan } from './plan-record.ts'
import { amountText, goalSentence, reasonText, remedySentence, staySentence } from './sentences.ts'

/** Lines for people about the pod `namespace/name`, the answer first. A pod that is not in the cluster is said to be so. */
export function explainPod(input: PlanInput, plan: Plan, key: string): readonly string[] {
  const pod = input.state.pods.get(key)
  if (pod === undefined) return [`${key}: there is no such pod in this cluster`]
  if (pod.isFinished) return [`${key} has ended (${pod.object.status?.phase ?? ''}); it holds nothing and is not moved`]
  if (pod.nodeName === undefined) return [`${key} runs nowhere yet; a plan moves only what runs`]
  // With a stop on its way a pod moves twice.
  const moves = plan.moves.filter(each => `${each.pod.namespace}/${each.pod.name}` === key)
  if (moves.length > 0) return moves.flatMap(move => movesBecause(input, plan, move))
  const held = plan.unmovable.find(each => `${each.pod.namespace}/${each.pod.name}` === key)
  if (held === undefined) return [...staysByChoice(plan, key, pod.nodeName), ...churnLines(input, key)]
  const remedies = [held, ...held.also].map(({ code, data }) => remedySentence(code, data))
  const isHopeless = remedies.some(remedy => remedy === undefined)
  return [
    `${key} stays on ${held.node}: ${staySentence({ code: held.code, data: held.data, node: held.node })} [${reasonText(held)}]`,
    ...held.also.map(reason => `  also: ${staySentence(reason)} [${reasonText(reason)}]`),
    ...(isHopeless ? ['  nothing would make it movable'] : remedies.map(remedy => `  what would change that: ${remedy ?? ''}`)),
  ]
}

function movesBecause(input: PlanInput, plan: Plan, move: Move): readonly string[] {
  const key = `${move.pod.namespace}/${move.pod.name}`
  const goals = plan.goals.filter(goal => speaksOf(goal, move) && goal.before !== goal.after)
  const { requests, freeBefore, freeAfter, landing, budget } = move.certificate
  const how = move.action === 'surge' ? 'its replacement is Ready before it goes' : 'it is evicted by the eviction API'
  const amounts = Object.keys(requests).map(resource => {
    const text = (amounts: Amounts) => amountText(amounts[resource] ?? 0, resource)
    return `${resource} ${text(requests)} of ${text(freeBefore)} free, ${text(freeAfter)} left`
  })
  return [
    `${key} moves from ${move.from} to ${move.to} as ${move.id} of wave ${move.wave}: ${how}`,
    ...goals.map(goal => `  for ${goalSentence(goal)}`),
    ...(goals.length === 0 ? [`  to make room on ${move.from}`] : []),
    `  room on ${move.to}: ${amounts.join('; ')}`,
    `  the scheduler would choose ${landingWords(landing)} (${landing.mode})`,
    ...(budget === undefined
      ? []
      : [
          `  PodDisruptionBudget ${budget.name} allows ${budget.allowedBefore} evictions before it, ${budget.allowedAfter} after`,
        ]),
    ...churnLines(input, key),
    '  what would change that: goals that hold without it, or any of the reasons that keep pods where they are',
  ]
}

function landingWords({ nodes, many, likely }: Move['certificate']['landing']): string {
  if (many === undefined) return nodes.join(' or ')
  const odds = likely === undefined ? '' : `, with a probability of ${(likely * 100).toFixed(2)} % one where it may`
  return `one of ${many.count} nodes${odds}`
}

/** Why it is dearer than others, where its workload has a history. */
function churnLines(input: PlanInput, key: string): readonly string[] {
  const workload = input.state.pods.get(key)?.workload
  const churn = workload === undefined ? undefined : churnOf(input, workload)
  if (workload === undefined || churn === undefined || churn.disturbances.length === 0) return []
  const told = churn.disturbances.slice(0, 3).map(({ what, atMs }) => `${what} ${new Date(atMs).toISOString().slice(0, 10)}`)
  const more = churn.disturbances.length - told.length
  const what = `${told.join(', ')}${more > 0 ? ` and ${more} times more` : ''}`
  return [`  moving it costs ${churn.factor.toFixed(2)} times as much: ${workload.kind} ${workload.name} was ${what}`]
}

function speaksOf({ measure, members = [], bound, node }: GoalOutcome, { from, to }: Move): boolean {
  if (measure === undefined) return bound === 'max' ? node === from : node === to
  return measure === 'survives' || members.some(({ nodes }) => nodes.includes(from) || nodes.includes(to))
}

function staysByChoice(plan: Plan, key: string, node: string): readonly string[] {
  const missed = plan.goals.filter(goal => goal.state === 'missed')
  if (plan.problems.length > 0) return [`${key} stays on ${node}: the policy has problems and nothing is moved`]
  if (plan.goals.length === 0) return [`${key} stays on ${node}: the policy has no goals`]
  const about = plan.goals.filter(goal => goal.node === node || goal.members?.some(({ nodes }) => nodes.includes(node)) === true)
  const why =
    missed.length === 0
      ? 'it may be moved, but the goals are met without it'
      : 'it may be moved, but that would bring no goal closer'
  return [
    `${key} stays on ${node}: ${why}`,
    ...about.map(goal => `  ${goalSentence(goal)}`),
    `  what would change that: ${missed.length === 0 ? `a stricter goal for ${node}, or fewer other pods that can be moved` : 'room where the goals want it'}`,
  ]
}
