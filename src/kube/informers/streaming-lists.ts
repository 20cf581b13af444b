// What is known of one server's streaming lists (watches with initial events): some refuse them, some take no notice.
import { type GroupVersionResource, resourceKey } from '../objects/resource.ts'

/** After this a server that refused is asked again: it may have been upgraded. */
const refusalMs = 3_600_000

export class StreamingLists {
  readonly #isOn: boolean
  readonly #ignoredBy = new Set<string>()
  #refusedMs: number | undefined

  constructor(mode: 'auto' | 'off') {
    this.#isOn = mode === 'auto'
  }

  isTried(resource: GroupVersionResource, nowMs: number): boolean {
    if (!this.#isOn || this.#ignoredBy.has(resourceKey(resource))) return false
    return this.#refusedMs === undefined || nowMs - this.#refusedMs >= refusalMs
  }

  /** The server said that it does not know them. */
  refused(nowMs: number): void {
    this.#refusedMs = nowMs
  }

  /** The parameter had no effect for this resource. */
  ignoredBy(resource: GroupVersionResource): void {
    this.#ignoredBy.add(resourceKey(resource))
  }
}
