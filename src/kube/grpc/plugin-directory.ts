// A folder of sockets that kubelets look at, watched once for all who ask: a kubelet may delete what is in it, or make it anew.

import { type FSWatcher, readdirSync, rmSync, statSync, watch } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Cancel, Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'

/** Where the kernel gives no notice it is looked at so often. */
const pollMs = 1_000
/** With notices it is looked at besides, for those that got lost. */
const slowPollMs = 5_000
const probeLimitMs = 1_000
/** What a socket's path may have in bytes, by the kernel. */
export const longestSocketPath = 107

interface DirectoryOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
}

export class PluginDirectory implements Disposable {
  readonly path: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #listeners = new Set<() => void>()
  #watcher: FSWatcher | undefined
  #watched: string | undefined
  #isTold = false
  #cancel: Cancel = () => undefined
  #isOver = false

  constructor({ path, clock, log }: DirectoryOptions) {
    this.path = path
    this.#clock = clock
    this.#log = log
    this.#look()
  }

  /** Calls `listener` after something in the folder may have changed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** What tells a file in the folder from the next one of its name; `undefined` where there is none. */
  stamp(name: string): string | undefined {
    try {
      const { ino, ctimeMs, birthtimeMs } = statSync(join(this.path, name))
      return `${ino} ${ctimeMs} ${birthtimeMs}`
    } catch {
      // It is not there, or nobody may look: both mean that nobody answers there.
      return undefined
    }
  }

  /** Sockets whose name begins so, with the time when each was made, in milliseconds since 1970. */
  sockets(prefix: string): readonly { readonly name: string; readonly madeMs: number }[] {
    try {
      return readdirSync(this.path, { withFileTypes: true })
        .filter(entry => entry.isSocket() && entry.name.startsWith(prefix))
        .flatMap(({ name }) => {
          const stats = statSync(join(this.path, name), { throwIfNoEntry: false })
          return stats === undefined ? [] : [{ name, madeMs: stats.mtimeMs }]
        })
    } catch (error) {
      this.#log.debug({ path: this.path, why: messageOf(error) }, 'the folder of plugins cannot be listed')
      return []
    }
  }

  /** Whether somebody answers at a socket of the folder. */
  answers(name: string, signal: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = connect(join(this.path, name))
    const end = (answer: boolean) => {
      cancel()
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answer)
    }
    const onAbort = () => end(false)
    const cancel = this.#clock.schedule(probeLimitMs, () => end(false))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('connect', () => end(true))
    socket.on('error', () => end(false))
    return promise
  }

  remove(name: string): void {
    rmSync(join(this.path, name), { force: true })
  }

  /** Takes away sockets that begin so and that nobody answers at: they are of processes that were killed. */
  async sweep(prefix: string, signal: AbortSignal): Promise<void> {
    for (const { name } of this.sockets(prefix)) if (!(await this.answers(name, signal)) && !signal.aborted) this.remove(name)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#cancel()
    this.#watcher?.close()
    this.#listeners.clear()
  }

  #look(): void {
    if (this.#isOver) return
    if (this.#watcher === undefined) this.#begin()
    this.#cancel = this.#clock.schedule(this.#watcher === undefined ? pollMs : slowPollMs, () => {
      this.#look()
      this.#changed()
    })
  }

  #begin(): void {
    try {
      const watcher = watch(this.path, () => this.#changed())
      this.#watcher = watcher
      this.#watched = inodeOf(this.stamp('.'))
      watcher.on('error', error => this.#lost(watcher, messageOf(error)))
    } catch (error) {
      this.#poll(messageOf(error))
    }
  }

  #lost(watcher: FSWatcher, why: string): void {
    watcher.close()
    this.#watcher = undefined
    this.#poll(why)
  }

  /** Once: limits of the machine last. */
  #poll(why: string): void {
    if (this.#isTold) return
    this.#isTold = true
    this.#log.warn(
      { path: this.path, why, everyMs: pollMs },
      'no notice of changes in the folder of plugins: it is looked at instead',
    )
  }

  #changed(): void {
    if (this.#isOver) return
    // A folder that was deleted and made anew ends its watch without a word.
    const watcher = this.#watcher
    if (watcher !== undefined && inodeOf(this.stamp('.')) !== this.#watched) this.#lost(watcher, 'the folder is another one')
    for (const listener of [...this.#listeners]) listener()
  }
}

const inodeOf = (stamp: string | undefined): string | undefined => stamp?.split(' ', 1)[0]
