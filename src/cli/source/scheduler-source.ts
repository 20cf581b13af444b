// How the scheduler of a cluster decides: as its version does by default, or as a configuration that came with the cluster says.
import { type SchedulerSettings, settingsForServer, settingsFromConfiguration } from '#cluster/scheduler-settings.ts'
import type { SchedulerConfiguration } from '#cluster/simulator-export.ts'
import { InputError } from '#kube/problem.ts'

const defaultProfile = 'default-scheduler'

interface SchedulerSource {
  /** Version of the API server: `v1.34.1`. */
  readonly gitVersion: string
  readonly configuration?: SchedulerConfiguration
}

/** The settings of `default-scheduler`, else of the first profile that there is. @throws InputError for a configuration that is none */
export function schedulerOf({ gitVersion, configuration }: SchedulerSource): SchedulerSettings {
  const settings = settingsForServer(gitVersion)
  if (configuration === undefined) return settings
  const { document, where } = configuration
  const names = profileNames(document)
  const schedulerName = names.includes(defaultProfile) ? defaultProfile : (names[0] ?? defaultProfile)
  const read = settingsFromConfiguration(document, { version: settings.version, schedulerName, where })
  if (!read.ok) throw new InputError([read.problem])
  return read.value
}

function profileNames(document: unknown): readonly string[] {
  if (typeof document !== 'object' || document === null || !('profiles' in document) || !Array.isArray(document.profiles))
    return []
  const profiles: readonly unknown[] = document.profiles
  return profiles.map(profile => {
    const name = typeof profile === 'object' && profile !== null && 'schedulerName' in profile ? profile.schedulerName : undefined
    return typeof name === 'string' ? name : defaultProfile
  })
}
