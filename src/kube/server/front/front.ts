// The main loop's side of its public listeners: they run in a thread of their own, and ask here what only this process knows. What strangers
// send costs that thread's time; of this loop's time all of them together get a fixed share.
import { extname, join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { Worker } from 'node:worker_threads'
import type { Cancel, Clock } from '../../clock.ts'
import { type Log, messageOf } from '../../log.ts'
import type { FromThread, FrontCall, FrontReply, FrontSpec, FrontTls, ToThread } from './front-messages.ts'
import type { OnTurnedAway } from './front-metrics.ts'

type Answer = (call: FrontCall) => Promise<FrontReply> | FrontReply

interface OpenListener extends AsyncDisposable {
  readonly port: number
  /** Used from the next connection on. @throws when certificate and key do not belong together */
  setCertificate(tls: FrontTls): void
  /** Disposing answers what is asked; this breaks it off. */
  end(): Promise<void>
}

const beatMs = 1_000
const firstRestartMs = 100
const longestRestartMs = 10_000
/** Memory of the thread beside bodies: the heap of its JavaScript. */
const heapMegabytes = 48
const youngMegabytes = 4
/** From the wish to close a listener to its end. */
const closingMs = 15_000
/** After its listeners are closed the thread has nothing left to do. */
const endingMs = 5_000

/** Where a process has its public listeners. */
export interface Listening {
  /** Listens until disposed of; `answer` is asked in turns. @throws when the address is taken, or certificate and key do not belong together */
  listen(spec: FrontSpec, answer: Answer): Promise<OpenListener>
}

interface Listener {
  readonly answer: Answer
  spec: FrontSpec
  readonly opened: PromiseWithResolvers<number>
  readonly closed: PromiseWithResolvers<void>
}

export class Front implements Listening, AsyncDisposable {
  readonly #clock: Clock
  readonly #log: Log
  readonly #onTurnedAway: OnTurnedAway | undefined
  readonly #listeners = new Map<number, Listener>()
  readonly #turned = new Int32Array(new SharedArrayBuffer(4))
  #worker: Worker | undefined
  #exited: Promise<void> = Promise.resolve()
  #lastListener = 0
  #restarts = 0
  #isEnding = false
  #stopBeat: Cancel = () => undefined
  #stopRestart: Cancel = () => undefined
  readonly #program: string

  /** `clock`: the host's. `program`: what the thread runs, where it is another. */
  constructor(around: {
    readonly clock: Clock
    readonly log: Log
    readonly onTurnedAway?: OnTurnedAway
    readonly program?: string
  }) {
    this.#program = around.program ?? join(import.meta.dirname, `front-process${extname(import.meta.filename)}`)
    this.#clock = around.clock
    this.#log = around.log
    this.#onTurnedAway = around.onTurnedAway
  }

  /** Listens until disposed of; `answer` is asked in turns. @throws when the address is taken, or certificate and key do not belong together */
  async listen(spec: FrontSpec, answer: Answer): Promise<OpenListener> {
    if (spec.tls !== undefined) assertUsable(spec.tls)
    const id = ++this.#lastListener
    const listener: Listener = { answer, spec, opened: Promise.withResolvers(), closed: Promise.withResolvers() }
    this.#listeners.set(id, listener)
    if (this.#worker === undefined) this.#start()
    else this.#say({ kind: 'listen', listener: id, spec })
    const port = await listener.opened.promise
    // A thread that is started again takes the same port.
    listener.spec = { ...listener.spec, port }
    let ended: Promise<void> | undefined
    const close = (isAtOnce: boolean): Promise<void> => {
      ended ??= this.#close(id, listener, isAtOnce)
      return ended
    }
    return {
      port,
      setCertificate: tls => {
        assertUsable(tls)
        listener.spec = { ...listener.spec, tls }
        this.#say({ kind: 'certificate', listener: id, tls })
      },
      end: () => close(true),
      [Symbol.asyncDispose]: () => close(false),
    }
  }

  /** Ends the thread, and with it all that still listens. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    this.#stopRestart()
    this.#say({ kind: 'end' })
    const worker = this.#worker
    const cancel = this.#clock.schedule(endingMs, () => void worker?.terminate())
    if (this.#listeners.size > 0) await worker?.terminate()
    await this.#exited
    cancel()
    this.#stopBeat()
  }

  async #close(id: number, { closed }: Listener, isAtOnce: boolean): Promise<void> {
    if (this.#worker !== undefined) {
      this.#say({ kind: 'close', listener: id, isAtOnce })
      // What is being answered has its time. A thread that does not turn is ended: nothing else would.
      const worker = this.#worker
      const cancel = this.#clock.schedule(closingMs, () => void worker.terminate())
      await closed.promise
      cancel()
    }
    this.#listeners.delete(id)
  }

  #start(): void {
    const worker = new Worker(this.#program, {
      workerData: { turned: this.#turned },
      execArgv: [],
      // It reads none.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: youngMegabytes },
    })
    this.#worker = worker
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#exited = promise
    worker.on('message', (message: FromThread) => this.#hear(message))
    let why: unknown
    worker.on('error', error => {
      why = error
    })
    worker.on('exit', code => {
      this.#worker = undefined
      resolve()
      for (const { opened, closed } of this.#listeners.values()) {
        closed.resolve()
        opened.reject(new Error('the thread of public listeners ended', { cause: why }))
      }
      if (this.#isEnding) return
      const delayMs = Math.min(longestRestartMs, firstRestartMs * 2 ** this.#restarts++)
      this.#log.error(
        { code, delayMs, ...(why === undefined ? {} : { err: messageOf(why) }) },
        'the thread of public listeners ended, and is started again',
      )
      this.#stopRestart = this.#clock.schedule(delayMs, () => this.#start())
    })
    for (const [listener, { spec }] of this.#listeners) this.#say({ kind: 'listen', listener, spec })
    this.#stopBeat()
    this.#beat()
  }

  #say(message: ToThread): void {
    this.#worker?.postMessage(message)
  }

  #beat(): void {
    Atomics.add(this.#turned, 0, 1)
    this.#stopBeat = this.#clock.schedule(beatMs, () => this.#beat())
  }

  #hear(message: FromThread): void {
    const listener = this.#listeners.get(message.listener)
    if (listener === undefined) {
      if (message.kind === 'call') this.#say({ kind: 'taken', costMs: 0 })
      return
    }
    switch (message.kind) {
      case 'listening':
        this.#restarts = 0
        listener.opened.resolve(message.port)
        break
      case 'failed':
        this.#failed(message, listener)
        break
      case 'closed':
        listener.closed.resolve()
        break
      case 'call':
        this.#answer(listener, message.call, message.asked)
        break
      case 'turned-away': {
        const { why, peer, times } = message
        this.#onTurnedAway?.(listener.spec.name, why, times)
        this.#log.warn({ listener: listener.spec.name, why, peer, times }, 'requests or connections were turned away')
        break
      }
    }
  }

  #failed({ listener: id, message, code }: Extract<FromThread, { kind: 'failed' }>, listener: Listener): void {
    listener.opened.reject(Object.assign(new Error(message), code === undefined ? {} : { code }))
    // One that was open before is tried again until its address is free.
    listener.opened.promise.then(
      () => {
        this.#log.error({ listener: listener.spec.name, why: message }, 'a listener could not be opened again, tried again')
        this.#clock.schedule(longestRestartMs, () => {
          if (this.#listeners.has(id)) this.#say({ kind: 'listen', listener: id, spec: listener.spec })
        })
      },
      () => this.#listeners.delete(id),
    )
  }

  #answer({ answer, spec }: Listener, call: number, asked: FrontCall): void {
    const worker = this.#worker
    const reply = (given: FrontReply) => {
      if (this.#worker === worker) this.#say({ kind: 'reply', call, reply: given })
    }
    const failed = (error: unknown) => {
      this.#log.error({ listener: spec.name, err: messageOf(error) }, 'a request could not be answered')
      reply({ status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'internal error\n' })
    }
    const sinceMs = this.#clock.elapsed()
    try {
      const answered = answer(asked)
      if (answered instanceof Promise) answered.then(reply, failed)
      else reply(answered)
    } catch (error) {
      failed(error)
    }
    this.#say({ kind: 'taken', costMs: this.#clock.elapsed() - sinceMs })
  }
}

/** @throws when it cannot be served with */
function assertUsable({ certificate, key, ciphers, minVersion, clientAuthority }: FrontTls): void {
  createSecureContext({
    cert: certificate,
    key,
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority }),
  })
}
