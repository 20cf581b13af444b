// The log of a drop-in as its upstream's libraries write it: klog's lines of text, or JSON as component-base has it.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

export type LogFields = Readonly<Record<string, string | number | boolean>>

/** A log by klog's levels. */
export interface Klog {
  /** What is above it is not written, and need not be made. */
  readonly verbosity: number
  /** An information at `level`. */
  told(level: number, message: string, fields: LogFields): void
  warned(message: string, fields: LogFields): void
  /** Always written. `error`: upstream's text. */
  failed(message: string, error: string, fields: LogFields): void
  /** The same log for the machinery below. */
  readonly machinery: Log
}

interface LogOptions {
  /** Stands where klog has the file that speaks. */
  readonly program: string
  readonly format: 'text' | 'json'
  /** klog's level. */
  readonly verbosity: number
  readonly clock: Pick<Clock, 'now'>
  readonly processId: number
  readonly write: (line: string) => void
}

type Severity = 'I' | 'W' | 'E'

interface Entry {
  readonly severity: Severity
  readonly level: number
  readonly message: string
  readonly error?: string
  readonly fields: LogFields
}

/** Levels at which the machinery below speaks. */
const machineryLevels = { debug: 4, info: 2 } as const
/** Never shown, whoever logs them. */
const hidden = new Set(['token', 'headers', 'authorization', 'certificate', 'key'])

/** Writes what is at or below the level; warnings and errors always. */
export function klog({ program, format, verbosity, clock, processId, write }: LogOptions): Klog {
  const print = format === 'json' ? jsonLine : textLine
  const say = (entry: Entry) => {
    if (entry.severity === 'I' && entry.level > verbosity) return
    write(print(entry, { nowMs: clock.now(), processId, program }))
  }
  const plain = (facts: Readonly<Record<string, unknown>>) => fieldsOf(facts)
  return {
    verbosity,
    told: (level, message, fields) => say({ severity: 'I', level, message, fields }),
    warned: (message, fields) => say({ severity: 'W', level: 0, message, fields }),
    failed: (message, error, fields) => say({ severity: 'E', level: 0, message, error, fields }),
    machinery: {
      debug: (facts, message) => say({ severity: 'I', level: machineryLevels.debug, message, fields: plain(facts) }),
      info: (facts, message) => say({ severity: 'I', level: machineryLevels.info, message, fields: plain(facts) }),
      warn: (facts, message) => say({ severity: 'W', level: 0, message, fields: plain(facts) }),
      error: (facts, message) => say({ severity: 'E', level: 0, message, fields: plain(facts) }),
    },
  }
}

interface Occasion {
  readonly nowMs: number
  readonly processId: number
  readonly program: string
}

/** `I1121 09:03:17.123456       1 ballast] "Evicted pod" pod="shop/web-1"`; the time is UTC. */
function textLine({ severity, message, error, fields }: Entry, { nowMs, processId, program }: Occasion): string {
  const [date = '', time = ''] = new Date(nowMs).toISOString().split('T')
  const head = `${severity}${date.slice(5).replace('-', '')} ${time.slice(0, -1)}000 ${String(processId).padStart(7)} ${program}:1]`
  const all = { ...(error !== undefined && { err: error }), ...fields }
  const pairs = Object.entries(all).map(([key, value]) => ` ${key}=${textValue(value)}`)
  return `${head} ${JSON.stringify(message)}${pairs.join('')}`
}

/** Texts are quoted, as klog does it; one of several lines stays one line here. */
function textValue(value: LogFields[string]): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

function jsonLine({ severity, level, message, error, fields }: Entry, { nowMs, program }: Occasion): string {
  const shown = Object.entries(fields).map(([key, value]) => [key, key === 'pod' ? podReference(value) : value])
  return JSON.stringify({
    ts: nowMs,
    caller: `${program}:1`,
    msg: message,
    ...(severity === 'I' ? { v: level } : {}),
    ...(severity === 'W' ? { level: 'warn' } : {}),
    ...(error === undefined ? {} : { err: error }),
    ...Object.fromEntries(shown),
  })
}

/** As upstream's JSON names an object. */
function podReference(value: LogFields[string]): unknown {
  const [namespace, name] = String(value).split('/')
  return name === undefined ? value : { name, namespace }
}

/** What a log line shows of facts: texts and numbers, what is secret hidden. */
export function fieldsOf(facts: Readonly<Record<string, unknown>>): LogFields {
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [key === 'err' ? 'cause' : key, hidden.has(key) ? '[redacted]' : fieldOf(value)]),
  )
}

function fieldOf(value: unknown): LogFields[string] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (value instanceof Error) return messageOf(value)
  return JSON.stringify(value) ?? ''
}
