// Whether a body has what its action needs, in the range that it may have. Pure.
import { parseTime } from '#kube/time/time.ts'
import type { ActionBody, ActionName } from '../contract.ts'
import { twinFaultKinds } from '../contract-names.ts'
import type { Picture } from '../picture.ts'
import { type ActionRefusal, badAction, targetGone } from './refusal.ts'
import { isFaultKind } from './twin-faults.ts'
import { frozenObject, reasonText } from './write-of.ts'

/** Characters of a reason. */
const longestReason = 200
const longestAdvanceMs = 24 * 3_600_000
const longestFaultMinutes = 24 * 60
const fastestSpeed = 10_000

/** Why `body` is nothing to act on. */
export function bodyRefusal(action: ActionName, body: ActionBody, picture: Picture): ActionRefusal | undefined {
  if ((body.reason ?? '').length > longestReason) return badAction(`A reason has at most ${longestReason} characters.`)
  switch (action) {
    case 'approve':
    case 'step':
      return missing(body, 'plan') ?? missing(body, 'snapshotHash')
    case 'withdraw':
    case 'resume':
      return missing(body, 'plan')
    case 'pause':
      return missing(body, 'plan') ?? reasonRefusal(body, picture.nowMs)
    case 'replan':
      return missing(body, 'policy')
    case 'freeze':
      return scopeRefusal(body, picture) ?? reasonRefusal(body, picture.nowMs)
    case 'thaw':
      return scopeRefusal(body, picture)
    case 'twin/speed':
      return speedRefusal(body.speed)
    case 'twin/advance':
      return advanceRefusal(body.advanceMs)
    case 'twin/fault':
      return faultRefusal(body.fault, picture)
    case 'twin/heal':
      return missing(body, 'name')
    case 'twin/pause':
    case 'twin/run':
    case 'twin/next':
    case 'twin/reset':
      return undefined
  }
}

function missing(body: ActionBody, field: 'plan' | 'policy' | 'snapshotHash' | 'name'): ActionRefusal | undefined {
  const value = body[field]
  return value === undefined || value === '' ? badAction(`The body needs ${field}.`) : undefined
}

/** What the annotation would not take for a freeze. */
function reasonRefusal({ reason }: ActionBody, nowMs: number): ActionRefusal | undefined {
  const text = reasonText(reason)
  const until = parseTime(text)
  if (text === 'false' || (until.ok && until.value <= nowMs))
    return badAction(`The reason ${text} would freeze nothing.`, 'give a reason in words, or a time to come')
  return undefined
}

function scopeRefusal({ scope }: ActionBody, picture: Picture): ActionRefusal | undefined {
  if (scope === undefined) return badAction('The body needs scope; null is everything.')
  if (frozenObject(scope, picture.ownNamespace) !== undefined) return undefined
  return badAction(
    `${scope?.kind} ${scope?.name} is nothing that can be frozen.`,
    'name a namespace, a workload, a pod or a node',
  )
}

function speedRefusal(speed: ActionBody['speed']): ActionRefusal | undefined {
  if (speed === 'max') return undefined
  const isPace = speed !== undefined && speed > 0 && speed <= fastestSpeed && /^\d+(\.\d{1,3})?$/.test(String(speed))
  return isPace ? undefined : badAction(`A speed is max, or more than 0 and at most ${fastestSpeed}.`)
}

function advanceRefusal(ms: number | undefined): ActionRefusal | undefined {
  const isSpan = ms !== undefined && Number.isInteger(ms) && ms >= 1 && ms <= longestAdvanceMs
  return isSpan ? undefined : badAction('Time is advanced by 1 ms to 24 h at once.')
}

function faultRefusal(fault: ActionBody['fault'], picture: Picture): ActionRefusal | undefined {
  if (fault === undefined || !isFaultKind(fault.kind)) return badAction(`A fault is one of ${twinFaultKinds.join(', ')}.`)
  const { kind, minutes, node } = fault
  if (minutes !== undefined && !(Number.isInteger(minutes) && minutes >= 1 && minutes <= longestFaultMinutes))
    return badAction(`A fault lasts 1 to ${longestFaultMinutes} minutes, or until it is healed.`)
  if (kind === 'stop-node' && node === undefined) return badAction('Which node is to stop?')
  return node === undefined || picture.state.nodes.has(node) ? undefined : targetGone(`There is no node ${node}.`)
}
