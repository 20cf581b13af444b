// The body of one answer on its way to whoever asked: exactly as many bytes as were promised, or a broken connection.
import type { ServerResponse } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LentBody } from '../lent-body.ts'
import { Exactly } from './exactly.ts'

export class Sending {
  readonly #response: ServerResponse
  readonly #length: number
  readonly #exactly: Exactly
  #lent = 0

  /** @param length bytes that the head of the answer has promised */
  constructor(response: ServerResponse, length: number) {
    this.#response = response
    this.#length = length
    this.#exactly = new Exactly(length)
  }

  /** Bytes of the body that were sent. */
  get sent(): number {
    return this.#lent + this.#exactly.passed
  }

  /**
   * Sends the body, and ends the answer. `through` holds it back. @throws Error where the body fails or has another length, or the client goes
   * away; the answer is then not ended
   */
  async send(body: Readable, through: Transform | undefined): Promise<void> {
    if (through !== undefined) await pipeline(body, this.#exactly, through, this.#response)
    else if (body instanceof LentBody) await this.#sendLent(body)
    else await pipeline(body, this.#exactly, this.#response)
  }

  /** Straight from its memory to the socket, a piece after the other: the next is got while this one is written. */
  async #sendLent(body: LentBody): Promise<void> {
    const response = this.#response
    let giveUp = (_error: Error): void => undefined
    const onClose = () => {
      const gone = new Error('who asked has gone')
      body.destroy()
      giveUp(gone)
    }
    const done = (start: (callback: (error?: Error | null) => void) => void): Promise<void> =>
      new Promise((resolve, reject) => {
        giveUp = reject
        start(error => (error ? reject(error) : resolve()))
      })
    response.once('close', onClose)
    try {
      for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
        using held = piece
        const { bytes } = held
        if (this.#lent + bytes.length > this.#length) throw new Error(`more than ${this.#length} bytes came`)
        await done(callback => response.write(bytes, callback))
        this.#lent += bytes.length
      }
      if (this.#lent < this.#length) throw new Error(`${this.#lent} of ${this.#length} bytes came`)
      await done(callback => response.end(callback))
    } finally {
      response.removeListener('close', onClose)
    }
  }
}
