// Who is signed in. Tokens are here and nowhere else: in memory, as long as the session lasts.
import type { Cancel, Clock } from '#kube/clock.ts'
import { newSecret } from './cookies.ts'
import type { Viewer } from './viewer.ts'

/** A session lasts no longer, whatever the token says. */
export const longestSessionMs = 8 * 3_600_000
/** Sessions of all viewers; beyond that the one that was not used for longest ends. */
const mostSessions = 1_000

export interface Session {
  readonly token: string
  readonly viewer: Viewer
  readonly endsMs: number
  /** When the API server last said that the token is good, of the clock's `elapsed()`. */
  checkedMs: number
}

interface Kept {
  readonly session: Session
  readonly ending: AbortController
  readonly cancel: Cancel
}

export class Sessions implements Disposable {
  readonly #kept = new Map<string, Kept>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#kept.size
  }

  /** Begins one and yields its secret name. `viewerOf` is given the signal of its end. */
  open(
    token: string,
    endsMs: number,
    viewerOf: (id: string, ended: AbortSignal) => Viewer,
  ): { readonly id: string; readonly session: Session } {
    const id = newSecret()
    const ending = new AbortController()
    const session = { token, viewer: viewerOf(id, ending.signal), endsMs, checkedMs: this.#clock.elapsed() }
    const cancel = this.#clock.at(endsMs, () => this.end(id))
    this.#kept.set(id, { session, ending, cancel })
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostSessions) break
      this.end(oldest)
    }
    return { id, session }
  }

  /** The session of that name, where it is not over. */
  of(id: string): Session | undefined {
    const kept = this.#kept.get(id)
    if (kept === undefined) return undefined
    if (kept.session.endsMs <= this.#clock.now()) {
      this.end(id)
      return undefined
    }
    this.#kept.delete(id)
    this.#kept.set(id, kept)
    return kept.session
  }

  /** Ends it and all that goes on in its name. */
  end(id: string): void {
    const kept = this.#kept.get(id)
    if (kept === undefined) return
    this.#kept.delete(id)
    kept.cancel()
    kept.ending.abort(new Error('the session is over'))
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#kept.keys()]) this.end(id)
  }
}
