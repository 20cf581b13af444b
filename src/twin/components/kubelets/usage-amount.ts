// How much of a resource a container uses at a moment, as a TwinUsage says it. Pure.

import { evaluateCel } from '#kube/cel/cel.ts'
import type { Node, Pod } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import type { UsageAmount } from '../../own-kinds/usage-spec.ts'
import { checkCel } from '../cel-check.ts'
import { noiseCeiling, wanderingNoise } from './usage-noise.ts'

/** What an amount may depend on. */
export interface UsageSubject {
  readonly pod: Pod
  readonly node: Node | undefined
  /** Pods of the same controller. */
  readonly replicas: () => number
  /** Cores or bytes that the container requests; `undefined` where it requests none. */
  readonly request: number | undefined
  /** Tells containers' noise apart. */
  readonly seed: number
  readonly nowMs: number
}

/** Cores or bytes. */
export type AmountAt = (subject: UsageSubject) => number

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const weekMs = 7 * dayMs
const weekdays = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed']

/**
 * The most that an amount can ever be for a container that requests so much; infinite where that is not known before.
 * @throws InputError naming what cannot be read
 */
export function readCeiling(amount: UsageAmount, where: string): (request: number) => number {
  const { constant, curve, ofRequest, noise = 0 } = amount
  const noisy = 1 + noise * noiseCeiling
  if (ofRequest !== undefined) return request => ofRequest * request * noisy
  const texts = constant === undefined ? curve?.map(point => point.value) : [constant]
  const most = texts === undefined ? Number.POSITIVE_INFINITY : Math.max(...texts.map(text => amountOf(text, where))) * noisy
  return () => most
}

/** Reads an amount. @throws InputError naming what cannot be read */
export function readAmount(amount: UsageAmount, where: string): AmountAt {
  const base = baseOf(amount, where)
  const { noise = 0 } = amount
  if (noise === 0) return base
  return subject => Math.max(0, base(subject) * (1 + noise * wanderingNoise(subject.seed, subject.nowMs)))
}

function baseOf({ constant, curve, ofRequest, expression }: UsageAmount, where: string): AmountAt {
  if (constant !== undefined) {
    const value = amountOf(constant, `${where}.constant`)
    return () => value
  }
  if (curve !== undefined) return curveOf(curve, `${where}.curve`)
  if (ofRequest !== undefined) return ({ request }) => ofRequest * (request ?? 0)
  return expressionOf(expression ?? '', `${where}.expression`)
}

function expressionOf(source: string, where: string): AmountAt {
  checkCel(source, where)
  return ({ pod, node, replicas, nowMs }) => {
    const outcome = evaluateCel(source, { now: nowMs / 1000, pod, node: node ?? {}, replicas: replicas() })
    const value = outcome.ok ? outcome.value : outcome.problem
    if (typeof value === 'bigint') return Math.max(0, Number(value))
    if (typeof value === 'number') return Math.max(0, value)
    const parsed = typeof value === 'string' && outcome.ok ? parseQuantity(value) : undefined
    if (parsed?.ok === true) return Math.max(0, Number(parsed.value.nanos) / 1e9)
    throw refused(where, String(value), 'CEL that yields a number or a quantity')
  }
}

/** Straight lines from point to point, round and round: by the week where a point names a day, else by the day. */
function curveOf(points: NonNullable<UsageAmount['curve']>, where: string): AmountAt {
  const isWeekly = points.some(point => point.at.includes(' '))
  const periodMs = isWeekly ? weekMs : dayMs
  const read = points.flatMap((point, index) => {
    const value = amountOf(point.value, `${where}[${index}].value`)
    return momentsOf(point.at, isWeekly).map(atMs => ({ atMs, value }))
  })
  const sorted = read.toSorted((a, b) => a.atMs - b.atMs)
  const [first] = sorted
  const last = sorted.at(-1)
  if (first === undefined || last === undefined) throw refused(where, 'none', 'a point at least')
  const around = [{ ...last, atMs: last.atMs - periodMs }, ...sorted, { ...first, atMs: first.atMs + periodMs }]
  return ({ nowMs }) => {
    const at = ((nowMs % periodMs) + periodMs) % periodMs
    const next = around.findIndex(point => point.atMs > at)
    const after = around[next] ?? first
    const before = around[next - 1] ?? last
    const span = after.atMs - before.atMs
    return span <= 0 ? before.value : before.value + ((after.value - before.value) * (at - before.atMs)) / span
  }
}

/** Milliseconds into the period; in a week a time without a day is one of each day. 1970 began on a Thursday. */
function momentsOf(at: string, isWeekly: boolean): readonly number[] {
  const [time = '', day] = at.split(' ').toReversed()
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  const inDay = (hours * 60 + minutes) * minuteMs
  if (day !== undefined) return [weekdays.indexOf(day) * dayMs + inDay]
  return isWeekly ? weekdays.map((_, index) => index * dayMs + inDay) : [inDay]
}

/** Cores or bytes that a quantity says. @throws InputError */
function amountOf(text: string | number, where: string): number {
  const parsed = parseQuantity(text)
  if (!parsed.ok) throw new InputError([{ ...parsed.problem, where }])
  return Math.max(0, Number(parsed.value.nanos) / 1e9)
}

function refused(where: string, found: string, expected: string): InputError {
  const problem: Problem = { code: 'twin-usage-amount', where, found, expected }
  return new InputError([problem])
}
