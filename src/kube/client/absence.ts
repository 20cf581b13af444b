// What a server says is not there, while our own watch still has it: that is unclear, and nobody may act on it.
import type { Clock } from '../clock.ts'
import type { GroupVersionResource } from '../objects/resource.ts'
import { isNotFound } from '../objects/status.ts'
import { OutsideError } from '../outside-error.ts'

/** One object by its name. */
export interface ObjectPlace {
  readonly resource: GroupVersionResource
  /** `undefined` or empty for objects that lie in none. */
  readonly namespace: string | undefined
  readonly name: string
}

/** Somebody who is told of objects, and says which of them there are. */
export type Witness = (place: ObjectPlace) => boolean

/** The server answered 404 for an object that our own watch has. Whoever meets it tries again, as after any other fault from outside. */
export class AbsenceDoubtedError extends OutsideError {
  override readonly name = 'AbsenceDoubtedError'
}

/** A watch may be so late; what it has longer than this is no matter of its being late. */
const watchIsLateMs = [50, 200, 750] as const

/** All witnesses of one server. */
export class Witnesses {
  readonly #clock: Clock
  readonly #all = new Set<Witness>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Asked from now on, until `signal` is aborted. */
  add(witness: Witness, signal: AbortSignal): void {
    if (signal.aborted) return
    this.#all.add(witness)
    signal.addEventListener('abort', () => this.#all.delete(witness), { once: true })
  }

  /**
   * What `ask` about `place` yields. A 404 is let through where no witness has the object, or has lost it within a second.
   * @throws AbsenceDoubtedError in place of a 404 about what a witness still has; what `ask` throws; `signal.reason`
   */
  async heard<T>(place: ObjectPlace, ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (!isNotFound(error)) throw error
      for (const delayMs of watchIsLateMs) {
        if (!this.#isHeld(place)) throw error
        await this.#clock.after(delayMs, signal)
      }
      if (!this.#isHeld(place)) throw error
      throw new AbsenceDoubtedError(`${error.message}: the server says so, but our watch still has it`, { cause: error })
    }
  }

  #isHeld(place: ObjectPlace): boolean {
    for (const witness of this.#all) if (witness(place)) return true
    return false
  }
}
