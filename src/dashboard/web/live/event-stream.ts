// Reads `text/event-stream` as it arrives, in pieces cut anywhere (HTML, 9.2.6: interpreting an event stream). Pure.

export interface ServerEvent {
  /** `message` where the server names none. */
  readonly name: string
  readonly data: string
  /** The last id that was named, also by an earlier event; the empty string: none. */
  readonly id: string
}

/** Longer lines than this are nothing of ours: a snapshot of 5,000 nodes has half a million characters. */
const longestLine = 64 * 1024 * 1024

export class EventStreamReader {
  readonly #onEvent: (event: ServerEvent) => void
  #rest = ''
  #name = ''
  #data: string[] = []
  #id = ''

  constructor(onEvent: (event: ServerEvent) => void) {
    this.#onEvent = onEvent
  }

  /** Takes the next piece of text; events that it completes are handed on before it returns. @throws Error where a line has no end */
  read(piece: string): void {
    const text = this.#rest + piece
    // A carriage return at the very end may be the first half of a line's end.
    const until = text.endsWith('\r') ? text.length - 1 : text.length
    const lines = text.slice(0, until).split(/\r\n|\n|\r/)
    this.#rest = (lines.pop() ?? '') + text.slice(until)
    if (this.#rest.length > longestLine) throw new Error('the stream sent a line without an end')
    for (const line of lines) this.#line(line)
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    if (line.startsWith(':')) return
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.#name = value
    else if (field === 'data') this.#data.push(value)
    else if (field === 'id' && !value.includes('\0')) this.#id = value
  }

  #dispatch(): void {
    const data = this.#data.join('\n')
    const name = this.#name === '' ? 'message' : this.#name
    const isEmpty = this.#data.length === 0
    this.#name = ''
    this.#data = []
    if (!isEmpty) this.#onEvent({ name, data, id: this.#id })
  }
}
