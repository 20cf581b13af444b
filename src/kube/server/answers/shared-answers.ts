// Long lists that were asked for a moment ago: whoever asks the same within a fraction of a second gets the same bytes, so that a flood of lists
// costs one of them. A list is made as fast as the fastest of its readers takes it, and no further where all of them have gone.
import type { Clock } from '../../clock.ts'
import type { AnswerBody } from '../aggregated-answers.ts'

/** Answers that are kept at a time; what is asked besides is made for its asker alone. */
const mostKept = 8
/** After its beginning nobody joins a list, however slowly it is read. */
const longestJoinMs = 2_000

interface Kept {
  readonly answer: Promise<AnswerBody>
  readonly ended: AbortController
  readers: number
  isMade: boolean
}

export class SharedAnswers {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * What `make` gives, or gave to somebody with the same key: while that was being made, and until `lifeMs` after. What failed is not kept.
   * `reader` is aborted when who asks has gone; the signal of `make` when all of them have.
   */
  async of(
    key: string,
    lifeMs: number,
    make: (signal: AbortSignal) => Promise<AnswerBody>,
    reader: AbortSignal,
  ): Promise<AnswerBody> {
    const known = this.#kept.get(key)
    const kept = known ?? this.#begin(key, lifeMs, make)
    kept.readers++
    const leave = () => {
      if (--kept.readers > 0 || kept.isMade) return
      if (this.#kept.get(key) === kept) this.#kept.delete(key)
      kept.ended.abort(new DOMException('all who asked went away', 'AbortError'))
    }
    reader.addEventListener('abort', leave, { once: true })
    if (reader.aborted) leave()
    return await kept.answer
  }

  #begin(key: string, lifeMs: number, make: (signal: AbortSignal) => Promise<AnswerBody>): Kept {
    const ended = new AbortController()
    const answer = make(ended.signal).then(({ contentType, pieces }): SharedBody => {
      if (!isLate(pieces)) return { contentType, pieces, made: Promise.resolve() }
      const shared = new SharedPieces(pieces)
      return { contentType, pieces: shared, made: shared.made }
    })
    const kept: Kept = { answer, ended, readers: 0, isMade: false }
    const isKept = this.#kept.size < mostKept
    if (isKept) this.#kept.set(key, kept)
    const forget = () => {
      if (this.#kept.get(key) === kept) this.#kept.delete(key)
    }
    const cancel = isKept ? this.#clock.schedule(longestJoinMs, forget) : () => undefined
    const wasMade = () => {
      kept.isMade = true
      cancel()
      if (isKept) this.#clock.schedule(lifeMs, forget)
    }
    const failed = () => {
      cancel()
      forget()
    }
    answer.then(({ made }) => made).then(wasMade, failed)
    return kept
  }
}

interface SharedBody extends AnswerBody {
  /** Resolves when the last piece was made, rejects where that failed. */
  readonly made: Promise<void>
}

export function isLate(pieces: AnswerBody['pieces']): pieces is AsyncIterable<Buffer> {
  return Symbol.asyncIterator in pieces
}

/** A place in the pieces. */
interface Place {
  next: Promise<{ readonly piece: Buffer; readonly behind: Place } | undefined> | undefined
}

/** Pieces for several readers, each at its own pace: made when the first of them asks, kept until the last who is on his way has had them. */
class SharedPieces implements AsyncIterable<Buffer> {
  readonly made: Promise<void>
  readonly #source: AsyncIterator<Buffer>
  readonly #end = Promise.withResolvers<void>()
  readonly #first: Place = { next: undefined }

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
    this.made = this.#end.promise
    // Readers are told by the piece that failed.
    this.made.catch(() => undefined)
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return this.#from(this.#first)
  }

  async *#from(first: Place): AsyncGenerator<Buffer, undefined> {
    for (let place = first; ; ) {
      place.next ??= this.#make()
      const found = await place.next
      if (found === undefined) return
      yield found.piece
      place = found.behind
    }
  }

  async #make() {
    try {
      const { done, value } = await this.#source.next()
      if (done !== true) return { piece: value, behind: { next: undefined } }
      this.#end.resolve()
      return undefined
    } catch (error) {
      this.#end.reject(error)
      throw error
    }
  }
}
