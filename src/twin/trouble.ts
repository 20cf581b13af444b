// Faults of the twin itself. Each is contained where it happens (one request, one listener, one item of a component) and told here;
// none ends the process, since whatever a client sends may meet one.
import { type Log, messageOf } from '#kube/log.ts'

export interface TwinTrouble {
  /**
   * `request`: no answer could be made. `stream`: an answer broke off on its way. `listener`: a part was not told of a change.
   * `component`: an item of the simulated cluster failed. `object`: a part works without an object that it cannot read.
   */
  readonly kind: 'request' | 'stream' | 'listener' | 'component' | 'object'
  /** Verb and path, or part and object: `GET /api/v1/pods`, `kubelet shop/cart-a`. */
  readonly where: string
  readonly error: unknown
  /** How often in a row it happened there, this time included. */
  readonly count: number
}

export type TellTrouble = (trouble: TwinTrouble) => void

const whatHappened: Readonly<Record<TwinTrouble['kind'], string>> = {
  request: 'was answered with 500',
  stream: 'broke off',
  listener: 'missed a change',
  component: 'failed and is tried again',
  object: 'is set aside',
}

/** One line for people. */
export function troubleText({ kind, where, error, count }: TwinTrouble): string {
  return `the twin: ${where} ${whatHappened[kind]}${count > 1 ? ` (${count} times)` : ''}: ${messageOf(error)}`
}

/** Tells the first trouble of a row, and of its repeats those at 2, 4, 8 and so on. */
export function seldom(tell: TellTrouble): TellTrouble {
  return trouble => {
    if (Number.isInteger(Math.log2(trouble.count))) tell(trouble)
  }
}

/** Tells each trouble in the log, with its stack. */
export function troubleLog(log: Log): TellTrouble {
  return seldom(trouble => {
    const { kind, where, error, count } = trouble
    const stack = error instanceof Error ? error.stack : undefined
    log.error({ kind, where, count, error: messageOf(error), ...(stack === undefined ? {} : { stack }) }, troubleText(trouble))
  })
}

/** Where nobody listens a fault must not pass unseen: it is thrown outside of everything, which fails a test. */
export function throwTrouble(trouble: TwinTrouble): void {
  queueMicrotask(() => {
    throw new Error(troubleText(trouble), { cause: trouble.error })
  })
}
