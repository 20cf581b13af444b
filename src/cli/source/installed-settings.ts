// How the controller of a cluster is configured, for commands that say what it would do: by a file, by its own word, by the cluster's ConfigMap, or not.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { enabledByArguments, ownDeployment } from '#doctor/own-facts.ts'
import type { Override } from '#kube/configuration.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import type { ControllerSettings } from '#process/configuration/controller-settings.ts'
import { asRunning, runningKey } from '#process/configuration/running-configuration.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace, controllerLease } from '#process/own-names.ts'
import { statusName } from '#process/parts/capability-status.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import type { LoadedCluster, SourceOptions } from './cluster-source.ts'
import { kubeconfigOf, openLiveApi } from './live-source.ts'

export interface ConfigurationOptions {
  readonly config?: string
}

export interface InstalledSettings {
  readonly settings: ControllerSettings
  /** Where the settings are from: a file, a ConfigMap; `undefined`: the defaults. */
  readonly settingsFrom: string | undefined
}

/** Adds the option that names the configuration. */
export function withConfiguration(command: Command): Command {
  return command.option(
    '--config <file>',
    'the BallastConfiguration that the controller runs with; default: BALLAST_CONFIG, then what it says that it runs with, then ConfigMap ballast-config',
  )
}

/**
 * The file that is named; else what the controller that leads says that it goes by; else the ConfigMap that it reads, else the defaults.
 * @throws InputError for what is wrong in it, but for a ConfigMap that a running controller has refused: that is told
 */
export async function installedSettings(
  options: SourceOptions & ConfigurationOptions,
  cluster: Pick<LoadedCluster, 'isLive' | 'objects' | 'state'>,
  surroundings: Surroundings,
): Promise<InstalledSettings> {
  const path = options.config ?? (cluster.isLive ? surroundings.environment['BALLAST_CONFIG'] : undefined)
  if (path !== undefined && path !== '') return settled(read({ file: path, text: textOf(path) }), path)
  const [found, status] = await configMaps(options, cluster, surroundings)
  const overrides = enabledByArguments(ownDeployment(cluster.objects), enabledCapabilities)
  const file = `ConfigMap ${ballastNamespace}/${configMapName}`
  const text = textIn(found, configMapKey)
  const own = read(text === undefined ? undefined : { file, text }, overrides)
  const running = isLed(cluster.objects) ? textIn(status, runningKey) : undefined
  const sections = own.ok ? own : read(undefined, overrides)
  const { settings } = settled(sections, undefined)
  const judged = running === undefined ? undefined : asRunning(settings, running, enabledCapabilities)
  if (judged === undefined) return settled(own, text === undefined ? undefined : file)
  if (!own.ok)
    for (const problem of own.problems) surroundings.terminal.say(`not what the controller goes by: ${problemSentence(problem)}`)
  return { settings: judged, settingsFrom: `the running controller (ConfigMap ${ballastNamespace}/${statusName})` }
}

type Read = ReturnType<typeof readControllerConfiguration>

function read(source: { readonly file: string; readonly text: string } | undefined, overrides: readonly Override[] = []): Read {
  return readControllerConfiguration(
    { file: source?.file ?? 'defaults', text: source?.text ?? '', overrides },
    enabledCapabilities,
  )
}

/** @throws InputError for what is wrong */
function settled(result: Read, settingsFrom: string | undefined): InstalledSettings {
  if (!result.ok) throw new InputError(result.problems)
  return { settings: settingsOf(result.configuration, enabledCapabilities), settingsFrom }
}

/** Whether a controller may be running: one that ended in order has given its Lease back, and what it went by says nothing of the next. */
function isLed(objects: readonly KubeObject[]): boolean {
  const lease = objects.find(
    ({ kind, metadata }) => kind === 'Lease' && metadata.name === controllerLease && metadata.namespace === ballastNamespace,
  )
  const spec = lease?.['spec']
  return (
    lease === undefined || (typeof spec === 'object' && spec !== null && 'holderIdentity' in spec && Boolean(spec.holderIdentity))
  )
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CommandRefused(`--config: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function configMaps(
  options: SourceOptions,
  { isLive, state }: Pick<LoadedCluster, 'isLive' | 'state'>,
  surroundings: Surroundings,
): Promise<readonly (KubeObject | undefined)[]> {
  const names = [configMapName, statusName]
  if (isLive) return await liveConfigMaps(names, options, surroundings)
  return names.map(name => state.object('ConfigMap', ballastNamespace, name))
}

function textIn(object: KubeObject | undefined, key: string): string | undefined {
  const data = object?.['data']
  const text: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, key) : undefined
  return typeof text === 'string' ? text : undefined
}

export const configMapName = 'ballast-config'
export const configMapKey = 'config.yaml'

/** `undefined` in the place of one that is not there or not ours to read. */
async function liveConfigMaps(
  names: readonly string[],
  { kubeconfig, context }: SourceOptions,
  { environment, signal }: Surroundings,
): Promise<readonly (KubeObject | undefined)[]> {
  const { api } = await openLiveApi({ kubeconfig: kubeconfigOf(kubeconfig, environment), context, environment, signal })
  const one = async (name: string) => {
    try {
      return await api.resource<KubeObject>(builtIn.configmaps).get(name, { namespace: ballastNamespace, signal })
    } catch (error) {
      if (isNotFound(error) || isForbidden(error)) return undefined
      throw error
    }
  }
  try {
    return await Promise.all(names.map(one))
  } finally {
    await api.close()
  }
}
