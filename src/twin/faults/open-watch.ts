// A watch's stream with faults in it. Without any it hands on what comes as it comes; a fault that is set later takes hold of what
// comes from then on.
import type { Clock } from '#kube/clock.ts'
import { expired } from '#kube/objects/status.ts'
import type { Disturbance } from './disturbance.ts'
import { InjectedReset } from './injected-reset.ts'
import { drawnMs } from './spread.ts'

type Chunk = string | Uint8Array

interface OpenWatchOptions {
  /** Waits of faults are of real time, as all of a connection's are. */
  readonly wire: Clock
  /** Aborted when the client is gone or the watch was interrupted. */
  readonly signal: AbortSignal
  /** Ends the stream inside. */
  readonly interrupt: () => void
  /** Whose connection breaks, for the error's text. */
  readonly what: string
}

/** A disturbance with what it has seen so far. */
interface Active extends Disturbance {
  events: number
  /** It did what it does once and does nothing more. */
  isOver: boolean
}

const lineFeed = 10

export class OpenWatch implements AsyncIterable<Chunk>, AsyncIterator<Chunk> {
  readonly #inner: AsyncIterator<Chunk>
  readonly #options: OpenWatchOptions
  readonly #active: Active[] = []
  readonly #decoder = new TextDecoder()
  /** Whole events that have come and were not handed on yet, and the beginning of the next. */
  readonly #lines: string[] = []
  #partial = ''
  /** What was handed on last ended within an event: faults wait for its end. */
  #isMidLine = false
  #end: 'none' | 'clean' | 'expired' | 'broken' = 'none'

  constructor(inner: AsyncIterable<Chunk>, disturbances: readonly Disturbance[], options: OpenWatchOptions) {
    this.#inner = inner[Symbol.asyncIterator]()
    this.#options = options
    for (const disturbance of disturbances) this.disturb(disturbance)
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk> {
    return this
  }

  /** From now on the watch suffers from this as well. */
  disturb(disturbance: Disturbance): void {
    const active = { ...disturbance, events: 0, isOver: false }
    this.#active.push(active)
    this.#endWhereDue(active)
  }

  async next(): Promise<IteratorResult<Chunk, undefined>> {
    for (;;) {
      const line = this.#end === 'none' ? this.#lines.shift() : undefined
      if (line !== undefined) {
        const text = await this.#through(line)
        if (text !== '') return { value: text, done: false }
        continue
      }
      if (this.#end !== 'none') return await this.#last()
      const { value, done } = await this.#inner.next()
      if (done === true) return await this.#last()
      if (this.#active.length === 0 || this.#isMidLine) {
        this.#isMidLine = !endsLine(value)
        return { value, done: false }
      }
      await this.#delay()
      this.#take(value)
    }
  }

  async return(): Promise<IteratorResult<Chunk, undefined>> {
    this.#end = 'clean'
    return await this.#last()
  }

  /** The end, with the word that belongs before it. */
  async #last(): Promise<IteratorResult<Chunk, undefined>> {
    if (this.#end === 'broken') {
      await this.#close()
      throw new InjectedReset(this.#options.what)
    }
    if (this.#end === 'expired') {
      this.#end = 'clean'
      const { status } = expired('The resourceVersion for the provided watch is too old.')
      return { value: `${JSON.stringify({ type: 'ERROR', object: status })}\n`, done: false }
    }
    await this.#close()
    return { value: undefined, done: true }
  }

  async #close(): Promise<void> {
    this.#options.interrupt()
    await this.#inner.return?.()
  }

  #take(chunk: Chunk): void {
    const text = this.#partial + (typeof chunk === 'string' ? chunk : this.#decoder.decode(chunk, { stream: true }))
    const lines = text.split('\n')
    this.#partial = lines.pop() ?? ''
    for (const line of lines) this.#lines.push(`${line}\n`)
  }

  async #delay(): Promise<void> {
    for (const { what, random } of this.#active) if (what.kind === 'delay') await this.#wait(drawnMs(what.spread, random))
  }

  /** The part of an event that comes through. */
  async #through(line: string): Promise<string> {
    const isBookmark = line.startsWith('{"type":"BOOKMARK"')
    let text = line
    for (const active of [...this.#active]) {
      const { what } = active
      if (what.kind === 'bookmarkless' && isBookmark && !line.includes('k8s.io/initial-events-end')) return ''
      if (what.kind === 'stall' && !active.isOver && active.events >= what.afterEvents) {
        active.isOver = true
        await this.#wait(what.forMs)
        if (this.#end !== 'none') return ''
      }
      if (what.kind === 'cut' && active.events >= what.afterEvents) {
        this.#end = 'broken'
        return line.slice(0, Math.ceil(line.length / 2))
      }
      if (isBookmark) continue
      active.events++
      if (what.kind === 'repeat' && active.events % what.every === 0) text += line
      this.#endWhereDue(active)
    }
    return text
  }

  #endWhereDue({ what, events }: Active): void {
    if ((what.kind !== 'drop' && what.kind !== 'expire') || events < what.afterEvents || this.#end !== 'none') return
    this.#end = what.kind === 'drop' ? 'clean' : 'expired'
    // A reader that waits for the next event of a quiet watch is told at once.
    this.#options.interrupt()
  }

  /** For so long, or until the client is gone. */
  async #wait(ms: number | undefined): Promise<void> {
    const { signal, wire } = this.#options
    try {
      if (ms === undefined) await aborted(signal)
      else await wire.after(ms, signal)
    } catch (error) {
      if (!signal.aborted) throw error
      if (this.#end === 'none') this.#end = 'clean'
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function endsLine(chunk: Chunk): boolean {
  return typeof chunk === 'string' ? chunk.endsWith('\n') : chunk[chunk.length - 1] === lineFeed
}
