// Mounts of whole shares for calls of the controller: calls for one share with the same options have one together, and it stays for a while after the
// last of them. A hundred claims at once are one mount.

import { createHash } from 'node:crypto'
import { mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type Mounter, MountFailed } from './mounter.ts'

/** A share that nobody uses is unmounted after so long. */
const idleMs = 60_000
const mountPrefix = 'nfs-share-'
/** Mounts at once. */
const mostShares = 256

interface SharedMountsOptions {
  readonly mounter: Mounter
  /** Where shares are mounted. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  /** Whether a failure says that the mount is of no use any more. */
  readonly spoils: (error: unknown) => boolean
}

interface Share {
  readonly source: string
  readonly options: readonly string[]
}

interface Entry {
  readonly path: string
  users: number
  ready: Promise<void>
  cancelIdle: Cancel | undefined
  /** Set while it is being taken away: who comes then waits, and mounts anew. */
  leaving: Promise<void> | undefined
}

export class SharedMounts implements AsyncDisposable {
  readonly #options: SharedMountsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #stop = new AbortController()
  /** Where something is mounted, or is about to be; also what is of no use any more and has not gone. */
  readonly #paths = new Set<string>()
  #made = 0

  constructor(options: SharedMountsOptions) {
    this.#options = options
  }

  /** How many shares are mounted. */
  get size(): number {
    return this.#entries.size
  }

  /** Takes away what a process before this one left mounted. */
  async sweep(): Promise<void> {
    const { mounter, directory, log } = this.#options
    const left = mounter.table.mounts().filter(({ target }) => target.startsWith(join(directory, mountPrefix)))
    for (const { target } of left) {
      try {
        await mounter.unmount(target)
        rmdirSync(target)
        log.info({ target }, 'a mount that an earlier process left is gone')
      } catch (error) {
        log.warn({ target, why: messageOf(error) }, 'a mount that an earlier process left stays')
      }
    }
  }

  /** Runs `use` with the path at which a share is mounted. @throws MountFailed; what `use` throws */
  async using<T>(share: Share, use: (path: string) => Promise<T>): Promise<T> {
    const { key, entry } = await this.#enter(share)
    try {
      await entry.ready
      return await use(entry.path)
    } catch (error) {
      // A server that was made anew knows nothing of what was mounted from it: the next call mounts again, beside this one.
      if (this.#options.spoils(error) && this.#entries.get(key) === entry) this.#entries.delete(key)
      throw error
    } finally {
      entry.users--
      if (entry.users === 0) this.#rest(key, entry)
    }
  }

  /** Takes all mounts away that can be. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the controller is stopped', 'AbortError'))
    await Promise.all(
      Array.from(this.#entries, async ([key, entry]) => {
        entry.cancelIdle?.()
        await this.#leave(key, entry)
      }),
    )
  }

  async #enter(share: Share): Promise<{ readonly key: string; readonly entry: Entry }> {
    const key = JSON.stringify([share.source, share.options])
    for (;;) {
      const known = this.#entries.get(key)
      if (known?.leaving === undefined) {
        const entry = known ?? this.#mount(key, share)
        entry.cancelIdle?.()
        entry.cancelIdle = undefined
        entry.users++
        return { key, entry }
      }
      await known.leaving
    }
  }

  #mount(key: string, { source, options }: Share): Entry {
    if (this.#entries.size >= mostShares)
      throw new MountFailed(`${mostShares} shares are mounted at once: the call has to wait until some are idle`, 'other')
    const { mounter, directory } = this.#options
    // Errors name it, and another name at each try would be another Event each.
    const name = join(directory, `${mountPrefix}${createHash('sha256').update(key).digest('hex').slice(0, 12)}`)
    const path = this.#paths.has(name) || mounter.isMounted(name) ? `${name}-${this.#made++}` : name
    this.#paths.add(path)
    const mounting = async () => {
      // A path of a server that hangs is not looked at: the tables say that it is mounted.
      if (mounter.isMounted(path)) return
      mkdirSync(path, { recursive: true, mode: 0o700 })
      await mounter.mount({ source, target: path, options }, this.#stop.signal)
    }
    const entry: Entry = { path, users: 0, ready: mounting(), cancelIdle: undefined, leaving: undefined }
    // Each user is told; here it is only that the next one tries anew, once a program that hangs is gone.
    entry.ready.catch(error => {
      const gone = error instanceof MountFailed ? error.gone : Promise.resolve()
      entry.leaving = gone.then(() => this.#forget(key, entry))
    })
    this.#entries.set(key, entry)
    return entry
  }

  #rest(key: string, entry: Entry): void {
    if (entry.leaving !== undefined || this.#stop.signal.aborted) return
    if (this.#entries.get(key) !== entry) {
      void this.#leave(key, entry)
      return
    }
    entry.cancelIdle = this.#options.clock.schedule(idleMs, () => {
      if (entry.users === 0) void this.#leave(key, entry)
    })
  }

  #leave(key: string, entry: Entry): Promise<void> {
    entry.leaving ??= (async () => {
      try {
        await this.#options.mounter.unmount(entry.path)
      } catch (error) {
        this.#options.log.warn({ path: entry.path, why: messageOf(error) }, 'failed to unmount nfs server')
      }
      this.#forget(key, entry)
    })()
    return entry.leaving
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
    if (this.#options.mounter.isMounted(entry.path)) return
    this.#paths.delete(entry.path)
    try {
      rmdirSync(entry.path)
    } catch (error) {
      this.#options.log.debug({ path: entry.path, why: messageOf(error) }, 'a folder for mounts stays')
    }
  }
}
