import { describe, expect, test } from 'vitest'
import { isWithin, parseWindow, type Window, type WindowSpan } from './window.ts'

function window(text: string): Window {
  const parsed = parseWindow(text)
  if (!parsed.ok) throw new Error(parsed.problem.expected)
  return parsed.value
}

const shown = (span: WindowSpan | undefined) =>
  span === undefined
    ? 'none'
    : `${new Date(span.startMs).toISOString().slice(0, 16)}/${new Date(span.endMs).toISOString().slice(0, 16)}`

describe('a nightly window in Berlin', () => {
  const nightly = window('0 4 * * *;2h;Europe/Berlin')
  test.each([
    ['before', '2026-07-01T01:59:59.999Z', 'none'],
    ['at its start', '2026-07-01T02:00:00Z', '2026-07-01T02:00/2026-07-01T04:00'],
    ['at its last instant', '2026-07-01T03:59:59.999Z', '2026-07-01T02:00/2026-07-01T04:00'],
    ['at its end', '2026-07-01T04:00:00Z', 'none'],
    ['in winter', '2026-01-01T04:30:00Z', '2026-01-01T03:00/2026-01-01T05:00'],
  ])('%s', (_case, at, span) => {
    expect(shown(nightly.openAt(Date.parse(at)))).toBe(span)
  })
  test('comes again', () => {
    expect(shown(nightly.nextAfter(Date.parse('2026-07-01T02:00:00Z')))).toBe('2026-07-02T02:00/2026-07-02T04:00')
  })
})

describe('clock changes', () => {
  test('a wall time that is skipped comes at the next valid instant', () => {
    expect(shown(window('30 2 * * *;1h;Europe/Berlin').nextAfter(Date.parse('2026-03-28T12:00Z')))).toBe(
      '2026-03-29T01:00/2026-03-29T02:00',
    )
  })
  test('one that is shown twice comes once', () => {
    const twice = window('30 2 * * *;1h;Europe/Berlin')
    const first = twice.nextAfter(Date.parse('2026-10-24T12:00Z'))
    expect(shown(first)).toBe('2026-10-25T00:30/2026-10-25T01:30')
    expect(shown(twice.nextAfter(first?.startMs ?? 0))).toBe('2026-10-26T01:30/2026-10-26T02:30')
  })
})

test('windows that touch are one', () => {
  expect(shown(window('0 22,23 * * *;1h').openAt(Date.parse('2026-01-01T22:10Z')))).toBe('2026-01-01T22:00/2026-01-02T00:00')
})

test('six fields have seconds first', () => {
  expect(window('30 0 4 * * *;10s').nextAfter(Date.parse('2026-01-01T00:00Z'))).toEqual({
    startMs: Date.parse('2026-01-01T04:00:30Z'),
    endMs: Date.parse('2026-01-01T04:00:40Z'),
  })
})

test.each([
  ['0 4 * * *', 'window-syntax'],
  ['0 4 * * *;2h;UTC;x', 'window-syntax'],
  ['0 4 * * *;2d', 'window-duration'],
  ['0 4 * * *;0s', 'window-duration'],
  ['0 4 * * *;9000h', 'window-duration'],
  ['0 4 * * *;2h;Nowhere', 'window-zone'],
  ['0 25 * * *;2h', 'window-cron'],
  ['4 * * *;2h', 'window-cron'],
  ['', 'window-syntax'],
])('%j is refused: %s', (text, code) => {
  expect(parseWindow(text, 'arbiter.windows')).toMatchObject({
    ok: false,
    problem: { code, where: 'arbiter.windows', found: text },
  })
})

test('any of several', () => {
  const windows = [window('0 4 * * *;1h'), window('0 6 * * *;1h')]
  expect(['04:30', '05:30', '06:30'].map(time => isWithin(windows, Date.parse(`2026-01-01T${time}Z`)))).toEqual([
    true,
    false,
    true,
  ])
})
