// The configuration file as a controller reads it: which sections it has, and what they mean for the arbiter and the capabilities.
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { arbiterConfiguration, arbiterPolicyOf } from '#coordination/arbiter/arbiter-configuration.ts'
import type { Capability } from '#coordination/capability.ts'
import { dashboardProblems, dashboardSchema } from '#dashboard/configuration.ts'
import { type Configuration, type ConfigurationSchemas, type Override, readConfiguration } from '#kube/configuration.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { type ControllerSettings, modesOf } from './controller-settings.ts'

type Sections = { readonly arbiter: ReturnType<typeof arbiterConfiguration>; readonly dashboard: typeof dashboardSchema }
export type ControllerConfiguration = Configuration<Sections>

/** What `text` says with `overrides` laid over it, or every problem found. */
export function readControllerConfiguration(
  source: { readonly file: string; readonly text: string; readonly overrides: readonly Override[] },
  capabilities: readonly Capability[],
) {
  const schemas: ConfigurationSchemas<Sections> = {
    sections: { arbiter: arbiterConfiguration(capabilities.map(({ name }) => name)), dashboard: dashboardSchema },
    capabilities: Object.fromEntries(capabilities.map(one => [one.name, capabilitySchema(one)])),
  }
  const read = readConfiguration(source, schemas)
  if (!read.ok) return read
  const { dashboard } = read.configuration.sections
  const problems = dashboard.enabled ? dashboardProblems(dashboard, `${source.file}: dashboard`) : []
  return problems.length > 0 ? { ok: false as const, problems } : read
}

/**
 * A capability's section. What replaces an upstream is off until somebody enables it; what acts only on objects of Ballast's own is on,
 * for without such objects it does nothing.
 * @throws Error where its `config` is none of keys
 */
export function capabilitySchema({ name, config, replaces }: Pick<Capability, 'name' | 'config' | 'replaces'>): z.ZodObject {
  if (!(config instanceof z.ZodObject))
    throw new Error(`capability ${name}: its config is no z.object, so its keys cannot be read`)
  return config.safeExtend({ enabled: z.boolean().default(replaces.length === 0) })
}

/** `--enable a,b` as overrides. @throws InputError naming each that is no capability */
export function enabling(names: string, capabilities: readonly Capability[], where = '--enable'): readonly Override[] {
  const known = capabilities.map(({ name }) => name)
  const asked = names.split(',').map(name => name.trim())
  const problems = asked
    .filter(name => !known.includes(name))
    .map((name): Problem => {
      const meant = nearestName(name, known)
      const expected = meant === undefined ? `one of ${known.join(', ')}` : `a capability; did you mean ${JSON.stringify(meant)}?`
      return { code: 'unknown-key', where, found: name, expected }
    })
  if (problems.length > 0) throw new InputError(problems)
  return asked.map(name => ({ path: ['capabilities', name, 'enabled'], value: true, where }))
}

/** What a configuration means for a running controller. */
export function settingsOf(configuration: ControllerConfiguration, capabilities: readonly Capability[]): ControllerSettings {
  const sections = configuration.capabilities
  const modes = modesOf(capabilities, name => sections[name])
  const { policy, ownerLabel } = arbiterPolicyOf(configuration.sections.arbiter, modes)
  return {
    arbiter: policy,
    ownerLabel,
    capabilities: Object.fromEntries(
      capabilities.flatMap(capability => {
        const section = sections[capability.name]
        if (section === undefined) return []
        const { enabled, guardLease } = section
        return [[capability.name, { isEnabled: enabled, guardLease, config: ownKeys(section, capability) }] as const]
      }),
    ),
  }
}

/** A section without the keys that all capabilities have, but for those that are the capability's own. */
function ownKeys(section: Readonly<Record<string, unknown>>, { config }: Capability): Readonly<Record<string, unknown>> {
  const own = config instanceof z.ZodObject ? Object.keys(config.shape) : []
  return Object.fromEntries(Object.entries(section).filter(([key]) => own.includes(key)))
}

/** Keys whose change waits for another process: `process.logLevel`, `arbiter.ownerValues`, `dashboard`, `capabilities.reload.guardLease`. */
export function waitingForRestart(before: ControllerConfiguration, after: ControllerConfiguration): readonly string[] {
  const ofProcess = Object.keys(after.process).map(key => ['process', key])
  const ofArbiter = ['ownerLabel', 'ownerValues'].map(key => ['sections', 'arbiter', key])
  const ofCapabilities = Object.keys(after.capabilities).map(name => ['capabilities', name, 'guardLease'])
  return [...ofProcess, ...ofArbiter, ['sections', 'dashboard'], ...ofCapabilities]
    .filter(path => !isDeepStrictEqual(valueAt(before, path), valueAt(after, path)))
    .map(path => path.filter(step => step !== 'sections').join('.'))
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined), value)
}
