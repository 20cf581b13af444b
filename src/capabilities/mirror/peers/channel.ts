// A stream of Kademlia to one peer. Requests go one behind the other without waiting; answers come in their order.
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { FrameReader, ProtocolFault } from './frames.ts'
import { decodeMessage, type Message } from './message.ts'
import type { Stream } from './node.ts'

/** Bytes of an answer. */
const longestAnswer = 1_024 * 1_024
const answerTimeoutMs = 5_000
/** Requests of one peer that wait for an answer. */
const mostPending = 256

/** The stream ended before the answer came; where it was open before, a new one may do better. */
export class ChannelClosed extends OutsideError {
  override readonly name = 'ChannelClosed'
}

interface Pending {
  readonly resolve: (message: Message) => void
  readonly reject: (reason: Error) => void
}

export class Channel {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #onClosed: () => void
  readonly #frames = new FrameReader(longestAnswer)
  readonly #pending: Pending[] = []
  /** What this turn of the loop asks: it goes as one piece, since each costs a window, an encryption and a call of the kernel. */
  #unsent: Uint8Array[] = []
  #isClosed = false

  constructor(stream: Stream, clock: Clock, onClosed: () => void) {
    this.#stream = stream
    this.#clock = clock
    this.#onClosed = onClosed
    const end = (error: Error) => this.#end(error)
    stream.addEventListener('message', ({ data }) => {
      try {
        for (const frame of this.#frames.push(data.subarray())) this.#pending.shift()?.resolve(decodeMessage(frame))
      } catch (error) {
        const fault = new ProtocolFault('an answer that cannot be read', { cause: error })
        end(fault)
        stream.abort(fault)
      }
    })
    stream.addEventListener('close', ({ error }) => end(new ChannelClosed('the stream was closed', { cause: error })))
    stream.addEventListener('remoteCloseWrite', () => {
      end(new ChannelClosed('the peer closed the stream'))
      if (stream.status === 'open') stream.abort(new ChannelClosed('the peer closed the stream'))
    })
  }

  #end(error: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { reject } of this.#pending.splice(0)) reject(error)
    this.#onClosed()
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** @throws ChannelClosed; ProtocolFault; Error after 5 s without an answer; `signal.reason`. */
  async request(frame: Uint8Array, signal: AbortSignal): Promise<Message> {
    signal.throwIfAborted()
    if (this.#isClosed) throw new ChannelClosed('the stream was closed')
    if (this.#pending.length >= mostPending) throw new Error(`${mostPending} requests wait for this peer`)
    const { promise, resolve, reject } = Promise.withResolvers<Message>()
    const onAbort = () => reject(signal.reason instanceof Error ? signal.reason : new Error('given up'))
    signal.addEventListener('abort', onAbort, { once: true })
    const cancel = this.#clock.schedule(answerTimeoutMs, () => {
      const late = new Error(`no answer within ${answerTimeoutMs} ms`)
      reject(late)
      this.#stream.abort(late)
    })
    try {
      this.#pending.push({ resolve, reject })
      if (this.#unsent.push(frame) === 1) setImmediate(() => this.#send())
      return await promise
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Sends what is not answered; resolves when more can be sent. @throws Error where the stream ended. */
  async tell(frames: Uint8Array, signal: AbortSignal): Promise<void> {
    if (this.#isClosed) throw new ChannelClosed('the stream was closed')
    this.#send()
    if (!this.#stream.send(frames)) await this.#stream.onDrain({ signal })
  }

  #send(): void {
    const frames = this.#unsent
    if (frames.length === 0 || this.#isClosed) return
    this.#unsent = []
    try {
      this.#stream.send(Buffer.concat(frames))
    } catch (error) {
      // The stream is being closed, which does not always end what waits for an answer.
      this.#end(new ChannelClosed('the stream was closed', { cause: error }))
    }
  }

  close(): void {
    if (this.#isClosed) return
    this.#stream.abort(new ChannelClosed('closed by us'))
  }
}
