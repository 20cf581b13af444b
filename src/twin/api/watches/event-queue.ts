// What a watcher has not read yet: lines, in order, up to a limit. A reader that stays behind is cut off; it lists again.
import type { Cancel, Clock } from '#kube/clock.ts'

/** Events and bytes that a watcher may be behind for a while. */
const mostEventsBehind = 1_000
const mostBytesBehind = 8 * 1024 * 1024
const longestBehindMs = 5_000
/** Nobody may be this far behind, however short. */
const mostBytesQueued = 64 * 1024 * 1024
/** What is handed on at once. */
const largestReadBytes = 1024 * 1024

/** Lines are shared by all watchers that get them. */
export class EventQueue implements AsyncIterator<Uint8Array> {
  readonly #clock: Pick<Clock, 'schedule'>
  #lines: Uint8Array[] = []
  #bytes = 0
  #waiting: ((result: IteratorResult<Uint8Array>) => void) | undefined
  #isEnded = false
  #isClosed = false
  #cutOff: Cancel | undefined
  readonly #onClose: (() => void)[] = []
  readonly #givenUp = new AbortController()

  /** `clock`: real time, by which readers are slow. */
  constructor(clock: Pick<Clock, 'schedule'>) {
    this.#clock = clock
  }

  /** Aborted when the reader was too slow. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal
  }

  /** True when no more lines are taken. */
  get isOver(): boolean {
    return this.#isEnded || this.#isClosed
  }

  /** Called once when the stream is over, whoever ended it. */
  onClose(callback: () => void): void {
    this.#onClose.push(callback)
  }

  push(line: Uint8Array): void {
    if (this.isOver) return
    if (this.#waiting !== undefined) {
      const wake = this.#waiting
      this.#waiting = undefined
      wake({ value: line, done: false })
      return
    }
    this.#lines.push(line)
    this.#bytes += line.byteLength
    if (this.#bytes > mostBytesQueued) this.#giveUp()
    else if (this.#isBehind) this.#cutOff ??= this.#clock.schedule(longestBehindMs, () => this.#giveUp())
  }

  /** No more lines come; those that are queued are still read. */
  end(): void {
    if (this.isOver) return
    this.#isEnded = true
    if (this.#lines.length === 0) this.close()
    else this.#cutOff ??= this.#clock.schedule(longestBehindMs, () => this.#giveUp())
  }

  /** Ends at once. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#lines = []
    this.#caughtUp()
    this.#waiting?.({ value: undefined, done: true })
    this.#waiting = undefined
    for (const callback of this.#onClose) callback()
  }

  /** Whole lines, several where several wait. */
  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#lines.length > 0) return Promise.resolve({ value: this.#take(), done: false })
    if (this.#isEnded) this.close()
    if (this.#isClosed) return Promise.resolve({ value: undefined, done: true })
    return new Promise(resolve => {
      this.#waiting = resolve
    })
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.close()
    return Promise.resolve({ value: undefined, done: true })
  }

  get #isBehind(): boolean {
    return this.#lines.length > mostEventsBehind || this.#bytes > mostBytesBehind
  }

  #take(): Uint8Array {
    let count = 0
    let bytes = 0
    for (const line of this.#lines) {
      if (count > 0 && bytes + line.byteLength > largestReadBytes) break
      count++
      bytes += line.byteLength
    }
    const taken = this.#lines.splice(0, count)
    this.#bytes -= bytes
    if (!this.#isBehind && !this.#isEnded) this.#caughtUp()
    const [first] = taken
    return first !== undefined && taken.length === 1 ? first : Buffer.concat(taken, bytes)
  }

  #giveUp(): void {
    this.close()
    this.#givenUp.abort()
  }

  #caughtUp(): void {
    this.#cutOff?.()
    this.#cutOff = undefined
  }
}
