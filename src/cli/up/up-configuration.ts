// With which settings the controller of `ballast up` runs: those of a file, those of the ConfigMap in the cluster that it was given, or
// every capability with its defaults.
import { readFileSync } from 'node:fs'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import type { ControllerSettings } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { configMapKey, configMapName } from '../source/installed-settings.ts'

interface UpConfiguration {
  readonly settings: ControllerSettings
  /** Where they are from; `undefined`: nobody said anything. */
  readonly from: string | undefined
}

/** What is not said to be off is on: a twin is there to try things. */
const allOn = enabledCapabilities.map(capability => ({ ...capability, replaces: [] }))

/** The file that is named, else the ConfigMap that a controller in the cluster reads. @throws InputError for what is wrong in it; CommandRefused where the file cannot be read */
export function upConfiguration(file: string | undefined, objects: readonly KubeObject[]): UpConfiguration {
  const source = file === undefined ? ofConfigMap(objects) : { file, text: textOf(file) }
  const read = readControllerConfiguration({ file: source?.file ?? 'defaults', text: source?.text ?? '', overrides: [] }, allOn)
  if (!read.ok) throw new InputError(read.problems)
  return { settings: settingsOf(read.configuration, enabledCapabilities), from: source?.file }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandRefused(`--config: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function ofConfigMap(objects: readonly KubeObject[]): { readonly file: string; readonly text: string } | undefined {
  const found = objects.find(
    ({ apiVersion, kind, metadata }) =>
      apiVersion === 'v1' && kind === 'ConfigMap' && metadata.name === configMapName && metadata.namespace === ballastNamespace,
  )
  const data = found?.['data']
  const text = typeof data === 'object' && data !== null && configMapKey in data ? data[configMapKey] : undefined
  return typeof text === 'string' ? { file: `ConfigMap ${ballastNamespace}/${configMapName}`, text } : undefined
}
