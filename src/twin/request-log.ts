// The last requests, oldest first: what a checker or a person looks at to see who asked for what.

export interface LoggedRequest {
  readonly verb: string
  readonly path: string
  readonly query: string
  readonly user: string
  readonly agent: string
  /** 0 where a fault broke the connection instead of an answer. */
  readonly code: number
  /** The cluster's time when it was answered, milliseconds since 1970. */
  readonly at: number
}

export class RequestLog {
  readonly #limit: number
  readonly #entries: LoggedRequest[] = []
  #dropped = 0

  constructor(limit = 10_000) {
    this.#limit = limit
  }

  add(entry: LoggedRequest): void {
    this.#entries.push(entry)
    if (this.#entries.length < this.#limit * 2) return
    this.#dropped += this.#entries.splice(0, this.#entries.length - this.#limit).length
  }

  /** The last requests that are kept, oldest first. */
  get entries(): readonly LoggedRequest[] {
    return this.#entries.slice(-this.#limit)
  }

  /** How many requests there were since the start. */
  get total(): number {
    return this.#dropped + this.#entries.length
  }
}
