// The TwinClock: time that kubectl drives.
import { type Cancel, type Clock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { formatDurationMs, parseDurationMs } from '#kube/time/duration.ts'
import { type Pace, PacedClock, type SteeredClock } from '#kube/time/paced-clock.ts'
import { formatMicroTime } from '#kube/time/time.ts'
import { clockResource, twinGroup } from '../faults/fault-spec.ts'
import { fieldsAt } from '../json-value.ts'
import { type ClockSpec, clockName, clockSpec } from './clock-spec.ts'
import { type KindContext, type KindHandler, twinWriter, writeStatus } from './kind-controller.ts'

const resource = `${clockResource}.${twinGroup}`
const fastest = 10_000
/** How often the time is written while it runs, of real time. */
const writeEveryMs = 5_000

interface ClockParts {
  readonly clock: Clock
  /** Real time: how often `status.now` is written. */
  readonly wire: Clock
  readonly isSettled: () => boolean
  /** Milliseconds until the next thing that happens by itself; `undefined` where nothing does. */
  readonly nextMs: () => number | undefined
}

/** Steers the clock as far as it can be: one that stands still by itself can be advanced, a host's cannot be touched. */
export function clockObject(context: KindContext, { clock, wire, isSettled, nextMs }: ClockParts): KindHandler {
  let advancedMs = 0
  let advancing = Promise.resolve()
  let cancel: Cancel | undefined
  const steered = clock instanceof PacedClock ? clock : undefined
  const state = () => ({
    now: formatMicroTime(clock.now()),
    speed: String(steered?.pace ?? (clock instanceof VirtualClock ? 0 : 1)),
    paused: steered?.isPaused ?? clock instanceof VirtualClock,
    ...(pendingOf(clock) === undefined ? {} : { pendingTimers: pendingOf(clock) }),
    settled: isSettled(),
    advanced: formatDurationMs(advancedMs),
  })
  const write = () => writeStatus(context, resource, clockName, { fields: state() })
  const advance = async (ms: number) => {
    if (steered !== undefined) await steered.advance(ms)
    else if (clock instanceof VirtualClock) await clock.advance(ms)
    advancedMs += ms
    write()
  }
  const goToNext = async (times: number) => {
    for (let time = 0; time < times; time++) {
      const ms = nextMs() ?? nextTimerMs(clock)
      if (ms === undefined) return
      await advance(ms)
    }
  }
  const follow = () => {
    if (steered?.isPaused === false) write()
    cancel = wire.schedule(writeEveryMs, follow)
  }
  return {
    resource,
    set(object: KubeObject) {
      const spec = readSpec(object)
      if (steered !== undefined) steer(steered, spec)
      else if (!(clock instanceof VirtualClock)) throw untouchable()
      if (spec.advance !== undefined) {
        const parsed = parseDurationMs(spec.advance, 'spec.advance')
        if (!parsed.ok) throw new InputError([parsed.problem])
        advancing = advancing.then(() => advance(parsed.value))
      }
      const { next } = spec
      if (next !== undefined) advancing = advancing.then(() => goToNext(next))
      if (next !== undefined || spec.advance !== undefined) clearTriggers(context, object)
      if (steered !== undefined) cancel ??= wire.schedule(writeEveryMs, follow)
      return state()
    },
    unset() {
      cancel?.()
      cancel = undefined
    },
  }
}

function pendingOf(clock: Clock): number | undefined {
  return clock instanceof VirtualClock || clock instanceof PacedClock ? clock.pending : undefined
}

function nextTimerMs(clock: Clock): number | undefined {
  if (clock instanceof PacedClock) return clock.nextInMs
  const dueMs = clock instanceof VirtualClock ? clock.nextDueMs : undefined
  return dueMs === undefined ? undefined : dueMs - clock.now()
}

function readSpec(object: KubeObject): ClockSpec {
  const read = checkAgainst(clockSpec, fieldsAt(object, 'spec') ?? {}, `TwinClock ${object.metadata.name}: spec`)
  if (!read.ok) throw new InputError(read.problems)
  return read.value
}

function steer(clock: SteeredClock, spec: ClockSpec): void {
  if (spec.speed !== undefined) clock.setPace(paceOf(spec.speed))
  if (spec.paused === true) clock.pause()
  else if (spec.paused === false) clock.resume()
}

/** The pace that a text says. @throws InputError */
function paceOf(text: string, where = 'spec.speed'): Pace {
  if (text === 'max') return 'max'
  const pace = Number(text)
  if (pace > 0 && pace <= fastest) return pace
  throw new InputError([{ code: 'twin-clock-speed', where, found: text, expected: `max, or more than 0 and at most ${fastest}` }])
}

/** A trigger is pulled once: the field goes, so that the same can be given again. */
function clearTriggers({ access }: KindContext, object: KubeObject): void {
  const { advance: _, next: __, ...spec } = fieldsAt(object, 'spec') ?? {}
  access.update(resource, { ...object, spec }, twinWriter)
}

function untouchable(): InputError {
  return new InputError([
    {
      code: 'twin-clock-real',
      where: 'the clock of this twin',
      found: "the host's own",
      expected: 'one that was made to be steered',
    },
  ])
}
