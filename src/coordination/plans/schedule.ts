// When a policy is planned, and when an approved plan may run. Pure: the schedule, what was done, and the time.

import type { Parsed, Problem } from '#kube/problem.ts'
import { isWithin, parseWindow, type Window } from '#kube/time/window.ts'
import type { RebalancePolicy } from '../api.ts'
import { planNowAnnotation } from './names.ts'

/** Why a plan is made: told apart by `key`, so that one reason makes one plan however often it is looked at. */
export type Trigger =
  | { readonly kind: 'asked'; readonly key: string; readonly value: string }
  | { readonly kind: 'schedule'; readonly key: string; readonly atMs: number }

type Due =
  | { readonly kind: 'now'; readonly trigger: Trigger }
  | { readonly kind: 'at'; readonly atMs: number }
  /** Only when asked. */
  | { readonly kind: 'never' }

/** A schedule may not fire more often than this: rebalancing is no continuous fight with whoever places pods. */
const leastBetweenMs = 15 * 60_000
/** A time of the schedule that was missed (nobody led) is made up for within this. */
const makeUpMs = 3_600_000
/** Clocks of machines that follow NTP differ by less. */
const toleratedSkewMs = 60_000
/** How many firings are looked at for the densest pair: more than a week of the densest schedule allowed. */
const firingsLookedAt = 700

/** Whether `policy` is to be planned now, and why; else when. A policy with schedule problems is only planned when asked. */
export function whenToPlan(policy: RebalancePolicy, nowMs: number): Due {
  const asked = policy.metadata.annotations?.[planNowAnnotation]
  if (asked !== undefined && asked !== policy.status?.lastPlanNow)
    return { kind: 'now', trigger: { kind: 'asked', key: `asked ${asked}`, value: asked } }
  const schedule = scheduleOf(policy)
  if (schedule === undefined || !schedule.ok) return { kind: 'never' }
  const writtenMs = Date.parse(
    policy.status?.lastScheduleTime ?? policy.metadata.creationTimestamp ?? new Date(nowMs).toISOString(),
  )
  // A clock that was set back wrote of times to come: they say nothing of what was planned.
  const sinceMs = writtenMs - nowMs > toleratedSkewMs ? Number.NEGATIVE_INFINITY : writtenMs
  const latestMs = latestFiring(schedule.value, { afterMs: Math.max(sinceMs, nowMs - makeUpMs), untilMs: nowMs })
  if (latestMs !== undefined)
    return { kind: 'now', trigger: { kind: 'schedule', key: `schedule ${new Date(latestMs).toISOString()}`, atMs: latestMs } }
  const next = schedule.value.nextAfter(nowMs)
  return next === undefined ? { kind: 'never' } : { kind: 'at', atMs: next.startMs }
}

/** When the schedule of `policy` comes next after `nowMs`; `undefined` where it has none. */
export function nextFiringMs(policy: RebalancePolicy, nowMs: number): number | undefined {
  const schedule = scheduleOf(policy)
  return schedule?.ok === true ? schedule.value.nextAfter(nowMs)?.startMs : undefined
}

/** When a plan of this policy may run: inside one of its windows, at any time where it has none. `undefined` opens never. */
export function runsAt(
  policy: RebalancePolicy,
  nowMs: number,
): { readonly isOpen: boolean; readonly nextMs: number | undefined } {
  const windows = windowsOf(policy).flatMap(window => (window.ok ? [window.value] : []))
  if (policy.spec.windows.length === 0 || isWithin(windows, nowMs)) return { isOpen: true, nextMs: nowMs }
  const starts = windows.flatMap(window => window.nextAfter(nowMs)?.startMs ?? [])
  return { isOpen: false, nextMs: starts.length === 0 ? undefined : Math.min(...starts) }
}

/** What is wrong with schedule and windows: missing, not parsing, continuous. */
export function scheduleProblems(policy: RebalancePolicy, nowMs: number): readonly Problem[] {
  return [...triggerProblems(policy, nowMs), ...windowsOf(policy).flatMap(window => (window.ok ? [] : [window.problem]))]
}

function triggerProblems(policy: RebalancePolicy, nowMs: number): readonly Problem[] {
  const { spec } = policy
  const where = `RebalancePolicy ${policy.metadata.name}: spec.schedule`
  // Without goals there is nothing to plan by a schedule: an isolation goes on by itself.
  if (spec.trigger === 'manual' || (spec.goals.length === 0 && spec.energy === undefined && spec.schedule === undefined))
    return []
  const schedule = scheduleOf(policy)
  if (schedule === undefined) {
    return [
      {
        code: 'schedule-missing',
        where,
        found: '',
        expected: 'a cron schedule, or spec.trigger: manual (rebalancing is never continuous)',
      },
    ]
  }
  if (!schedule.ok) return [schedule.problem]
  if (!spec.coordination.enforce || !isDense(schedule.value, nowMs)) return []
  const expected = 'at least 15 minutes between two runs while coordination.enforce is true (rebalancing is never continuous)'
  return [{ code: 'schedule-continuous', where, found: spec.schedule ?? '', expected }]
}

function isDense(schedule: Window, nowMs: number): boolean {
  let before: number | undefined
  let atMs: number | undefined = nowMs
  for (let seen = 0; seen < firingsLookedAt && atMs !== undefined; seen++) {
    const next: number | undefined = schedule.nextAfter(atMs)?.startMs
    if (before !== undefined && next !== undefined && next - before < leastBetweenMs) return true
    before = next
    atMs = next
  }
  return false
}

function latestFiring(schedule: Window, range: { readonly afterMs: number; readonly untilMs: number }): number | undefined {
  let latest: number | undefined
  for (
    let next = schedule.nextAfter(range.afterMs)?.startMs;
    next !== undefined && next <= range.untilMs;
    next = schedule.nextAfter(next)?.startMs
  ) {
    latest = next
  }
  return latest
}

/** The schedule as windows of a second, so that one rule of cron holds for both. `undefined`: the policy has none. */
function scheduleOf({ metadata, spec }: RebalancePolicy): Parsed<Window> | undefined {
  if (spec.trigger === 'manual' || spec.schedule === undefined) return undefined
  const where = `RebalancePolicy ${metadata.name}: spec.schedule`
  const parsed = parseWindow(`${spec.schedule};1s;${spec.timeZone}`, where)
  if (parsed.ok) return parsed
  return { ok: false, problem: { ...parsed.problem, found: `${spec.schedule} (${spec.timeZone})` } }
}

function windowsOf({ metadata, spec }: RebalancePolicy): readonly Parsed<Window>[] {
  return spec.windows.map(({ cron, duration }, index) =>
    parseWindow(`${cron};${duration};${spec.timeZone}`, `RebalancePolicy ${metadata.name}: spec.windows[${index}]`),
  )
}
