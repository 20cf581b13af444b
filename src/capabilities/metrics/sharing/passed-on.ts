// What we read of kubelets ourselves, for the replicas that ask for it: the last of each node, numbered in the order in which it came.
import { badRequest } from '#kube/objects/status.ts'
import { encodeAnswer, encodePoints, type PassedPoints } from './points-message.ts'

interface Kept {
  readonly number: number
  readonly points: Buffer
  readonly elapsedMs: number
}

/** The answer ends with the node that exceeds it: the rest is asked for at once. */
const answerBytes = 4 * 1024 * 1024
/** What is older is of no use: its node is another's by now, or silent. */
const usefulResolutions = 2

interface PassedOnOptions {
  /** Names this life: numbers mean nothing in another. */
  readonly instance: string
  readonly resolutionMs: number
}

export class PassedOn {
  readonly #options: PassedOnOptions
  /** In the order of their numbers. */
  readonly #kept = new Map<string, Kept>()
  #number = 0

  constructor(options: PassedOnOptions) {
    this.#options = options
  }

  keep(passed: PassedPoints, elapsedMs: number): void {
    this.#kept.delete(passed.node)
    this.#kept.set(passed.node, { number: ++this.#number, points: encodePoints(passed), elapsedMs })
  }

  forget(node: string): void {
    this.#kept.delete(node)
  }

  /** Nobody asks. */
  clear(): void {
    this.#kept.clear()
  }

  /** What came after number `after` of `instance`; all where that is none of ours. @throws StatusError 400 */
  answer(query: URLSearchParams, nowElapsedMs: number): Buffer {
    const { instance, resolutionMs } = this.#options
    const text = query.get('after') ?? '0'
    if (!/^\d{1,15}$/.test(text)) throw badRequest('after: expected a whole number')
    const after = query.get('instance') === instance ? Number(text) : 0
    const entries: { ageMs: number; points: Buffer }[] = []
    let [upTo, length, isCut] = [after, 0, false]
    for (const [node, { number, points, elapsedMs }] of this.#kept) {
      const ageMs = Math.max(0, Math.round(nowElapsedMs - elapsedMs))
      if (ageMs > usefulResolutions * resolutionMs) this.#kept.delete(node)
      else if (number > after) {
        if (length >= answerBytes) {
          isCut = true
          break
        }
        entries.push({ ageMs, points })
        length += points.length
        upTo = number
      }
    }
    return encodeAnswer({ instance, upTo, isCut, entries })
  }
}
