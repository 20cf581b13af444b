// What a watcher has not read yet: lines, in order, up to a limit. A reader that stays behind is cut off; it lists again.

/** Lines and bytes a watcher may be behind. */
const mostBytes = 64 * 1024 * 1024

export class EventQueue implements AsyncIterable<string> {
  #lines: string[] = []
  #waiting: ((result: IteratorResult<string>) => void) | undefined
  #bytes = 0
  #isEnded = false
  #isClosed = false
  readonly #onClose: (() => void)[] = []

  /** Called once when the stream is over, whoever ended it. */
  onClose(callback: () => void): void {
    this.#onClose.push(callback)
  }

  push(line: string): void {
    if (this.#isEnded || this.#isClosed) return
    if (this.#waiting !== undefined) {
      const wake = this.#waiting
      this.#waiting = undefined
      wake({ value: line, done: false })
      return
    }
    this.#lines.push(line)
    this.#bytes += line.length
    if (this.#bytes > mostBytes) this.close()
  }

  /** No more lines come; those that are queued are still read. */
  end(): void {
    this.#isEnded = true
    if (this.#lines.length === 0) this.close()
  }

  /** Ends at once. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#lines = []
    this.#waiting?.({ value: undefined, done: true })
    this.#waiting = undefined
    for (const callback of this.#onClose) callback()
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () => {
        if (this.#lines.length > 0) {
          const value = this.#lines.join('')
          this.#lines = []
          this.#bytes = 0
          return Promise.resolve({ value, done: false })
        }
        if (this.#isEnded) this.close()
        if (this.#isClosed) return Promise.resolve({ value: undefined, done: true })
        return new Promise(resolve => {
          this.#waiting = resolve
        })
      },
      return: () => {
        this.close()
        return Promise.resolve({ value: undefined, done: true })
      },
    }
  }
}
