// A bearer token in a file that is rotated: read at most every 50 s, never forgotten for an unreadable file.
import { readFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import { OutsideError } from '../outside-error.ts'

/** A minute less ten seconds, as client-go has it. */
const freshMs = 50_000
const reportMs = 60_000

export class TokenFile {
  readonly #path: string
  readonly #fallback: string | undefined
  readonly #clock: Clock
  readonly #log: Log
  #token: string | undefined
  #readMs = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  #reportedMs = Number.NEGATIVE_INFINITY
  #isDropped = false

  constructor(options: { path: string; fallback: string | undefined; clock: Clock; log: Log }) {
    this.#path = options.path
    this.#fallback = options.fallback
    this.#clock = options.clock
    this.#log = options.log
  }

  /** The token. @throws Error when there never was one. */
  async token(): Promise<string> {
    if (this.#isDropped || this.#clock.elapsed() - this.#readMs >= freshMs) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined
      })
      await this.#reading
    }
    const token = this.#token ?? this.#fallback
    if (token === undefined) throw new OutsideError(`${this.#path}: there is no token in it`)
    return token
  }

  /** A request begun at `sinceMs` (of `elapsed()`) was refused: what was read before is not used again. True when there may be a newer one. */
  invalidate(sinceMs: number): boolean {
    if (this.#readMs > sinceMs) return true
    this.#isDropped = true
    return true
  }

  async #read(): Promise<void> {
    try {
      const token = (await readFile(this.#path, 'utf8')).trim()
      if (token === '') this.#report('it is empty')
      else this.#token = token
    } catch (error) {
      this.#report(messageOf(error))
    }
    this.#readMs = this.#clock.elapsed()
    this.#isDropped = false
  }

  #report(why: string): void {
    const nowMs = this.#clock.elapsed()
    if (nowMs - this.#reportedMs < reportMs) return
    this.#reportedMs = nowMs
    this.#log.warn({ path: this.#path, why }, 'token file not read, the previous token is used')
  }
}
