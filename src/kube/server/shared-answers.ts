// Long lists that were written a moment ago: whoever asks the same within a fraction of a second gets the same bytes, so that a flood of lists
// costs one of them. Nothing is kept longer than that.
import type { Clock } from '../clock.ts'

/** Answers that are kept at a time; what is asked besides is made for its asker alone. */
const mostKept = 8

export class SharedAnswers<Answer> {
  readonly #clock: Clock
  readonly #kept = new Map<string, Promise<Answer>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What `make` gives, or gave to somebody with the same key less than `lifeMs` ago. What failed is not kept. */
  of(key: string, lifeMs: number, make: () => Promise<Answer>): Promise<Answer> {
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const answer = make()
    if (this.#kept.size >= mostKept) return answer
    this.#kept.set(key, answer)
    const forget = () => {
      this.#kept.delete(key)
    }
    answer.then(() => this.#clock.schedule(lifeMs, forget), forget)
    return answer
  }
}
