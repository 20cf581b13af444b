// What annotations of ours ask for on a ScaledObject, beyond what KEDA knows. What cannot be read changes nothing, and is told.
import type { KubeObject } from '#kube/objects/objects.ts'
import { annotations } from '../names.ts'
import { wakesProblems } from './companions.ts'

export interface Wishes {
  /** Its autoscaler takes it down to its least before it may go to zero. */
  readonly isStepwise: boolean
  /** Names of ScaledObjects of its namespace that are awake while it is. */
  readonly wakes: readonly string[]
  /** What cannot be read, each as a sentence; it counts as not written. */
  readonly problems: readonly string[]
}

/** Characters of a value that are repeated: somebody may have written a long one. */
const longestTold = 60
/** Whom one ScaledObject may need. */
const mostWoken = 16
const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

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
  return { isStepwise: policy === 'stepwise', wakes: wakes ?? [], problems }
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
  const isGood = names.length <= mostWoken && names.every(name => objectName.test(name) && name !== own)
  return isGood ? names : undefined
}
