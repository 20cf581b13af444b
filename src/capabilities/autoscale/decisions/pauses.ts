// What annotations of a ScaledObject or ScaledJob ask for: pauses in either direction, and activity that is forced.
import type { KubeObject } from '#kube/objects/objects.ts'
import { annotations } from '../names.ts'
import { goBoolean } from '../triggers/parameters.ts'

export interface Pauses {
  /** Nothing is scaled at all. */
  readonly isPaused: boolean
  /** The same by the annotation that ScaledJobs know, too. */
  readonly isPausedByWord: boolean
  /** The replicas it is paused at; undefined: those it has. */
  readonly replicas: number | undefined
  readonly isScaleInPaused: boolean
  readonly isScaleOutPaused: boolean
  /** It counts as active whatever its triggers say. */
  readonly isForced: boolean
}

/** Every value but an explicit false means yes. */
function isWished(object: KubeObject, annotation: string): boolean {
  const value = object.metadata.annotations?.[annotation]
  return value !== undefined && (goBoolean(value) ?? true)
}

/** Reads the annotations; a number of replicas that is none pauses without changing any, as upstream's error leaves it. */
export function pausesOf(object: KubeObject): Pauses {
  const wanted = object.metadata.annotations?.[annotations.pausedReplicas]
  const isNumber = wanted !== undefined && /^\d{1,9}$/.test(wanted)
  return {
    isPaused: wanted !== undefined || isWished(object, annotations.paused),
    isPausedByWord: isWished(object, annotations.paused),
    replicas: isNumber ? Number(wanted) : undefined,
    isScaleInPaused: isWished(object, annotations.pausedScaleIn),
    isScaleOutPaused: isWished(object, annotations.pausedScaleOut),
    isForced: isWished(object, annotations.forceActivation),
  }
}
