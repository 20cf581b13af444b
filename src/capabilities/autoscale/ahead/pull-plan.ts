// Which images are wanted on which nodes before a window of a ScaledObject at zero opens (`ballast.dev/pull-ahead`). Pure.
import { couldRun, takesPods } from '#cluster/scheduling/could-run.ts'
import type { Deployment, Node } from '#kube/objects/objects.ts'
import { byRendezvous } from '#kube/server/replicas/rendezvous.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { wishesOf } from '../decisions/wishes.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { Trigger } from '../kinds/triggers.ts'
import { calendarWindow } from '../scalers/calendar/calendar.ts'
import { nextWindows } from '../scalers/calendar/cron-windows.ts'
import { TriggerProblem } from '../triggers/parameters.ts'

/** Nodes that pull for one object, each object's own and the same for all of its windows: a pod runs on one of them. */
const mostNodes = 8
/** As many as are asked for at once. */
const mostImages = 64

/** A target at zero. */
interface Sleeping {
  readonly object: ScaledObject
  readonly template: Deployment['spec']['template']
}

interface WantedAhead {
  /** The same for one window of one object, whenever it is asked. */
  readonly key: string
  readonly object: ScaledObject
  readonly images: readonly string[]
  readonly nodes: readonly string[]
  /** When the window opens. */
  readonly opensMs: number
}

/** What is wanted now, in the order of names. An object whose windows are further away, or that has none, wants nothing. */
export function wantedAhead(sleeping: readonly Sleeping[], nodes: readonly Node[], nowMs: number): readonly WantedAhead[] {
  const usable = nodes.filter(takesPods)
  return sleeping
    .flatMap(({ object, template }): readonly WantedAhead[] => {
      const { namespace = '', name, uid = '' } = object.metadata
      const opensMs = opensSoonMs(object, nowMs)
      if (opensMs === undefined) return []
      const { containers, initContainers = [] } = template.spec
      const all = [...initContainers, ...containers].flatMap(({ image }) => (image === undefined ? [] : [image]))
      const images = [...new Set(all)].slice(0, mostImages)
      const names = usable.filter(couldRun(template)).map(({ metadata }) => metadata.name)
      if (images.length === 0 || names.length === 0) return []
      const chosen = byRendezvous(`${namespace}/${name}`, names).slice(0, mostNodes).toSorted()
      return [{ key: `${namespace}/${name}/${uid}/${opensMs}`, object, images, nodes: chosen, opensMs }]
    })
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

/** When the first of its windows opens that wakes it, where that is soon; one that is open wakes it without us. */
function opensSoonMs(object: ScaledObject, nowMs: number): number | undefined {
  const { pullAheadMs } = wishesOf(object)
  const { isPaused, isScaleOutPaused } = pausesOf(object)
  if (pullAheadMs === undefined || isPaused || isScaleOutPaused || object.metadata.deletionTimestamp !== undefined)
    return undefined
  const opens = object.spec.triggers
    .flatMap(trigger => opensMs(trigger, nowMs))
    .filter(ms => ms > nowMs && ms <= nowMs + pullAheadMs)
  return opens.length === 0 ? undefined : Math.min(...opens)
}

function opensMs(trigger: Trigger, nowMs: number): readonly number[] {
  try {
    const window = calendarWindow(trigger)
    // A ceiling alone wakes nothing.
    if (window === undefined || window.replicas === 0) return []
    return nextWindows(window, nowMs, 1).map(({ fromMs }) => fromMs)
  } catch (error) {
    // What is wrong with it is said where it is scaled.
    if (error instanceof TriggerProblem) return []
    throw error
  }
}
