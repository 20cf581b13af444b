// What comes in for a command, piece by piece: as it is, or as a terminal gives it, line by line with what is typed shown.

const longestLine = 4_096
/** What is not taken yet; who sends waits. */
const mostWaiting = 256 * 1024

export class TerminalInput implements AsyncIterable<Uint8Array> {
  readonly #hasTty: boolean
  readonly #show: (bytes: Uint8Array) => Promise<void>
  #waiting: Uint8Array[] = []
  #size = 0
  #line = ''
  #isEnded = false
  #changed = Promise.withResolvers<void>()

  constructor(hasTty: boolean, show: (bytes: Uint8Array) => Promise<void>) {
    this.#hasTty = hasTty
    this.#show = show
  }

  /** Resolves when more can come. */
  async add(bytes: Uint8Array): Promise<void> {
    if (this.#hasTty) await this.#typed(Buffer.from(bytes).toString())
    else this.#push(bytes)
    while (this.#size > mostWaiting && !this.#isEnded) await this.#changed.promise
  }

  end(): void {
    this.#isEnded = true
    this.#tell()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        this.#size -= next.length
        this.#tell()
        yield next
      } else if (this.#isEnded) return
      else await this.#changed.promise
    }
  }

  /** Backspace takes back, ^C drops the line, ^D on an empty line ends. What is typed is shown at once, as by a terminal. */
  async #typed(text: string): Promise<void> {
    let shown = ''
    const lines: string[] = []
    let isEnd = false
    for (const key of text) {
      if (key === '\r' || key === '\n') {
        shown += '\n'
        lines.push(`${this.#line}\n`)
        this.#line = ''
      } else if (key === '\x03') {
        shown += '^C\n'
        lines.push('\n')
        this.#line = ''
      } else if (key === '\x04') isEnd = isEnd || this.#line === ''
      else if (key === '\x7f' || key === '\b') {
        if (this.#line !== '') shown += '\b \b'
        this.#line = [...this.#line].slice(0, -1).join('')
      } else if (key >= ' ' && this.#line.length < longestLine) {
        this.#line += key
        shown += key
      }
    }
    if (shown !== '') await this.#show(Buffer.from(shown))
    for (const line of lines) this.#push(Buffer.from(line))
    if (isEnd) this.end()
  }

  #push(bytes: Uint8Array): void {
    this.#waiting.push(bytes)
    this.#size += bytes.length
    this.#tell()
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}
