// UIDs of what the API server makes: of objects, of reviews that it asks webhooks for, of tokens.
import { hash } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'

/**
 * Makes UIDs from the seed, the instant and the subject. None is drawn from a sequence: clients that write in the same instant of the cluster's
 * time come in the order that the machine's load gives them, and the same seed must give each object the same UID all the same.
 */
export class Uids {
  /** UIDs that loaded objects have, or name as their owners': nothing new gets one of them. A dump of a twin, loaded into one of its seed, would meet its own. */
  readonly loaded = new Set<string>()
  readonly #seed: number
  readonly #clock: Clock
  #instant = Number.NaN
  /** How many each subject has had at this instant. */
  readonly #given = new Map<string, number>()

  constructor({ seed, clock }: { readonly seed: number; readonly clock: Clock }) {
    this.#seed = seed
    this.#clock = clock
  }

  /** A v4-shaped UID that nobody has. `subject` says for what: a kind, a namespace, a name. */
  fresh(...subject: readonly (string | undefined)[]): string {
    const now = this.#clock.now()
    if (now !== this.#instant) this.#given.clear()
    this.#instant = now
    const whose = JSON.stringify(subject)
    for (;;) {
      const nth = this.#given.get(whose) ?? 0
      this.#given.set(whose, nth + 1)
      const uid = shaped(hash('sha256', JSON.stringify([this.#seed, now, whose, nth])))
      if (!this.loaded.has(uid)) return uid
    }
  }
}

/** The first 122 bits in the shape of RFC 9562, version 4. */
function shaped(hex: string): string {
  const variant = '89ab'.charAt(Number.parseInt(hex.charAt(15), 16) % 4)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-${variant}${hex.slice(16, 19)}-${hex.slice(19, 31)}`
}
