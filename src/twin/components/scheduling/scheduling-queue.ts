// Pods that wait for a node: by priority, then by the time they came; those that did not fit wait for something to change.
import { Heap } from '../heap.ts'

interface Waiting {
  readonly key: string
  readonly priority: number
  readonly order: number
  attempts: number
  /** Moment of the clock before which it is not tried again. */
  notBeforeMs: number
  place: 'waiting' | 'unschedulable' | 'gone'
}

const firstBackOffMs = 1_000
const longestBackOffMs = 10_000

/** Costs as much for each pod as the logarithm of how many wait: a cluster may begin with 150,000 of them. */
export class SchedulingQueue {
  readonly #pods = new Map<string, Waiting>()
  readonly #unschedulable = new Set<Waiting>()
  /** May be tried now. Of both heaps: what is gone stays in them until it comes to the top. */
  readonly #ready = new Heap<Waiting>(
    (one, other) => one.priority > other.priority || (one.priority === other.priority && one.order < other.order),
  )
  /** May be tried from a moment on, or have not been looked at since. */
  readonly #later = new Heap<Waiting>((one, other) => one.notBeforeMs < other.notBeforeMs)
  #order = 0

  /** A new pod, or one that changed so that it may fit now. */
  add(key: string, priority: number): void {
    const known = this.#pods.get(key)
    if (known !== undefined) {
      if (known.place === 'unschedulable') this.#wake(known)
      return
    }
    const pod: Waiting = { key, priority, order: this.#order++, attempts: 0, notBeforeMs: 0, place: 'waiting' }
    this.#pods.set(key, pod)
    this.#later.push(pod)
  }

  remove(key: string): void {
    const known = this.#pods.get(key)
    if (known === undefined) return
    this.#pods.delete(key)
    this.#unschedulable.delete(known)
    known.place = 'gone'
  }

  /** Takes the next pod that may be tried at `nowMs`; it has to come back by `reject` or go by `remove`. */
  take(nowMs: number): string | undefined {
    for (let next = first(this.#later); next !== undefined && next.notBeforeMs <= nowMs; next = first(this.#later)) {
      this.#later.pop()
      this.#ready.push(next)
    }
    const next = first(this.#ready)
    if (next === undefined) return undefined
    this.#ready.pop()
    next.attempts++
    next.notBeforeMs = nowMs + Math.min(longestBackOffMs, firstBackOffMs * 2 ** (next.attempts - 1))
    next.place = 'unschedulable'
    this.#unschedulable.add(next)
    return next.key
  }

  /** Something changed in the cluster: all that did not fit are tried again, each when its back-off is over. */
  wakeAll(): void {
    for (const pod of this.#unschedulable) this.#wake(pod)
  }

  /** When the next pod may be tried; `undefined` when none waits for time alone. */
  nextMs(): number | undefined {
    return (first(this.#ready) ?? first(this.#later))?.notBeforeMs
  }

  get size(): number {
    return this.#pods.size
  }

  #wake(pod: Waiting): void {
    this.#unschedulable.delete(pod)
    pod.place = 'waiting'
    this.#later.push(pod)
  }
}

/** The first that is not gone. */
function first(heap: Heap<Waiting>): Waiting | undefined {
  for (let top = heap.top; top !== undefined; top = heap.top) {
    if (top.place !== 'gone') return top
    heap.pop()
  }
  return undefined
}
