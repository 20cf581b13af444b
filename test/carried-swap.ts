// The steps of a swap as `ballast migrate apply` carries them out, without its command line: for sites that kill it at any write.

import type { Reach } from '../src/migration/place.ts'
import { runSteps, type StepResult, type Which } from '../src/migration/run.ts'
import { openSwap } from '../src/migration/swap.ts'
import { type Replaceable, replaceable } from '../src/upstreams/upstreams.ts'

export interface SwapWish {
  readonly back?: boolean
  readonly which?: Which
  readonly holder?: string
  readonly forgetRelease?: boolean
  readonly allowLossy?: boolean
  readonly tell?: (line: string) => void
}

/** By its name for `migrate`. @throws Error where no such upstream is replaced */
export function upstreamNamed(id: string): Replaceable {
  const found = replaceable().find(({ replaced }) => replaced.id === id)
  if (found === undefined) throw new Error(`no upstream ${id}`)
  return found
}

/** True where all steps that were asked for are done; results come as they are told. */
export async function carriedSwap(
  upstream: Replaceable,
  reach: Reach,
  wish: SwapWish,
  told: (result: StepResult) => void,
): Promise<boolean> {
  const { which = { kind: 'all' }, forgetRelease = true, holder = 'a test' } = wish
  const { swap, steps } = await openSwap({ ...reach, upstream }, { ...wish, forgetRelease, holder })
  await swap.record.take(wish.back === true ? 'back' : 'forth')
  const isDone = await runSteps(steps, swap, which, told)
  await swap.record.release()
  return isDone
}
