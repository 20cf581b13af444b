// The plan that undoes another, made from the ways back: what the arbiter lets go of them, and in words what it undoes. Pure.
import type { Problem } from '#kube/problem.ts'
import type { PlanInput } from '#planning/plan-input.ts'
import type { Plan } from '#planning/plan-record.ts'
import { planRollBack } from '#planning/roll-back.ts'
import type { RebalancePlan } from '../../api.ts'
import { type ForetellContext, type Foretold, foretellGiven } from '../timetable/foretell.ts'
import { type LeftBehind, waysBackOf } from './ways-back.ts'

/** What a plan undoes. */
export interface Undoing {
  /** The plan that a signal stopped. */
  readonly plan: string
  /** Pods that cannot be asked back at all; those that the planner or the arbiter keeps are unmovable as in any plan. */
  readonly left: readonly LeftBehind[]
}

interface UndoneInput {
  /** Name of the plan to be undone. */
  readonly rollsBack: string
  readonly plans: readonly RebalancePlan[]
  readonly input: PlanInput
  /** Its batch is that of the plan, so that its own moves do not stand in the way. */
  readonly context: Omit<ForetellContext, 'plan'>
}

/** The way back of `rollsBack`. The problem: it is not there any more. */
export async function undone({
  rollsBack,
  plans,
  input,
  context,
}: UndoneInput): Promise<
  | { readonly kind: 'made'; readonly foretold: Foretold; readonly undoing: Undoing }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
> {
  const stopped = plans.find(({ metadata }) => metadata.name === rollsBack)
  if (stopped === undefined) {
    const expected = 'a plan whose moves are to be undone'
    return {
      kind: 'refused',
      problems: [{ code: 'plan-gone', where: 'spec.rollsBack', found: `no RebalancePlan ${rollsBack}`, expected }],
    }
  }
  const { ways, left } = waysBackOf(stopped, plans, input.state)
  const around = { ...context, canary: undefined, plan: rollsBack }
  const foretold = await foretellGiven(input, around, one => planRollBack(one, ways))
  return { kind: 'made', foretold, undoing: { plan: rollsBack, left } }
}

/** `3 moves undo mine-1234abcd; 1 pod stays: shop/web-2 (NodeCordoned)`. */
export function undoingSentence({ moves, unmovable }: Pick<Plan, 'moves' | 'unmovable'>, { plan, left }: Undoing): string {
  const count = moves.length === 1 ? '1 move undoes' : `${moves.length === 0 ? 'no' : moves.length} moves undo`
  const stays = [
    ...left.map(({ pod, reason }) => `${pod} (${reason})`),
    ...unmovable.map(({ pod, code }) => `${pod.namespace}/${pod.name} (${code})`),
  ]
  if (stays.length === 0) return `${count} ${plan}`
  const named = stays.slice(0, mostNamed).join(', ')
  const more = stays.length > mostNamed ? ` and ${stays.length - mostNamed} more` : ''
  return `${count} ${plan}; ${stays.length === 1 ? '1 pod stays' : `${stays.length} pods stay`}: ${named}${more}`
}

/** Pods that the sentence names. */
const mostNamed = 3
