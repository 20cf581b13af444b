import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { textLog } from './text-log.ts'

function lines(level: 'debug' | 'info' | 'warn' | 'error', facts: Readonly<Record<string, unknown>> = {}): string[] {
  const written: string[] = []
  const log = textLog({ level, clock: new VirtualClock(Date.UTC(2026, 0, 2, 3, 4, 5)), write: line => void written.push(line) })
  for (const own of ['debug', 'info', 'warn', 'error'] as const) log[own](facts, `said "${own}"`)
  return written
}

test('lines are as the field’s log writes them, from the level on', () => {
  expect(lines('warn', { lease: 'a/b', holder: 'x y', count: 3 })).toEqual([
    'time="2026-01-02T03:04:05Z" level=warning msg="said \\"warn\\"" lease=a/b holder="x y" count=3',
    'time="2026-01-02T03:04:05Z" level=error msg="said \\"error\\"" lease=a/b holder="x y" count=3',
  ])
  expect(lines('error', { sources: ['configmap a/b', 'secret a/c'] })).toEqual([
    'time="2026-01-02T03:04:05Z" level=error msg="said \\"error\\"" sources="configmap a/b, secret a/c"',
  ])
  expect(lines('debug')).toHaveLength(4)
})

test('a line stays one, and what must not be seen is not', () => {
  const [line = ''] = lines('error', {
    why: 'a\nb',
    err: new Error('x', { cause: new Error('y') }),
    token: 'abc',
    headers: { a: 'def' },
  })
  expect(line).toMatch(/ why="a\\nb" err="x: y" token=\[redacted\] headers=\[redacted\]$/)
  expect(line).not.toMatch(/abc|def|\n/)
})
