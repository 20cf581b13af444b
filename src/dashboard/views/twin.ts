// The twin's bar: its clock and its faults, read from the objects that drive them, so that kubectl and page never disagree.

import { fieldsOf, recordOf } from '#coordination/observed/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseTime } from '#kube/time/time.ts'
import { effects } from '#twin/faults/fault-spec.ts'
import type { TwinFault, TwinView } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { faultText } from '../words/en-actions.ts'
import { printable } from '../words/names.ts'
import { rfc3339 } from '../words/time.ts'
import { twinButtons } from './buttons.ts'
import { isOwnFault, paceOf } from './twin-clock.ts'
import type { Viewing } from './viewing.ts'

/** The twin as its bar shows it; `undefined` of a real cluster. */
export function twinViewOf(picture: Picture, viewing: Viewing): TwinView | undefined {
  const { twin, nowMs } = picture
  if (twin === undefined) return undefined
  const status = fieldsOf(twin.clock, 'status')
  const { pendingTimers, settled } = status
  return {
    now: rfc3339(nowMs),
    speed: paceOf(twin.clock),
    paused: status['paused'] === true,
    settled: settled === true,
    pendingTimers: typeof pendingTimers === 'number' ? pendingTimers : 0,
    faults: twin.faults.map(faultOf),
    source: printable(twin.source),
    seed: twin.seed,
    buttons: twinButtons(picture, viewing),
  }
}

function faultOf(fault: KubeObject): TwinFault {
  const { metadata } = fault
  const spec = fieldsOf(fault, 'spec')
  const [match, node, status] = [recordOf(spec['match']), recordOf(spec['node']), recordOf(spec['status'])]
  const { names, action } = node
  const code = status['code']
  const text = faultText({
    effect: effects.find(one => spec[one] !== undefined) ?? 'nothing',
    nodes: Array.isArray(names) ? names.map(String) : [],
    action: typeof action === 'string' ? action : undefined,
    code: typeof code === 'number' ? code : undefined,
    target: [match['resource'], match['group']].filter(part => typeof part === 'string' && part !== '').join('.'),
  })
  const since = readTime(metadata.creationTimestamp)
  return {
    name: metadata.name,
    text: printable(text),
    since: since === undefined ? null : rfc3339(since),
    until: untilOf(spec['until'], since),
    ours: isOwnFault(metadata.name),
  }
}

/** A time, or a duration since the fault was set. */
function untilOf(until: unknown, sinceMs: number | undefined): string | null {
  if (typeof until !== 'string') return null
  const at = readTime(until)
  if (at !== undefined) return rfc3339(at)
  const duration = parseDurationMs(until, 'spec.until')
  return duration.ok && sinceMs !== undefined ? rfc3339(sinceMs + duration.value) : null
}

function readTime(text: unknown): number | undefined {
  const parsed = typeof text === 'string' ? parseTime(text) : undefined
  return parsed?.ok === true ? parsed.value : undefined
}
