// A connection to a target, for one request after another. Node's sockets and a reader of our own: Node's client and undici take as much time
// for a request as the rest of the gateway together (ARCHITECTURE.md has the figures).
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type AnswerHead, AnswerReader } from './answer-reader.ts'

/** Connections that nobody uses end after so long, where the target says nothing of it: below what servers keep them. */
const keepAliveMs = 4_000
const longestKeepAliveMs = 60_000
/** A server that says nothing to `Expect` gets the body after so long, as upstream does it. */
const continueMs = 1_000

/** What goes to the target. */
export interface Asked {
  readonly method: string
  readonly target: string
  /** Names and values by turns, with everything that frames the body. */
  readonly headers: readonly string[]
  readonly body: Readable | undefined
  /** Bytes of the body; undefined: it goes in chunks. */
  readonly contentLength: number | undefined
  /** The body waits for leave. */
  readonly expectsContinue: boolean
  readonly isUpgrade: boolean
  /** Milliseconds until the answer's head, from when the request was sent; 0: any. */
  readonly headMs: number
}

/** Hears of the answer. One of `onWhole`, `onUpgraded` and `onError` is the last call. */
export interface AnswerTaker {
  /** Interim answers too. */
  onHead(head: AnswerHead): void
  /** False: `resume` of the connection says when more is taken. */
  onData(bytes: Buffer): boolean
  onWhole(trailers: readonly string[]): void
  onUpgraded(head: AnswerHead, socket: Socket, first: Buffer): void
  onError(error: Error): void
  /** A piece of the body went to the target. */
  onSent(): void
  /** The target wants the body. */
  onContinue(): void
  /** Fields after the body, once it has ended. */
  trailers(): readonly string[]
}

/** Where a socket puts what it reads: one piece of memory for all of them, which is free again when `take` has returned. */
export interface Landing {
  take: (bytes: Buffer) => void
}

interface Keeping {
  readonly clock: Clock
  /** It may be asked again. */
  readonly onIdle: (connection: TargetConnection) => void
  /** It is gone; called once. */
  readonly onClosed: (connection: TargetConnection) => void
}

/** An error of the connection, with a code as Node's have it. */
export function connectionError(message: string, code: string): Error {
  return Object.assign(new Error(message), { code })
}

export class TargetConnection {
  readonly #socket: Socket
  readonly #keeping: Keeping
  #taker: AnswerTaker | undefined
  readonly #reader: AnswerReader
  #asked: Asked | undefined
  #head: AnswerHead | undefined
  #stopBody: (() => void) | undefined
  #isSent = false
  #isClosed = false
  /** When it is over with waiting: for a head, or for another request; Infinity: never. */
  #dueMs = Number.POSITIVE_INFINITY
  #timer: { readonly atMs: number; readonly cancel: Cancel } | undefined

  /** `socket` is connected. `landing`: where its bytes come, in place of its events. */
  constructor(socket: Socket, keeping: Keeping, landing?: Landing) {
    this.#socket = socket
    this.#keeping = keeping
    const isLent = landing !== undefined
    this.#reader = new AnswerReader({
      onHead: head => this.#answered(head),
      onData: bytes => {
        // A client may take it later than the next bytes come.
        if (this.#taker?.onData(isLent ? Buffer.from(bytes) : bytes) === false) socket.pause()
      },
    })
    if (isLent) landing.take = bytes => this.#read(bytes)
    else socket.on('data', bytes => this.#read(bytes))
    socket.on('end', () => this.#ended())
    socket.on('error', error =>
      this.#fail(this.#taker !== undefined && !this.#reader.isSilent ? new Error(error.message) : error),
    )
    socket.on('close', () => this.#closed())
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#socket.destroyed || !this.#socket.writable
  }

  /** Sends a request. The one before has ended. */
  ask(asked: Asked, taker: AnswerTaker): void {
    this.#taker = taker
    this.#asked = asked
    this.#head = undefined
    this.#isSent = false
    this.#reader.begin(asked.method === 'HEAD')
    this.#dueMs = Number.POSITIVE_INFINITY
    const head = headText(asked)
    const { body } = asked
    if (body === undefined) {
      this.#socket.write(head, 'latin1')
      this.#sent()
      return
    }
    this.#socket.write(head, 'latin1')
    if (asked.expectsContinue) this.#wait(continueMs)
    else this.#sendBody(body)
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Ends it. Whoever waits for an answer is told nothing. */
  destroy(): void {
    this.#release()
    this.#socket.destroy()
  }

  #sendBody(body: Readable): void {
    const socket = this.#socket
    const taker = this.#taker
    const asked = this.#asked
    if (taker === undefined || asked === undefined || this.#stopBody !== undefined) return
    const { contentLength } = asked
    let sent = 0
    const onData = (chunk: Uint8Array) => {
      taker.onSent()
      sent += chunk.length
      if (contentLength !== undefined && sent > contentLength) {
        this.#fail(new Error('the body is longer than its Content-Length'))
        return
      }
      if (chunk.length > 0 && this.#writePiece(chunk, contentLength === undefined)) return
      body.pause()
      if (chunk.length > 0) socket.once('drain', onDrain)
      else body.resume()
    }
    const onDrain = () => body.resume()
    const onEnd = () => {
      if (contentLength !== undefined && sent !== contentLength) {
        this.#fail(new Error(`the body ended after ${sent} of ${contentLength} bytes`))
        return
      }
      if (contentLength === undefined) socket.write(`0\r\n${fieldText(taker.trailers())}\r\n`, 'latin1')
      stop()
      this.#sent()
    }
    const onError = (error: Error) => this.#fail(error)
    const stop = () => {
      body.off('data', onData)
      body.off('end', onEnd)
      body.off('error', onError)
      socket.off('drain', onDrain)
    }
    this.#stopBody = stop
    body.on('data', onData)
    body.on('end', onEnd)
    body.on('error', onError)
  }

  #writePiece(chunk: Uint8Array, isChunked: boolean): boolean {
    const socket = this.#socket
    if (!isChunked) return socket.write(chunk)
    socket.cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    const isTaken = socket.write('\r\n', 'latin1')
    socket.uncork()
    return isTaken
  }

  /** The request is with the target. */
  #sent(): void {
    this.#isSent = true
    const { headMs = 0 } = this.#asked ?? {}
    if (headMs > 0 && this.#head === undefined) this.#wait(headMs)
  }

  #read(bytes: Buffer): void {
    const reader = this.#reader
    if (this.#taker === undefined) {
      // What nobody asked for is no answer to what comes next.
      this.#socket.destroy()
      return
    }
    let rest: Buffer
    try {
      rest = reader.read(bytes)
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    // The taker may have ended it meanwhile.
    if (!reader.isWhole || this.#taker === undefined) return
    const head = this.#head
    if (head?.status === 101) this.#handOver(head, rest)
    // What came after it is an answer to nothing.
    else this.#whole(rest.length === 0)
  }

  #answered(head: AnswerHead): void {
    if (head.status === 100) {
      const body = this.#asked?.body
      if (this.#asked?.expectsContinue !== true || body === undefined || this.#stopBody !== undefined) return
      this.#dueMs = Number.POSITIVE_INFINITY
      this.#taker?.onContinue()
      this.#sendBody(body)
      return
    }
    if (head.status >= 200 || head.status === 101) {
      this.#head = head
      this.#dueMs = Number.POSITIVE_INFINITY
      if (head.status === 101) return
    }
    this.#taker?.onHead(head)
  }

  #whole(isClean: boolean): void {
    const taker = this.#taker
    const keptMs = this.#head?.keptMs
    const { trailers } = this.#reader
    const isKept = isClean && this.#isSent && keptMs !== 0 && !this.isClosed
    this.#release()
    if (isKept) {
      this.#wait(Math.min(keptMs ?? keepAliveMs, longestKeepAliveMs))
      this.#socket.resume()
      // Before the taker is told: what it asks next may go the same way.
      this.#keeping.onIdle(this)
    } else this.#socket.destroy() // what is left of a body nobody wants any more
    taker?.onWhole(trailers)
  }

  #handOver(head: AnswerHead, first: Buffer): void {
    const taker = this.#taker
    if (this.#asked?.isUpgrade !== true) {
      this.#fail(new Error('the target went to another protocol, for which nobody had asked'))
      return
    }
    this.#release()
    const socket = this.#socket
    socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('error').removeAllListeners('close')
    socket.pause()
    this.#closed()
    taker?.onUpgraded(head, socket, first)
  }

  #ended(): void {
    const reader = this.#reader
    if (this.#taker === undefined) return
    if (reader.isSilent) {
      this.#fail(connectionError('other side closed', 'ECONNRESET'))
      return
    }
    try {
      reader.close()
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    this.#whole(false)
  }

  #fail(error: Error): void {
    const taker = this.#taker
    this.#release()
    this.#socket.destroy()
    taker?.onError(error)
  }

  #closed(): void {
    if (this.#taker !== undefined) this.#ended()
    this.#timer?.cancel()
    if (this.#isClosed) return
    this.#isClosed = true
    this.#keeping.onClosed(this)
  }

  /** The request is over, whichever way. */
  #release(): void {
    this.#taker = undefined
    this.#asked = undefined
    this.#stopBody?.()
    this.#stopBody = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  /** One timer for whatever is waited for: most are over long before it fires, and it looks again then. */
  #wait(ms: number): void {
    const { clock } = this.#keeping
    this.#dueMs = clock.elapsed() + ms
    if (this.#timer !== undefined && this.#timer.atMs <= this.#dueMs) return
    this.#timer?.cancel()
    this.#schedule(ms)
  }

  #schedule(ms: number): void {
    const { clock } = this.#keeping
    this.#timer = { atMs: clock.elapsed() + ms, cancel: clock.schedule(ms, () => this.#look()) }
  }

  #look(): void {
    this.#timer = undefined
    if (this.#dueMs === Number.POSITIVE_INFINITY) return
    const leftMs = this.#dueMs - this.#keeping.clock.elapsed()
    if (leftMs > 0) {
      this.#schedule(leftMs)
      return
    }
    const asked = this.#asked
    if (asked === undefined) this.#socket.destroy()
    else if (!this.#isSent && asked.body !== undefined && asked.expectsContinue && this.#stopBody === undefined) {
      this.#dueMs = Number.POSITIVE_INFINITY
      this.#taker?.onContinue()
      this.#sendBody(asked.body)
    } else this.#fail(connectionError(`no answer within ${asked.headMs} ms`, 'ETIMEDOUT'))
  }
}

/** @throws Error for what would not be one request */
function headText({ method, target, headers }: Asked): string {
  return `${method} ${target} HTTP/1.1\r\n${fieldText(headers)}\r\n`
}

function fieldText(fields: readonly string[]): string {
  let text = ''
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const value = fields[at + 1] ?? ''
    // Readers before us let none pass; one that did would make two requests of one.
    if (value.includes('\n') || value.includes('\r')) throw new Error(`a value of ${fields[at]} has a line end`)
    text += `${fields[at]}: ${value}\r\n`
  }
  return text
}
