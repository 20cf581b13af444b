// A download of containerd's that is read while it grows, to its commit.
import type { FileHandle } from 'node:fs/promises'
import type { Clock } from '#kube/clock.ts'
import { LentBody, type Piece } from '../lent-body.ts'
import type { Digest } from '../reference.ts'
import { giveMemory, slabBytes, takeMemory } from '../slabs.ts'
import { blobPath, fileSize, openFile } from './blob-files.ts'

/** How long nothing is read after all was read that there is: many readers that look all the time cost more than what they read. */
const firstPauseMs = 10
const longestPauseMs = 80

interface FollowOptions {
  readonly root: string
  readonly digest: Digest
  /** Path of the growing file. */
  readonly path: string
  readonly start: number
  /** No new byte for so long ends it. */
  readonly stallMs: number
  readonly clock: Clock
}

/**
 * The bytes of a download from `start` on as they come, until containerd has committed it with all of them. Fails where it vanishes, begins
 * anew, or stands still for `stallMs`.
 */
export function followIngest(options: FollowOptions): LentBody {
  return new FollowedDownload(options)
}

class FollowedDownload extends LentBody {
  readonly #options: FollowOptions
  readonly #committed: string
  readonly #stop = new AbortController()
  #handle: FileHandle | undefined
  #isCommittedFile = false
  #at: number
  /** A reader may begin ahead of the download. */
  #largest = 0
  #grewMs: number
  #pauseMs = 0
  #pending: Promise<Piece | undefined> | undefined

  constructor(options: FollowOptions) {
    super({ highWaterMark: slabBytes })
    this.#options = options
    this.#committed = blobPath(options.root, options.digest)
    this.#at = options.start
    this.#grewMs = options.clock.elapsed()
  }

  override async next(): Promise<Piece | undefined> {
    this.#pending = this.#next()
    return await this.#pending
  }

  async #next(): Promise<Piece | undefined> {
    const { clock, digest, path } = this.#options
    this.#handle ??= (await openFile(path)) ?? (await openFile(this.#committed))
    if (this.#handle === undefined) throw new Error(`the download of ${digest} is gone`)
    for (;;) {
      // Whatever came meanwhile is read in one go.
      if (this.#pauseMs > 0) await clock.after(this.#pauseMs, this.#stop.signal)
      this.#stop.signal.throwIfAborted()
      const piece = await this.#read(this.#handle)
      if (piece !== undefined) return piece
      const state = await this.#look(this.#handle)
      if (state === 'whole') return undefined
      this.#pauseMs = state === 'more' ? 0 : Math.min(longestPauseMs, Math.max(firstPauseMs, this.#pauseMs * 1.5))
    }
  }

  async #read(handle: FileHandle): Promise<Piece | undefined> {
    const memory = takeMemory()
    let bytesRead = 0
    try {
      bytesRead = (await handle.read(memory, 0, memory.length, this.#at)).bytesRead
    } finally {
      if (bytesRead === 0) giveMemory(memory)
    }
    if (bytesRead === 0) return undefined
    this.#at += bytesRead
    this.#largest = Math.max(this.#largest, this.#at)
    this.#grewMs = this.#options.clock.elapsed()
    this.#pauseMs = bytesRead < memory.length ? firstPauseMs : 0
    let isGiven = false
    return {
      bytes: memory.subarray(0, bytesRead),
      [Symbol.dispose]: () => {
        if (isGiven) return
        isGiven = true
        // A slow reader is no stall.
        this.#grewMs = this.#options.clock.elapsed()
        giveMemory(memory)
      },
    }
  }

  /** What became of it, since there is nothing to read. @throws Error where it will not come to its end */
  async #look(handle: FileHandle): Promise<'whole' | 'more' | 'grows'> {
    const { digest, path, stallMs, clock } = this.#options
    const at = this.#at
    const isGrowing = (await fileSize(path)) !== undefined
    const whole = await fileSize(this.#committed) // asked last: the file is moved there before the directory goes
    if (whole !== undefined) {
      if (at === whole) return 'whole'
      if (at > whole) throw new Error(`${digest} has ${whole} bytes, ${at} were read`)
      // Another writer's file was committed, or bytes came between the two looks.
      if (!this.#isCommittedFile) await this.#replace()
      this.#isCommittedFile = true
      return 'more'
    }
    if (!isGrowing) throw new Error(`the download of ${digest} vanished after ${at} bytes`)
    const { size } = await handle.stat()
    if (size < this.#largest) throw new Error(`the download of ${digest} began anew`)
    if (size > this.#largest) this.#grewMs = clock.elapsed()
    this.#largest = size
    if (clock.elapsed() - this.#grewMs > stallMs) throw new Error(`the download of ${digest} stands still after ${at} bytes`)
    return size > at ? 'more' : 'grows'
  }

  async #replace(): Promise<void> {
    const next = await openFile(this.#committed)
    if (next === undefined) return // deleted again: what is open has the same bytes
    const before = this.#handle
    this.#handle = next
    await before?.close()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stop.abort(new Error('the download is followed no longer'))
    // What is being read is still written into its memory.
    const pending = this.#pending ?? Promise.resolve(undefined)
    pending
      .then(
        () => undefined, // a piece is whose that waits for it
        () => undefined, // as is what went wrong
      )
      .then(() => this.#handle?.close())
      .then(
        () => callback(error),
        (failed: Error) => callback(error ?? failed),
      )
  }
}
