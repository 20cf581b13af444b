// The process that visits a check's cluster: it is given orders, and what it tells is kept.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { atEnd } from '../endings.ts'
import type { Asked, Order, Scaled, Told, Wanted } from './visitor-words.ts'

interface Replied {
  readonly status: number
  readonly body: string
}

export class Visitor implements AsyncDisposable {
  /** Requests that have ended, and the scaler's answers, in turn. */
  readonly asked: Asked[] = []
  readonly scaled: Scaled[] = []
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #isOver: () => void
  readonly #waiting = new Map<number, (reply: Replied) => void>()
  #last = 0

  /** In a network namespace. */
  constructor(namespace: string) {
    const program = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'visitor-process.ts')]
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...program], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#isOver = atEnd(() => this.#child.kill('SIGKILL'))
    createInterface({ input: this.#child.stdout }).on('line', line => this.#hear(JSON.parse(line)))
    // What is written to one that has ended: whoever waits for its answer hears of that.
    this.#child.stdin.on('error', () => undefined)
    this.#child.once('exit', () => {
      for (const reply of this.#waiting.values()) reply({ status: 0, body: 'the visitor has ended' })
    })
  }

  begin(): void {
    this.#say({ kind: 'begin' })
  }

  burst(count: number): void {
    this.#say({ kind: 'burst', count })
  }

  setEndpoints(of: Readonly<Record<Wanted, readonly string[]>>): void {
    this.#say({ kind: 'endpoints', of })
  }

  /** Status 0: nobody answered. */
  get(url: string, token?: string): Promise<Replied> {
    return this.#ask(id => ({ kind: 'get', id, url, ...(token === undefined ? {} : { token }) }))
  }

  /** What a scaler says of its readiness by gRPC: 200 where it is ready. */
  health(address: string): Promise<Replied> {
    return this.#ask(id => ({ kind: 'health', id, address }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = this.#child.exitCode === null ? once(this.#child, 'exit') : undefined
    this.#child.kill('SIGKILL')
    await gone
    this.#isOver()
  }

  #ask(order: (id: number) => Order): Promise<Replied> {
    if (this.#child.exitCode !== null) return Promise.resolve({ status: 0, body: 'the visitor has ended' })
    const id = ++this.#last
    const { promise, resolve } = Promise.withResolvers<Replied>()
    this.#waiting.set(id, resolve)
    this.#say(order(id))
    return promise
  }

  #say(order: Order): void {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`)
  }

  #hear(told: Told): void {
    if (told.kind === 'asked') this.asked.push(told)
    else if (told.kind === 'scaled') this.scaled.push(told)
    else {
      this.#waiting.get(told.id)?.(told)
      this.#waiting.delete(told.id)
    }
  }
}
