// One loop for all simulated components: items keyed by object, run one at a time in order of
// (due time, order of the queues, insertion number), so that a run with one seed repeats to the byte.
// A handler that throws is tried again after a back-off on the loop's clock. One that returns a promise keeps its key to itself,
// and a virtual clock still, until that is settled; all others go on meanwhile.
import type { Clock } from '#kube/clock.ts'

/** How many items run in one turn of the event loop before others get theirs. */
const itemsPerTurn = 16
const firstBackOffMs = 5
/** From so many failures in a row on an item is set aside: it is still tried, and nobody waits for it. */
const failuresWaitedFor = 10
/** Parts of items whose failures are counted; with more of them the counts begin anew. */
const mostFailing = 4_096
const longestBackOffMs = 1_000_000

interface Entry {
  readonly dueMs: number
  readonly order: number
  readonly sequence: number
  readonly key: string
  readonly queue: QueueState
  readonly isPeriodic: boolean
  isCancelled: boolean
}

type KeyHandler = (key: string) => void | Promise<void>

interface QueueState {
  readonly name: string
  readonly order: number
  readonly handler: KeyHandler
  /** Keys whose handler has not settled yet; true: the key was asked for again. */
  readonly busy: Map<string, boolean>
  /** Per key at most one entry of each sort: the earliest. */
  readonly transient: Map<string, Entry>
  readonly periodic: Map<string, Entry>
  readonly failures: Map<string, number>
}

export interface WorkQueue {
  /** Runs the key as soon as the loop gets to it; a key that waits already is not queued twice. */
  add(key: string): void
  /** The same after a delay of the loop's clock: something is going on until then, and `settle` waits for it. */
  addAfter(key: string, delayMs: number): void
  /** For what comes round again for ever (heartbeats, resyncs, cron): nobody waits for it. */
  addPeriodic(key: string, delayMs: number): void
  /** Drops what waits under the key. */
  remove(key: string): void
}

export interface LoopFailure {
  readonly queue: string
  readonly key: string
  readonly error: unknown
  /** How often in a row the key has failed, this time included. */
  readonly count: number
}

export class ComponentLoop implements Disposable {
  readonly #clock: Clock
  readonly #onFailure: (failure: LoopFailure) => void
  readonly #entries: Entry[] = []
  readonly #queues: QueueState[] = []
  #sequence = 0
  #cancelTimer: (() => void) | undefined
  #timerDueMs = Number.POSITIVE_INFINITY
  #isRunning = false
  #isTurnOver = false
  #isStopped = false
  readonly #lone = new Map<string, number>()
  readonly #afterTurn = new Set<() => void>()

  constructor(clock: Clock, onFailure: (failure: LoopFailure) => void) {
    this.#clock = clock
    this.#onFailure = onFailure
  }

  /** Queues run in the order they are made in when items are due at the same time. */
  queue(name: string, handler: KeyHandler): WorkQueue {
    const state: QueueState = {
      name,
      order: this.#queues.length,
      handler,
      busy: new Map(),
      transient: new Map(),
      periodic: new Map(),
      failures: new Map(),
    }
    this.#queues.push(state)
    return {
      add: key => this.#push(state, key, this.#clock.elapsed(), false),
      addAfter: (key, delayMs) => this.#push(state, key, this.#clock.elapsed() + Math.max(0, delayMs), false),
      addPeriodic: (key, delayMs) => this.#push(state, key, this.#clock.elapsed() + Math.max(0, delayMs), true),
      remove: key => {
        this.#drop(state, key)
        state.failures.delete(key)
      },
    }
  }

  /**
   * Does a part of an item that looks at many objects: where it throws, `key` is told as failed, and the rest of the item goes on. It comes
   * round again with the item.
   */
  alone(queue: string, key: string, act: () => void): void {
    const at = `${queue} ${key}`
    try {
      act()
      this.#lone.delete(at)
    } catch (error) {
      const count = (this.#lone.get(at) ?? 0) + 1
      if (this.#lone.size >= mostFailing) this.#lone.clear()
      this.#lone.set(at, count)
      this.#onFailure({ queue, key, error, count })
    }
  }

  /** For an item that takes milliseconds: others have their turn of the event loop before the next item runs. The order stays. */
  endTurn(): void {
    this.#isTurnOver = true
  }

  /** Nothing is running, due or going to happen by itself, periodic work aside. */
  get isSettled(): boolean {
    return !this.#isRunning && this.#queues.every(queue => queue.transient.size === 0 && queue.busy.size === 0)
  }

  /** Whether all is done that was due by `elapsedMs` of the clock, periodic work too. */
  isDoneUntil(elapsedMs: number): boolean {
    const next = this.#peek()
    return (next === undefined || next.dueMs > elapsedMs) && this.#queues.every(queue => queue.busy.size === 0)
  }

  /** Calls `listener` whenever some items were run. @returns what ends that */
  afterTurn(listener: () => void): () => void {
    this.#afterTurn.add(listener)
    return () => this.#afterTurn.delete(listener)
  }

  /** Milliseconds of the clock until the next transient item; `undefined` when there is none. */
  get nextTransientMs(): number | undefined {
    let next: number | undefined
    for (const queue of this.#queues) {
      for (const entry of queue.transient.values()) if (next === undefined || entry.dueMs < next) next = entry.dueMs
    }
    return next === undefined ? undefined : Math.max(0, next - this.#clock.elapsed())
  }

  /** What still moves, for a person: `kubelet shop/cart-a in 1.2 s`. */
  moving(): readonly string[] {
    const now = this.#clock.elapsed()
    return this.#queues.flatMap(queue =>
      [...queue.transient.values()].map(entry => {
        const failures = queue.failures.get(entry.key)
        const again = failures === undefined ? '' : ` (failed ${failures} times)`
        return `${queue.name} ${entry.key} in ${(Math.max(0, entry.dueMs - now) / 1000).toFixed(1)} s${again}`
      }),
    )
  }

  [Symbol.dispose](): void {
    this.#isStopped = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    for (const queue of this.#queues) {
      queue.transient.clear()
      queue.periodic.clear()
    }
    this.#entries.length = 0
  }

  #push(queue: QueueState, key: string, dueMs: number, isPeriodic: boolean): void {
    if (this.#isStopped) return
    const waiting = isPeriodic ? queue.periodic : queue.transient
    const before = waiting.get(key)
    if (before !== undefined) {
      if (before.dueMs <= dueMs) return
      before.isCancelled = true
    }
    const entry = { dueMs, order: queue.order, sequence: this.#sequence++, key, queue, isPeriodic, isCancelled: false }
    waiting.set(key, entry)
    siftUp(this.#entries, entry)
    if (!this.#isRunning) this.#arm()
  }

  #drop(queue: QueueState, key: string): void {
    for (const waiting of [queue.transient, queue.periodic]) {
      const entry = waiting.get(key)
      if (entry !== undefined) entry.isCancelled = true
      waiting.delete(key)
    }
  }

  #arm(): void {
    const dueMs = this.#peek()?.dueMs
    if (dueMs === undefined || (this.#cancelTimer !== undefined && this.#timerDueMs <= dueMs)) return
    this.#cancelTimer?.()
    this.#timerDueMs = dueMs
    this.#cancelTimer = this.#clock.schedule(dueMs - this.#clock.elapsed(), () => {
      this.#cancelTimer = undefined
      this.#turn()
    })
  }

  #turn(): void {
    this.#isRunning = true
    this.#isTurnOver = false
    try {
      for (let count = 0; count < itemsPerTurn && !this.#isTurnOver; count++) {
        const entry = this.#peek()
        // The host's timers may fire a fraction of a millisecond early.
        if (entry === undefined || entry.dueMs > this.#clock.elapsed() + 0.5) break
        takeFirst(this.#entries)
        this.#run(entry)
      }
    } finally {
      this.#isRunning = false
    }
    this.#arm()
    for (const listener of [...this.#afterTurn]) listener()
  }

  #run(entry: Entry): void {
    const { queue, key } = entry
    ;(entry.isPeriodic ? queue.periodic : queue.transient).delete(key)
    if (queue.busy.has(key)) {
      queue.busy.set(key, true)
      return
    }
    try {
      const outcome = queue.handler(key)
      if (outcome === undefined) queue.failures.delete(key)
      else this.#await(queue, key, outcome)
    } catch (error) {
      this.#fail(queue, key, error)
    }
  }

  #await(queue: QueueState, key: string, outcome: Promise<void>): void {
    queue.busy.set(key, false)
    const held = this.#clock.hold()
    const settled = () => {
      const isWantedAgain = queue.busy.get(key) === true
      queue.busy.delete(key)
      held[Symbol.dispose]()
      if (isWantedAgain) this.#push(queue, key, this.#clock.elapsed(), false)
      for (const listener of [...this.#afterTurn]) listener()
    }
    outcome.then(
      () => {
        queue.failures.delete(key)
        settled()
      },
      error => {
        settled()
        this.#fail(queue, key, error)
      },
    )
  }

  #fail(queue: QueueState, key: string, error: unknown): void {
    const count = (queue.failures.get(key) ?? 0) + 1
    queue.failures.set(key, count)
    this.#push(queue, key, this.#clock.elapsed() + backOffMs(count), count >= failuresWaitedFor)
    this.#onFailure({ queue: queue.name, key, error, count })
  }

  /** The first entry that still counts. */
  #peek(): Entry | undefined {
    for (;;) {
      const entry = this.#entries[0]
      if (entry === undefined || !entry.isCancelled) return entry
      takeFirst(this.#entries)
    }
  }
}

/** 5 ms, doubled with each failure, at most 1000 s: the item back-off of client-go's work queues. */
export function backOffMs(failures: number): number {
  return Math.min(longestBackOffMs, firstBackOffMs * 2 ** Math.min(30, failures - 1))
}

function isBefore(one: Entry, other: Entry): boolean {
  if (one.dueMs !== other.dueMs) return one.dueMs < other.dueMs
  if (one.order !== other.order) return one.order < other.order
  return one.sequence < other.sequence
}

/** Adds to a binary heap whose least entry is first. */
function siftUp(heap: Entry[], entry: Entry): void {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above]
    if (parent === undefined || !isBefore(entry, parent)) break
    heap[at] = parent
    at = above
  }
  heap[at] = entry
}

function takeFirst(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    let child = heap[below]
    if (child === undefined) break
    const right = heap[below + 1]
    if (right !== undefined && isBefore(right, child)) {
      child = right
      below++
    }
    if (!isBefore(child, last)) break
    heap[at] = child
    at = below
  }
  heap[at] = last
}
