// What the floors below `cli` need of a log: facts first, then a constant message. A pino logger is one.

export interface Log {
  debug(facts: Readonly<Record<string, unknown>>, message: string): void
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
  error(facts: Readonly<Record<string, unknown>>, message: string): void
}

/** Says nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** The message of anything thrown, with its causes: `read pods: connect ECONNREFUSED 10.0.0.1:6443`. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const own = thrown.message === '' ? thrown.name : thrown.message
  return thrown.cause === undefined || thrown.cause === null ? own : `${own}: ${messageOf(thrown.cause)}`
}
