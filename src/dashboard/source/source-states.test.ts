import { expect, test } from 'vitest'
import { metricsSource } from './source-states.ts'
import type { UsageAnswer } from './usage-poll.ts'

const nowMs = Date.parse('2026-01-01T00:10:00Z')
const elapsed = 1_000_000
const answer: UsageAnswer = { answeredElapsed: elapsed - 5_000, isWithoutPods: false, trouble: undefined }
const trouble = (kind: 'absent' | 'denied' | 'failed') => ({ kind, message: 'why' })

test.each<{
  readonly what: string
  readonly given: Partial<UsageAnswer>
  readonly state: string
  readonly lastAt: string | null
}>([
  { what: 'it answered lately', given: {}, state: 'live', lastAt: '2026-01-01T00:09:55Z' },
  {
    what: 'time runs fast and it answers',
    given: { answeredElapsed: elapsed - 500_000 },
    state: 'live',
    lastAt: '2026-01-01T00:01:40Z',
  },
  { what: 'it fails for a short while', given: { trouble: trouble('failed') }, state: 'live', lastAt: '2026-01-01T00:09:55Z' },
  { what: 'it is not served', given: { trouble: trouble('absent') }, state: 'off', lastAt: null },
  { what: 'it may not be read', given: { trouble: trouble('denied') }, state: 'down', lastAt: null },
])('usage: $what', ({ given, state, lastAt }) => {
  expect(metricsSource({ ...answer, ...given }, { nowMs, elapsed })).toMatchObject({ name: 'metrics', state, lastAt })
})

test('usage that fails for long is stale or down, and never live', () => {
  const silent = metricsSource({ ...answer, answeredElapsed: 0, trouble: trouble('failed') }, { nowMs, elapsed })
  expect(['stale', 'down']).toContain(silent.state)
})
