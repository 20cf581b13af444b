import { expect, test } from 'vitest'
import { MirrorNews, type MirrorNotices, noticesUrl, readNotices } from './mirror-notices.ts'

const nowMs = 10_000_000
const minuteMs = 60_000
const happening = (number: number, ageMs = 0) => ({ number, reason: 'PoisonedBlob', message: `m${number}`, atMs: nowMs - ageMs })
const notices = (change: Partial<MirrorNotices>): MirrorNotices => ({ instance: 'a', problems: [], events: [], ...change })
const discarded = { reason: 'LayersDiscarded', message: 'kept for nobody' }

test('the notices lie beside the health of the mirror', () => {
  expect(noticesUrl('http://[fd00::7]:29997/readyz')).toBe('http://[fd00::7]:29997/ballast/notices')
})

test.each(['', 'hello', '[]', '{"instance":"a"}', JSON.stringify(notices({ events: Array(300).fill(happening(1)) }))])(
  'an answer that is none of ours is none: %s',
  body => {
    expect(readNotices(body)).toBeUndefined()
  },
)

test('what happened is told once, also when the mirror or we start anew', () => {
  const news = new MirrorNews()
  const told = (change: Partial<MirrorNotices>) => news.of(notices(change), nowMs).map(({ message }) => message)
  expect(told({ events: [happening(1, 11 * minuteMs), happening(2, minuteMs)] })).toEqual(['m2'])
  expect(told({ events: [happening(1), happening(2)] })).toEqual([])
  expect(told({ events: [happening(2), happening(3)] })).toEqual(['m3'])
  expect(told({ instance: 'b', events: [happening(1)] })).toEqual(['m1'])
  expect(news.of(undefined, nowMs)).toEqual([])
})

test('what lasts is told at once and each hour; in the words of events', () => {
  const news = new MirrorNews()
  const problems = [
    discarded,
    { reason: 'ConfigurationMissing', message: 'no file' },
    { reason: 'ContainerdUnreachable', message: 'gone' },
  ]
  const told = (minutes: number, of = problems) =>
    news.of(notices({ problems: of }), nowMs + minutes * minuteMs).map(({ reason }) => reason)
  expect(told(0)).toEqual(['LayersDiscarded', 'MirrorIgnored'])
  expect(told(59)).toEqual([])
  expect(told(60)).toEqual(['LayersDiscarded', 'MirrorIgnored'])
  expect(told(61, [])).toEqual([])
  expect(told(62, [discarded])).toEqual(['LayersDiscarded'])
})
