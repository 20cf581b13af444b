// What keeps this node's mirror from being of use although it serves: hosts files that lead elsewhere, layers that containerd throws away,
// pulls that come past. Looked for at the start and from time to time, logged when it changes, told to whoever asks.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Store } from './contract.ts'
import type { PoisonedBlob } from './exchange/transfer/integrity.ts'
import { checkHostsFiles, type HostsFileFact, type ServedPorts } from './node-files/hosts-check.ts'
import { editsMessage } from './node-files/hosts-edits.ts'
import { Happenings, type NoticesDocument, type Trouble } from './notices.ts'
import { PullWitness } from './pulling/pull-witness.ts'

/** Often enough that who mends a file sees it gone; the specification asks for an hour. */
const everyMs = 600_000

interface SelfCheckOptions {
  readonly store: Pick<Store, 'health'>
  /** Files of containerd's directory; `undefined` where it cannot be looked at. */
  readonly hostsFiles: () => Promise<readonly HostsFileFact[] | undefined>
  /** What others changed of ours there; `undefined` where nothing is known of it. */
  readonly edits: () => Promise<Parameters<typeof editsMessage>[0] | undefined>
  readonly served: () => ServedPorts
  /** Whether each pull has to ask here: not where tags are never answered. */
  readonly seesEveryPull: boolean
  readonly clock: Clock
  readonly log: Log
}

export class SelfCheck {
  readonly #options: SelfCheckOptions
  readonly #happenings = new Happenings()
  readonly #witness: PullWitness
  readonly #instance: string
  #files: readonly Trouble[] = []
  #edits: readonly Trouble[] = []
  #told = ''
  #toldEdits = ''

  constructor(options: SelfCheckOptions) {
    this.#options = options
    this.#witness = new PullWitness(options.clock.elapsed())
    this.#instance = String(options.clock.now())
  }

  /** Looks until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      await this.look()
      await clock.after(everyMs, signal).catch(() => undefined) // aborted: the loop ends
    }
  }

  /** Reads the hosts files again. */
  async look(): Promise<void> {
    const { hostsFiles, edits, served } = this.#options
    const files = await hostsFiles()
    const found = files === undefined ? [] : checkHostsFiles(files, served())
    this.#files = found.map(({ path, message }) => ({
      reason: 'ConfigurationMissing',
      message: path === '' ? message : `${path}: ${message}`,
    }))
    const edited = await edits()
    const message = edited === undefined ? undefined : editsMessage(edited)
    this.#edits = message === undefined ? [] : [{ reason: 'HostsFilesEdited', message }]
    this.#log()
  }

  /** containerd asked for something. */
  asked(): void {
    this.#witness.asked(this.#options.clock.elapsed())
  }

  /** An image came from a registry to containerd. */
  pulled(image: string): void {
    const { clock, seesEveryPull } = this.#options
    if (!seesEveryPull || !this.#witness.pulled(image, clock.elapsed())) return
    this.#log()
  }

  /** Case 16: bytes of others did not match their digest. Logged where they were seen. */
  poisoned({ digest, registry, repository, peers }: PoisonedBlob): void {
    const name = [registry, repository].filter(part => part !== '').join('/')
    const message = `${digest}${name === '' ? '' : ` of ${name}`}: bytes of ${peers.join(', ')} do not match it; nothing wrong was passed on`
    this.#happenings.add('PoisonedBlob', message, this.#options.clock.now())
  }

  /** All that is wrong now, most serious first. */
  troubles(): readonly Trouble[] {
    const image = this.#witness.unasked
    const ignored: readonly Trouble[] = image === undefined ? [] : [{ reason: 'ConfigurationMissing', message: ignoredBy(image) }]
    return [...this.#options.store.health().problems, ...this.#files, ...ignored, ...this.#edits]
  }

  document(): NoticesDocument {
    return { instance: this.#instance, problems: this.troubles(), events: this.#happenings.list() }
  }

  #log(): void {
    this.#logEdits()
    const lasting = this.troubles().filter(({ reason }) => reason !== 'ContainerdUnreachable' && reason !== 'HostsFilesEdited')
    const text = lasting.map(({ reason, message }) => `${reason}: ${message}`).join('; ')
    if (text === this.#told) return
    this.#told = text
    if (text === '') this.#options.log.info({}, 'nothing keeps containerd from asking the mirror any more')
    else this.#options.log.warn({ problems: lasting }, 'the mirror is of little use to this node')
  }

  #logEdits(): void {
    const text = this.#edits.map(({ message }) => message).join('; ')
    if (text === this.#toldEdits) return
    this.#toldEdits = text
    if (text !== '') this.#options.log.warn({}, text)
  }
}

const ignoredBy = (image: string): string =>
  `containerd pulled ${image} and asked nothing here: look at config_path (one directory) and at the hosts files`
