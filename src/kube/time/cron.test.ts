import { describe, expect, test } from 'vitest'
import { parseCron } from './cron.ts'
import { timeZone } from './time-zone.ts'

/** The first `count` times after `after`, in RFC 3339 with the zone's offset. */
function times(text: string, options: { zone: string; after: string; count?: number }): readonly string[] {
  const parsed = parseCron(text, { zone: options.zone })
  if (!parsed.ok) throw new Error(parsed.problem.message)
  const zone = timeZone(options.zone)
  const found: string[] = []
  for (let at = Date.parse(options.after); found.length < (options.count ?? 1); ) {
    const next = parsed.value.next(at)
    if (next === undefined) return [...found, 'never']
    const offset = (zone?.offsetMs(next) ?? 0) / 60_000
    const sign = offset < 0 ? '-' : '+'
    const shift = `${String(Math.trunc(Math.abs(offset) / 60)).padStart(2, '0')}:${String(Math.abs(offset) % 60).padStart(2, '0')}`
    found.push(`${new Date(next + offset * 60_000).toISOString().slice(0, 16)}${sign}${shift}`)
    at = next
  }
  return found
}

describe('clock changes (event-autoscaling 3.13)', () => {
  const newYork = 'America/New_York'
  test.each([
    ['hourly over the hour that is skipped', '@hourly', newYork, '2012-03-11T01:00-05:00', ['2012-03-11T03:00-04:00']],
    ['2:00 on the day without it', '0 2 * * *', newYork, '2012-03-11T00:00-05:00', ['2012-03-12T02:00-04:00']],
    ['2:30 on just that day waits a year', '30 2 11 3 *', newYork, '2012-03-11T00:00-05:00', ['2013-03-11T02:30-04:00']],
    [
      'hourly over the hour shown twice',
      '@hourly',
      newYork,
      '2012-11-04T01:00-04:00',
      ['2012-11-04T01:00-05:00', '2012-11-04T02:00-05:00'],
    ],
    ['1:00 runs at both', '0 1 * * *', newYork, '2012-11-04T00:00-04:00', ['2012-11-04T01:00-04:00', '2012-11-04T01:00-05:00']],
    [
      'a month whose days have no midnight',
      '0 9 10 * *',
      'America/Sao_Paulo',
      '2018-10-17T05:00-03:00',
      ['2018-11-10T09:00-02:00'],
    ],
  ])('%s', (_case, text, zone, after, expected) => {
    expect(times(text, { zone, after, count: expected.length })).toEqual(expected)
  })
})

describe('fields', () => {
  // biome-ignore format: a table
  test.each([
    ['*/15 * * * *', '2026-01-01T00:00Z', ['2026-01-01T00:15+00:00', '2026-01-01T00:30+00:00']],
    ['5/20 9-10 * * *', '2026-01-01T00:00Z', ['2026-01-01T09:05+00:00', '2026-01-01T09:25+00:00', '2026-01-01T09:45+00:00', '2026-01-01T10:05+00:00']],
    ['0 0 13 * FRI', '2026-01-01T12:00Z', ['2026-01-02T00:00+00:00', '2026-01-09T00:00+00:00', '2026-01-13T00:00+00:00']],
    ['0 0 13 * *', '2026-01-01T12:00Z', ['2026-01-13T00:00+00:00', '2026-02-13T00:00+00:00']],
    ['0 0 ? jan,mar Mon', '2026-01-20T00:00Z', ['2026-01-26T00:00+00:00', '2026-03-02T00:00+00:00']],
    ['0 0 29 2 *', '2026-01-01T00:00Z', ['2028-02-29T00:00+00:00', '2032-02-29T00:00+00:00']],
    ['0 0 31 2 *', '2026-01-01T00:00Z', ['never']],
    ['@weekly', '2026-01-01T00:00Z', ['2026-01-04T00:00+00:00']],
    ['@yearly', '2026-01-01T00:00Z', ['2027-01-01T00:00+00:00']],
    ['@every 90m', '2026-01-01T00:10Z', ['2026-01-01T01:40+00:00', '2026-01-01T03:10+00:00']],
  ])('%s', (text, after, expected) => {
    expect(times(text, { zone: 'UTC', after, count: expected.length })).toEqual(expected)
  })

  test('a zone may stand in the text', () => {
    const parsed = parseCron('CRON_TZ=Europe/Berlin 0 4 * * *')
    expect(parsed.ok && parsed.value.next(Date.parse('2026-07-01T00:00Z'))).toBe(Date.parse('2026-07-01T02:00Z'))
  })

  test('parts of a second do not matter', () => {
    const parsed = parseCron('* * * * *')
    expect(parsed.ok && parsed.value.next(59_999)).toBe(60_000)
    expect(parsed.ok && parsed.value.next(60_000)).toBe(120_000)
  })
})

describe('texts that are no schedule', () => {
  test.each([
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['0 8 * * 7', 'end of range (7) above maximum (6): 7'],
    ['-30 * * * *', 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'],
    ['50 * * -3 *', 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'],
    ['0 0 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['9-5 * * * *', 'beginning of range (9) beyond end of range (5): 9-5'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1/2/3 * * * *', 'too many slashes: 1/2/3'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['@never', 'unrecognized descriptor: @never'],
    ['@every 1', 'failed to parse duration @every 1: time: missing unit in duration "1"'],
    ['TZ=Nowhere 0 0 * * *', 'provided bad location Nowhere: unknown time zone Nowhere'],
    ['TZ=UTC', 'a schedule after the time zone'],
  ])('%j', (text, message) => {
    expect(parseCron(text, { where: 'spec.schedule' })).toMatchObject({
      ok: false,
      problem: { code: 'cron-syntax', where: 'spec.schedule', found: text, message },
    })
  })
})

test('a zone that is none, and offsets that only Intl knows', () => {
  expect([timeZone('Nowhere/City'), timeZone('+01:00'), timeZone('')?.name, timeZone('Asia/Kolkata')?.offsetMs(0)]).toEqual([
    undefined,
    undefined,
    'UTC',
    19_800_000,
  ])
})
