// A kind that may be listed and not watched: it is listed when somebody wants to know what is there now, and every so often.
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

/** Watching is tried again so often: the right to it may have been given. */
const watchAgainMs = 300_000
/** So many times as long as a list took nothing is listed unasked; */
const pollShare = 30
/** but not longer than this. */
const pollCapMs = 240_000
const jitter = 0.2
/** After a list that was asked for the next one waits at least so long: what is wanted meanwhile shares it. */
const shortestRestMs = 50
/** Lists of single namespaces that are wanted at once; of more, all is listed. */
const mostNamespaces = 8

/** What is wanted at one moment, taken to be listed. */
interface Wanted {
  /** `undefined`: all of the kind. */
  readonly namespaces: readonly string[] | undefined
  /** It is listed: whoever wanted it is told. */
  told(): void
  /** It is not: it is wanted still. */
  again(): void
}

export class Polling {
  readonly #clock: Clock
  readonly #random: Random
  readonly #pollMs: number
  /** By namespace; the empty name: all. */
  #wanted = new Map<string, (() => void)[]>()
  /** What is being listed. */
  #underWay = new Map<string, (() => void)[]>()
  #isOn = false
  #watchMs = 0
  #dueMs = 0
  /** Lists that are asked for take at most half of the time. */
  #restUntilMs = 0
  #call: (() => void) | undefined

  /** `pollMs`: how often everything is listed unasked, or less where that takes long. */
  constructor(options: { readonly clock: Clock; readonly random: Random; readonly pollMs: number }) {
    this.#clock = options.clock
    this.#random = options.random
    this.#pollMs = options.pollMs
  }

  /** Watching was refused, and nothing came since that says otherwise. */
  get isOn(): boolean {
    return this.#isOn
  }

  /** Watching is tried again from now on. */
  get mayWatch(): boolean {
    return !this.#isOn || this.#clock.elapsed() >= this.#watchMs
  }

  /** Resolves when an answer to a list that was asked for after the call is known. At once where nothing is polled. */
  want(namespace: string | undefined): Promise<void> {
    if (!this.#isOn) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const key = namespace ?? ''
    this.#wanted.set(key, [...(this.#wanted.get(key) ?? []), resolve])
    this.#call?.()
    return promise
  }

  /** Watching was refused. True where that is news. */
  begin(): boolean {
    const isNews = !this.#isOn
    this.#isOn = true
    this.#watchMs = this.#clock.elapsed() + watchAgainMs
    return isNews
  }

  /** A watch tells of changes by itself, or there is nothing to be listed: nobody waits any more. */
  end(): void {
    this.#isOn = false
    for (const waiting of [this.#wanted, this.#underWay]) {
      for (const resolves of waiting.values()) for (const resolve of resolves) resolve()
      waiting.clear()
    }
  }

  /** Everything was listed, which took so long. */
  listedAll(tookMs: number): void {
    const delayMs = Math.min(pollCapMs, Math.max(this.#pollMs, pollShare * tookMs))
    this.#dueMs = this.#clock.elapsed() + delayMs * (1 + jitter * this.#random())
  }

  /** What is wanted, if anything; whoever wants something from now on waits for the next list. */
  take(): Wanted | undefined {
    if (this.#wanted.size === 0) return undefined
    const taken = this.#wanted
    this.#wanted = new Map()
    this.#underWay = taken
    const isAll = taken.has('') || taken.size > mostNamespaces
    return {
      namespaces: isAll ? undefined : [...taken.keys()],
      told: () => {
        this.#underWay = new Map()
        for (const resolves of taken.values()) for (const resolve of resolves) resolve()
      },
      again: () => {
        for (const [key, resolves] of taken) this.#wanted.set(key, [...resolves, ...(this.#wanted.get(key) ?? [])])
        this.#underWay = new Map()
      },
    }
  }

  /** Waits, then yields the namespaces that are wanted; `undefined` where all is to be listed: somebody wants that, or it is time. */
  async next(pause: (delayMs: number, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<Wanted | undefined> {
    for (;;) {
      const nowMs = this.#clock.elapsed()
      const isRested = nowMs >= this.#restUntilMs
      const wanted = isRested ? this.take() : undefined
      if (wanted?.namespaces !== undefined) return wanted
      wanted?.again()
      if (wanted !== undefined || nowMs >= this.#dueMs || !this.#isOn) return undefined
      const called = new AbortController()
      this.#call = isRested ? () => called.abort() : undefined
      try {
        await pause((isRested ? this.#dueMs : this.#restUntilMs) - nowMs, AbortSignal.any([signal, called.signal]))
        // Woken by nobody who wants something: all is looked at.
        if (isRested) this.#dueMs = Math.min(this.#dueMs, this.#clock.elapsed())
      } catch (error) {
        if (!called.signal.aborted || signal.aborted) throw error
      } finally {
        this.#call = undefined
      }
    }
  }

  /** What was wanted was listed, which took so long. */
  listedPart(tookMs: number): void {
    this.#restUntilMs = this.#clock.elapsed() + Math.max(shortestRestMs, tookMs)
  }
}
