// Programs of a busy machine. Who starts a program copies its own memory's tables and waits until the program is loaded: for a driver that serves, one or two milliseconds in
// which nobody is answered, and no other program is started. Where several are under way, as when a node is drained, a small process starts the further ones; it ends when it
// has had nothing to do for a while.

import { type ChildProcess, fork } from 'node:child_process'
import { extname, join } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import { endMarked, machinePrograms, markVariable, type ProgramEnd, type RunProgram } from './program.ts'

/** With so many under way, the next is the starter's. */
const fewPrograms = 4
/** Without work. */
const idleMs = 30_000
/** A starter that says nothing of a program so long after the program's time was over does not work any more. */
const overdueMs = 10_000

export type ToStarter =
  | {
      readonly kind: 'run'
      readonly number: number
      /** What the program is to be found by. */
      readonly mark: string
      readonly program: string
      readonly args: readonly string[]
      readonly limitMs: number
      readonly saysErrorsOnly: boolean
    }
  | { readonly kind: 'stop'; readonly number: number }

/** As JSON carries it: a code that is not there has no field. */
type Said = Omit<ProgramEnd, 'gone' | 'code'> & { readonly code?: number | undefined }

export type FromStarter =
  | { readonly kind: 'end'; readonly number: number; readonly end: Said }
  /** Follows the end: at once but for a program that hangs. */
  | { readonly kind: 'gone'; readonly number: number }

interface Pending {
  readonly end: (said: Said | Lost) => void
  readonly gone: PromiseWithResolvers<void>
}

/** The starter ended before it could say how a program did. */
interface Lost {
  readonly why: string
}

/** Programs that only look, or do again what was done. */
const repeatable: ReadonlySet<string> = new Set(['stat', 'chmod'])

interface Starter {
  readonly child: ChildProcess
  readonly pending: Map<number, Pending>
  cancelIdle: Cancel
  /** In the environment of what it starts. */
  readonly mark: string
  /** It is of no use any more: who waits is told. */
  readonly lost: (why: string) => void
}

export class StartedPrograms implements AsyncDisposable {
  readonly #clock: Clock
  readonly #direct: RunProgram
  #underWay = 0
  #last = 0
  /** No two starters of a process have one mark. */
  static #starters = 0
  #starter: Starter | undefined
  #ended: Promise<void> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#direct = machinePrograms(clock)
  }

  /**
   * As `machinePrograms` runs one. Where the starter ends before a program does, the program is ended: what it came to is not known, so that it has no code and says so,
   * and who waits for `gone` does nothing beside it.
   */
  readonly run: RunProgram = async (program, args, options) => {
    this.#underWay += 1
    try {
      if (this.#underWay <= fewPrograms) return await this.#direct(program, args, options)
      const end = await this.#byStarter(program, args, options)
      if (!('why' in end)) return end
      if (repeatable.has(program)) return await this.#direct(program, args, options)
      const output = `what started it ${end.why}: how it ended is not known`
      return { code: undefined, output, isLate: false, isAbsent: false, gone: end.gone }
    } finally {
      this.#underWay -= 1
    }
  }

  /** Ends the starter, and what it started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#starter?.child.kill('SIGKILL')
    await this.#ended
  }

  #byStarter(...[program, args, { limitMs, signal, saysErrorsOnly = false }]: Parameters<RunProgram>) {
    const starter = this.#starter ?? this.#start()
    starter.cancelIdle()
    const number = ++this.#last
    const { promise, resolve } = Promise.withResolvers<ProgramEnd | (Lost & Pick<ProgramEnd, 'gone'>)>()
    const gone = Promise.withResolvers<void>()
    // One that has ended says so by its end.
    const tell = (message: ToStarter) => void starter.child.send(message, () => undefined)
    const stop = () => tell({ kind: 'stop', number })
    const cancelOverdue = this.#clock.schedule(limitMs + overdueMs, () => {
      starter.child.kill('SIGKILL')
      starter.lost('did not answer')
    })
    starter.pending.set(number, {
      gone,
      end: said => {
        cancelOverdue()
        signal?.removeEventListener('abort', stop)
        resolve('why' in said ? { ...said, gone: gone.promise } : { ...said, code: said.code, gone: gone.promise })
      },
    })
    tell({ kind: 'run', number, mark: starter.mark, program, args, limitMs, saysErrorsOnly })
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    return promise
  }

  #start(): Starter {
    const mark = `${process.pid}-${++StartedPrograms.#starters}`
    // Its own group, so that what ends ours leaves it to us; and none of our environment. What it copies for each program is to be small.
    const child = fork(ownProgram, [], {
      execArgv: ['--max-old-space-size=24', '--max-semi-space-size=1', '--v8-pool-size=1', '--single-threaded-gc'],
      env: { MALLOC_ARENA_MAX: '1', [markVariable]: mark },
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    const lost = (why: string) => {
      if (this.#starter === starter) this.#starter = undefined
      starter.cancelIdle()
      const pending = [...starter.pending.values()]
      starter.pending.clear()
      for (const { end } of pending) end({ why })
      // What has lost its starter would do its work beside who does it anew.
      const orphansGone = endMarked(mark, this.#clock)
      for (const { gone } of pending) gone.resolve(orphansGone)
      resolve()
    }
    const starter: Starter = { child, pending: new Map(), cancelIdle: () => undefined, mark, lost }
    this.#starter = starter
    child.on('message', (message: FromStarter) => this.#heard(starter, message))
    child.on('error', error => lost(`could not be started: ${error.message}`))
    child.once('exit', (code, signal) => {
      const why = `ended with ${signal ?? `code ${code}`}`
      // What it said last is heard first.
      if (child.connected) child.once('disconnect', () => lost(why))
      else lost(why)
    })
    return starter
  }

  #heard(starter: Starter, message: FromStarter): void {
    const pending = starter.pending.get(message.number)
    if (message.kind === 'end') {
      pending?.end(message.end)
      return
    }
    pending?.gone.resolve()
    starter.pending.delete(message.number)
    if (starter.pending.size > 0) return
    starter.cancelIdle()
    starter.cancelIdle = this.#clock.schedule(idleMs, () => {
      if (this.#starter === starter) this.#starter = undefined
      starter.child.kill('SIGKILL')
    })
  }
}

/** Beside this file, in the source as in a bundle. */
const ownProgram = join(import.meta.dirname, `program-starter-process${extname(import.meta.filename)}`)
