// Loaded into a process that is measured (`--import`): tells its parent, when asked, how long its event loop stood still and what it holds.
// It looks from the first question on: looking takes processor time, which others measure.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '#kube/clock.ts'

/** What a process tells of itself, since it was last asked. */
export interface OwnFigures {
  /** The longest time by the clock between two turns of the event loop: on a busy machine others' work counts too. */
  readonly longestStallMs: number
  /** The most this thread worked between two turns. */
  readonly longestWorkMs: number
  /** After a garbage collection, where the process has `--expose-gc` and was asked for it. */
  readonly heapBytes: number
}

const tickMs = 5
const loop = monitorEventLoopDelay({ resolution: 1 })
let isLooking = false
let longestWorkMs = 0
/** What the thread had worked when the last turn was looked at. */
let worked = process.threadCpuUsage()

function tick(): void {
  const { user, system } = process.threadCpuUsage(worked)
  longestWorkMs = Math.max(longestWorkMs, (user + system) / 1000)
  worked = process.threadCpuUsage()
  systemClock.schedule(tickMs, tick)
}

function tell(message: unknown): void {
  const longestStallMs = loop.max / 1e6
  if (message === 'heap') globalThis.gc?.()
  const figures: OwnFigures = { longestStallMs, longestWorkMs, heapBytes: process.memoryUsage().heapUsed }
  process.send?.(figures)
  loop.reset()
  longestWorkMs = 0
  // The collection that was asked for is no work of its own.
  worked = process.threadCpuUsage()
  if (isLooking) return
  isLooking = true
  loop.enable()
  tick()
}

if (process.send !== undefined) {
  process.on('message', tell)
  // The measuring process is gone without a word, and nobody else will stop this one.
  process.on('disconnect', () => process.exit(1))
}
