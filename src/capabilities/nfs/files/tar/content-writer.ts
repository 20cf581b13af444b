// Writes the content of a file in a thread of Node's, while what comes next is decompressed and summed. One write is under way at a time, since the
// kernel does those of one file one after the other; what comes meanwhile goes out with the next, up to a bound.
import { writev } from 'node:fs'
import { promisify } from 'node:util'
import type { ByteText } from '../byte-text.ts'
import { failureAt } from '../file-work-failed.ts'

const waitingBytes = 1024 * 1024
const write = promisify(writev)

export class ContentWriter implements AsyncDisposable {
  readonly #fd: number
  readonly #path: ByteText
  #run: Buffer[] = []
  #runAt = 0
  #runBytes = 0
  #underWay: Promise<void> | undefined
  #failure: unknown

  /** `fd`: a file that stays open until this is disposed of; `path`: for messages. */
  constructor(fd: number, path: ByteText) {
    this.#fd = fd
    this.#path = path
  }

  /** Has `part` written at `position`; it must not change any more. @throws FileWorkFailed where an earlier one could not be written */
  async put(part: Buffer, position: number): Promise<void> {
    while (this.#underWay !== undefined && !this.#fits(position)) await this.#underWay
    this.#check()
    if (this.#runBytes === 0) this.#runAt = position
    this.#run.push(part)
    this.#runBytes += part.length
    if (this.#underWay === undefined) this.#start()
  }

  /** Waits until all is written. @throws FileWorkFailed where it could not be */
  async end(): Promise<void> {
    await this.#idle()
    this.#check()
  }

  /** Gives up what waits, and waits for what is under way: its file may be closed then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#run = []
    this.#runBytes = 0
    await this.#idle()
  }

  async #idle(): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay
  }

  /** Whether a part goes out with those that wait. */
  #fits(position: number): boolean {
    return this.#runBytes === 0 || (this.#runBytes < waitingBytes && this.#runAt + this.#runBytes === position)
  }

  #start(): void {
    if (this.#runBytes === 0 || this.#failure !== undefined) return
    this.#underWay = this.#written(this.#run, this.#runAt)
    this.#run = []
    this.#runBytes = 0
  }

  /** Never rejects: what failed is thrown where somebody waits. */
  async #written(parts: readonly Buffer[], position: number): Promise<void> {
    try {
      let left = parts
      for (let at = position; left.length > 0; ) {
        const { bytesWritten } = await write(this.#fd, left, at)
        at += bytesWritten
        left = after(left, bytesWritten)
      }
    } catch (error) {
      this.#failure = failureAt('write', this.#path, error)
    }
    this.#underWay = undefined
    this.#start()
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }
}

/** What follows the first `bytes` of `parts`. */
function after(parts: readonly Buffer[], bytes: number): readonly Buffer[] {
  let passed = 0
  return parts.flatMap(part => {
    const cut = Math.min(part.length, Math.max(0, bytes - passed))
    passed += part.length
    return cut === part.length ? [] : [part.subarray(cut)]
  })
}
