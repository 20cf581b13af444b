// What annotations of ours ask for on a ScaledObject, beyond what KEDA knows. What cannot be read changes nothing, and is told.
import type { KubeObject } from '#kube/objects/objects.ts'
import { annotations } from '../names.ts'

export interface Wishes {
  /** Its autoscaler takes it down to its least before it may go to zero. */
  readonly isStepwise: boolean
  /** What cannot be read, each as a sentence; it counts as not written. */
  readonly problems: readonly string[]
}

/** A value that somebody wrote may be long. */
const longestTold = 60

/** Reads them. Nothing is thrown: an object that asks for nonsense is scaled as KEDA would scale it. */
export function wishesOf({ metadata }: KubeObject): Wishes {
  const problems: string[] = []
  const policy = metadata.annotations?.[annotations.zeroPolicy]
  if (policy !== undefined && policy !== 'stepwise') problems.push(ignored(annotations.zeroPolicy, policy, 'expected stepwise'))
  return { isStepwise: policy === 'stepwise', problems }
}

function ignored(annotation: string, value: string, expected: string): string {
  const told = value.length > longestTold ? `${value.slice(0, longestTold)}…` : value
  return `annotation ${annotation}: ${JSON.stringify(told)} is ignored: ${expected}`
}
