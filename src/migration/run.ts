// Carries out the steps of a swap: each is proved before it is done again, the first that fails ends it, and what it switched is put back.
import { no, type Proof } from '#upstreams/proof.ts'
import type { MigrationRecord } from './record.ts'
import { eventually, type Step, StepFailed, type Swap } from './step.ts'

export interface StepResult {
  readonly id: string
  readonly state: 'was so' | 'done' | 'failed' | 'reverted'
  readonly said: string
}

/** `all`, the next that is not done, or those up to a number. */
export type Which = { readonly kind: 'all' } | { readonly kind: 'next' } | { readonly kind: 'only'; readonly index: number }

/**
 * Runs the steps; each result is told as it comes, and before it, of a step that changes something, that it has begun. True where all
 * that were asked for are done.
 */
export async function runSteps(
  steps: readonly Step[],
  swap: Swap,
  which: Which,
  tell: (result: StepResult) => void,
  begin: (step: Step) => void = () => undefined,
): Promise<boolean> {
  for (const step of chosen(steps, swap.record, which)) {
    const result = await runStep(step, swap, begin)
    tell(result)
    if (result.state === 'failed' || result.state === 'reverted') return false
  }
  return true
}

function chosen(steps: readonly Step[], record: MigrationRecord, which: Which): readonly Step[] {
  // What was proved once is not asked again: it may have been undone on purpose by a later step.
  if (which.kind === 'all') return steps.filter(({ id }) => !record.content.done.includes(id))
  if (which.kind === 'only') return steps.slice(which.index, which.index + 1)
  const next = steps.find(({ id }) => !record.content.done.includes(id))
  return next === undefined ? [] : [next]
}

async function runStep(step: Step, swap: Swap, begin: (step: Step) => void): Promise<StepResult> {
  const before = await proved(step, swap)
  // Also after a crash: what is so needs not be done again.
  if (before.ok) {
    await markDone(step, swap)
    return { id: step.id, state: step.run === undefined ? 'done' : 'was so', said: before.said }
  }
  if (step.run !== undefined) begin(step)
  const proof = step.run === undefined ? before : await carriedOut(step, swap)
  if (proof.ok) {
    await markDone(step, swap)
    return { id: step.id, state: 'done', said: proof.said }
  }
  if (step.revert === undefined) return { id: step.id, state: 'failed', said: proof.said }
  try {
    await step.revert(swap)
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    return { id: step.id, state: 'failed', said: `${proof.said}; and it could not be put back: ${error.message}` }
  }
  const { record } = swap
  await record.write({ done: record.content.done.filter(id => step.reverts?.includes(id) !== true) })
  return { id: step.id, state: 'reverted', said: proof.said }
}

async function carriedOut(step: Step, swap: Swap): Promise<Proof> {
  try {
    await step.run?.(swap)
  } catch (error) {
    if (error instanceof StepFailed) return no(error.message)
    throw error
  }
  return eventually(swap, step.patienceMs ?? 0, () => proved(step, swap))
}

async function proved(step: Step, swap: Swap): Promise<Proof> {
  try {
    return await step.prove(swap)
  } catch (error) {
    if (error instanceof StepFailed) return no(error.message)
    throw error
  }
}

async function markDone({ id }: Pick<Step, 'id'>, { record }: Pick<Swap, 'record'>): Promise<void> {
  const { done } = record.content
  if (!done.includes(id)) await record.write({ done: [...done, id] })
}
