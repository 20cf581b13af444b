// Gives memory back that a burst of work has left behind. V8 keeps what it once took: after its start a mirror holds a third more than it needs,
// since nothing that it does at rest makes V8 collect.
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '#kube/clock.ts'

/** How often it is looked whether the process rests. */
export const trimLookMs = 2_000
/** A process rests where its loop was busy for less than this share of the time between two looks. */
const restingShare = 0.05
/** Work since the last time that is worth another collection, in ms of the loop. */
export const trimWorthMs = 200
/** Collections that belong to the start: of the program, and of what is there when it begins. */
const ofTheStart = 2
const longestStartMs = 60_000
/** From one later collection to the next at least: each takes some 100 ms of a processor, in which nothing else runs. */
export const trimEveryMs = 30_000

interface TrimOptions {
  readonly clock: Clock
  /** How long the loop was busy since the process began, in ms. */
  readonly busyMs?: () => number
  readonly collect?: (isStart: boolean) => void
  /** Called once, when what belongs to the start is over: after its collections, or a minute for a process that never rests. */
  readonly afterStart?: () => void
}

/** Until `signal` is aborted: collects after work, when the process rests. Never rejects. */
export async function trimAtRest(
  { clock, busyMs = () => performance.eventLoopUtilization().active, collect = collectAll, afterStart }: TrimOptions,
  signal: AbortSignal,
): Promise<void> {
  let [workedMs, seenMs, seenAtMs] = [0, 0, clock.elapsed()]
  let [collections, collectedMs] = [0, 0]
  const startedMs = clock.elapsed()
  let isStart = true
  while (!signal.aborted) {
    await clock.after(trimLookMs, signal).catch(() => undefined) // aborted: the loop ends
    if (signal.aborted) return
    const [nowMs, busy] = [clock.elapsed(), busyMs()]
    if (isStart && (collections >= ofTheStart || nowMs - startedMs >= longestStartMs)) {
      isStart = false
      afterStart?.()
    }
    const isResting = busy - seenMs < restingShare * (nowMs - seenAtMs)
    workedMs += busy - seenMs
    seenMs = busy
    seenAtMs = nowMs
    if (!isResting) continue
    // The start is always worth it; and so is, without a wait, what the program then finds to do.
    const isWorth = collections === 0 || workedMs >= trimWorthMs
    const isSoon = collections >= ofTheStart && nowMs - collectedMs < trimEveryMs
    if (!isWorth || isSoon) continue
    collect(collections < ofTheStart)
    collections++
    workedMs = 0
    seenMs = busyMs()
    collectedMs = nowMs
  }
}

/** Collects everything, and hands free pages back. What was compiled for the start goes with it: most of it never runs again. */
function collectAll(isStart: boolean): void {
  // There is no other way to V8's collector in a process that was not started with a flag for it.
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof gc !== 'function') return
  if (isStart) {
    setFlagsFromString('--stress-flush-code')
    gc()
    setFlagsFromString('--no-stress-flush-code')
  }
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
