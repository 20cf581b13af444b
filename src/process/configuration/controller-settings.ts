// What the installer decides about a running controller, as values: the arbiter's policy, and each capability's section.
import { defaultOwnerLabel, type OwnerLabel } from '#cluster/ownership.ts'
import type { Capability } from '#coordination/capability.ts'
import { type ArbiterPolicy, type ArbitrationMode, arbitrationModes, defaultPolicy } from '#coordination/policy/arbiter-policy.ts'

export interface CapabilitySettings {
  readonly isEnabled: boolean
  /** As the capability's own schema gave it. */
  readonly config: unknown
  readonly guardLease: { readonly enabled: boolean; readonly namespace?: string | undefined }
}

export interface ControllerSettings {
  readonly arbiter: ArbiterPolicy
  /** The label that says who may move a workload; a change of it needs a new term. */
  readonly ownerLabel: OwnerLabel
  /** By name of capability. */
  readonly capabilities: Readonly<Record<string, CapabilitySettings>>
}

/** What became of a changed configuration. `needRestart`: keys whose change waits for another process. */
export type Reload =
  | { readonly kind: 'applied'; readonly needRestart: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

/** Settings that may change while the process runs. */
export interface SettingsFeed {
  readonly current: ControllerSettings
  /** Told after each change, and of each that was refused. */
  onReload(listener: (reload: Reload) => void): Disposable
}

interface StaticSettings {
  readonly capabilities: readonly Capability[]
  readonly configurations?: Readonly<Record<string, unknown>> | undefined
  readonly arbiter?: (Partial<ArbiterPolicy> & { readonly ownerLabel?: OwnerLabel }) | undefined
}

/** Settings that stay as they are, every capability enabled. @throws ZodError of a configuration that its schema refuses */
export function fixedSettings(options: StaticSettings): SettingsFeed {
  const { capabilities, configurations = {} } = options
  const { ownerLabel = defaultOwnerLabel, ...policy } = options.arbiter ?? {}
  const sections = capabilities.map(capability => {
    const config: unknown = capability.config.parse(configurations[capability.name] ?? {})
    return [capability.name, { isEnabled: true, config, guardLease: { enabled: true } }] as const
  })
  const byName = Object.fromEntries(sections)
  const modes = modesOf(capabilities, name => byName[name]?.config)
  const current = {
    arbiter: { ...defaultPolicy, ...policy, modes: { ...modes, ...policy.modes } },
    ownerLabel,
    capabilities: byName,
  }
  return { current, onReload: () => new DisposableStack() }
}

/**
 * The mode of each capability: what its section says (its schema's own default counts), else `observe` for what replaces an upstream and
 * `enforce` for the others.
 */
export function modesOf(
  capabilities: readonly Pick<Capability, 'name' | 'replaces'>[],
  sectionOf: (name: string) => unknown,
): Readonly<Record<string, ArbitrationMode>> {
  return Object.fromEntries(
    capabilities.map(({ name, replaces }) => {
      const section = sectionOf(name)
      const said =
        typeof section === 'object' && section !== null && 'arbitration' in section
          ? arbitrationModes.find(mode => mode === section.arbitration)
          : undefined
      return [name, said ?? (replaces.length > 0 ? 'observe' : 'enforce')]
    }),
  )
}
