// Carries out the steps of a swap: each is proved before it is done again, the first that fails ends it, and what it switched is put back.
import { messageOf } from '#kube/log.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { CommandRefused } from '#process/surroundings.ts'
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
  const stuck = await putBack(step, swap)
  if (stuck === undefined) return { id: step.id, state: 'reverted', said: proof.said }
  return { id: step.id, state: 'failed', said: `${proof.said}; and it could not be put back: ${stuck}` }
}

async function carriedOut(step: Step, swap: Swap): Promise<Proof> {
  try {
    await step.run?.(swap)
  } catch (error) {
    return failure(step, swap, error)
  }
  return eventually(swap, step.patienceMs ?? 0, () => proved(step, swap))
}

async function proved(step: Step, swap: Swap): Promise<Proof> {
  try {
    return await step.prove(swap)
  } catch (error) {
    return failure(step, swap, error)
  }
}

/**
 * What broke a step that can be put back is its failure, whatever it was: what it began must not be left in the middle.
 * @throws `error` where nothing was begun that could be put back, and where nobody may write any more: this process ends, or somebody else is at it
 */
function failure(step: Step, { signal }: Swap, error: unknown): Proof {
  if (error instanceof StepFailed) return no(error.message)
  if (step.run === undefined || step.revert === undefined || isOver(signal, error)) throw error
  return no(said(error))
}

const isOver = (signal: AbortSignal, error: unknown): boolean => signal.aborted || error instanceof CommandRefused

/** What a server says is enough; what is broken here is found by where it broke. */
const said = (error: unknown): string => (!isOutside(error) && error instanceof Error && error.stack) || messageOf(error)

/** An API server that is started anew, an etcd that finds its leader. */
const revertPatienceMs = 300_000
const revertEveryMs = 5_000

/** Why it could not be; `undefined`: it is as it was. What denied a write may deny the next, too: it is tried for a while. */
async function putBack(step: Step, swap: Swap): Promise<string | undefined> {
  const { clock, record, signal } = swap
  const endMs = clock.elapsed() + revertPatienceMs
  for (;;) {
    try {
      await step.revert?.(swap)
      await record.write({ done: record.content.done.filter(id => step.reverts?.includes(id) !== true) })
      return undefined
    } catch (error) {
      if (error instanceof StepFailed) return error.message
      if (isOver(signal, error)) throw error
      if (!isOutside(error) || isForbidden(error) || clock.elapsed() >= endMs) return said(error)
    }
    await clock.after(revertEveryMs, signal)
  }
}

async function markDone({ id }: Pick<Step, 'id'>, { record }: Pick<Swap, 'record'>): Promise<void> {
  const { done } = record.content
  if (!done.includes(id)) await record.write({ done: [...done, id] })
}
