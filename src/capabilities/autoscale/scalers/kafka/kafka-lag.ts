// How far a group of consumers is behind, partition by partition, and what of it counts: upstream's rules.
import { AnswerError } from '#kube/outside-error.ts'

/** What a group says of a partition where it has committed nothing. */
export const nothingCommitted = -1

export interface LagRules {
  readonly lagThreshold: number
  readonly offsetResetPolicy: 'latest' | 'earliest'
  readonly allowIdleConsumers: boolean
  readonly excludePersistentLag: boolean
  readonly scaleToZeroOnInvalidOffset: boolean
  readonly limitToPartitionsWithLag: boolean
  readonly ensureEvenDistributionOfPartitions: boolean
}

export interface PartitionOffsets {
  readonly topic: string
  readonly partition: number
  /** Undefined: the group's coordinator said nothing of it. */
  readonly committed: number | undefined
  readonly latest: number
  /** Undefined: not asked for, or not answered. */
  readonly earliest: number | undefined
}

/** The committed offsets of the look before, by topic and partition. */
export type PreviousOffsets = Map<string, number>

interface Lag {
  readonly lag: number
  /** With what stands still. */
  readonly whole: number
}

/** `previous` is brought up to date. @throws AnswerError where the group's offset is not known */
export function lagOf(offsets: PartitionOffsets, rules: LagRules, previous: PreviousOffsets): Lag {
  const { topic, partition, committed, latest, earliest } = offsets
  if (committed === undefined) throw new AnswerError(`Kafka: no offset of partition ${partition} of topic ${topic}`)
  if (committed === nothingCommitted) {
    if (rules.scaleToZeroOnInvalidOffset) return { lag: 0, whole: 0 }
    if (rules.offsetResetPolicy === 'latest') return { lag: 1, whole: 1 }
    // What was kept may have moved on since the end was asked for.
    const kept = earliest === undefined ? latest : Math.max(0, latest - earliest)
    return { lag: kept, whole: kept }
  }
  const whole = latest - committed
  if (!rules.excludePersistentLag) return { lag: whole, whole }
  const key = JSON.stringify([topic, partition])
  const before = previous.get(key)
  if (before === committed) return { lag: 0, whole }
  previous.set(key, committed)
  return { lag: whole, whole }
}

/** What counts for the autoscaler, and what for activity. @throws AnswerError */
export function totalLag(partitions: readonly PartitionOffsets[], rules: LagRules, previous: PreviousOffsets): Lag {
  const lags = partitions.map(one => lagOf(one, rules, previous))
  const whole = lags.reduce((sum, one) => sum + one.whole, 0)
  const sum = lags.reduce((all, one) => all + one.lag, 0)
  const { lagThreshold, limitToPartitionsWithLag, ensureEvenDistributionOfPartitions } = rules
  if (rules.allowIdleConsumers && !limitToPartitionsWithLag && !ensureEvenDistributionOfPartitions) return { lag: sum, whole }
  const lag = ensureEvenDistributionOfPartitions ? nextFactor(sum, partitions.length, lagThreshold) * lagThreshold : sum
  // More consumers than partitions would have nothing to do.
  const most = limitToPartitionsWithLag ? lags.filter(one => one.lag > 0).length : partitions.length
  return { lag: Math.trunc(lag / lagThreshold) > most ? most * lagThreshold : lag, whole }
}

/** The least number of consumers that have equally many partitions each and are enough. */
export function nextFactor(lag: number, partitions: number, threshold: number): number {
  return factorsOf(partitions).find(factor => factor * threshold >= lag) ?? partitions
}

export function factorsOf(count: number): readonly number[] {
  const low = Array.from({ length: Math.floor(Math.sqrt(count)) }, (_none, index) => index + 1).filter(one => count % one === 0)
  return [...new Set([...low, ...low.map(one => count / one).reverse()])]
}
