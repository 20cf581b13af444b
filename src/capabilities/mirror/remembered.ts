// A bound for what is remembered. The cache's own `max` would take the room for all of it at once: 1.5 MiB for those of a mirror that rests.
interface Bound {
  readonly maxSize: number
  readonly sizeCalculation: () => number
}

/** At most so many entries; those used least go first. It grows with what is in it. */
export function atMost(entries: number): Bound {
  return { maxSize: entries, sizeCalculation: () => 1 }
}
