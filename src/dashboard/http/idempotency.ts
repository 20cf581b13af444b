// A write that comes twice with one key is carried out once: the second is told what the first was told.
import { createHash } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'
import { ExpiringCache, SingleFlight } from '#kube/server/expiring-cache.ts'
import { refusal, type WholeAnswer } from './answer.ts'

const keyLifeMs = 600_000
const mostKeys = 10_000
const longestKey = 200

interface Kept {
  readonly digest: string
  readonly answer: WholeAnswer
}

export class Idempotency {
  readonly #kept: ExpiringCache<Kept>
  readonly #flights = new SingleFlight<Kept>()

  constructor(clock: Clock) {
    this.#kept = new ExpiringCache(clock, mostKeys)
  }

  /** What `write` answers, or answered when `viewer` sent the same under `key` within ten minutes. */
  async once(
    { viewer, key, content }: { readonly viewer: string; readonly key: string | undefined; readonly content: string },
    write: () => Promise<WholeAnswer>,
  ): Promise<WholeAnswer> {
    if (key === undefined) return write()
    if (!/^[\x21-\x7e]+$/.test(key) || key.length > longestKey)
      return refusal('idempotency-key-bad', {
        status: 400,
        message: `An Idempotency-Key has 1 to ${longestKey} visible characters.`,
        remedy: 'Send a random one for each press of a button.',
      })
    const name = JSON.stringify([viewer, key])
    const digest = createHash('sha256').update(content).digest('base64')
    const kept =
      this.#kept.get(name) ??
      (await this.#flights.run(name, async () => {
        const made = { digest, answer: await write() }
        this.#kept.set(name, made, keyLifeMs)
        return made
      }))
    if (kept.digest === digest) return kept.answer
    return refusal('idempotency-key-used', {
      status: 409,
      message: 'This Idempotency-Key was sent with another action.',
      remedy: 'Send a new one for each press of a button.',
    })
  }
}
