// The set of so many ids whose pairs weigh least together. Ids come in groups that are nearest within, such as the partitions of a GPU: all groups of a set
// but one are taken whole, since what belongs together is to stay together.

export interface Group {
  readonly name: string
  /** They are given away in this order. */
  readonly ids: readonly string[]
}

/** Sets are tried one by one up to so many; beyond that the nearest group is added again and again. */
const mostSets = 50_000

/** What groups weigh, summed once: a set's weight is then a sum over its groups. */
interface Sums {
  /** The first `count` ids of a group with each other, and with those that are chosen already. */
  readonly own: (group: number, count: number) => number
  /** A whole group with the first `count` ids of another. */
  readonly between: (whole: number, other: number, count: number) => number
}

/** A set: groups that it has whole, and one of which it has so many. */
interface Candidate {
  readonly whole: readonly number[]
  readonly last: number
  readonly count: number
}

/**
 * @param groups in the order in which they are preferred where sets weigh the same
 * @param chosen ids that belong to the set already, which the answer leaves out
 * @param count less than there are ids in all groups
 */
export function nearestSet(
  groups: readonly Group[],
  chosen: readonly string[],
  count: number,
  weight: (left: string, right: string) => number,
): readonly string[] {
  const sizes = groups.map(({ ids }) => ids.length)
  const sums = sumsOf(groups, chosen, weight)
  const found = setsOf(sizes, count) <= mostSets ? least(sizes, count, sums) : grown(sizes, count, sums)
  const idsOf = (group: number) => groups[group]?.ids ?? []
  return found === undefined ? [] : [...found.whole.flatMap(idsOf), ...idsOf(found.last).slice(0, found.count)]
}

function sumsOf(groups: readonly Group[], chosen: readonly string[], weight: (left: string, right: string) => number): Sums {
  // Each has the sum for none, for the first, for the first two, and so on.
  const running = (ids: readonly string[], added: (id: string, index: number) => number) => {
    const sums = [0]
    for (const [index, id] of ids.entries()) sums.push((sums[index] ?? 0) + added(id, index))
    return sums
  }
  const withAll = (id: string, others: readonly string[]) => others.reduce((sum, other) => sum + weight(id, other), 0)
  const own = groups.map(({ ids }) => running(ids, (id, index) => withAll(id, chosen) + withAll(id, ids.slice(0, index))))
  const between = groups.map(whole => groups.map(({ ids }) => running(ids, id => withAll(id, whole.ids))))
  return {
    own: (group, count) => own[group]?.[count] ?? 0,
    between: (whole, other, count) => between[whole]?.[other]?.[count] ?? 0,
  }
}

/** At most how many sets `least` looks at. */
function setsOf(sizes: readonly number[], count: number): number {
  const rising = [...sizes].sort((left, right) => left - right)
  const total = (some: readonly number[]) => some.reduce((sum, size) => sum + size, 0)
  let sets = 0
  let combinations = 1
  for (let whole = 0; whole < sizes.length && total(rising.slice(0, whole)) < count; whole += 1) {
    sets += combinations * (sizes.length - whole)
    combinations = (combinations * (sizes.length - whole)) / (whole + 1)
  }
  return sets
}

/** The first of those that weigh least: of few groups before many, then in the order of groups. */
function least(sizes: readonly number[], count: number, sums: Sums): Candidate | undefined {
  let best: Candidate | undefined
  let bestSum = Number.POSITIVE_INFINITY
  const end = (whole: readonly number[], left: number, sum: number) => {
    for (const [last, size] of sizes.entries()) {
      // Where it is taken whole too, only the order of groups counts as a set of its own.
      if (size < left || whole.includes(last) || (size === left && last < (whole.at(-1) ?? -1))) continue
      const all = sum + sums.own(last, left) + whole.reduce((more, one) => more + sums.between(one, last, left), 0)
      if (all >= bestSum) continue
      bestSum = all
      best = { whole, last, count: left }
    }
  }
  const extend = (whole: readonly number[], more: number, left: number, sum: number): void => {
    if (more === 0) {
      end(whole, left, sum)
      return
    }
    for (let group = (whole.at(-1) ?? -1) + 1; group < sizes.length; group += 1) {
      const size = sizes[group] ?? 0
      if (size >= left) continue
      const added = sums.own(group, size) + whole.reduce((all, one) => all + sums.between(one, group, size), 0)
      extend([...whole, group], more - 1, left - size, sum + added)
    }
  }
  for (let whole = 0; whole < sizes.length; whole += 1) extend([], whole, count, 0)
  return best
}

/** From each group on, the nearest for its size is added until there are enough; the best of these counts. */
function grown(sizes: readonly number[], count: number, sums: Sums): Candidate | undefined {
  let best: Candidate | undefined
  let bestSum = Number.POSITIVE_INFINITY
  for (const first of sizes.keys()) {
    const whole: number[] = []
    let left = count
    let sum = 0
    let next: number | undefined = first
    while (next !== undefined) {
      const taken: number = Math.min(left, sizes[next] ?? 0)
      sum += addedBy(next, taken, whole, sums)
      left -= taken
      if (left === 0) break
      whole.push(next)
      next = nearestTo(whole, left, sizes, sums)
    }
    if (next === undefined || sum >= bestSum) continue
    bestSum = sum
    best = { whole, last: next, count: count - whole.reduce((all, group) => all + (sizes[group] ?? 0), 0) }
  }
  return best
}

function addedBy(group: number, taken: number, whole: readonly number[], sums: Sums): number {
  return sums.own(group, taken) + whole.reduce((sum, one) => sum + sums.between(one, group, taken), 0)
}

function nearestTo(whole: readonly number[], left: number, sizes: readonly number[], sums: Sums): number | undefined {
  let found: number | undefined
  let least = Number.POSITIVE_INFINITY
  for (const [group, size] of sizes.entries()) {
    if (whole.includes(group) || size === 0) continue
    const taken = Math.min(left, size)
    const each = addedBy(group, taken, whole, sums) / taken
    if (each >= least) continue
    least = each
    found = group
  }
  return found
}
