// TwinFaults: faults that are objects, and how often each fired.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { FaultSpec } from '../faults/fault-spec.ts'
import { faultResource, twinGroup } from '../faults/fault-spec.ts'
import type { FaultHandle, Faults } from '../faults/faults.ts'
import { fieldsAt } from '../json-value.ts'
import { type KindContext, type KindHandler, writeStatus } from './kind-controller.ts'

const resource = `${faultResource}.${twinGroup}`
/** Up to here each firing is written at once. */
const eachUpTo = 100
const writeEveryMs = 1_000

/** Sets a fault for each TwinFault. `wire` paces the writing of counts that run fast. */
export function faultObjects(context: KindContext, faults: Faults, wire: Clock): KindHandler {
  const handles = new Map<string, FaultHandle>()
  const waiting = new Map<string, Cancel>()
  const write = (name: string) => {
    waiting.delete(name)
    const handle = handles.get(name)
    if (handle !== undefined) writeStatus(context, resource, name, { fields: { fired: handle.fired } })
  }
  return {
    resource,
    set(object: KubeObject) {
      const { name } = object.metadata
      const handle = faults.add(fieldsAt(object, 'spec') as FaultSpec, {
        name,
        onFire: fired => {
          if (fired <= eachUpTo) write(name)
          else if (!waiting.has(name)) {
            waiting.set(
              name,
              wire.schedule(writeEveryMs, () => write(name)),
            )
          }
        },
      })
      handles.set(name, handle)
      return { fired: handle.fired }
    },
    unset(name) {
      waiting.get(name)?.()
      waiting.delete(name)
      handles.get(name)?.remove()
      handles.delete(name)
    },
  }
}
