// The capabilities that this program has.
import { autoscale } from '#capabilities/autoscale'
import { deschedule } from '#capabilities/deschedule'
import { devices } from '#capabilities/devices'
import { features } from '#capabilities/features'
import { gateway } from '#capabilities/gateway'
import { isolate } from '#capabilities/isolate'
import { metrics } from '#capabilities/metrics'
import { mirror } from '#capabilities/mirror'
import { nfs } from '#capabilities/nfs'
import { readiness } from '#capabilities/readiness'
import { reload } from '#capabilities/reload'
import type { Capability, Process } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { assertDistinct } from '#coordination/taken-names.ts'
import type { ControllerSettings } from './configuration/controller-settings.ts'

export const enabledCapabilities: readonly Capability[] = [
  autoscale,
  deschedule,
  devices,
  features,
  gateway,
  isolate,
  metrics,
  mirror,
  nfs,
  readiness,
  reload,
]

assertDistinct(
  'name of a capability',
  enabledCapabilities.map(({ name }, at) => ({ name, by: `capability ${at + 1}` })),
)

/** Those that are enabled and have a part in `process`. */
export function hostedNames(process: Process, { capabilities }: Pick<ControllerSettings, 'capabilities'>): readonly string[] {
  return enabledCapabilities
    .filter(one => capabilities[one.name]?.isEnabled === true && partsIn(process, one).length > 0)
    .map(({ name }) => name)
}
