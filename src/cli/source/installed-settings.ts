// How the controller of a cluster is configured, for commands that say what it would do: by a file, by the cluster's ConfigMap, or not.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { enabledByArguments, ownDeployment } from '#doctor/own-facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { InputError } from '#kube/problem.ts'
import { readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import type { ControllerSettings } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
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
    'the BallastConfiguration that the controller runs with; default: BALLAST_CONFIG, then ConfigMap ballast-config',
  )
}

/** The file that is named, else the ConfigMap that the controller reads, else the defaults. @throws InputError for what is wrong in it */
export async function installedSettings(
  options: SourceOptions & ConfigurationOptions,
  cluster: Pick<LoadedCluster, 'isLive' | 'objects' | 'state'>,
  surroundings: Surroundings,
): Promise<InstalledSettings> {
  const path = options.config ?? (cluster.isLive ? surroundings.environment['BALLAST_CONFIG'] : undefined)
  const isNamed = path !== undefined && path !== ''
  const found = isNamed ? { file: path, text: textOf(path) } : await configMap(options, cluster, surroundings)
  const read = readControllerConfiguration(
    {
      file: found?.file ?? 'defaults',
      text: found?.text ?? '',
      overrides: isNamed ? [] : enabledByArguments(ownDeployment(cluster.objects), enabledCapabilities),
    },
    enabledCapabilities,
  )
  if (!read.ok) throw new InputError(read.problems)
  return { settings: settingsOf(read.configuration, enabledCapabilities), settingsFrom: found?.file }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CommandRefused(`--config: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function configMap(
  options: SourceOptions,
  cluster: Pick<LoadedCluster, 'isLive' | 'objects' | 'state'>,
  surroundings: Surroundings,
): Promise<{ readonly file: string; readonly text: string } | undefined> {
  const object = cluster.isLive
    ? await liveConfigMap(options, surroundings)
    : cluster.state.object('ConfigMap', ballastNamespace, configMapName)
  const data = object?.['data']
  const text = typeof data === 'object' && data !== null && configMapKey in data ? data[configMapKey] : undefined
  return typeof text === 'string' ? { file: `ConfigMap ${ballastNamespace}/${configMapName}`, text } : undefined
}

export const configMapName = 'ballast-config'
export const configMapKey = 'config.yaml'

/** `undefined` where it is not there or not ours to read. */
async function liveConfigMap(
  { kubeconfig, context }: SourceOptions,
  { environment, signal }: Surroundings,
): Promise<KubeObject | undefined> {
  const { api } = await openLiveApi({ kubeconfig: kubeconfigOf(kubeconfig, environment), context, environment, signal })
  try {
    return await api.resource<KubeObject>(builtIn.configmaps).get(configMapName, { namespace: ballastNamespace, signal })
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return undefined
    throw error
  } finally {
    await api.close()
  }
}
