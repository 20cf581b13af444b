// The log of a process: one JSON object a line on standard error, with what must never be seen taken out.
import { pino } from 'pino'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'

interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly clock: Clock
}

/** A pino logger whose times are the clock's. */
export function processLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(options.clock.now()).toISOString()}"`,
      formatters: { level: label => ({ level: label }) },
      redact: {
        paths: ['token', '*.token', 'headers.authorization', '*.headers.authorization', '*.certificate', '*.key'],
        censor: '[redacted]',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  )
}
