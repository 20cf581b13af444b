// How much a decision works in one go. A cycle over 150,000 pods takes a second; leases, probes and watches go on meanwhile if whoever runs
// the cycle hears of a moment for them every few milliseconds. Work is counted, never timed: the same cluster gives the same steps.

/** Yielded by a strategy: it wants nothing, and whoever runs it may do other things before it goes on. The answer is not looked at. */
export interface Breath {
  readonly kind: 'breath'
}

export const breath: Breath = { kind: 'breath' }

/** Looks at a pod between two breaths: some two milliseconds. */
const slice = 2_048

export class Pace {
  #spent = 0

  /** Work that is done in one go; a unit is one look at a pod, a microsecond or so. */
  spend(units: number): void {
    this.#spent += units
  }

  /** As `spend`; true when it is time for a breath, from which counting begins anew. */
  isDue(units = 1): boolean {
    this.#spent += units
    if (this.#spent < slice) return false
    this.#spent = 0
    return true
  }
}

/** Those of `items` that `test` picks, in their order. */
export function* picked<Item>(
  items: Iterable<Item>,
  test: (item: Item) => boolean,
  pace: Pace,
): Generator<Breath, Item[], unknown> {
  const found: Item[] = []
  for (const item of items) {
    if (test(item)) found.push(item)
    if (pace.isDue()) yield breath
  }
  return found
}

/** `items` in the order that `compare` says; equal ones stay as they are. */
export function* sorted<Item extends NonNullable<unknown>>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
  pace: Pace,
): Generator<Breath, readonly Item[], unknown> {
  let runs: Item[][] = []
  for (let at = 0; at < items.length; at += slice) {
    const run = items.slice(at, at + slice).sort(compare)
    runs.push(run)
    // Each is compared with some others.
    if (pace.isDue(run.length)) yield breath
  }
  while (runs.length > 1) {
    const merged: Item[][] = []
    for (let at = 0; at < runs.length; at += 2)
      merged.push(yield* mergedRuns(runs[at] ?? [], runs[at + 1] ?? [], { compare, pace }))
    runs = merged
  }
  return runs[0] ?? []
}

function* mergedRuns<Item extends NonNullable<unknown>>(
  left: readonly Item[],
  right: readonly Item[],
  { compare, pace }: { readonly compare: (a: Item, b: Item) => number; readonly pace: Pace },
): Generator<Breath, Item[], unknown> {
  const merged: Item[] = []
  let at = 0
  for (const item of left) {
    for (; at < right.length; at++) {
      const other = right[at]
      if (other === undefined || compare(other, item) >= 0) break
      merged.push(other)
      if (pace.isDue()) yield breath
    }
    merged.push(item)
    if (pace.isDue()) yield breath
  }
  return merged.concat(right.slice(at))
}
