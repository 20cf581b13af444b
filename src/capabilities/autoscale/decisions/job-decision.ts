// How many Jobs a ScaledJob starts: the length of its queues against the Jobs that run and wait, by one of upstream's four strategies.

/** What one trigger said. */
export interface QueueReading {
  /** Sum of the values of its first metric. */
  readonly queueLength: number
  /** Mean of the targets of its metrics; 0: none. */
  readonly target: number
  readonly isActive: boolean
}

export interface JobRules {
  readonly minReplicas: number | undefined
  readonly maxReplicas: number | undefined
  readonly strategy: 'default' | 'custom' | 'accurate' | 'eager'
  /** For the strategy custom. */
  readonly deduction: number
  /** For the strategy custom; undefined: it is no number, and the default strategy holds. */
  readonly runningShare: number | undefined
  readonly calculation: 'max' | 'min' | 'avg' | 'sum'
}

/** Jobs that are unfinished, and those of them whose pods do not run yet. */
export interface JobCounts {
  readonly running: number
  readonly pending: number
}

interface JobDecision {
  readonly isActive: boolean
  /** Jobs to start now. */
  readonly create: number
  /** All queues as one, rounded up. */
  readonly queueLength: number
}

const defaultMostReplicas = 100

/** The least, and what lies above it, as upstream splits them. */
export function jobBounds({ minReplicas = 0, maxReplicas }: Pick<JobRules, 'minReplicas' | 'maxReplicas'>): {
  readonly least: number
  readonly above: number
} {
  if (maxReplicas === undefined) return { least: minReplicas, above: defaultMostReplicas }
  return minReplicas > maxReplicas
    ? { least: maxReplicas, above: maxReplicas }
    : { least: minReplicas, above: maxReplicas - minReplicas }
}

/** Decides. */
export function jobDecision(readings: readonly QueueReading[], rules: JobRules, { running, pending }: JobCounts): JobDecision {
  const { least, above } = jobBounds(rules)
  const queues = combined(readings, rules.calculation, above)
  const isActive = queues.isActive || least > 0
  const create = running < least ? least - running : jobsAboveLeast(queues, rules, { running: running - least, pending, above })
  return { isActive, create: isActive ? Math.max(0, create) : 0, queueLength: queues.queueLength }
}

interface Queues {
  readonly queueLength: number
  readonly mostJobs: number
  readonly isActive: boolean
}

/** One queue and one number of Jobs of all active triggers. */
export function combined(readings: readonly QueueReading[], calculation: JobRules['calculation'], above: number): Queues {
  const active = readings.flatMap(({ queueLength, target, isActive }) =>
    isActive ? [{ queueLength, mostJobs: target === 0 ? 0 : Math.min(queueLength / target, above) }] : [],
  )
  const total = active.reduce(
    (sum, { queueLength, mostJobs }) => ({ queueLength: sum.queueLength + queueLength, mostJobs: sum.mostJobs + mostJobs }),
    none,
  )
  const count = active.length
  const { queueLength, mostJobs } = {
    sum: () => total,
    avg: () => (count === 0 ? none : { queueLength: total.queueLength / count, mostJobs: total.mostJobs / count }),
    // Upstream's: an empty queue counts for less than none, and the first of equals wins.
    min: () => active.reduce((best, next) => (best.queueLength === 0 || next.queueLength < best.queueLength ? next : best), none),
    max: () => active.reduce((best, next) => (next.queueLength > best.queueLength ? next : best), none),
  }[calculation]()
  const isActive = calculation === 'max' ? active.some(one => one.queueLength > 0) : count > 0
  return { queueLength: Math.ceil(queueLength), mostJobs: Math.ceil(Math.min(mostJobs, above)), isActive }
}

const none = { queueLength: 0, mostJobs: 0 }

function jobsAboveLeast(
  { queueLength, mostJobs }: Queues,
  { strategy, deduction, runningShare }: JobRules,
  { running, pending, above }: JobCounts & { readonly above: number },
): number {
  if (strategy === 'eager') return Math.min(above, Math.min(above - running - pending, mostJobs))
  if (strategy === 'accurate')
    return Math.min(queueLength, mostJobs + running - pending > above ? above - running : mostJobs - pending)
  if (strategy === 'custom' && runningShare !== undefined)
    return Math.min(queueLength, Math.min(mostJobs - deduction - Math.trunc(running * runningShare), above))
  return Math.min(queueLength, mostJobs - running)
}
