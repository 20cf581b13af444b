// What something costs, for tests of how costs grow: time of the processor and not of the clock, since others may have it meanwhile.

/** Milliseconds of the processor that the cheapest of `times` runs took: what a busy machine adds to some of them drops out. */
export function leastCpuMs(run: () => void, times = 3): number {
  let least = Number.POSITIVE_INFINITY
  for (let time = 0; time < times; time++) {
    const before = process.cpuUsage()
    run()
    // The sum alone is exact: the kernel guesses by ticks which part of it was the program's own, and short runs may have none.
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1_000)
  }
  return least
}
