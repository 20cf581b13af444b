// What a role leaves out that is not ours to change: expected, and said once for all kinds instead of a warning for each.
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'

/** What is found out within so long is one line. */
const gatherMs = 2_000

const sentences = {
  unread: 'not allowed to be read: done without',
  unwatched: 'allowed to be listed and not to be watched: listed when a change asks for it, and now and then',
} as const

export class RoleNotes {
  readonly #clock: Clock
  readonly #log: Log
  readonly #signal: AbortSignal
  readonly #gathered = new Map<keyof typeof sentences, Set<string>>()

  constructor(options: { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal }) {
    this.#clock = options.clock
    this.#log = options.log
    this.#signal = options.signal
  }

  /** A kind was refused: `unread` altogether, `unwatched` to be watched. */
  note(what: keyof typeof sentences, resource: string): void {
    const known = this.#gathered.get(what)
    if (known !== undefined) {
      known.add(resource)
      return
    }
    const resources = new Set([resource])
    this.#gathered.set(what, resources)
    const cancel = this.#clock.schedule(gatherMs, () => {
      this.#signal.removeEventListener('abort', cancel)
      this.#gathered.delete(what)
      this.#log.info({ kinds: [...resources].join(', ') }, sentences[what])
    })
    this.#signal.addEventListener('abort', cancel, { once: true })
  }
}
