import { describe, expect, test } from 'vitest'
import { problemSentence } from '#kube/problem.ts'
import type { RebalancePolicy } from '../api.ts'
import { readPolicy } from './plan-policy.ts'
import { nextFiringMs, runsAt, scheduleProblems, whenToPlan } from './schedule.ts'

const nowMs = Date.parse('2026-03-02T03:30:00Z')

function policy(
  spec: Record<string, unknown>,
  change: { annotations?: Record<string, string>; status?: RebalancePolicy['status'] } = {},
): RebalancePolicy {
  const object = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: {
      name: 'talos',
      creationTimestamp: '2026-03-01T12:00:00Z',
      ...(change.annotations === undefined ? {} : { annotations: change.annotations }),
    },
    spec: { goals: [{ name: 'g', nodes: ['n'], resource: 'cpu', max: 70 }], ...spec },
    ...(change.status === undefined ? {} : { status: change.status }),
  }
  const read = readPolicy(object)
  if (!read.ok) throw new Error(read.problems.map(problemSentence).join('\n'))
  return read.policy
}

describe('a policy is planned', () => {
  const daily = { schedule: '0 4 * * *', timeZone: 'Europe/Berlin' }
  // biome-ignore format: a table
  test.each<[string, RebalancePolicy, string]>([
    ['at the next time of its schedule, in its zone', policy(daily, { status: { lastScheduleTime: '2026-03-02T03:00:00Z' } }),   'at 2026-03-03T03:00:00.000Z'],
    ['now, when its time passed and nobody acted',    policy(daily),                                                              'now schedule 2026-03-02T03:00:00.000Z'],
    ['not for a time more than an hour ago',          policy({ schedule: '0 2 * * *' }),                                          'at 2026-03-03T02:00:00.000Z'],
    ['at the next time, where the last one was written by a clock that was ahead', policy({ schedule: '0 2 * * *' }, { status: { lastScheduleTime: '2026-04-02T02:00:00Z' } }), 'at 2026-03-03T02:00:00.000Z'],
    ['now, where it is that time and the last one was written by a clock that was ahead', policy({ schedule: '0 3 * * *' }, { status: { lastScheduleTime: '2026-04-02T02:00:00Z' } }), 'now schedule 2026-03-02T03:00:00.000Z'],
    ['now, when asked',                               policy({ trigger: 'manual' }, { annotations: { 'ballast.dev/plan-now': 'a' } }), 'now asked a'],
    ['not again for the same asking',                 policy({ trigger: 'manual' }, { annotations: { 'ballast.dev/plan-now': 'a' }, status: { lastPlanNow: 'a' } }), 'never'],
    ['now, when asked anew',                          policy({ trigger: 'manual' }, { annotations: { 'ballast.dev/plan-now': 'b' }, status: { lastPlanNow: 'a' } }), 'now asked b'],
    ['never by itself with trigger manual',           policy({ trigger: 'manual', schedule: '0 4 * * *' }),                       'never'],
  ])('%s', (_name, given, expected) => {
    const due = whenToPlan(given, nowMs)
    expect(due.kind === 'now' ? `now ${due.trigger.key}` : due.kind === 'at' ? `at ${new Date(due.atMs).toISOString()}` : 'never').toBe(expected)
  })
})

describe('rebalancing is never continuous', () => {
  // biome-ignore format: a table
  test.each<[string, Record<string, unknown>, string]>([
    ['a daily schedule is fine',                   { schedule: '0 4 * * *' },                                              ''],
    ['no schedule and no manual trigger',          {},                                                                     'schedule-missing'],
    ['every five minutes',                         { schedule: '*/5 * * * *' },                                            'schedule-continuous'],
    ['two close times a day',                      { schedule: '0,10 4 * * *' },                                           'schedule-continuous'],
    ['every five minutes without enforce',         { schedule: '*/5 * * * *', coordination: { enforce: false } },          ''],
    ['a schedule that does not parse',             { schedule: '61 4 * * *' },                                             'window-cron'],
    ['a zone that does not exist',                 { schedule: '0 4 * * *', timeZone: 'Mars/Olympus' },                    'window-zone'],
    ['a window that does not parse',               { trigger: 'manual', windows: [{ cron: '0 4 * * *', duration: 'ages' }] }, 'window-duration'],
  ])('%s', (_name, spec, expected) => expect(scheduleProblems(policy(spec), nowMs).map(problem => problem.code).join(' ')).toBe(expected))
})

test('an approved plan runs inside a window of its policy, and at any time without one', () => {
  const windowed = policy({ trigger: 'manual', timeZone: 'Europe/Berlin', windows: [{ cron: '0 5 * * *', duration: '2h' }] })
  expect(runsAt(windowed, nowMs)).toEqual({ isOpen: false, nextMs: Date.parse('2026-03-02T04:00:00Z') })
  expect(runsAt(windowed, Date.parse('2026-03-02T05:59:59Z')).isOpen).toBe(true)
  expect(runsAt(windowed, Date.parse('2026-03-02T06:00:00Z')).isOpen).toBe(false)
  expect(runsAt(policy({ trigger: 'manual' }), nowMs).isOpen).toBe(true)
})

test('a policy that does not have its shape is refused with every field', () => {
  const object = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'talos' },
    spec: { mode: 'Sometimes', goals: [{ name: 'g', resource: 'a card' }] },
  }
  const read = readPolicy(object)
  expect(read.ok ? [] : read.problems.map(problem => problem.where)).toEqual([
    'RebalancePolicy talos: spec.mode',
    'RebalancePolicy talos: spec.goals.0.resource',
  ])
})

describe('when clocks change in Berlin', () => {
  const at = (text: string) => Date.parse(text)
  const times = (spec: Record<string, unknown>, from: string) => {
    const given = policy({ timeZone: 'Europe/Berlin', ...spec })
    const found: string[] = []
    for (let ms: number | undefined = at(from); ms !== undefined && found.length < 3; ) {
      ms = nextFiringMs(given, ms)
      if (ms !== undefined) found.push(new Date(ms).toISOString().slice(0, 16))
    }
    return found
  }

  test('a schedule keeps its hour; one that is left out comes when the clocks have changed, one that is there twice comes once', () => {
    expect(times({ schedule: '0 4 * * *' }, '2026-03-28T12:00Z')).toEqual([
      '2026-03-29T02:00',
      '2026-03-30T02:00',
      '2026-03-31T02:00',
    ])
    expect(times({ schedule: '30 2 * * *' }, '2026-03-28T12:00Z')).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
      '2026-03-31T00:30',
    ])
    expect(times({ schedule: '30 2 * * *' }, '2026-10-24T12:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
      '2026-10-27T01:30',
    ])
  })

  test('a window lasts as long as it says, whatever the clocks show', () => {
    const windowed = policy({ trigger: 'manual', timeZone: 'Europe/Berlin', windows: [{ cron: '0 1 * * *', duration: '3h' }] })
    const isOpen = (text: string) => runsAt(windowed, at(text)).isOpen
    expect([isOpen('2026-03-29T00:00Z'), isOpen('2026-03-29T02:59Z'), isOpen('2026-03-29T03:00Z')]).toEqual([true, true, false])
    expect([isOpen('2026-10-24T23:00Z'), isOpen('2026-10-25T01:59Z'), isOpen('2026-10-25T02:00Z')]).toEqual([true, true, false])
  })

  test('every quarter of an hour stays allowed', () => {
    for (const day of ['2026-03-28T20:00Z', '2026-10-24T20:00Z'])
      expect(scheduleProblems(policy({ timeZone: 'Europe/Berlin', schedule: '*/15 * * * *' }), at(day))).toEqual([])
  })
})
