import { expect, test } from 'vitest'
import type { Source } from '../contract.ts'
import { controllerSource, kindSources, metricsSource } from './source-states.ts'
import type { UsageAnswer } from './usage-poll.ts'

const nowMs = Date.parse('2026-01-01T00:10:00Z')
const elapsed = 1_000_000
const answer: UsageAnswer = { answeredElapsed: elapsed - 5_000, isWithoutPods: false, trouble: undefined, measured: undefined }
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

const live: Source = { name: 'api', state: 'live', lastAt: '2026-01-01T00:09:50Z', limitMs: 60_000, because: null }
const kind = (resource: string, over: Partial<Parameters<typeof kindSources>[0][number]>) => ({
  resource: { group: '', version: 'v1', resource },
  state: 'synced' as const,
  problem: undefined,
  isSynced: true,
  lastEventElapsed: elapsed - 5_000,
  ...over,
})

test.each<{
  readonly what: string
  readonly given: Parameters<typeof kind>[1]
  readonly told: readonly (readonly [string, string])[]
}>([
  { what: 'heard', given: {}, told: [] },
  { what: 'not served', given: { state: 'absent' }, told: [] },
  { what: 'refused', given: { state: 'denied' }, told: [['down', 'Your account lacks list on pods.']] },
  {
    what: 'never read, and failing',
    given: { state: 'failing', isSynced: false, problem: 'GET /api/v1/pods: 500' },
    told: [['down', 'No pods could be read yet: 500']],
  },
  { what: 'failing for a short while', given: { state: 'failing', problem: '500' }, told: [] },
  {
    what: 'failing for two minutes while others are heard',
    given: { state: 'failing', problem: '500', lastEventElapsed: elapsed - 120_000 },
    told: [['stale', 'Nothing new was heard of pods for 2m: 500']],
  },
  {
    what: 'failing for eleven minutes',
    given: { state: 'failing', problem: '500', lastEventElapsed: elapsed - 660_000 },
    told: [['down', 'Nothing new was heard of pods for 11m: 500']],
  },
])('a kind that is $what', ({ given, told }) => {
  const sources = kindSources([kind('nodes', {}), kind('pods', given)], { api: live, nowMs, elapsed })
  expect(sources.map(({ name, state, because }) => [name, state, because])).toEqual(told.map(one => ['pods', ...one]))
})

test('where the API server itself is silent, its kinds are not told of one by one', () => {
  const late = kind('pods', { state: 'failing', problem: '500', lastEventElapsed: elapsed - 120_000 })
  expect(kindSources([late], { api: { ...live, state: 'stale' }, nowMs, elapsed })).toEqual([])
})

const ago = (seconds: number) => new Date(nowMs - seconds * 1_000).toISOString()
const held = (seconds: number) => ({ spec: { holderIdentity: 'one', renewTime: ago(seconds), leaseDurationSeconds: 15 } })
const nobody = 'No controller leads here: nobody renews the Lease ballast-controller in ballast-system'

test.each<{
  readonly what: string
  readonly lease: Parameters<typeof controllerSource>[0]
  readonly ledger?: Source['state']
  readonly api?: Source['state']
  readonly told: readonly [string, string | null]
}>([
  { what: 'renewed lately', lease: held(3), told: ['live', null] },
  { what: 'a little ahead of our clock', lease: held(-3), told: ['live', null] },
  { what: 'not renewed within its time', lease: held(60), told: ['down', nobody] },
  { what: 'given back', lease: { spec: { ...held(3).spec, holderIdentity: '' } }, told: ['down', nobody] },
  { what: 'without a time', lease: { spec: { holderIdentity: 'one' } }, told: ['down', nobody] },
  { what: 'not there', lease: undefined, told: ['down', nobody] },
  { what: 'not there, nor anything of Ballast', lease: undefined, ledger: 'off', told: ['off', nobody] },
  { what: 'not heard of any more', lease: held(300), api: 'stale', told: ['stale', null] },
])('the Lease of the controller $what', ({ lease, ledger = 'live', api = 'live', told }) => {
  const given = { api: { ...live, state: api }, ledger: { ...live, state: ledger }, nowMs, ownNamespace: 'ballast-system' }
  const { name, state, because } = controllerSource(lease, given)
  expect([name, state, because]).toEqual(['controller', ...told])
})
