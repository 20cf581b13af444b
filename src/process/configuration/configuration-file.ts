// The configuration file of a running process: read whole at the start, and again whenever it changes. A bad file changes nothing.
import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Capability } from '#coordination/capability.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import type { Override } from '#kube/configuration.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { InputError, type Problem, problemSentence } from '#kube/problem.ts'
import {
  type ControllerConfiguration,
  readControllerConfiguration,
  settingsOf,
  waitingForRestart,
} from './controller-configuration.ts'
import type { ControllerSettings, Reload, SettingsFeed } from './controller-settings.ts'

interface FileOptions {
  /** `undefined`: defaults and overrides alone, and nothing to watch. */
  readonly path: string | undefined
  readonly overrides: readonly Override[]
  readonly capabilities: readonly Capability[]
  readonly clock: Clock
  readonly log: Log
  /** Default: notices of the operating system where there are any, besides the regular look. */
  readonly notices?: boolean
}

/** A regular look, for file systems that notify nobody. */
const lookMs = 10_000
/** An editor may write in several steps. */
const settleMs = 500

export class ConfigurationFile implements SettingsFeed, Disposable {
  readonly #options: FileOptions
  readonly #listeners = new Set<(reload: Reload) => void>()
  #configuration: ControllerConfiguration
  #settings: ControllerSettings
  #text: string
  #stamp: string | undefined
  #watcher: FSWatcher | undefined
  #cancelLook: Cancel = () => undefined
  #cancelRead: Cancel = () => undefined

  /** Reads it. @throws InputError with every problem */
  constructor(options: FileOptions) {
    this.#options = options
    this.#stamp = this.#stampNow()
    this.#text = options.path === undefined ? '' : textOf(options.path)
    const read = this.#read(this.#text)
    if (!read.ok) throw new InputError(read.problems)
    this.#configuration = read.configuration
    this.#settings = settingsOf(read.configuration, options.capabilities)
  }

  /** As the process was started with it: what needs another process does not change here. */
  get process(): ControllerConfiguration['process'] {
    return this.#configuration.process
  }

  /** As the process was started with it. */
  get dashboard(): ControllerConfiguration['sections']['dashboard'] {
    return this.#configuration.sections.dashboard
  }

  get current(): ControllerSettings {
    return this.#settings
  }

  onReload(listener: (reload: Reload) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Begins to watch the file's folder, until disposed of: a ConfigMap's file changes by a link beside it. */
  watch(): void {
    const { path, log, clock, notices = true } = this.#options
    if (path === undefined) return
    if (notices) {
      try {
        this.#watcher = watch(dirname(path), { persistent: false }, () => this.#noticed())
        this.#watcher.on('error', error => log.warn({ path, why: messageOf(error) }, 'no notices of the configuration any more'))
      } catch (error) {
        log.warn({ path, why: messageOf(error) }, 'no notices of the configuration: it is looked at every 10 s')
      }
    }
    const look = () => {
      this.#cancelLook = clock.schedule(lookMs, look)
      if (this.#stampNow() !== this.#stamp) this.#noticed()
    }
    this.#cancelLook = clock.schedule(lookMs, look)
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
    this.#cancelLook()
    this.#cancelRead()
  }

  #noticed(): void {
    this.#cancelRead()
    this.#cancelRead = this.#options.clock.schedule(settleMs, () => this.#reload())
  }

  #reload(): void {
    const { path, log, capabilities } = this.#options
    if (path === undefined) return
    this.#stamp = this.#stampNow()
    let text: string
    try {
      text = textOf(path)
    } catch (error) {
      this.#refuse(error instanceof InputError ? error.problems : [unreadable(path, error)])
      return
    }
    if (text === this.#text) return
    this.#text = text
    const read = this.#read(text)
    if (!read.ok) {
      this.#refuse(read.problems)
      return
    }
    const needRestart = waitingForRestart(this.#configuration, read.configuration)
    const next = settingsOf(read.configuration, capabilities)
    this.#settings = { ...next, ownerLabel: this.#settings.ownerLabel }
    log.info({ path, needRestart }, 'configuration changed')
    this.#tell({ kind: 'applied', needRestart })
  }

  #refuse(problems: readonly Problem[]): void {
    const sentences = problems.map(problemSentence)
    this.#options.log.error({ path: this.#options.path, problems: sentences }, 'configuration refused: the old one holds')
    this.#tell({ kind: 'refused', problems: sentences })
  }

  #tell(reload: Reload): void {
    for (const listener of this.#listeners) listener(reload)
  }

  #read(text: string) {
    const { path, overrides, capabilities } = this.#options
    return readControllerConfiguration({ file: path ?? 'configuration', text, overrides }, capabilities)
  }

  /** What changes when the file does; `absent` for one that is not there. */
  #stampNow(): string | undefined {
    if (this.#options.path === undefined) return undefined
    const stat = statSync(this.#options.path, { throwIfNoEntry: false })
    return stat === undefined ? 'absent' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs}`
  }
}

/** @throws InputError where it cannot be read */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InputError([unreadable(path, error)])
  }
}

function unreadable(path: string, error: unknown): Problem {
  return { code: 'file-unreadable', where: path, found: messageOf(error), expected: 'a file that can be read' }
}
