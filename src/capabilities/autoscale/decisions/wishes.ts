// What annotations of ours ask for on a ScaledObject, beyond what KEDA knows. What cannot be read changes nothing, and is told.
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { annotations } from '../names.ts'
import { expectedWish, type PreWarmWish, readPreWarmWish } from '../prewarm/wish.ts'
import { wakesProblems } from './companions.ts'

export interface Wishes {
  /** Its autoscaler takes it down to its least before it may go to zero. */
  readonly isStepwise: boolean
  /** Names of ScaledObjects of its namespace that are awake while it is. */
  readonly wakes: readonly string[]
  /** The group of which one is awake at a time; undefined: it is in no group. */
  readonly oneAwake: { readonly group: string; readonly priority: number } | undefined
  /** How long before a window of its triggers images are to be on nodes; undefined: that is left to kubelets. */
  readonly pullAheadMs: number | undefined
  /** It may be awake before anybody comes, where arrivals were learned; undefined: it may not. */
  readonly preWarm: PreWarmWish | undefined
  /** What cannot be read, each as a sentence; it counts as not written. */
  readonly problems: readonly string[]
}

/** Characters of a value that are repeated: somebody may have written a long one. */
const longestTold = 60
/** Whom one ScaledObject may need. */
const mostWoken = 16
/** Large images of a graphics card take minutes; what is pulled hours before is forgotten by then. */
const defaultAheadMs = 600_000
const shortestAheadMs = 60_000
const longestAheadMs = 3_600_000
/** A priority lies between its negative and it. */
const highestPriority = 1_000

/** Reads them. Nothing is thrown: an object that asks for nonsense is scaled as KEDA would scale it. */
export function wishesOf(object: KubeObject): Wishes {
  const problems: string[] = []
  const ignore = (annotation: string, value: string, expected: string) => {
    const told = value.length > longestTold ? `${value.slice(0, longestTold)}…` : value
    problems.push(`annotation ${annotation}: ${JSON.stringify(told)} is ignored: expected ${expected}`)
  }
  const policy = object.metadata.annotations?.[annotations.zeroPolicy]
  if (policy !== undefined && policy !== 'stepwise') ignore(annotations.zeroPolicy, policy, 'stepwise')
  const listed = object.metadata.annotations?.[annotations.wakes]
  const wakes = listed === undefined ? [] : wakesOf(listed, object.metadata.name)
  if (listed !== undefined && wakes === undefined)
    ignore(annotations.wakes, listed, `at most ${mostWoken} names of other ScaledObjects of this namespace, separated by commas`)
  const group = object.metadata.annotations?.[annotations.oneAwake]
  const isGroup = group !== undefined && dns1123LabelProblems(group).length === 0
  if (group !== undefined && !isGroup) ignore(annotations.oneAwake, group, 'the name of a group, as a label of DNS')
  const wished = object.metadata.annotations?.[annotations.priority]
  const priority = wished !== undefined && /^-?\d{1,4}$/.test(wished) ? Number(wished) : undefined
  const isPriority = priority !== undefined && Math.abs(priority) <= highestPriority
  if (wished !== undefined && !isPriority)
    ignore(annotations.priority, wished, `a whole number from -${highestPriority} to ${highestPriority}`)
  const oneAwake = isGroup ? { group, priority: isPriority ? priority : 0 } : undefined
  const ahead = object.metadata.annotations?.[annotations.pullAhead]
  const pullAheadMs = ahead === undefined || ahead === 'false' ? undefined : aheadOf(ahead)
  if (ahead !== undefined && ahead !== 'false' && pullAheadMs === undefined)
    ignore(annotations.pullAhead, ahead, 'true, false, or a time from 1m to 1h before a window')
  const warm = object.metadata.annotations?.[annotations.preWarm]
  const preWarm = warm === undefined || warm === 'false' ? undefined : readPreWarmWish(warm)
  if (warm !== undefined && warm !== 'false' && preWarm === undefined) ignore(annotations.preWarm, warm, expectedWish)
  return { isStepwise: policy === 'stepwise', wakes: wakes ?? [], oneAwake, pullAheadMs, preWarm, problems }
}

/** Undefined: it cannot be read. */
function aheadOf(value: string): number | undefined {
  if (value === 'true') return defaultAheadMs
  const read = parseDurationMs(value)
  return read.ok && read.value >= shortestAheadMs && read.value <= longestAheadMs ? read.value : undefined
}

/** What is wrong with whom `object` needs among `others` of its namespace, each as a sentence. */
export function companionProblems(object: KubeObject, others: Iterable<KubeObject>): readonly string[] {
  if (wishesOf(object).wakes.length === 0) return []
  const byName = new Map([...others, object].map(one => [one.metadata.name, one]))
  return wakesProblems(object.metadata.name, name => {
    const found = byName.get(name)
    return found === undefined ? undefined : wishesOf(found).wakes
  })
}

/** Undefined: it cannot be read. */
function wakesOf(listed: string, own: string): readonly string[] | undefined {
  const names = [...new Set(listed.split(',').map(name => name.trim()))].filter(name => name !== '')
  const isGood = names.length <= mostWoken && names.every(name => dns1123SubdomainProblems(name).length === 0 && name !== own)
  return isGood ? names : undefined
}
