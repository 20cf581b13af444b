// Asking and telling peers: a stream a peer, opened when needed, kept while it lasts.
import type { Clock } from '#kube/clock.ts'
import type { Address } from './address.ts'
import { Channel, ChannelClosed } from './channel.ts'
import { encodeMessage, type Message, messageTypes } from './message.ts'
import { dialTimeoutMs, kademliaProtocol, type Node } from './node.ts'

interface LinksOptions {
  readonly node: Node
  readonly clock: Clock
  readonly addressesOf: (peer: string) => readonly Address[]
  readonly onAnswer: (peer: string) => void
}

export class Links implements Disposable {
  readonly #options: LinksOptions
  readonly #channels = new Map<string, Promise<Channel>>()

  constructor(options: LinksOptions) {
    this.#options = options
  }

  /** @throws Error where the peer cannot be reached or does not answer within 5 s; `signal.reason`. */
  async request(peer: string, message: Partial<Message> & Pick<Message, 'type'>, signal: AbortSignal): Promise<Message> {
    const frame = encodeMessage(message)
    const wasOpen = this.#channels.has(peer)
    try {
      return await this.#requestOnce(peer, frame, signal)
    } catch (error) {
      // An idle stream may have been closed by the other side while nobody looked: that says nothing of the peer.
      if (!wasOpen || !(error instanceof ChannelClosed) || signal.aborted) throw error
      return await this.#requestOnce(peer, frame, signal)
    }
  }

  async #requestOnce(peer: string, frame: Uint8Array, signal: AbortSignal): Promise<Message> {
    const channel = await this.#channel(peer, signal)
    const answer = await channel.request(frame, signal)
    this.#options.onAnswer(peer)
    return answer
  }

  /** Sends messages that have no answer, then asks whether they arrived. @throws Error as `request`. */
  async tell(peer: string, batches: Iterable<Uint8Array>, pause: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const channel = await this.#channel(peer, signal)
    for (const batch of batches) {
      await channel.tell(batch, signal)
      await pause()
    }
    await channel.request(encodeMessage({ type: messageTypes.ping }), signal)
    this.#options.onAnswer(peer)
  }

  forget(peer: string): void {
    this.#channels.get(peer)?.then(
      channel => channel.close(),
      () => undefined,
    )
    this.#channels.delete(peer)
  }

  #channel(peer: string, signal: AbortSignal): Promise<Channel> {
    const known = this.#channels.get(peer)
    if (known !== undefined) return withSignal(known, signal)
    const opening = this.#open(peer)
    this.#channels.set(peer, opening)
    opening.catch(() => this.#channels.delete(peer))
    return withSignal(opening, signal)
  }

  /** The first caller may go away while others wait for the same stream, so the stream has a time-out of its own. */
  async #open(peer: string): Promise<Channel> {
    const { node, clock, addressesOf } = this.#options
    const limit = new AbortController()
    const cancel = clock.schedule(dialTimeoutMs * 2, () => limit.abort(new Error(`not reached within ${dialTimeoutMs * 2} ms`)))
    try {
      const connection = await node.connect(peer, addressesOf(peer), limit.signal)
      const stream = await connection.newStream(kademliaProtocol, { signal: limit.signal, negotiateFully: false })
      const channel = new Channel(stream, clock, () => this.#channels.delete(peer))
      return channel
    } finally {
      cancel()
    }
  }

  [Symbol.dispose](): void {
    for (const peer of [...this.#channels.keys()]) this.forget(peer)
  }
}

/** @throws `signal.reason` as soon as it is aborted; what goes on is not waited for. */
export async function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  // Through the race too, so that what `promise` fails with later is nobody's surprise.
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
