// Reloader's levels of logging, and the nearest of ours.
const levels = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'error',
  panic: 'error',
} as const

/** Every level that Reloader knows, by its name there. */
export const reloaderLogLevels: ReadonlyMap<string, 'debug' | 'info' | 'warn' | 'error'> = new Map(Object.entries(levels))
