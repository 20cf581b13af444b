// The window that a workload's own annotation gives to those who move it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { isWithin, parseWindow } from '#kube/time/window.ts'
import { windowAnnotation } from '../names.ts'

interface ClosedWindow {
  /** Milliseconds since 1970; infinity where none comes. */
  readonly opensMs: number
  readonly message: string
}

/** Why the workload's own window keeps its pods where they are now, and until when. A window that does not parse holds nothing. */
export function closedWindow(workload: KubeObject | undefined, nowMs: number): ClosedWindow | undefined {
  const text = workload?.metadata.annotations?.[windowAnnotation]
  if (text === undefined) return undefined
  const window = parseWindow(text)
  if (!window.ok || isWithin([window.value], nowMs)) return undefined
  const opensMs = window.value.nextAfter(nowMs)?.startMs ?? Number.POSITIVE_INFINITY
  return { opensMs, message: `${windowAnnotation} ${text.slice(0, 200)} is closed` }
}
