// With an update webhook nothing is reloaded: each change of a watched object is told there, and tried again where nobody answers.
import type { Clock } from '#kube/clock.ts'
import { WorkQueue } from '#kube/controllers/queue.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { type SourceReference, sourceKey } from '../sources/source-state.ts'
import type { ReloadTelling } from './telling.ts'

const notifyTries = 6

export class UpdateNotifier {
  readonly #telling: ReloadTelling
  readonly #log: Log
  readonly #queue: WorkQueue<string>
  readonly #references = new Map<string, SourceReference>()

  constructor({ telling, clock, log }: { readonly telling: ReloadTelling; readonly clock: Clock; readonly log: Log }) {
    this.#telling = telling
    this.#log = log
    this.#queue = new WorkQueue<string>({ clock, observer: telling.queue })
  }

  changed(reference: SourceReference): void {
    const key = sourceKey(reference)
    this.#references.set(key, reference)
    this.#queue.add(key)
  }

  /** Tells until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (let key = await this.#queue.take(signal); key !== undefined; key = await this.#queue.take(signal)) {
        await this.#tell(key, signal)
        this.#queue.done(key)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#queue[Symbol.dispose]()
    }
  }

  async #tell(key: string, signal: AbortSignal): Promise<void> {
    const reference = this.#references.get(key)
    if (reference === undefined) return
    try {
      await this.#telling.sourceChanged(reference, signal)
      this.#queue.forget(key)
      this.#references.delete(key)
    } catch (error) {
      if (signal.aborted) throw error
      const isLast = this.#queue.failuresOf(key) >= notifyTries - 1
      this.#log.warn({ source: key, why: messageOf(error), isLast }, 'the update webhook does not answer')
      if (isLast) {
        this.#queue.forget(key)
        return
      }
      this.#telling.retried()
      this.#queue.addRateLimited(key)
    }
  }
}
