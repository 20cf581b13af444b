// Observations by time and by workload, for a day and no more than so many. The pods of one drain are one line.
import type { Observation, Observations } from './observation.ts'

/** How long an observation counts: as long as the longest rule looks back, a day. */
const keptMs = 24 * 3_600_000
/** In all; the oldest go first. */
const mostObservations = 20_000

interface Entry {
  readonly id: string
  readonly observation: Observation
  /** How it looks from each workload that lost pods by it. */
  readonly byWorkload: ReadonlyMap<string, Observation>
}

interface DrainOf {
  readonly node: string
  readonly by: string
  readonly evidence: string
  /** The mark of an autoscaler: one pod is enough for a drain. */
  readonly isCertain: boolean
}

interface Drain {
  readonly losses: Map<string, Observation>
}

/** After so long without a pod lost what follows is another drain, in milliseconds. */
const drainPauseMs = 3_600_000
/** How many evictions from a cordoned node make a drain of them. */
const evictionsOfDrain = 2

export class ObservationBook implements Observations {
  /** Oldest first. */
  readonly #entries: Entry[] = []
  readonly #byId = new Map<string, Entry>()
  readonly #byWorkload = new Map<string, Entry[]>()
  readonly #drains = new Map<string, Drain>()
  readonly #woken = new Map<string, number>()

  get size(): number {
    return this.#entries.length
  }

  has(id: string): boolean {
    return this.#byId.has(id) || this.#drains.values().some(drain => drain.losses.has(id))
  }

  /** Writes an observation down, in place of one of the same id. */
  put(id: string, observation: Observation): void {
    const { workload } = observation
    this.#put({
      id,
      observation,
      byWorkload: new Map(workload === undefined ? [] : [[workload, observation]]),
    })
  }

  /** The rollout of this id, where it is known, replaced a pod at `atMs`: what looks back counts from the last one. */
  rollOn(id: string, atMs: number): void {
    const known = this.#byId.get(id)?.observation
    if (known?.kind === 'rollout' && known.atMs < atMs) this.put(id, { ...known, atMs })
  }

  /** A pod that went from a node that is being emptied: from the second on, they are one drain. */
  putDrained(id: string, loss: Observation, drain: DrainOf): void {
    const before = this.#drains.get(drain.node)
    const isGoingOn = before !== undefined && loss.atMs - lastMs(before) < drainPauseMs
    const known = isGoingOn ? before : { losses: new Map<string, Observation>() }
    this.#drains.set(drain.node, known)
    known.losses.set(id, loss)
    const losses = [...known.losses.values()]
    if (losses.length < evictionsOfDrain && !drain.isCertain) {
      this.put(id, loss)
      return
    }
    for (const each of known.losses.keys()) this.remove(each)
    const latest = losses.toSorted((a, b) => a.atMs - b.atMs)
    const pods = losses.length === 1 ? '1 pod' : `${losses.length} pods`
    const observation: Observation = {
      kind: 'drain',
      workload: undefined,
      namespace: undefined,
      nodes: [drain.node],
      atMs: latest.at(-1)?.atMs ?? loss.atMs,
      by: drain.by,
      evidence: `node ${drain.node} has ${drain.evidence}, and ${pods} went from it`,
    }
    // The last loss of a workload is the one that its cool-down counts from.
    const byWorkload = latest.flatMap(each =>
      each.workload === undefined ? [] : [[each.workload, { ...observation, ...partOf(each) }] as const],
    )
    this.#put({ id: `drain:${drain.node}:${[...known.losses.keys()][0] ?? ''}`, observation, byWorkload: new Map(byWorkload) })
  }

  /** A workload got replicas after it had none, or has none any more. */
  scale(workload: string, { from, to, atMs }: { readonly from: number; readonly to: number; readonly atMs: number }): void {
    if (to === 0) this.#woken.delete(workload)
    else if (from === 0) this.#woken.set(workload, atMs)
  }

  wokenMs(workload: string): number | undefined {
    return this.#woken.get(workload)
  }

  /** The node takes pods again: what goes from now on is another drain. */
  endDrain(node: string): void {
    this.#drains.delete(node)
  }

  remove(id: string): void {
    const entry = this.#byId.get(id)
    if (entry === undefined) return
    this.#byId.delete(id)
    this.#entries.splice(this.#entries.indexOf(entry), 1)
    for (const workload of entry.byWorkload.keys()) {
      const left = this.#byWorkload.get(workload)?.filter(one => one !== entry) ?? []
      if (left.length === 0) this.#byWorkload.delete(workload)
      else this.#byWorkload.set(workload, left)
    }
  }

  /** Lets go what is older than a day, and the oldest above the limit. */
  forget(nowMs: number): void {
    for (const [workload, atMs] of this.#woken) if (atMs < nowMs - keptMs) this.#woken.delete(workload)
    for (;;) {
      const [oldest] = this.#entries
      if (oldest === undefined) return
      if (oldest.observation.atMs >= nowMs - keptMs && this.#entries.length <= mostObservations) return
      this.remove(oldest.id)
    }
  }

  ofWorkload(workload: string): readonly Observation[] {
    return (this.#byWorkload.get(workload) ?? []).flatMap(entry => entry.byWorkload.get(workload) ?? [])
  }

  since(ms: number): readonly Observation[] {
    return this.#entries.slice(this.#firstSince(ms)).map(entry => entry.observation)
  }

  #put(entry: Entry): void {
    this.remove(entry.id)
    this.#byId.set(entry.id, entry)
    // What happened at the same time stays in order of arrival.
    this.#entries.splice(this.#firstSince(entry.observation.atMs + 1), 0, entry)
    for (const [workload, { atMs }] of entry.byWorkload) {
      const entries = this.#byWorkload.get(workload) ?? []
      const at = entries.findLastIndex(one => (one.byWorkload.get(workload)?.atMs ?? 0) <= atMs)
      this.#byWorkload.set(workload, entries.toSpliced(at + 1, 0, entry))
    }
  }

  /** Index of the first entry at or after `ms`. */
  #firstSince(ms: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.observation.atMs ?? 0) < ms) low = middle + 1
      else high = middle
    }
    return low
  }
}

function lastMs({ losses }: Drain): number {
  return Math.max(...losses.values().map(loss => loss.atMs))
}

function partOf({ workload, namespace, atMs }: Observation): Pick<Observation, 'workload' | 'namespace' | 'atMs'> {
  return { workload, namespace, atMs }
}
