// What is said about a plan as a whole, in its status, events and the terminal.
import type { Plan } from '#planning/plan-record.ts'
import { explanationLines } from '#planning/sentences.ts'

/** `15 moves reach both goals; no plan needs fewer than 15 (milp)`. */
export function planSentence(plan: Plan): string {
  const count = plan.moves.length
  const moves = count === 1 ? '1 move' : `${count} moves`
  const missed = plan.goals.filter(goal => goal.state !== 'met').map(goal => goal.goal)
  const bound = Math.ceil(plan.objective.lowerBound - 1e-6)
  const optimal = count === 0 ? '' : `; no plan that reaches as much needs fewer than ${bound} (${plan.method})`
  if (plan.problems.length > 0) return `nothing is moved: the policy has ${plan.problems.length} problems`
  if (plan.outcome === 'infeasible') return 'no choice of moves reaches the goals'
  if (missed.length > 0) return `${moves} leave ${[...new Set(missed)].join(', ')} unmet${optimal}`
  return count === 0 ? 'all goals are met already' : `${moves} ${count === 1 ? 'reaches' : 'reach'} all goals${optimal}`
}

/** The same, and where goals are out of reach what stands in the way and what would help; a line each, at most 4,096 characters. */
export function planMessage(plan: Plan): string {
  const because = plan.outcome === 'met' ? [] : explanationLines(plan)
  return [planSentence(plan), ...because].join('\n').slice(0, 4096)
}
