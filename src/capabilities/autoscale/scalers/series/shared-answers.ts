// Equal questions to one server, asked once for all triggers that ask them: a hundred objects that follow one series cost the server one query.
// A trigger never hears the same answer twice, so that one whose question is its own is asked as often as it would be alone.
import type { Clock } from '#kube/clock.ts'
import type { GivenParameters } from '../../triggers/parameters.ts'
import type { Outgoing } from '../outgoing.ts'
import type { ScalerWorld } from '../scaler.ts'

/** An answer is given to others for so long. Series are mostly written every 15 to 60 s. */
const sharedMs = 5_000
/** Questions whose answers are kept. One more is asked for itself alone. */
const mostQuestions = 4_096

interface Held {
  readonly answer: Promise<number>
  /** Triggers that have heard it. */
  readonly heard: WeakSet<object>
  readonly stop: AbortController
  /** Who waits for it. */
  waiting: number
  /** When it came; undefined: it is being asked. */
  atMs: number | undefined
}

class SharedAnswers {
  readonly #clock: Clock
  readonly #held = new Map<string, Held>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @throws what `ask` throws; `signal.reason` */
  async answer(key: string, who: object, ask: (signal: AbortSignal) => Promise<number>, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    const held = this.#heldFor(key, who) ?? this.#asked(key, ask)
    if (held === undefined) return await ask(signal)
    held.heard.add(who)
    held.waiting++
    const left = Promise.withResolvers<never>()
    const onAbort = () => left.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([held.answer, left.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
      // The last who leaves takes the question with them.
      if (--held.waiting === 0 && held.atMs === undefined) {
        held.stop.abort(signal.reason)
        if (this.#held.get(key) === held) this.#held.delete(key)
      }
    }
  }

  #heldFor(key: string, who: object): Held | undefined {
    const held = this.#held.get(key)
    return held !== undefined && !held.heard.has(who) && !this.#isOver(held) ? held : undefined
  }

  #isOver({ atMs }: Held): boolean {
    return atMs !== undefined && this.#clock.elapsed() - atMs >= sharedMs
  }

  #asked(key: string, ask: (signal: AbortSignal) => Promise<number>): Held | undefined {
    if (this.#held.size >= mostQuestions && !this.#held.has(key)) {
      for (const [name, one] of this.#held) if (this.#isOver(one)) this.#held.delete(name)
      if (this.#held.size >= mostQuestions) return undefined
    }
    const stop = new AbortController()
    const answer = ask(stop.signal)
    const held: Held = { answer, heard: new WeakSet(), stop, waiting: 0, atMs: undefined }
    this.#held.set(key, held)
    answer.then(
      () => {
        held.atMs = this.#clock.elapsed()
      },
      // An error is told to those who wait, and to nobody later.
      () => {
        if (this.#held.get(key) === held) this.#held.delete(key)
      },
    )
    return held
  }
}

const shared = new WeakMap<Outgoing, SharedAnswers>()

/** How a trigger asks: its questions are equal to those of others with the same parameters but for `apart`, which say nothing of the question. */
export function sharedReading(
  { type, given }: { readonly type: string; readonly given: GivenParameters },
  { clock, outgoing }: Pick<ScalerWorld, 'clock' | 'outgoing'>,
  ask: (signal: AbortSignal) => Promise<number>,
  apart: readonly string[] = ['threshold', 'activationThreshold', 'metricName'],
): (signal: AbortSignal) => Promise<number> {
  const { metadata, env, auth } = given
  const sorted = (all: Readonly<Record<string, string>>) =>
    Object.entries(all)
      .filter(([name]) => all !== metadata || !apart.includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  const key = JSON.stringify([type, sorted(metadata), sorted(env), sorted(auth)])
  const answers = shared.get(outgoing) ?? new SharedAnswers(clock)
  shared.set(outgoing, answers)
  const who = {}
  return signal => answers.answer(key, who, ask, signal)
}
