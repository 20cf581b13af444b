import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { OpenedTrigger } from '../scaler.ts'
import { scalerWorld } from '../testdata/scaler-world.ts'
import { cron, cronTrigger } from './cron.ts'
import { isCronActive, nextWindows } from './cron-windows.ts'

function trigger(metadata: Record<string, string>, index = 0): OpenedTrigger {
  return {
    type: 'cron',
    name: undefined,
    index,
    metricType: undefined,
    given: { metadata: { desiredReplicas: '10', timezone: 'Etc/UTC', ...metadata }, env: {}, auth: {} },
    owner: { kind: 'ScaledObject', namespace: 'media', name: 'sonarr', uid: 'u', generation: 1 },
  }
}

const isActive = (metadata: Record<string, string>, when: string) =>
  isCronActive(cronTrigger(trigger(metadata)), Date.parse(when))

describe('cases C of the contract', () => {
  const c1 = [
    [{ start: '0 0 * * Thu', end: '59 23 * * Thu' }, 's0-cron-Etc-UTC-00xxThu-5923xxThu'],
    [{ start: '0 */2 * * *', end: '0 1-23/2 * * *' }, 's1-cron-Etc-UTC-0xSl2xxx-01-23Sl2xxx'],
    [{ start: '0,30 * * * *', end: '15,45 * * * *' }, 's2-cron-Etc-UTC-0Cm30xxxx-15Cm45xxxx'],
  ] as const
  test.each<[string, readonly boolean[]]>([
    ['2026-11-26T14:10:00Z', [true, true, true]],
    ['2026-11-26T15:10:00Z', [true, false, true]],
    ['2026-11-26T14:20:00Z', [true, true, false]],
  ])('C1 on Thursday at %s', (when, expected) => {
    expect(c1.map(([metadata]) => isActive(metadata, when))).toEqual(expected)
  })

  test('C1: names, values and targets', async () => {
    const clock = new VirtualClock(Date.parse('2026-11-26T15:10:00Z'))
    const signal = new AbortController().signal
    const told = await Promise.all(
      c1.map(async ([metadata], index) => {
        await using scaler = await cron.open(trigger(metadata, index), scalerWorld({ clock }))
        const [metric] = await scaler.metrics(signal)
        return { metric, ...(await scaler.read('x', signal)) }
      }),
    )
    expect(told).toMatchObject(
      c1.map(([, name], index) => ({
        metric: { external: { metric: { name }, target: { type: 'AverageValue', averageValue: '1' } } },
        values: [{ name: 'x', value: index === 1 ? 0 : 10 }],
        isActive: index !== 1,
      })),
    )
  })

  const c2 = { start: '0 8 * * 5,6,0', end: '0 20 * * 0', timezone: 'Europe/Rome' }
  const c3 = { start: '30 2 * * *', end: '0 4 * * *', timezone: 'Europe/Rome' }
  const c4 = { start: '0 8 * * *', end: '0 18 * * *', timezone: 'Europe/Rome' }
  const weekend = { start: '0 22 * * 5', end: '0 6 * * 1', timezone: 'Europe/Rome' }
  const never = { start: '0 0 30 2 *', end: '0 12 * * *' }
  const safe = { dstSafe: 'true' }
  test.each<[string, Record<string, string>, string, boolean]>([
    ['C2 on Friday', c2, '2027-01-01T12:00:00+01:00', false],
    ['C2 on Saturday', c2, '2027-01-02T12:00:00+01:00', false],
    ['C2 on Sunday', c2, '2027-01-03T12:00:00+01:00', true],
    ['C2 on Friday, safe', { ...c2, ...safe }, '2027-01-01T12:00:00+01:00', true],
    ['C2 on Monday, safe', { ...c2, ...safe }, '2027-01-04T12:00:00+01:00', false],
    ['C3 the morning before', c3, '2027-03-27T05:00:00+01:00', true],
    ['C3 the evening before', c3, '2027-03-27T20:00:00+01:00', true],
    ['C3 the day itself', c3, '2027-03-28T05:00:00+02:00', false],
    ['C3 the morning before, safe', { ...c3, ...safe }, '2027-03-27T05:00:00+01:00', false],
    ['C3 the evening before, safe', { ...c3, ...safe }, '2027-03-27T20:00:00+01:00', false],
    ['C3 the day itself, safe', { ...c3, ...safe }, '2027-03-28T05:00:00+02:00', false],
    ['C3 the next night, safe', { ...c3, ...safe }, '2027-03-29T03:00:00+02:00', true],
    ['C4 at its start', c4, '2026-11-26T08:00:00+01:00', true],
    ['C4 at its end', c4, '2026-11-26T18:00:00+01:00', false],
    ['C4 at its start, safe', { ...c4, ...safe }, '2026-11-26T08:00:00+01:00', true],
    ['C4 at its end, safe', { ...c4, ...safe }, '2026-11-26T18:00:00+01:00', false],
    ['C4 over the weekend', weekend, '2026-11-28T12:00:00+01:00', true],
    ['C4 in the week', weekend, '2026-11-24T12:00:00+01:00', false],
    ['C5 an impossible start', never, '2027-01-01T10:00:00Z', true],
    ['C5 an impossible start, safe', { ...never, ...safe }, '2027-01-01T10:00:00Z', false],
    ['an impossible end', { start: never.end, end: never.start }, '2027-01-01T13:00:00Z', false],
    ['an impossible end, safe', { start: never.end, end: never.start, ...safe }, '2027-01-01T13:00:00Z', true],
  ])('%s', (_name, metadata, when, expected) => {
    expect(isActive(metadata, when)).toBe(expected)
  })

  test.each<[string, Record<string, string>, string]>([
    ['Sunday is 0', { start: '0 8 * * 7', end: '0 9 * * *' }, 'error parsing start schedule'],
    ['a negative minute', { start: '-30 * * * *', end: '0 9 * * *' }, 'error parsing start schedule'],
    ['a negative month', { start: '0 9 * * *', end: '50 * * -3 *' }, 'error parsing end schedule'],
    ['six fields', { start: '0 0 9 * * *', end: '0 9 * * *' }, 'error parsing start schedule'],
    ['a word for five fields', { start: '@daily', end: '0 9 * * *' }, 'error parsing start schedule'],
    ['start is end', { start: '0 9 * * *', end: '0 9 * * *' }, 'exactly same time'],
    ['no time zone', { start: '0 8 * * *', end: '0 9 * * *', timezone: '' }, 'missing required parameter "timezone"'],
    [
      'an unknown time zone',
      { start: '0 8 * * *', end: '0 9 * * *', timezone: 'Mars/Olympus' },
      'unknown time zone Mars/Olympus',
    ],
    [
      'no replicas',
      { start: '0 8 * * *', end: '0 9 * * *', desiredReplicas: '' },
      'missing required parameter "desiredReplicas"',
    ],
    ['zero replicas', { start: '0 8 * * *', end: '0 9 * * *', desiredReplicas: '0' }, 'no desiredReplicas specified'],
  ])('C6: %s is refused', (_name, metadata, message) => {
    expect(() => cronTrigger(trigger(metadata))).toThrow(message)
  })

  test('the next windows, with the one that is under way first', () => {
    const spans = nextWindows(cronTrigger(trigger(c4)), Date.parse('2026-11-26T09:00:00+01:00'), 3)
    const shown = spans.map(({ fromMs, toMs }) =>
      [fromMs, toMs].map(ms => (ms === undefined ? 'open' : new Date(ms).toISOString())),
    )
    expect(shown).toEqual([
      ['2026-11-26T08:00:00.000Z', '2026-11-26T17:00:00.000Z'],
      ['2026-11-27T07:00:00.000Z', '2026-11-27T17:00:00.000Z'],
      ['2026-11-28T07:00:00.000Z', '2026-11-28T17:00:00.000Z'],
    ])
    expect(nextWindows(cronTrigger(trigger({ ...never, ...safe })), Date.parse('2027-01-01T10:00:00Z'), 3)).toEqual([])
  })
})
