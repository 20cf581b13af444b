// Settings of a `ballast up` that runs: the file that was named, or ConfigMap ballast-config in the twin, is followed as a controller in a
// cluster follows what is mounted for it. What cannot be taken over while it runs is refused by name.
import { readFileSync, type StatWatcher, unwatchFile, watchFile } from 'node:fs'
import type { Informers } from '#kube/informers/informer.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { problemSentence } from '#kube/problem.ts'
import { settingsOf, waitingForRestart } from '#process/configuration/controller-configuration.ts'
import type { ControllerSettings, Reload, SettingsFeed } from '#process/configuration/controller-settings.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { configMapName } from '../source/installed-settings.ts'
import { configMapText, ofConfigMap, readForUp, type UpConfiguration } from './up-configuration.ts'

interface SettingsOptions {
  readonly configuration: UpConfiguration
  readonly say: (sentence: string) => void
  readonly log: Log
}

/** How often the file is looked at, in milliseconds of the host. */
const lookMs = 1_000

export class UpSettings implements SettingsFeed, Disposable {
  readonly #options: SettingsOptions
  readonly #listeners = new Set<(reload: Reload) => void>()
  readonly #ending = new DisposableStack()
  #read: UpConfiguration['read']
  #current: ControllerSettings
  #text: string | undefined

  constructor(options: SettingsOptions) {
    const { configuration } = options
    this.#options = options
    this.#read = configuration.read
    this.#current = configuration.settings
    this.#text = configuration.text
  }

  get current(): ControllerSettings {
    return this.#current
  }

  onReload(listener: (reload: Reload) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** From now on, until disposed of: the file that was named, else the ConfigMap among the objects of `informers`. */
  follow(informers: Pick<Informers, 'of'>): void {
    const { path } = this.#options.configuration
    if (path !== undefined) {
      const look = () => this.#look(path)
      const watcher: StatWatcher = watchFile(path, { interval: lookMs, persistent: false }, look)
      watcher.unref()
      this.#ending.defer(() => unwatchFile(path, look))
      return
    }
    const maps = informers.of<KubeObject>(builtIn.configmaps, { fieldSelector: `metadata.name=${configMapName}` })
    // One that is deleted changes nothing, as in a pod that has it mounted.
    const unsubscribe = maps.onChange(({ type, object }) => {
      const text = object.metadata.namespace === ballastNamespace && type !== 'DELETED' ? configMapText(object) : undefined
      if (text !== undefined) this.#take(text, ofConfigMap)
    })
    this.#ending.defer(unsubscribe)
  }

  [Symbol.dispose](): void {
    this.#ending.dispose()
  }

  #look(path: string): void {
    try {
      this.#take(readFileSync(path, 'utf8'), path)
    } catch (error) {
      // An editor may put another file in its place.
      this.#options.log.debug({ path, why: messageOf(error) }, 'the configuration cannot be read: what it said holds')
    }
  }

  #take(text: string, from: string): void {
    if (text === this.#text) return
    this.#text = text
    const read = readForUp({ file: from, text })
    if (!read.ok) {
      const problems = read.problems.map(problemSentence)
      this.#options.say(`${from} is refused, and what it said before holds: ${problems.join('; ')}`)
      this.#tell({ kind: 'refused', problems })
      return
    }
    const next = settingsOf(read.configuration, enabledCapabilities)
    const needRestart = [...waitingForRestart(this.#read, read.configuration), ...this.#switched(next)]
    // Rights, processes and the label of owners are those of the start.
    const capabilities = Object.entries(next.capabilities).map(([name, section]) => {
      const isEnabled = this.#current.capabilities[name]?.isEnabled ?? section.isEnabled
      return [name, { ...section, isEnabled }] as const
    })
    this.#current = { ...next, ownerLabel: this.#current.ownerLabel, capabilities: Object.fromEntries(capabilities) }
    this.#options.say(
      needRestart.length === 0
        ? `${from} is taken over`
        : `${from} is taken over, but for what waits until ballast up is started again: ${needRestart.join(', ')}`,
    )
    this.#tell({ kind: 'applied', needRestart })
  }

  /** Capabilities that were switched on or off. */
  #switched({ capabilities }: ControllerSettings): readonly string[] {
    return Object.entries(capabilities).flatMap(([name, { isEnabled }]) =>
      (this.#current.capabilities[name]?.isEnabled ?? isEnabled) === isEnabled ? [] : [`capabilities.${name}.enabled`],
    )
  }

  #tell(reload: Reload): void {
    for (const listener of this.#listeners) listener(reload)
  }
}
