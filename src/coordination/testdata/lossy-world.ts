// Time, chance and the network of a simulation: everything that may happen next lies in one pool, and a seed says what does.
// Requests and answers are delayed, lost and doubled; timers fire late; what a killed process sent still arrives.
import type { Cancel, Clock } from '#kube/clock.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'

interface Timer {
  readonly dueMs: number
  readonly callback: () => void
}

/** What becomes of messages, as shares of 1. */
interface Troubles {
  readonly lostRequest: number
  readonly lostAnswer: number
  readonly doubled: number
}

const troubles: Troubles = { lostRequest: 0.02, lostAnswer: 0.03, doubled: 0.03 }
/** A server drops what reaches it later than it was told to work on it, and what lies on the wire for a second more. */
const deadOnArrivalMs = 4_900

export class LossyWorld {
  readonly random: Random
  steps = 0
  #nowMs = 0
  readonly #timers: Timer[] = []
  readonly #flights: (() => void)[] = []

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** True with the given chance. */
  happens(share: number): boolean {
    return this.random() < share
  }

  oneOf<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.random() * list.length)]
  }

  /** Something that happens at some time from now on, in no order. */
  fly(land: () => void): void {
    this.#flights.push(land)
  }

  schedule(delayMs: number, callback: () => void): Cancel {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback }
    let at = this.#timers.length
    while (at > 0 && (this.#timers[at - 1]?.dueMs ?? 0) > timer.dueMs) at--
    this.#timers.splice(at, 0, timer)
    return () => {
      const found = this.#timers.indexOf(timer)
      if (found >= 0) this.#timers.splice(found, 1)
    }
  }

  /** One thing happens, and all that follows from it without waiting. */
  async step(): Promise<void> {
    this.steps++
    const isFlight = this.#flights.length > 0 && (this.#timers.length === 0 || this.happens(0.85))
    if (isFlight) {
      const at = Math.floor(this.random() * this.#flights.length)
      const land = this.#flights[at]
      const last = this.#flights.pop()
      if (at < this.#flights.length && last !== undefined) this.#flights[at] = last
      // A message takes its time.
      this.#nowMs += Math.floor(this.random() * 40)
      land?.()
    } else {
      const timer = this.#timers.shift()
      if (timer === undefined) return
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
      timer.callback()
    }
    await new Promise<void>(resolve => setImmediate(resolve))
  }

  /** A machine's clock: its wall clock is wrong, and jumps; how long things take it knows. */
  clock(process: { readonly isPaused: () => boolean; readonly skewMs: () => number; readonly isDead: () => boolean }): Clock {
    const schedule = (delayMs: number, callback: () => void): Cancel => {
      let isOver = false
      const fire = () => {
        if (isOver || process.isDead()) return
        // A process that stands still hears its timers when it goes on.
        if (process.isPaused()) cancel = this.schedule(500, fire)
        else callback()
      }
      let cancel = this.schedule(delayMs, fire)
      return () => {
        isOver = true
        cancel()
      }
    }
    const now = () => Math.floor(Date.UTC(2026, 2, 2) + this.#nowMs + process.skewMs())
    return {
      now,
      elapsed: () => this.#nowMs,
      schedule,
      at: (wallMs, callback) => schedule(wallMs - now(), callback),
      after: (delayMs, signal) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        if (signal?.aborted) {
          reject(signal.reason)
          return promise
        }
        const onAbort = () => {
          cancel()
          reject(signal?.reason)
        }
        const cancel = schedule(delayMs, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
        return promise
      },
      hold: () => new DisposableStack(),
    }
  }

  /** The way of one process to the server. */
  transport(
    server: { answer(request: TransportRequest): TransportResponse },
    process: { readonly isDead: () => boolean; readonly isPaused: () => boolean },
  ): Transport {
    const request = (sent: TransportRequest): Promise<TransportResponse> => {
      const { promise, resolve, reject } = Promise.withResolvers<TransportResponse>()
      const sentMs = this.#nowMs
      const hear = (tell: () => void) => {
        const land = () => {
          if (process.isDead()) return
          if (process.isPaused()) this.schedule(200, () => this.fly(land))
          else tell()
        }
        this.fly(land)
      }
      const arrive = (isFirst: boolean) => () => {
        if (this.happens(troubles.lostRequest)) {
          if (isFirst) hear(() => reject(new ConnectionError('the request was lost')))
          return
        }
        const isTooLate = sent.query?.['timeout'] !== undefined && this.#nowMs - sentMs > deadOnArrivalMs
        const answer = isTooLate ? gatewayTimeout : server.answer(sent)
        if (!isFirst) return
        if (this.happens(troubles.lostAnswer)) hear(() => reject(new ConnectionError('the answer was lost')))
        else hear(() => resolve(answer))
      }
      if (sent.signal.aborted) reject(sent.signal.reason)
      else {
        this.fly(arrive(true))
        if (sent.verb !== 'GET' && this.happens(troubles.doubled)) this.fly(arrive(false))
        const onAbort = () => reject(sent.signal.reason)
        sent.signal.addEventListener('abort', onAbort, { once: true })
        const cancel = this.schedule(sent.timeoutMs ?? 30_000, () => reject(new ConnectionError('no answer in time')))
        const end = () => {
          cancel()
          sent.signal.removeEventListener('abort', onAbort)
        }
        void promise.then(end, end)
      }
      return promise
    }
    return {
      request,
      stream: async sent => {
        const { status, headers, body } = await request(sent)
        return { status, headers, chunks: once(body) }
      },
      close: async () => undefined,
    }
  }
}

const gatewayTimeout: TransportResponse = {
  status: 504,
  headers: {},
  body: new TextEncoder().encode(JSON.stringify({ kind: 'Status', status: 'Failure', code: 504, reason: 'Timeout', message: 'timed out' })),
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}
