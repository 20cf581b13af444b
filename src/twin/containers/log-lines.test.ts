import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ContainerRun, type ContainerWords, logLines, nextLineMs } from './log-lines.ts'

const words = (script?: string): ContainerWords => ({ name: 'main', image: 'app:1', pod: 'shop/web', node: 'n1', script })
const first = 'container main of pod shop/web started on node n1, image app:1'
const at = (run: ContainerRun, script: string | undefined, untilMs: number) =>
  logLines(run, words(script), untilMs).map(({ atMs, text }) => `${atMs} ${text}`)
const ended = (exitCode: number, reason = 'Error') => ({ startedMs: 0, ended: { atMs: 5000, exitCode, reason } })

describe('what a container wrote', () => {
  test.each<[string, ContainerRun, string | undefined, number, readonly string[]]>([
    ['its start', { startedMs: 0 }, undefined, 9000, [`0 ${first}`]],
    ['nothing before it', { startedMs: 10 }, 'hello', 9, []],
    ['what its pod says, at once', { startedMs: 0 }, 'hello\n\nworld', 1, [`0 ${first}`, '0 hello', '0 world']],
    ['after a time', { startedMs: 0 }, 'after 2s: late', 2000, [`0 ${first}`, '2000 late']],
    ['not before that', { startedMs: 0 }, 'after 2s: late', 1999, [`0 ${first}`]],
    ['again and again, counted', { startedMs: 0 }, 'every 2s: tick {n}', 5000, [`0 ${first}`, '2000 tick 1', '4000 tick 2']],
    ['what is meant for it', { startedMs: 0 }, '[main] mine\n[other] theirs', 1, [`0 ${first}`, '0 mine']],
    ['a good end', ended(0, 'Completed'), 'on exit: bye', 9000, [`0 ${first}`, '5000 bye', '5000 done']],
    ['a failure', ended(3), undefined, 9000, [`0 ${first}`, '5000 failed: exit code 3']],
    ['SIGTERM', ended(143), 'every 4s: tick', 9000, [`0 ${first}`, '4000 tick', '5000 received SIGTERM, ending']],
    ['nothing where it is killed', ended(137, 'OOMKilled'), 'on exit: bye', 9000, [`0 ${first}`]],
    ['not yet its end', ended(0), undefined, 4999, [`0 ${first}`]],
    [
      'a rule that cannot be read',
      { startedMs: 0 },
      'ok\nevery 5: x',
      1,
      [`0 ${first}`, '0 ok', '0 ballast.dev/twin-log, line 2: every "5" is no duration of at least 10ms, such as 10s'],
    ],
    [
      'a rule that never ends',
      { startedMs: 0 },
      'every 0s: x',
      1,
      [`0 ${first}`, '0 ballast.dev/twin-log, line 1: every "0s" is no duration of at least 10ms, such as 10s'],
    ],
  ])('%s', (_name, run, script, untilMs, expected) => {
    expect(at(run, script, untilMs)).toEqual(expected)
  })

  test('of years the last 10,000 lines are there, and no more is gone through', () => {
    const lines = at({ startedMs: 0 }, 'every 10ms: a{n}\nevery 10ms: b{n}', 10 * 365 * 86_400_000)
    expect(lines.length).toBe(10_000)
    expect(lines.at(-1)).toBe('315360000000 b31536000000')
  })

  test('of an annotation that is too long the first 200 lines count', () => {
    const lines = at({ startedMs: 0 }, 'x\n'.repeat(300).trimEnd(), 1)
    expect(lines.length).toBe(202)
    expect(lines.at(-1)).toBe('0 ballast.dev/twin-log: 300 lines were given; only the first 200 count')
  })

  test('who follows sees the same lines as who comes later', () => {
    const rule = fc.oneof(
      fc.tuple(fc.constantFrom('every', 'after'), fc.integer({ min: 10, max: 5000 })).map(([word, ms]) => `${word} ${ms}ms: {n}`),
      fc.constant('at once'),
    )
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), fc.integer({ min: 1, max: 20_000 }), (rules, untilMs) => {
        const run = { startedMs: 1000 }
        const script = words(rules.join('\n'))
        const whole = logLines(run, script, 1000 + untilMs)
        let writtenMs = 1000
        const seen = [...logLines(run, script, writtenMs)]
        for (;;) {
          const nextMs = nextLineMs(run, script, writtenMs)
          if (nextMs === undefined || nextMs > 1000 + untilMs) break
          const fromMs = writtenMs
          seen.push(...logLines(run, script, nextMs).filter(({ atMs }) => atMs > fromMs))
          expect(nextMs).toBeGreaterThan(fromMs)
          writtenMs = nextMs
        }
        expect(seen).toEqual(whole)
      }),
      { numRuns: 100 },
    )
  })
})
