// Text, time and units of dashboard.md 3.7, with the cases of its section 7 that need no browser.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { percentage } from '#cluster/utilisation.ts'
import { formatQuantity, milliQuantity, quantity, wholeQuantity } from '#kube/values/quantity.ts'
import { age, until } from './age.ts'
import { csvCell, csvText } from './csv.ts'
import * as en from './en.ts'
import { actionPath, apiPath, momentPath, nodePath, permitsPath, workloadPath } from './links.ts'
import { cutText, printable, shortName } from './names.ts'
import { fineShare, nearGoal, percentText, points, shareOfWhole } from './percent.ts'
import {
  count,
  cpuExact,
  cpuExactOf,
  cpuOf,
  cpuShort,
  memoryExact,
  memoryExactOf,
  memoryOf,
  memoryShort,
  watts,
} from './quantity.ts'
import { dayAndTime, isZone, otherClock, rfc3339, timeOfDay, zonedSchedule } from './time.ts'

const Mi = 2 ** 20
const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('percent of allocatable', () => {
  test.each([
    [7425, 7950, '93%'],
    [60, 15950, '0%'],
    [0, 15950, '0%'],
    [8268, 7950, '104%'],
    [1, 0, '–'],
    [null, 7950, '–'],
    [7425, null, '–'],
    [-1, 100, '-1%'],
    [-1, 1000, '0%'],
  ])('%j of %j is %s', (part, whole, text) => expect(percentText(part, whole)).toBe(text))

  test('is what kubectl prints', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1e12 }), fc.integer({ min: 1, max: 1e12 }), (part, whole) => {
        expect(percentText(part, whole)).toBe(`${percentage(part, whole).truncated}%`)
      }),
    )
  })

  test('D6: sums of the example, truncated', () => {
    expect([percentText(19035, 49800), percentText(54771, 114600)]).toEqual(['38%', '47%'])
  })
})

describe('D11: nearness of a goal', () => {
  const atMost = (max: number) => ({ min: null, max, met: false })
  test.each([
    ['above a max', 70.34, atMost(70), '70.3%'],
    ['above a max by less', 70.04, atMost(70), '70.04%'],
    ['above a max by next to nothing', 70.001, atMost(70), '70.00%'],
    ['far above a max', 93.396, atMost(70), '93%'],
    ['below a min', 29.94, { min: 30, max: null, met: false }, '29%'],
    ['met', 30.1, { min: 30, max: null, met: true }, '30%'],
    ['met below a max', 69.99, { min: null, max: 70, met: true }, '69%'],
    ['above a whole number that a float misses', 71.3, atMost(71), '71.3%'],
    ['unknown', null, atMost(70), '–'],
  ])('%s: %j', (_, percent, goal, text) => expect(nearGoal(percent, goal)).toBe(text))

  test('an unmet max never looks met in whole percent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 1, max: 99_999 }), (max, over) => {
        const text = nearGoal(max + over / 1_000, { min: null, max, met: false })
        expect(text).not.toBe(`${max}%`)
      }),
    )
  })
})

test.each([
  ['D7', 93.396 - 70, '23.4'],
  ['D7', 30 - 4.107, '25.9'],
  ['D11', 70.34 - 70, '0.3'],
  ['D11', 30 - 29.94, '0.1'],
  ['half goes away from zero', 70.05 - 70, '0.1'],
  ['half goes away from zero', -0.05, '-0.1'],
  ['nothing', 0, '0.0'],
])('points, %s: %d is %s', (_, amount, text) => expect(points(amount)).toBe(text))

test('D5: share of a whole', () => {
  expect(shareOfWhole(59, 124, 'pods')).toBe('59 of 124 pods (47.6%)')
  expect(shareOfWhole(0, 0, 'pods')).toBe('0 of 0 pods (–)')
})

describe('CPU and memory', () => {
  test.each([
    [7425, '7425m', '7.4'],
    [2000, '2', '2.0'],
    [1500, '1500m', '1.5'],
    [655, '655m', '655m'],
    [0, '0', '0m'],
    [1_000_000, '1k', '1000.0'],
    [8_199, '8199m', '8.1'],
    [-1_500, '-1500m', '-1.5'],
    [null, '–', '–'],
  ])('%j millicores: %s, %s', (amount, exact, short) => expect([cpuExact(amount), cpuShort(amount)]).toEqual([exact, short]))

  test.each([
    [12772 * Mi, '12772Mi', '12.4Gi'],
    [640 * Mi, '640Mi', '640Mi'],
    [1024 * Mi, '1024Mi', '1.0Gi'],
    [1023 * Mi + 1023 * 1024, '1048575Ki', '1023Mi'],
    [1536 * 1024, '1536Ki', '1Mi'],
    [1500, '1500', '0Mi'],
    [0, '0', '0Mi'],
    [null, '–', '–'],
  ])('%j bytes: %s, %s', (amount, exact, short) => expect([memoryExact(amount), memoryShort(amount)]).toEqual([exact, short]))

  test('D8: short and exact forms of talos00', () => {
    expect(cpuOf(7425, 7950)).toBe('7.4 of 7.9 cores')
    expect(memoryOf(12772 * Mi, 15500 * Mi)).toBe('12.4 of 15.1Gi')
    expect(memoryShort((22800 - 22160) * Mi)).toBe('640Mi')
    expect(cpuExactOf(7425, 7950)).toBe('7425m of 7950m')
    expect(memoryExactOf(12772 * Mi, 15500 * Mi)).toBe('12772Mi of 15500Mi')
    expect(memoryOf(640 * Mi, 22800 * Mi)).toBe('640Mi of 22.2Gi')
  })

  test('D9: a share that prints as nothing is exact in the tooltip', () => {
    expect(percentText(60, 15950)).toBe('0%')
    expect(en.exactCpu(60, 15950)).toBe('60m of 15950m (0.37%)')
    expect(fineShare(null, 15950, 2)).toBe('–')
  })

  test('CPU is written as Kubernetes writes it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.maxSafeInteger(),
          fc.integer({ min: -5_000, max: 5_000 }).map(cores => cores * 1_000),
        ),
        millicores => {
          expect(cpuExact(millicores)).toBe(formatQuantity(milliQuantity(millicores)))
        },
      ),
    )
  })

  test('memory is written exactly, and as Kubernetes writes it below a Gi', () => {
    const sizes = fc.oneof(
      fc.maxSafeNat(),
      fc.nat({ max: 2 ** 23 }).map(count => count * 1024),
      fc.nat({ max: 2 ** 20 }).map(count => count * Mi),
    )
    fc.assert(
      fc.property(sizes, bytes => {
        const text = memoryExact(bytes)
        expect(quantity(text).nanos).toBe(BigInt(bytes) * 1_000_000_000n)
        if (bytes % (1024 * Mi) !== 0) expect(text).toBe(formatQuantity(wholeQuantity(bytes, 'BinarySI')))
      }),
    )
  })
})

test.each([
  [1234, '1234'],
  [9999, '9999'],
  [10_000, '10,000'],
  [150_000, '150,000'],
  [null, '–'],
])('count %j is %s', (amount, text) => expect(count(amount)).toBe(text))

test('watts', () => expect([watts(51_140), watts(51_150), watts(null)]).toEqual(['51.1 W', '51.2 W', '–']))
test('D26: how large the cluster is', () => expect(en.sizeText({ nodes: 5_000, pods: 150_000 })).toBe('5000 nodes, 150,000 pods'))

describe('ages', () => {
  test.each([
    [119 * second, '119s'],
    [245 * second, '4m5s'],
    [4 * minute, '4m'],
    [95 * minute, '95m'],
    [3 * hour + 5 * minute, '3h5m'],
    [30 * hour, '30h'],
    [2 * day + 5 * hour, '2d5h'],
    [400 * day, '400d'],
    [(2 * 365 + 35) * day, '2y35d'],
    [9 * 365 * day, '9y'],
    [-5 * second, '0s'],
    [-1, '0s'],
  ])('%d ms is %s', (ms, text) => expect(age(ms)).toBe(text))

  test('what is to come', () => {
    expect([until(14 * minute), until(5 * hour + 12 * minute), until(0), until(-day)]).toEqual([
      'in 14m',
      'in 5h12m',
      'now',
      'now',
    ])
  })
})

describe('times', () => {
  const now = Date.parse('2025-12-19T14:03:20+01:00')
  test.each([
    ['today', '2025-12-19T14:03:18+01:00', 'Europe/Berlin', '14:03:18'],
    ['today there, yesterday in UTC', '2025-12-19T00:30:00+01:00', 'Europe/Berlin', '00:30:00'],
    ['another day there', '2025-12-19T00:30:00+01:00', 'UTC', '18 Dec 23:30'],
    ['a zone that is none is UTC', '2025-12-19T14:03:18+01:00', 'Mars/Base', '13:03:18'],
  ])('%s', (_, at, zone, text) => expect(timeOfDay(Date.parse(at), zone, now)).toBe(text))

  test('no time', () => {
    expect(timeOfDay(null, 'UTC', now)).toBe('–')
    expect(timeOfDay(Number.NaN, 'UTC', now)).toBe('–')
    expect(rfc3339(Number.NaN)).toBe('')
  })

  test('more zones than are kept', () => {
    for (const zone of Intl.supportedValuesOf('timeZone').slice(0, 60)) expect(isZone(zone)).toBe(true)
    expect(dayAndTime(now, 'Europe/Berlin')).toBe('2025-12-19 14:03:20')
  })

  test('a schedule stands in its own zone, with the clock of the reader where that differs', () => {
    const four = Date.parse('2025-12-20T04:00:00+01:00')
    expect(zonedSchedule(four, 'Europe/Berlin', 'UTC')).toBe('04:00 Europe/Berlin (03:00 UTC)')
    expect(zonedSchedule(four, 'Europe/Berlin', 'Europe/Paris')).toBe('04:00 Europe/Berlin')
    expect(otherClock(four, 'Europe/Berlin', undefined)).toBeUndefined()
  })

  test('D29: a window to come', () => {
    const facts = {
      atMs: Date.parse('2025-12-20T04:00:00+01:00'),
      nowMs: Date.parse('2025-12-19T22:48:00+01:00'),
      zone: 'Europe/Berlin',
    }
    expect(en.startsAt({ ...facts, displayZone: undefined }).text).toBe('Starts at 04:00 (Europe/Berlin), in 5h12m')
    expect(en.startsAt({ ...facts, displayZone: 'UTC' }).text).toBe('Starts at 04:00 (Europe/Berlin, 03:00 UTC), in 5h12m')
  })
})

describe('names and texts of others', () => {
  test.each([
    ['catalyst-workers-5d8f7b9c4d-x2k9p', 26, 'catalyst-workers-5d…-x2k9p'],
    ['short', 26, 'short'],
    ['nodashanywherebutverylongindeed', 12, 'nodash…ndeed'],
    ['a'.repeat(253), 32, `${'a'.repeat(16)}…${'a'.repeat(15)}`],
    ['😀'.repeat(40), 11, `${'😀'.repeat(5)}…${'😀'.repeat(5)}`],
  ])('%s in %d characters', (name, most, text) => expect(shortName(name, most)).toBe(text))

  test('a short name is never longer than asked for, and keeps its start', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 253, unit: 'binary' }), fc.integer({ min: 4, max: 60 }), (name, most) => {
        const short = shortName(name, most)
        expect([...short].length).toBeLessThanOrEqual(most)
        expect([...short][0]).toBe([...name][0])
      }),
    )
  })

  test.each([
    ['a\u0000b\nc\u007f', 'a␀b␊c␡'],
    ['\u001b[31mred', '␛[31mred'],
    ['evil\u202ecod.exe', 'evil⟨202E⟩cod.exe'],
    ['\u0085\u2028', '⟨0085⟩⟨2028⟩'],
    ['half \ud83d', 'half ⟨D83D⟩'],
    ['مرحبا 😀 <img onerror=x>', 'مرحبا 😀 <img onerror=x>'],
  ])('%j is shown as %s', (text, shown) => expect(printable(text)).toBe(shown))

  test('nothing that is shown can break a line or turn the direction', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
      }),
    )
  })

  test('a sentence carries names as pictures', () => {
    expect(en.clusterFrozen({ time: undefined, who: 'a\u0007b', reason: '<b>x</b>\n' }).text).toBe(
      'Ballast is frozen by a␇b: <b>x</b>␊. Nothing will be disrupted.',
    )
  })

  test('a long text is cut with a sign', () => expect([cutText('abcdef', 4), cutText('abc', 4)]).toEqual(['abc…', 'abc']))
})

describe('CSV', () => {
  test('D28: what begins as a formula would is marked, what does not is not', () => {
    expect(['=1+1', '+1', '-1', '@a', '\ta', '\ra'].map(csvCell)).toEqual(["'=1+1", "'+1", "'-1", "'@a", "'\ta", '"\'\ra"'])
    expect(csvCell('<b>x</b>=cmd')).toBe('<b>x</b>=cmd')
  })

  test('quotes, commas and lines as RFC 4180 wants them; numbers are numbers; unknown is empty', () => {
    expect(
      csvText(
        ['name', 'cpu (millicores)'],
        [
          ['a "b", c\nd', -5],
          ['x', null],
        ],
      ),
    ).toBe('\ufeffname,cpu (millicores)\r\n"a ""b"", c\nd",-5\r\nx,\r\n')
  })

  test('no cell of any text can be run', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(csvCell(text).replace(/^"/, '')).not.toMatch(/^[=+\-@\t\r]/)
      }),
    )
  })
})

test('paths of names that are none', () => {
  expect(nodePath('..')).toBe('/node/%2E%2E')
  expect(nodePath('a/b?c#d')).toBe('/node/a%2Fb%3Fc%23d')
  expect(nodePath('half \ud83d')).toBe('/node/half%20%EF%BF%BD')
  expect(workloadPath({ kind: 'Deployment', namespace: 'media', name: 'sonarr' })).toBe('/workload/media/Deployment/sonarr')
  expect(workloadPath({ kind: 'Pod', namespace: 'media', name: 'bare' })).toBe('/pod/media/bare')
  expect(permitsPath({ rule: 'KedaManaged', cursor: null })).toBe('/permits?rule=KedaManaged')
  expect(apiPath(['nodes', 'talos00', 'pods'], { limit: 50 })).toBe('/api/v1/nodes/talos00/pods?limit=50')
  expect(actionPath('twin/speed')).toBe('/api/v1/actions/twin/speed')
  expect(momentPath('/permits?rule=A', '2025-12-19T13:00:00Z')).toBe('/permits?rule=A&at=2025-12-19T13%3A00%3A00Z')
})
