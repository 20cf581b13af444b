import { expect, test } from 'vitest'
import { settingsFor, workload } from '../testdata/workloads.ts'
import { beginsPause, pauseState } from './pause.ts'

const period = 'deployment.reloader.stakater.com/pause-period'
const pausedAt = 'deployment.reloader.stakater.com/paused-at'
const startMs = Date.UTC(2026, 0, 1)
const start = '2026-01-01T00:00:00Z'
const settings = settingsFor()

function deployment(annotations: Readonly<Record<string, string>>, isPaused: boolean) {
  return workload({ annotations, spec: { ...(isPaused && { paused: true }) } })
}

test.each<[string, Readonly<Record<string, string>>, boolean, number, unknown]>([
  ['runs', { [period]: '15s', [pausedAt]: start }, false, 0, { kind: 'none' }],
  ['somebody else paused it', { [period]: '15s' }, true, 0, { kind: 'foreign' }],
  ['an empty moment is nobody of ours', { [period]: '15s', [pausedAt]: '' }, true, 0, { kind: 'foreign' }],
  [
    'S9 within the period',
    { [period]: '15s', [pausedAt]: start },
    true,
    4_000,
    { kind: 'ours', resumeAtMs: startMs + 15_000, why: 'period' },
  ],
  [
    'S10 the same after a restart at 5 s',
    { [period]: '15s', [pausedAt]: start },
    true,
    5_000,
    { kind: 'ours', resumeAtMs: startMs + 15_000, why: 'period' },
  ],
  [
    'the period is over',
    { [period]: '15s', [pausedAt]: start },
    true,
    20_000,
    { kind: 'ours', resumeAtMs: startMs + 20_000, why: 'period' },
  ],
  [
    'the moment cannot be read',
    { [period]: '15s', [pausedAt]: 'soon' },
    true,
    1_000,
    { kind: 'ours', resumeAtMs: startMs + 1_000, why: 'moment-unreadable' },
  ],
  [
    'the period was taken away',
    { [pausedAt]: start },
    true,
    1_000,
    { kind: 'ours', resumeAtMs: startMs + 1_000, why: 'period-gone' },
  ],
  [
    'the period cannot be read',
    { [period]: 'x', [pausedAt]: start },
    true,
    1_000,
    { kind: 'ours', resumeAtMs: startMs + 1_000, why: 'period-gone' },
  ],
  [
    'with another offset',
    { [period]: '15s', [pausedAt]: '2026-01-01T01:00:00+01:00' },
    true,
    0,
    { kind: 'ours', resumeAtMs: startMs + 15_000, why: 'period' },
  ],
])('%s', (_, annotations, isPaused, elapsedMs, state) => {
  expect(pauseState(deployment(annotations, isPaused), settings, startMs + elapsedMs)).toEqual(state)
})

test.each([
  ['15s', false, true],
  ['1h30m', false, true],
  ['0s', false, false],
  ['-1s', false, false],
  ['soon', false, false],
  ['15s', true, false],
])('a period of %s, paused already: %s', (text, isPaused, begins) => {
  expect(beginsPause(deployment({ [period]: text }, isPaused))).toBe(begins)
})

test('a period that cannot be read is told, one on another kind too', () => {
  expect(deployment({ [period]: 'soon' }, false).problems).toEqual([
    { key: period, value: 'soon', why: 'expected a duration such as "1h30m" or "500ms"' },
  ])
  expect(workload({ kind: 'DaemonSet', annotations: { [period]: '15s' } }).problems).toEqual([
    { key: period, value: '15s', why: 'expected on Deployments only' },
  ])
})
