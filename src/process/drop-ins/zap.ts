// The log of a drop-in as its upstream's library (zap, by controller-runtime) writes it: lines of JSON, or of text with tabs. And the flags
// by which that is chosen, with those that klog puts beside them.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Problem } from '#kube/problem.ts'
import { fieldsOf, type LogFields } from './klog.ts'
import type { FlagForm, FlagValues } from './pflags.ts'

/** controller-runtime's flags of a log. */
// biome-ignore format: a table
export const zapForms: Readonly<Record<string, FlagForm>> = {
  'zap-devel': 'bool', 'zap-encoder': 'text', 'zap-log-level': 'text', 'zap-stacktrace-level': 'text', 'zap-time-encoding': 'text',
}

/** klog's flags, which say nothing of what zap writes. */
// biome-ignore format: a table
export const klogForms: Readonly<Record<string, FlagForm>> = {
  add_dir_header: 'bool', alsologtostderr: 'bool', alsologtostderrthreshold: 'text', legacy_stderr_threshold_behavior: 'bool', log_backtrace_at: 'text', log_dir: 'text', log_file: 'text',
  log_file_max_size: 'whole', logtostderr: 'bool', one_output: 'bool', skip_headers: 'bool', skip_log_headers: 'bool', stderrthreshold: 'text', v: 'whole', vmodule: 'text',
}

const levels = ['debug', 'info', 'warn', 'error', 'panic'] as const
const encoders = ['json', 'console'] as const
const times = ['epoch', 'millis', 'nano', 'iso8601', 'rfc3339', 'rfc3339nano'] as const

export interface ZapSettings {
  readonly encoder: (typeof encoders)[number]
  /** What is below it is not written. */
  readonly level: (typeof levels)[number]
  readonly time: (typeof times)[number]
}

interface ZapOutcome {
  readonly settings: ZapSettings
  readonly problems: readonly Problem[]
}

/** What the flags of {@link zapForms} come to. */
export function zapSettings(values: FlagValues): ZapOutcome {
  const problems: Problem[] = []
  const isDevelopment = values.get('zap-devel') === true
  const wordOf = <Word extends string>(flag: string, words: readonly Word[], standard: Word): Word => {
    const given = values.get(flag)
    if (typeof given !== 'string') return standard
    const found = words.find(word => word === given.toLowerCase())
    if (found !== undefined) return found
    const message = `invalid argument ${JSON.stringify(given)} for "--${flag}" flag: expected ${words.join(', ')}`
    problems.push({ code: 'flag-value', where: `--${flag}`, found: given, expected: words.join(', '), message })
    return standard
  }
  const given = values.get('zap-log-level')
  // A whole number is logr's verbosity: all above 0 is detail.
  const isVerbosity = typeof given === 'string' && /^[1-9][0-9]{0,2}$/.test(given)
  const level = isVerbosity
    ? 'debug'
    : wordOf('zap-log-level', ['debug', 'info', 'error', 'panic'] as const, isDevelopment ? 'debug' : 'info')
  const settings = {
    encoder: wordOf('zap-encoder', encoders, isDevelopment ? 'console' : 'json'),
    level,
    time: wordOf('zap-time-encoding', times, 'rfc3339'),
  }
  wordOf('zap-stacktrace-level', ['info', 'error', 'panic'] as const, 'error')
  return { settings, problems }
}

interface LogOptions {
  readonly settings: ZapSettings
  /** Who speaks: upstream's name of the logger. */
  readonly logger: string
  readonly clock: Pick<Clock, 'now'>
  readonly write: (line: string) => void
}

/** A log of zap's lines; the fact `err` is upstream's `error`. Errors have no stack. */
export function zapLog({ settings, logger, clock, write }: LogOptions): Log {
  const least = levels.indexOf(settings.level)
  const print = settings.encoder === 'json' ? jsonLine : consoleLine
  const say = (level: (typeof levels)[number]) => (facts: Readonly<Record<string, unknown>>, message: string) => {
    if (levels.indexOf(level) < least) return
    const { err, ...rest } = facts
    const fields = { ...fieldsOf(rest), ...(err === undefined ? {} : { error: messageOf(err) }) }
    write(print({ level, time: timeOf(clock.now(), settings.time), logger, message, fields }))
  }
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

interface Line {
  readonly level: string
  readonly time: string | number
  readonly logger: string
  readonly message: string
  readonly fields: LogFields
}

function jsonLine({ level, time, logger, message, fields }: Line): string {
  return JSON.stringify({ level, ts: time, logger, msg: message, ...fields })
}

function consoleLine({ level, time, logger, message, fields }: Line): string {
  const pairs = Object.entries(fields).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
  const parts = [String(time), level.toUpperCase(), logger, message, ...(pairs.length === 0 ? [] : [`{${pairs.join(', ')}}`])]
  return parts.map(part => part.replaceAll('\n', '\\n')).join('\t')
}

function timeOf(nowMs: number, encoding: ZapSettings['time']): string | number {
  const iso = new Date(nowMs).toISOString()
  switch (encoding) {
    case 'epoch':
      return nowMs / 1_000
    case 'millis':
      return nowMs
    case 'nano':
      return nowMs * 1_000_000
    case 'iso8601':
      return iso.replace('Z', '+0000')
    case 'rfc3339':
      return iso.replace(/\.\d+Z$/, 'Z')
    case 'rfc3339nano':
      return iso
  }
}
