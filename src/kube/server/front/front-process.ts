// The thread in which public listeners run, apart from the loop that holds the Lease: `front.ts` starts it.
import { getPriority, setPriority } from 'node:os'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type Cancel, systemClock } from '../../clock.ts'
import { BodyBudget } from './body-budget.ts'
import { FrontListener, type FrontSurroundings } from './front-listener.ts'
import type { FromThread, FrontReply, ToThread, TurnedAway } from './front-messages.ts'
import { Turns } from './turns.ts'
import { Turnstile } from './turnstile.ts'

/** Bytes of bodies and answers under way, over all listeners. */
const mostBytesUnderWay = 32 * 1024 * 1024
/** Requests that wait for the main loop, and that it has taken and not answered. */
const mostWaiting = 256
const mostUnderWay = 64
/** Behind the main loop where both want the same core, and never without a share of it. */
const niceness = 5
const beatMs = 1_000
/** What was turned away is told together. */
const tellMs = 10_000

class FrontThread {
  readonly #main: MessagePort
  readonly #turned: Int32Array
  readonly #listeners = new Map<number, FrontListener>()
  readonly #calls = new Map<number, (reply: FrontReply) => void>()
  readonly #away = new Map<string, { listener: number; why: TurnedAway; peer: string; times: number }>()
  readonly #turns = new Turns({ waiting: mostWaiting, underWay: mostUnderWay }, systemClock)
  readonly #around: FrontSurroundings
  #lastCall = 0
  #seen = 0
  #stillBeats = 0
  #stopBeat: Cancel = () => undefined
  #stopTelling: Cancel = () => undefined

  constructor(main: MessagePort, turned: Int32Array) {
    this.#main = main
    this.#turned = turned
    this.#around = {
      clock: systemClock,
      budget: new BodyBudget(mostBytesUnderWay, systemClock),
      turns: this.#turns,
      turnstile: new Turnstile(),
      ask: (listener, asked, answered) => {
        const call = ++this.#lastCall
        this.#calls.set(call, answered)
        // The body's memory goes over; it is this thread's no more.
        const { buffer } = asked.body
        const own = asked.body.length > 0 && buffer instanceof ArrayBuffer ? [buffer] : []
        main.postMessage({ kind: 'call', listener, call, asked } satisfies FromThread, own)
        return () => this.#calls.delete(call)
      },
      stillMs: () => this.#stillBeats * beatMs,
      turnedAway: (listener, why, peer) => this.#turnedAway(listener, why, peer),
    }
  }

  run(): void {
    this.#main.on('message', (message: ToThread) => this.#hear(message))
    this.#beat()
  }

  #hear(message: ToThread): void {
    switch (message.kind) {
      case 'listen':
        void this.#listen(message)
        break
      case 'certificate':
        this.#listeners.get(message.listener)?.setCertificate(message.tls)
        break
      case 'close':
        void this.#close(message)
        break
      case 'taken':
        this.#turns.taken(message.costMs)
        break
      case 'reply': {
        const answered = this.#calls.get(message.call)
        this.#calls.delete(message.call)
        answered?.(message.reply)
        break
      }
      case 'end':
        this.#tell()
        this.#stopBeat()
        this.#main.close()
        break
    }
  }

  async #listen({ listener: id, spec }: Extract<ToThread, { kind: 'listen' }>): Promise<void> {
    try {
      const listener = new FrontListener(id, spec, this.#around)
      const port = await listener.listen()
      this.#listeners.set(id, listener)
      this.#say({ kind: 'listening', listener: id, port })
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
      this.#say({ kind: 'failed', listener: id, message: error instanceof Error ? error.message : String(error), code })
    }
  }

  async #close({ listener: id, isAtOnce }: Extract<ToThread, { kind: 'close' }>): Promise<void> {
    await this.#listeners.get(id)?.close(isAtOnce)
    this.#listeners.delete(id)
    this.#say({ kind: 'closed', listener: id })
  }

  #say(message: FromThread): void {
    this.#main.postMessage(message)
  }

  /** Beats are counted, not timed: a process that was stopped goes on where it was. */
  #beat(): void {
    const turned = Atomics.load(this.#turned, 0)
    this.#stillBeats = turned === this.#seen ? this.#stillBeats + 1 : 0
    this.#seen = turned
    this.#stopBeat = systemClock.schedule(beatMs, () => this.#beat())
  }

  #turnedAway(listener: number, why: TurnedAway, peer: string): void {
    if (this.#away.size === 0) this.#stopTelling = systemClock.schedule(tellMs, () => this.#tell())
    // The peers of a flood can be many; what is told of each kind is how often, and who was last.
    const key = `${listener} ${why}`
    const known = this.#away.get(key)
    if (known === undefined) this.#away.set(key, { listener, why, peer, times: 1 })
    else {
      known.peer = peer
      known.times++
    }
  }

  #tell(): void {
    this.#stopTelling()
    for (const away of this.#away.values()) this.#say({ kind: 'turned-away', ...away })
    this.#away.clear()
  }
}

if (parentPort !== null && workerData?.turned instanceof Int32Array) {
  // Elsewhere threads have no priority of their own. A process that was started with less keeps it: only root may raise it again.
  if (process.platform === 'linux' && getPriority() < niceness) setPriority(niceness)
  new FrontThread(parentPort, workerData.turned).run()
}
