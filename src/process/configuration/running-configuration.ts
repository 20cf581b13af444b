// What the controller that leads goes by, told in the cluster for whoever judges as it does: the file may have changed since and been refused, or be
// on another machine. Only what the arbiter judges by and what is on: sections of capabilities may hold what not everybody may read.
import { arbiterSectionOf } from '#coordination/arbiter/arbiter-configuration.ts'
import type { Capability } from '#coordination/capability.ts'
import { readControllerConfiguration, settingsOf } from './controller-configuration.ts'
import type { ControllerSettings } from './controller-settings.ts'

/** Its key in the ConfigMap `ballast-status`. */
export const runningKey = 'running-configuration'

/** A BallastConfiguration of JSON. */
export function runningText({ arbiter, ownerLabel, capabilities }: ControllerSettings): string {
  const sections = Object.entries(capabilities).map(([name, { isEnabled }]) => {
    const mode = arbiter.modes[name]
    return [name, { enabled: isEnabled, ...(mode === undefined ? {} : { arbitration: mode }) }] as const
  })
  return JSON.stringify({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'BallastConfiguration',
    arbiter: arbiterSectionOf(arbiter, ownerLabel),
    capabilities: Object.fromEntries(sections),
  })
}

/**
 * `settings` with what `text` says in the place of their own: the sections of capabilities stay. `undefined` where it cannot be read, as that of a
 * newer version.
 */
export function asRunning(
  settings: ControllerSettings,
  text: string,
  capabilities: readonly Capability[],
): ControllerSettings | undefined {
  const read = readControllerConfiguration({ file: runningKey, text, overrides: [] }, capabilities)
  if (!read.ok) return undefined
  const running = settingsOf(read.configuration, capabilities)
  const sections = Object.entries(settings.capabilities).map(([name, section]) => {
    const isEnabled = running.capabilities[name]?.isEnabled ?? section.isEnabled
    return [name, { ...section, isEnabled }] as const
  })
  return { arbiter: running.arbiter, ownerLabel: running.ownerLabel, capabilities: Object.fromEntries(sections) }
}
