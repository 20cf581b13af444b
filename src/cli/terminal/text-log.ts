// A log as lines of `key=value`, as the tools of the field write it where nobody asked for JSON.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof levels)[number]
const shownLevel = { debug: 'debug', info: 'info', warn: 'warning', error: 'error' } as const
/** Never shown, whoever logs them. */
const hidden = new Set(['token', 'headers', 'authorization', 'certificate'])

/** Writes lines from `level` on. */
export function textLog(options: { readonly level: Level; readonly clock: Clock; readonly write: (line: string) => void }): Log {
  const { level, clock, write } = options
  const writer = (own: Level) => (facts: Readonly<Record<string, unknown>>, message: string) => {
    if (levels.indexOf(own) < levels.indexOf(level)) return
    const time = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
    const shown = Object.entries(facts).map(([key, value]) => ` ${key}=${hidden.has(key) ? '[redacted]' : quoted(value)}`)
    write(`time="${time}" level=${shownLevel[own]} msg=${JSON.stringify(message)}${shown.join('')}`)
  }
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') }
}

const bare = /^[-A-Za-z0-9._/@^+]+$/

function quoted(value: unknown): string {
  const text = textOf(value)
  return bare.test(text) ? text : JSON.stringify(text)
}

function textOf(value: unknown): string {
  if (value instanceof Error) return messageOf(value)
  if (Array.isArray(value) && value.every(one => typeof one === 'string')) return value.join(', ')
  if (Array.isArray(value)) return value.map(textOf).join(', ')
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
