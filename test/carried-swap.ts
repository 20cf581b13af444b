// The steps of a swap as `ballast migrate apply` carries them out, without its command line: for sites that kill it at any write.

import type { VirtualClock } from '#kube/clock.ts'
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

/** What came of the steps that somebody ran: done, or why not. */
interface Ending {
  readonly isDone: boolean
  readonly error: Error | undefined
}

/** Drives `clock` until `run` is over, however it ends. */
export async function endOf(run: Promise<boolean>, clock: VirtualClock, limitMs = 3_600_000): Promise<Ending> {
  let ended: Ending | undefined
  run.then(
    isDone => {
      ended = { isDone, error: undefined }
    },
    error => {
      ended = { isDone: false, error: error instanceof Error ? error : new Error(String(error)) }
    },
  )
  await clock.runUntil(() => ended !== undefined, { limitMs })
  return ended ?? { isDone: false, error: undefined }
}

/** Lets so many milliseconds pass. */
export async function passed(clock: VirtualClock, ms: number): Promise<void> {
  const untilMs = clock.now() + ms
  clock.schedule(ms, () => undefined)
  await clock.runUntil(() => clock.now() >= untilMs, { limitMs: ms + 1_000 })
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
