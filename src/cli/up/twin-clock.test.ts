import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ClockOptions, clockOf, momentOption, paceOption } from './twin-clock.ts'

const made: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', creationTimestamp: '2026-05-01T00:00:00Z' },
}

describe('a virtual clock', () => {
  // biome-ignore format: a table
  test.each<[string, Omit<ClockOptions, 'clock'>, readonly KubeObject[], string, boolean]>([
    ['of an empty cluster', {}, [], '2026-01-01T00:00:00.000Z', true],
    ['of a snapshot', {}, [made], '2026-05-01T00:00:00.000Z', true],
    ['with a start', { start: Date.UTC(2027, 0, 1) }, [made], '2027-01-01T00:00:00.000Z', true],
    ['with a speed runs', { speed: 'max' }, [], '2026-01-01T00:00:00.000Z', false],
    ['paused stands still', { speed: 60, paused: true }, [], '2026-01-01T00:00:00.000Z', true],
  ])('%s', (_, options, objects, start, isPaused) => {
    using clock = clockOf({ clock: 'virtual', ...options }, objects)
    if (clock.isPaused) expect(new Date(clock.now()).toISOString()).toBe(start)
    expect(clock.isPaused).toBe(isPaused)
  })
})

test('a real clock starts now', () => {
  using clock = clockOf({ clock: 'real' }, [made])
  expect([clock.isPaused, clock.pace]).toEqual([false, 1])
})

// biome-ignore format: a table
test.each<[string, () => unknown, RegExp]>([
  ['a real clock with a start', () => clockOf({ clock: 'real', start: 0 }, []), /--start needs --clock virtual/],
  ['a real clock that skips time', () => clockOf({ clock: 'real', speed: 'max' }, []), /--speed max needs --clock virtual/],
  ['a speed that is none', () => paceOption('fast'), /max or a whole number from 1 to 10000/],
  ['too fast', () => paceOption('10001'), /from 1 to 10000/],
  ['a moment that is none', () => momentOption('noon'), /a time such as/],
])('%s is refused', (_, ask, words) => {
  expect(ask).toThrow(words)
})
