// From flags and environment of the drop-in `reloader` to Ballast's configuration: flags win over the environment, and what only counts
// while all namespaces are watched is left out where they are not.
import type { Override } from '#kube/configuration.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { ownPlace, reloadEnvironment, sinkOf } from '../reloader-environment.ts'
import { reloaderLogLevels } from '../reloader-log-levels.ts'
import { type FlagValue, reloaderFlags, settingOf } from './reloader-flags.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface ReloaderSettings {
  readonly overrides: readonly Override[]
  readonly warnings: readonly string[]
  readonly name: string
  /** Namespace of our Leases and ConfigMaps. */
  readonly namespace: string
  readonly isHighlyAvailable: boolean
  /** The Lease that keeps Reloader away. */
  readonly guardLease: string
}

/** Flags that were given, by name. */
export type GivenFlags = ReadonlyMap<string, FlagValue>

/**
 * What `given` and the environment mean. `around`: what is taken where they say nothing.
 * @throws CommandRefused naming flag and value where a replica among several cannot know itself
 */
export function reloaderSettings(
  given: GivenFlags,
  environment: Environment,
  around: { readonly hostName: string; readonly namespace: string },
): ReloaderSettings {
  const isHighlyAvailable = given.get('enable-ha') === true
  if (isHighlyAvailable)
    for (const variable of ['POD_NAME', 'POD_NAMESPACE'])
      if ((environment[variable] ?? '') === '')
        throw new CommandRefused(`--enable-ha true: ${variable} is not set, and a replica among several needs it`)
  const place = ownPlace(environment)
  const namespace = textOf(given, 'leader-election-namespace') ?? place.namespace ?? around.namespace
  const guardLease = textOf(given, 'leader-election-id') ?? 'stakater-reloader-lock'
  const fromEnvironment = reloadEnvironment(environment)
  const scope = scopeOf(given, environment)
  return {
    overrides: [
      { path: ['capabilities', 'reload', 'enabled'], value: true, where: 'reloader' },
      { path: ['capabilities', 'reload', 'guardLease', 'namespace'], value: namespace, where: '--leader-election-namespace' },
      ...fromEnvironment.overrides,
      ...scope.overrides,
      ...flagOverrides(given).filter(({ where }) => !scope.leftOut.has(where)),
    ],
    warnings: [...fromEnvironment.warnings, ...scope.warnings, ...withoutEffect(given)],
    name: place.name ?? around.hostName,
    namespace,
    isHighlyAvailable,
    guardLease,
  }
}

function flagOverrides(given: GivenFlags): readonly Override[] {
  return reloaderFlags.flatMap(flag => {
    const value = given.get(flag.flag)
    if (value === undefined || flag.key === undefined) return []
    const path = flag.key[0] === 'process' ? flag.key : ['capabilities', 'reload', ...flag.key]
    const setting = flag.flag === 'alert-sink' ? sinkOf(String(value)) : settingOf(flag, value)
    return [{ path, value: setting, where: `--${flag.flag}` }]
  })
}

/** `--namespaces`, else one namespace by flag or environment, else all; then, and only then, some can be left out. */
function scopeOf(given: GivenFlags, environment: Environment) {
  const listed = given.get('namespaces')
  const isListed = Array.isArray(listed) && listed.length > 0
  const single = textOf(given, 'watch-namespace') ?? (environment['KUBERNETES_NAMESPACE'] || undefined)
  const namespaces = isListed ? listed : single === undefined ? [] : [single]
  if (namespaces.length === 0) return { overrides: [], leftOut: new Set<string>(), warnings: [] }
  const where = isListed ? '--namespaces' : given.has('watch-namespace') ? '--watch-namespace' : 'KUBERNETES_NAMESPACE'
  const leftOut = ['namespaces-to-ignore', 'namespace-selector'].filter(flag => given.has(flag)).map(flag => `--${flag}`)
  return {
    overrides: [
      { path: ['capabilities', 'reload', 'namespaces'], value: namespaces, where },
      // Roles of these namespaces are all that there is: nothing else is watched either.
      { path: ['process', 'watchNamespaces'], value: namespaces, where },
    ],
    leftOut: new Set(leftOut),
    warnings: leftOut.map(flag => `${flag} is left out: it counts only where all namespaces are watched`),
  }
}

function withoutEffect(given: GivenFlags): readonly string[] {
  const told: readonly (readonly [string, string])[] = [
    ['enable-pprof', 'there are no profiles over the network'],
    ['alert-structured', 'plain text is sent as text'],
  ]
  const flags = told.filter(([flag]) => given.get(flag) === true).map(([flag, why]) => `--${flag} has no effect: ${why}`)
  return given.get('is-openshift') === 'true'
    ? [...flags, '--is-openshift has no effect: DeploymentConfigs are not reloaded']
    : flags
}

function textOf(given: GivenFlags, flag: string): string | undefined {
  const value = given.get(flag)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Level and form of the log; a value that is none is told, and the standard holds. */
export function reloaderLog(given: GivenFlags) {
  const format = textOf(given, 'log-format') ?? ''
  const word = textOf(given, 'log-level') ?? 'info'
  const key = word.toLowerCase()
  const level = reloaderLogLevels.get(key)
  const isFormat = format === '' || format === 'json'
  const warnings = [
    ...(isFormat ? [] : [`--log-format: found ${JSON.stringify(format)}, expected json or nothing; text is written`]),
    // Upstream does not look at the level after a bad format.
    ...(level === undefined
      ? [`--log-level: found ${JSON.stringify(word)}, expected one of ${[...reloaderLogLevels.keys()].join(', ')}; info holds`]
      : []),
  ]
  return { isJson: format === 'json', level: level ?? ('info' as const), warnings }
}
