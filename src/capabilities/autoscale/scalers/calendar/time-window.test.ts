import { describe, expect, test } from 'vitest'
import { formatTime } from '#kube/time/time.ts'
import { scaledObjectSpec } from '../../kinds/scaled-object.ts'
import { isCronActive, nextWindows } from './cron-windows.ts'
import { timeWindow, WindowBounds, windowProblem } from './time-window.ts'

const office = { timezone: 'Europe/Rome', from: '08:00', to: '18:00', days: 'Mon-Fri', min: '2' }

const read = (metadata: Readonly<Record<string, string>>) => timeWindow({ given: { metadata, env: {}, auth: {} } })
const isOpen = (metadata: Readonly<Record<string, string>>, time: string) => isCronActive(read(metadata), Date.parse(time))

describe('is open', () => {
  const night = { ...office, from: '22:00', to: '06:00', days: 'Fri' }
  const days = { timezone: 'Etc/UTC', days: 'Sat,Sun' }
  test.each<[string, Readonly<Record<string, string>>, string, boolean]>([
    ['at its first moment', office, '2027-01-04T07:00:00Z', true],
    ['not at its last', office, '2027-01-04T17:00:00Z', false],
    ['before its last', office, '2027-01-04T16:59:59Z', true],
    ['not on another day', office, '2027-01-09T10:00:00Z', false],
    ['by summer time', office, '2027-07-05T06:00:00Z', true],
    ['after midnight', night, '2027-01-09T04:59:00Z', true],
    ['not after that', night, '2027-01-09T05:00:00Z', false],
    ['not on the night before', night, '2027-01-08T04:00:00Z', false],
    ['on whole days', days, '2027-01-09T00:00:00Z', true],
    ['on both of them', days, '2027-01-10T00:00:00Z', true],
    ['until the last ends', days, '2027-01-10T23:59:59Z', true],
    ['not on the next', days, '2027-01-11T00:00:00Z', false],
    ['over the end of the week', { ...days, days: 'Fri-Mon' }, '2027-01-11T12:00:00Z', true],
    ['not on a holiday', { ...office, holidays: '2027-01-05, 2027-01-06' }, '2027-01-06T10:00:00Z', false],
    ['after holidays', { ...office, holidays: '2027-01-05,2027-01-06' }, '2027-01-07T10:00:00Z', true],
    [
      'by the date of its zone',
      { ...days, timezone: 'Pacific/Auckland', days: 'Mon-Sun', holidays: '2027-01-06' },
      '2027-01-05T12:00:00Z',
      false,
    ],
  ])('%s', (_what, metadata, time, expected) => expect(isOpen(metadata, time)).toBe(expected))
})

test('its next windows are told, without holidays', () => {
  const spans = nextWindows(read({ ...office, holidays: '2027-01-05' }), Date.parse('2027-01-04T12:00:00Z'), 3)
  expect(spans.map(({ fromMs, toMs }) => `${formatTime(fromMs)} ${formatTime(toMs ?? 0)}`)).toEqual([
    '2027-01-04T12:00:00Z 2027-01-04T17:00:00Z',
    '2027-01-06T07:00:00Z 2027-01-06T17:00:00Z',
    '2027-01-07T07:00:00Z 2027-01-07T17:00:00Z',
  ])
})

describe('over a change of the clocks', () => {
  const spans = (metadata: Readonly<Record<string, string>>, from: string) =>
    nextWindows(read(metadata), Date.parse(from), 2).map(({ fromMs, toMs }) => `${formatTime(fromMs)} ${formatTime(toMs ?? 0)}`)
  const night = { timezone: 'Europe/Berlin', from: '22:00', to: '02:30' }

  test('a closing time that is skipped closes all the same', () => {
    expect(spans(night, '2027-03-27T12:00:00Z')).toEqual([
      '2027-03-27T21:00:00Z 2027-03-28T01:30:00Z',
      '2027-03-28T20:00:00Z 2027-03-29T00:30:00Z',
    ])
  })

  test('an opening time that is skipped opens all the same', () => {
    expect(spans({ ...night, from: '02:30', to: '04:00' }, '2027-03-27T12:00:00Z')[0]).toBe(
      '2027-03-28T01:30:00Z 2027-03-28T02:00:00Z',
    )
  })

  test('a day without midnight ends with its last moment', () => {
    expect(spans({ timezone: 'America/Santiago', days: 'Sat', from: '20:00' }, '2027-09-04T12:00:00Z')[0]).toBe(
      '2027-09-05T00:00:00Z 2027-09-05T04:00:00Z',
    )
  })

  test('what comes twice opens once', () => {
    expect(spans({ ...night, from: '02:30', to: '04:00' }, '2027-10-30T12:00:00Z')[0]).toMatch(
      /^2027-10-31T0[01]:30:00Z 2027-10-31T03:00:00Z$/,
    )
  })
})

test('its metric is named after what it says', () => {
  expect(read(office).tail).toBe('time-window-Europe/Rome-MonTueWedThuFri-0800-1800')
})

test.each<[Readonly<Record<string, string>>, RegExp]>([
  [{ ...office, timezone: 'Mars/Base' }, /unknown time zone Mars\/Base/],
  [{ timezone: '' }, /missing required parameter "timezone"/],
  [{ ...office, from: '24:00' }, /"from" value "24:00": expected a time of day/],
  [{ ...office, to: '8' }, /"to" value "8"/],
  [{ ...office, days: 'Mon-Moon' }, /expected days such as/],
  [{ ...office, days: 'Mon-Wed-Fri' }, /expected days such as/],
  [{ ...office, holidays: '2027-02-30' }, /expected dates such as/],
  [{ ...office, min: '-1' }, /min cannot be negative/],
  [{ ...office, max: '1' }, /max is 1, expected at least 2/],
  [{ ...office, Max: '3' }, /Max is none of timezone, from/],
  [{ ...office, min: '0' }, /neither a floor .* nor a ceiling/],
])('%j is refused', (metadata, words) => expect(() => read(metadata)).toThrow(words))

const window = (more: Readonly<Record<string, string>>) => ({ type: 'time-window', metadata: { ...office, ...more } })

test('of windows that are open the highest floor and the least ceiling hold', () => {
  const bounds = new WindowBounds([
    window({ max: '5' }),
    window({ min: '3', max: '3', from: '12:00', to: '14:00' }),
    window({}),
    window({ max: 'x' }),
    { type: 'cron', metadata: {} },
  ])
  const at = (time: string) => {
    const { floor, ceiling } = bounds.at(Date.parse(`2027-01-04T${time}:00Z`), { isScaleInPaused: false })
    return [floor, ceiling]
  }
  expect(['06:59', '07:00', '11:00', '13:00', '17:00'].map(at)).toEqual([
    [0, undefined],
    [2, 5],
    [3, 3],
    [2, 5],
    [0, undefined],
  ])
  expect(bounds.at(Date.parse('2027-01-04T11:00:00Z'), { isScaleInPaused: true })).toEqual({ floor: 3, ceiling: undefined })
  expect(bounds.nextChangeMs(Date.parse('2027-01-04T11:30:00Z'))).toBe(Date.parse('2027-01-04T13:00:00Z'))
})

test('windows fit the bounds of their object', () => {
  const problem = (bounds: object, more: Readonly<Record<string, string>>) =>
    windowProblem({ spec: scaledObjectSpec.parse({ scaleTargetRef: { name: 'web' }, triggers: [window(more)], ...bounds }) })
  expect(problem({}, {})).toBeUndefined()
  expect(problem({ maxReplicaCount: 1 }, {})).toMatch(/min is 2, expected at most maxReplicaCount 1/)
  expect(problem({ minReplicaCount: 5 }, { max: '4' })).toMatch(/max is 4, expected at least minReplicaCount 5/)
})
