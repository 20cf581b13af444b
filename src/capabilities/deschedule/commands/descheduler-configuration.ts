// What a BallastConfiguration says for the drop-in descheduler, where there is one.
import { defaultOwnerLabel, type OwnerLabel } from '#cluster/ownership.ts'
import { type ArbiterPolicy, defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { type Coordination, descheduleConfiguration } from '../compat/run/coordination-settings.ts'

interface DropInConfiguration {
  readonly coordination: Coordination
  readonly arbiterPolicy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
}

const capabilityName = 'deschedule'

/** What the file says, read once; without one the drop-in acts as its upstream would. @throws InputError with every problem */
export async function dropInConfiguration(path: string | undefined, log: Log): Promise<DropInConfiguration> {
  if (path === undefined) {
    const { arbitration, coordination } = descheduleConfiguration.parse({})
    const arbiterPolicy = { ...defaultPolicy, modes: { [capabilityName]: arbitration } }
    return { coordination, arbiterPolicy, ownerLabel: defaultOwnerLabel }
  }
  // Only here the other capabilities are asked for: their sections may be in the same file.
  const [{ ConfigurationFile }, { enabledCapabilities }] = await Promise.all([
    import('#process/configuration/configuration-file.ts'),
    import('#process/enabled-capabilities.ts'),
  ])
  const capabilities = enabledCapabilities.map(one =>
    one.name === capabilityName ? { ...one, config: descheduleConfiguration } : one,
  )
  using file = new ConfigurationFile({ path, overrides: [], capabilities, clock: systemClock, log })
  const { arbiter, ownerLabel, capabilities: sections } = file.current
  const { coordination } = descheduleConfiguration.parse(sections[capabilityName]?.config ?? {})
  return { coordination, arbiterPolicy: arbiter, ownerLabel }
}
