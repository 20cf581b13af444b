// With which settings the controller of `ballast up` runs: those of a file, those of the ConfigMap in the cluster that it was given, or
// every capability with its defaults.
import { readFileSync } from 'node:fs'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import {
  type ControllerConfiguration,
  readControllerConfiguration,
  settingsOf,
} from '#process/configuration/controller-configuration.ts'
import type { ControllerSettings } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { configMapKey, configMapName } from '../source/installed-settings.ts'

export interface UpConfiguration {
  readonly settings: ControllerSettings
  /** As the sections were read. */
  readonly read: ControllerConfiguration
  /** Where they are from; `undefined`: nobody said anything. */
  readonly from: string | undefined
  /** What is said there. */
  readonly text: string | undefined
  /** The file that was named. */
  readonly path: string | undefined
}

/** What is not said to be off is on: a twin is there to try things. */
const allOn = enabledCapabilities.map(capability => ({ ...capability, replaces: [] }))

/** What the ConfigMap is called to users. */
export const ofConfigMap = `ConfigMap ${ballastNamespace}/${configMapName}`

/** A configuration as `ballast up` reads it, or every problem found. */
export function readForUp(source: { readonly file: string; readonly text: string }) {
  return readControllerConfiguration({ ...source, overrides: [] }, allOn)
}

/** The file that is named, else the ConfigMap that a controller in the cluster reads. @throws InputError for what is wrong in it; CommandRefused where the file cannot be read */
export function upConfiguration(path: string | undefined, objects: readonly KubeObject[]): UpConfiguration {
  const text = path === undefined ? mapIn(objects) : textOf(path)
  const from = text === undefined ? undefined : (path ?? ofConfigMap)
  const read = readForUp({ file: from ?? 'defaults', text: text ?? '' })
  if (!read.ok) throw new InputError(read.problems)
  return { settings: settingsOf(read.configuration, enabledCapabilities), read: read.configuration, from, text, path }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandRefused(`--config: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function mapIn(objects: readonly KubeObject[]): string | undefined {
  const found = objects.find(
    ({ apiVersion, kind, metadata }) =>
      apiVersion === 'v1' && kind === 'ConfigMap' && metadata.name === configMapName && metadata.namespace === ballastNamespace,
  )
  return found && configMapText(found)
}

/** What the ConfigMap says, where it says anything. */
export function configMapText(object: KubeObject): string | undefined {
  const data = object['data']
  const text: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, configMapKey) : undefined
  return typeof text === 'string' ? text : undefined
}
