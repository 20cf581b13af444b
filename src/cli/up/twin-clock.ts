// The clock of an embedded cluster, as the command line asks for it.
import { InvalidArgumentError } from 'commander'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Pace, PacedClock } from '#kube/time/paced-clock.ts'
import { parseTime } from '#kube/time/time.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { newestMoment } from '#twin/snapshot-time.ts'

export interface ClockOptions {
  readonly clock: 'real' | 'virtual'
  readonly speed?: Pace
  /** Milliseconds since 1970. */
  readonly start?: number
  readonly paused?: boolean
}

const fastest = 10_000
/** Where a virtual clock starts when nothing tells a time. */
const startWithoutAges = Date.UTC(2026, 0, 1)

/** `max`, or how many seconds of the cluster pass in one of ours. */
export function paceOption(text: string): Pace {
  if (text === 'max') return 'max'
  const pace = Number(text)
  if (!/^\d+$/.test(text) || pace < 1 || pace > fastest)
    throw new InvalidArgumentError(`It must be max or a whole number from 1 to ${fastest}.`)
  return pace
}

/** A moment of an option. */
export function momentOption(text: string): number {
  const parsed = parseTime(text)
  if (parsed.ok) return parsed.value
  throw new InvalidArgumentError('It must be a time such as 2026-03-04T05:06:07Z.')
}

/**
 * A real clock starts now; a virtual one at its `start`, else at the newest moment of the objects, and stands still without a speed. A clock
 * that was kept goes on from `keptMs`, a real one never before.
 */
export function clockOf(options: ClockOptions, objects: readonly KubeObject[], keptMs?: number): PacedClock {
  if (options.clock === 'real') {
    if (options.start !== undefined) throw new CommandRefused('--start needs --clock virtual: a real clock starts now')
    if (options.speed === 'max') throw new CommandRefused('--speed max needs --clock virtual: a real clock cannot skip time')
    const startMs = Math.max(keptMs ?? 0, systemClock.now())
    return new PacedClock(systemClock, { startMs, pace: options.speed ?? 1, isPaused: options.paused === true })
  }
  return new PacedClock(systemClock, {
    startMs: options.start ?? keptMs ?? startOf(options, objects),
    pace: options.speed ?? 1,
    isPaused: options.paused === true || options.speed === undefined,
  })
}

/** When a virtual clock starts, milliseconds since 1970. */
export function startOf({ start }: ClockOptions, objects: readonly KubeObject[]): number {
  return start ?? newestMoment(objects) ?? startWithoutAges
}
