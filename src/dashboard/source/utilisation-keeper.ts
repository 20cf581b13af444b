// Notes how full the nodes are, whether somebody looks or not: what was not noted nobody can show later.

import type { Cancel, Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { NodeRow } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { rowsInSteps } from '../views/nodes/nodes.ts'
import { sourceNamed } from '../views/sources.ts'
import { type Shares, UtilisationHistory, type UtilisationReader, utilisationSpans } from './utilisation-history.ts'

interface KeeperOptions {
  /** Real time: between two looks. */
  readonly wallClock: Clock
  readonly mode: 'twin' | 'cluster'
  readonly picture: () => Picture
  /** Asks what nodes use. Resolves when that was answered, or was not. */
  readonly askUsage: () => Promise<void>
  readonly log: Log
  readonly signal: AbortSignal
}

const lookEveryMs = 10_000
/** Where the cluster's time runs faster than ours it is looked at no more often than so. */
const fastestMs = 1_000
/** What nodes use is asked so often while nobody looks; of a twin, which costs nobody anything, with each look. */
const usageEveryMs = { twin: 0, cluster: 60_000 } as const
/** Steps that a late look may bridge in a cluster, whose time nobody can stop, without leaving a hole. */
const heldSteps = 2

const nothing: Shares = { cpuRequested: null, cpuUsed: null, memoryRequested: null, memoryUsed: null }

/**
 * Flow: `start` once pictures are whole; `heed` after each change.
 * Guarantees: a look works in pieces of a few milliseconds; no two run at once; none is made after the signal or the end.
 */
export class UtilisationKeeper implements Disposable {
  readonly #options: KeeperOptions
  readonly #history: UtilisationHistory
  #timer: Cancel | undefined
  #isEnded = false
  #isLooking = false
  #lookedMs = Number.NEGATIVE_INFINITY
  #askedMs = Number.NEGATIVE_INFINITY
  #step = -1
  /** Nodes of the last look. */
  #seen: ReadonlySet<string> = new Set()

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#history = new UtilisationHistory(options.mode === 'twin' ? Number.POSITIVE_INFINITY : heldSteps)
  }

  get history(): UtilisationReader {
    return this.#history
  }

  /** The first look, and then one every `lookEveryMs`. */
  start(): void {
    void this.#next()
  }

  /** Something changed: of a cluster whose time runs fast a look is due sooner. */
  heed(nowMs: number): void {
    if (this.#timer === undefined || Math.floor(nowMs / utilisationSpans.hour.stepMs) === this.#step) return
    const { wallClock } = this.#options
    const waitMs = this.#lookedMs + fastestMs - wallClock.elapsed()
    if (waitMs > 0) return
    this.#timer()
    this.#timer = wallClock.schedule(0, () => void this.#next())
  }

  [Symbol.dispose](): void {
    this.#isEnded = true
    this.#timer?.()
    this.#timer = undefined
  }

  async #next(): Promise<void> {
    const { wallClock, signal, log } = this.#options
    this.#timer = undefined
    try {
      await this.#look()
    } catch (error) {
      if (!signal.aborted) log.error({ why: messageOf(error) }, 'how full the nodes are could not be noted')
    }
    if (this.#isEnded || signal.aborted) return
    this.#timer = wallClock.schedule(lookEveryMs, () => void this.#next())
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const { wallClock, mode, askUsage, picture: current } = this.#options
      this.#lookedMs = wallClock.elapsed()
      if (this.#lookedMs - this.#askedMs >= usageEveryMs[mode]) {
        this.#askedMs = this.#lookedMs
        await askUsage()
      }
      if (this.#isEnded) return
      const picture = current()
      await this.#note(picture)
      const step = Math.floor(picture.nowMs / utilisationSpans.hour.stepMs)
      if (step === this.#step) return
      this.#step = step
      this.#history.prune(picture.nowMs - utilisationSpans.days.stepMs * utilisationSpans.days.steps)
    } finally {
      this.#isLooking = false
    }
  }

  async #note(picture: Picture): Promise<void> {
    const { nowMs } = picture
    const breathe = breather(this.#options.wallClock)
    const steps = rowsInSteps(picture)
    let next = steps.next()
    for (; next.done !== true; next = steps.next()) await breathe()
    const known = { requested: isHeard(picture, 'api'), used: isHeard(picture, 'metrics') }
    const seen = new Set<string>()
    for (const row of next.value) {
      seen.add(row.name)
      this.#history.note(row.name, nowMs, sharesOf(row, known))
      await breathe()
    }
    for (const name of this.#seen) if (!seen.has(name)) this.#history.note(name, nowMs, nothing)
    this.#seen = seen
  }
}

/** What it says is as it is now; where nobody says how the source stands, what is there counts. */
function isHeard(picture: Picture, source: string): boolean {
  return (sourceNamed(picture, source)?.state ?? 'live') === 'live'
}

/** Shares of what the node can give, in thousandths. */
export function sharesOf({ cpu, memory }: NodeRow, known: { readonly requested: boolean; readonly used: boolean }): Shares {
  return {
    cpuRequested: known.requested ? share(cpu.requested, cpu.allocatable) : null,
    cpuUsed: known.used ? share(cpu.used, cpu.allocatable) : null,
    memoryRequested: known.requested ? share(memory.requested, memory.allocatable) : null,
    memoryUsed: known.used ? share(memory.used, memory.allocatable) : null,
  }
}

function share(part: number | null, whole: number): number | null {
  return part === null || !(whole > 0) ? null : Math.trunc((part * 1_000) / whole)
}
