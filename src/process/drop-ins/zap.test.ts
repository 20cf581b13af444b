// Lines of zap as upstream writes them, and the flags that choose them.
import { expect, test } from 'vitest'
import { readFlags } from './pflags.ts'
import { klogForms, zapForms, zapLog, zapSettings } from './zap.ts'

const table = { program: 'keda', forms: zapForms, unused: klogForms, letters: { v: 'v' }, words: 'ignored' } as const
const nowMs = Date.UTC(2026, 10, 23, 6, 51, 7, 250)

function written(...words: readonly string[]): readonly string[] {
  const lines: string[] = []
  const { settings } = zapSettings(readFlags(words, table).values)
  const log = zapLog({ settings, logger: 'setup', clock: { now: () => nowMs }, write: line => lines.push(line) })
  log.debug({ token: 'secret' }, 'looked')
  log.info({ address: ':9666' }, 'Starting')
  log.error({ err: new Error('no\nway') }, 'failed')
  return lines
}

test.each<[readonly string[], readonly string[]]>([
  [
    [],
    [
      '{"level":"info","ts":"2026-11-23T06:51:07Z","logger":"setup","msg":"Starting","address":":9666"}',
      '{"level":"error","ts":"2026-11-23T06:51:07Z","logger":"setup","msg":"failed","error":"no\\nway"}',
    ],
  ],
  [
    ['--zap-encoder=console', '--zap-log-level', 'debug', '--zap-time-encoding=iso8601'],
    [
      '2026-11-23T06:51:07.250+0000\tDEBUG\tsetup\tlooked\t{"token": "[redacted]"}',
      '2026-11-23T06:51:07.250+0000\tINFO\tsetup\tStarting\t{"address": ":9666"}',
      '2026-11-23T06:51:07.250+0000\tERROR\tsetup\tfailed\t{"error": "no\\nway"}',
    ],
  ],
  [
    ['--zap-log-level=error', '--zap-time-encoding=epoch', '--v=3'],
    ['{"level":"error","ts":1795416667.25,"logger":"setup","msg":"failed","error":"no\\nway"}'],
  ],
])('%j', (words, lines) => {
  expect(written(...words)).toEqual(lines)
})

test('a number is a verbosity, and a word that is none of theirs is refused', () => {
  const read = (...words: readonly string[]) => zapSettings(readFlags(words, table).values)
  expect(read('--zap-log-level=5').settings.level).toBe('debug')
  expect(read('--zap-devel').settings).toMatchObject({ level: 'debug', encoder: 'console' })
  expect(read('--zap-log-level=0', '--zap-encoder=xml').problems.map(({ where }) => where)).toEqual([
    '--zap-log-level',
    '--zap-encoder',
  ])
})
