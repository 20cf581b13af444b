// Which figures of metrics.k8s.io still count. Pure but for its memory of when each time stamp was first seen.
import type { Measurements } from '#planning/goals/goals.ts'
import type { Measured } from '#planning/goals/measurements.ts'
import type { Amounts } from '#planning/plan-record.ts'

/** A figure older than this is as good as none: the same as the gate `usage-stale` minds. */
export const usageFreshMs = 120_000

interface Kept {
  readonly amounts: Amounts
  readonly atMs: number | undefined
  /** Since when, on the monotonic clock, no newer figure came. */
  readonly sinceMs: number
}

/** Times on two clocks: the monotonic one for ages, the wall's for time stamps that are seen the first time. */
interface Now {
  readonly elapsedMs: number
  readonly nowMs: number
}

/**
 * A metrics server that stands still goes on answering what it last saw. So a figure's age is how long its time stamp has not moved; the
 * wall clock is asked only of one that is seen the first time, since clocks differ and jump.
 */
export class FreshUsage {
  #nodes = new Map<string, Kept>()
  #pods = new Map<string, Kept>()

  /** Takes what one reading brought. Who is not in it any more is forgotten. */
  take(reading: Iterable<Measured>, now: Now): void {
    const next = { node: new Map<string, Kept>(), pod: new Map<string, Kept>() }
    for (const found of reading) {
      const before = (found.kind === 'node' ? this.#nodes : this.#pods).get(found.key)
      next[found.kind].set(found.key, kept(found, before, now))
    }
    this.#nodes = next.node
    this.#pods = next.pod
  }

  /** What is fresh at `elapsedMs`. */
  measurements(elapsedMs: number): Measurements {
    return { nodes: fresh(this.#nodes, elapsedMs), pods: fresh(this.#pods, elapsedMs) }
  }

  /** Age of the newest figure of a node in milliseconds; `undefined`: there is none. */
  ageMs(elapsedMs: number): number | undefined {
    const ages = Array.from(this.#nodes.values(), ({ sinceMs }) => Math.max(0, elapsedMs - sinceMs))
    return ages.length === 0 ? undefined : Math.min(...ages)
  }

  /** Nodes of which there is a figure that is newer than `sinceMs` of the monotonic clock. */
  measuredSince(sinceMs: number): ReadonlySet<string> {
    return new Set(Array.from(this.#nodes).flatMap(([name, one]) => (one.sinceMs >= sinceMs ? [name] : [])))
  }
}

function kept(found: Measured, before: Kept | undefined, { elapsedMs, nowMs }: Now): Kept {
  const { amounts, atMs } = found
  if (before !== undefined && before.atMs === atMs) return { amounts, atMs, sinceMs: before.sinceMs }
  // A stamp that moved is new by that alone.
  const ageMs = before === undefined && atMs !== undefined ? Math.max(0, nowMs - atMs) : 0
  return { amounts, atMs, sinceMs: elapsedMs - ageMs }
}

function fresh(all: ReadonlyMap<string, Kept>, elapsedMs: number): ReadonlyMap<string, Amounts> {
  return new Map([...all].flatMap(([key, one]) => (elapsedMs - one.sinceMs <= usageFreshMs ? [[key, one.amounts] as const] : [])))
}
