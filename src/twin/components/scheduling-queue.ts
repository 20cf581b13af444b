// Pods that wait for a node: by priority, then by the time they came; those that did not fit wait for something to change.

interface Waiting {
  readonly key: string
  readonly priority: number
  readonly order: number
  attempts: number
  /** Of the clock: before this it is not tried again. */
  notBeforeMs: number
  place: 'active' | 'backing-off' | 'unschedulable'
}

const firstBackOffMs = 1_000
const longestBackOffMs = 10_000

export class SchedulingQueue {
  readonly #pods = new Map<string, Waiting>()
  #order = 0

  /** A new pod, or one that changed so that it may fit now. */
  add(key: string, priority: number): void {
    const known = this.#pods.get(key)
    if (known === undefined)
      this.#pods.set(key, { key, priority, order: this.#order++, attempts: 0, notBeforeMs: 0, place: 'active' })
    else if (known.place === 'unschedulable') known.place = 'backing-off'
  }

  remove(key: string): void {
    this.#pods.delete(key)
  }

  /** Takes the next pod that may be tried at `nowMs`; it has to come back by `reject` or go by `remove`. */
  take(nowMs: number): string | undefined {
    let next: Waiting | undefined
    for (const pod of this.#pods.values()) {
      if (pod.place === 'unschedulable' || pod.notBeforeMs > nowMs) continue
      if (next === undefined || pod.priority > next.priority || (pod.priority === next.priority && pod.order < next.order))
        next = pod
    }
    if (next === undefined) return undefined
    next.attempts++
    next.notBeforeMs = nowMs + Math.min(longestBackOffMs, firstBackOffMs * 2 ** (next.attempts - 1))
    next.place = 'unschedulable'
    return next.key
  }

  /** Something changed in the cluster: all that did not fit are tried again, each when its back-off is over. */
  wakeAll(): void {
    for (const pod of this.#pods.values()) if (pod.place === 'unschedulable') pod.place = 'backing-off'
  }

  /** When the next pod may be tried; `undefined` when none waits for time alone. */
  nextMs(): number | undefined {
    let next: number | undefined
    for (const pod of this.#pods.values()) {
      if (pod.place !== 'unschedulable' && (next === undefined || pod.notBeforeMs < next)) next = pod.notBeforeMs
    }
    return next
  }

  get size(): number {
    return this.#pods.size
  }
}
