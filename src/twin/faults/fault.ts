// A fault as the engine holds it, read from a spec: times in milliseconds, one effect, defaults filled in.

import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseTime } from '#kube/time/time.ts'
import {
  effects,
  type FaultMatch,
  type FaultSpec,
  faultResource,
  faultSpec,
  type ImageError,
  type NodeAction,
  type WatchFault,
  watchEffects,
} from './fault-spec.ts'
import type { Spread } from './spread.ts'

export type WatchDisturbance =
  | { readonly kind: 'drop' | 'cut' | 'expire'; readonly afterEvents: number }
  | { readonly kind: 'stall'; readonly afterEvents: number; readonly forMs: number | undefined }
  | { readonly kind: 'delay'; readonly spread: Spread }
  | { readonly kind: 'repeat'; readonly every: number }
  | { readonly kind: 'bookmarkless' }

export interface NodeFault {
  readonly kind: 'node'
  readonly names: readonly string[] | undefined
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly action: NodeAction
  readonly forMs: number | undefined
}

export interface ImageFault {
  readonly kind: 'image'
  readonly pattern: string
  readonly error: ImageError
  readonly forMs: number | undefined
}

export type FaultEffect =
  | {
      readonly kind: 'status'
      readonly code: number
      readonly reason: string | undefined
      readonly message: string | undefined
      readonly retryAfterSeconds: number | undefined
    }
  | { readonly kind: 'latency'; readonly spread: Spread }
  | { readonly kind: 'reset'; readonly when: 'before' | 'after' }
  | { readonly kind: 'watch'; readonly disturbance: WatchDisturbance }
  | { readonly kind: 'compact'; readonly keepRevisions: number }
  | NodeFault
  | ImageFault

/** A spec read: times in milliseconds, one effect. */
export interface Fault {
  readonly match: FaultMatch | undefined
  readonly probability: number
  readonly skipFirst: number
  readonly count: number
  /** Moment of the cluster's clock, since 1970. */
  readonly fromMs: number
  readonly untilMs: number
  readonly effect: FaultEffect
}

/** Reads a spec; durations in `from` and `until` count from `nowMs`. @throws InputError with each place that is wrong. */
export function readFault(spec: unknown, nowMs: number, where = 'spec'): Fault {
  const read = checkAgainst(faultSpec, spec, where)
  if (!read.ok) throw new InputError(read.problems)
  const { match: wanted, probability, skipFirst, count, from, until } = read.value
  return {
    match: checkedMatch(wanted, where),
    probability: probability ?? 1,
    skipFirst: skipFirst ?? 0,
    count: count ?? (read.value.compact !== undefined && wanted === undefined ? 1 : Number.POSITIVE_INFINITY),
    fromMs: from === undefined ? nowMs : moment(from, nowMs, `${where}.from`),
    untilMs: until === undefined ? Number.POSITIVE_INFINITY : moment(until, nowMs, `${where}.until`),
    effect: effectOf(read.value, where),
  }
}

function refused(problem: Problem): InputError {
  return new InputError([problem])
}

function checkedMatch(wanted: FaultMatch | undefined, where: string): FaultMatch | undefined {
  if (wanted?.resource !== faultResource) return wanted
  throw refused({
    code: 'twin-fault-on-faults',
    where: `${where}.match.resource`,
    found: faultResource,
    expected: 'another resource: a fault must be removable',
  })
}

function effectOf(spec: FaultSpec, where: string): FaultEffect {
  const given = effects.filter(effect => spec[effect] !== undefined)
  const effect = given.length === 1 ? builtEffect(spec) : undefined
  if (effect !== undefined) return effect
  throw refused({
    code: 'twin-fault-effect',
    where,
    found: given.length === 0 ? 'none' : given.join(', '),
    expected: `exactly one of ${effects.join(', ')}`,
  })
}

function builtEffect(spec: FaultSpec): FaultEffect | undefined {
  const { status, latency, reset, compact } = spec
  if (status !== undefined) {
    const { code, reason, message, retryAfterSeconds } = status
    return { kind: 'status', code, reason, message, retryAfterSeconds }
  }
  if (latency !== undefined) return { kind: 'latency', spread: spreadOf(latency) }
  if (reset !== undefined) return { kind: 'reset', when: reset.when }
  if (spec.watch !== undefined) return watchEffect(spec.watch)
  if (compact !== undefined) return { kind: 'compact', keepRevisions: compact.keepRevisions }
  if (spec.node !== undefined) {
    const { names, selector, action } = spec.node
    return { kind: 'node', names, selector, action, forMs: optionalMs(spec.node.for) }
  }
  if (spec.image === undefined) return undefined
  return { kind: 'image', pattern: spec.image.pattern, error: spec.image.error, forMs: optionalMs(spec.image.for) }
}

function watchEffect(spec: WatchFault): FaultEffect {
  const given = Object.entries(spec).filter(([, value]) => value !== undefined)
  const disturbance = given.length === 1 ? disturbanceOf(spec) : undefined
  if (disturbance !== undefined) return { kind: 'watch', disturbance }
  throw refused({
    code: 'twin-fault-effect',
    where: 'spec.watch',
    found: given.length === 0 ? 'none' : given.map(([name]) => name).join(', '),
    expected: `exactly one of ${watchEffects.join(', ')}`,
  })
}

function disturbanceOf(spec: WatchFault): WatchDisturbance | undefined {
  for (const kind of ['drop', 'cut', 'expire'] as const) {
    const given = spec[kind]
    if (given !== undefined) return { kind, afterEvents: given.afterEvents ?? 0 }
  }
  if (spec.stall !== undefined)
    return { kind: 'stall', afterEvents: spec.stall.afterEvents ?? 0, forMs: optionalMs(spec.stall.for) }
  if (spec.delay !== undefined) return { kind: 'delay', spread: spreadOf(spec.delay) }
  if (spec.repeat !== undefined) return { kind: 'repeat', every: spec.repeat.every ?? 1 }
  return spec.bookmarkless === undefined ? undefined : { kind: 'bookmarkless' }
}

function spreadOf({ p50, p99 }: { readonly p50: string; readonly p99?: string | undefined }): Spread {
  const p50Ms = milliseconds(p50)
  return { p50Ms, p99Ms: Math.max(p50Ms, p99 === undefined ? 0 : milliseconds(p99)) }
}

/** The schema has checked the text already. */
function milliseconds(text: string): number {
  const parsed = parseDurationMs(text)
  if (!parsed.ok) throw refused(parsed.problem)
  return Math.max(0, parsed.value)
}

function optionalMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : milliseconds(text)
}

function moment(text: string, nowMs: number, where: string): number {
  const time = parseTime(text, where)
  if (time.ok) return time.value
  const after = parseDurationMs(text, where)
  if (after.ok) return nowMs + after.value
  throw refused({ ...time.problem, expected: 'a time such as 2026-03-04T05:06:07Z or a duration such as 10m' })
}
