// How transports fail when no answer came: the outcome of a write is then unknown, unless nothing was sent.
import { OutsideError } from '../outside-error.ts'

/** The connection broke, was refused, or ended before the answer did. */
export class ConnectionError extends OutsideError {
  override readonly name = 'ConnectionError'
  /** `ECONNREFUSED`, `ECONNRESET`, a TLS code; `''` when none is known. */
  readonly code: string

  constructor(message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = options.code ?? ''
  }
}

/** No answer within the request's time. */
export class RequestTimeoutError extends OutsideError {
  override readonly name = 'RequestTimeoutError'
}

/** What a request's guard throws: whoever asked may not act any more, and nothing was sent. */
export class NotSentError extends OutsideError {
  override readonly name: string = 'NotSentError'
}
