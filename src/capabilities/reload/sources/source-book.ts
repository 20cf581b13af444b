// What is known of the content of ConfigMaps and Secrets: hashes of those that somebody takes, read when their version moves.
import { type Clock, wallOf } from '#kube/clock.ts'
import { WorkQueue } from '#kube/controllers/queue.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { AnnotationKeys } from '../annotations.ts'
import type { ReloadTelling } from '../telling/telling.ts'
import { isAskedAgain } from './asking-the-past.ts'
import type { SourceContent } from './content-hash.ts'
import { type SourceReader, UnreadableSourceError } from './source-reader.ts'
import { type SourceReference, type SourceState, sourceAnnotations, sourceKey } from './source-state.ts'
import type { ObjectType, SourceWatch } from './source-watch.ts'
import { VainReads } from './vain-reads.ts'

const readsAtOnce = 8
const firstRetryMs = 1_000
const longestRetryMs = 300_000
/** A server that is behind the one that told of a change. */
const afterOldAnswerMs = 100
/** What changed is read before what nobody has read yet. */
const changedFirst = 1

/** A source of which a version was read. */
interface Read {
  readonly content: SourceContent
  readonly resourceVersion: string
  readonly uid: string
  readonly changedMs: number
}

/** What became of a read. */
export interface ContentNews {
  readonly reference: SourceReference
  /** The content differs from the one that was known; `undefined`: none was known. */
  readonly isChanged: boolean | undefined
  /** Nobody had read it before. */
  readonly isFirst?: boolean
  /** The first version that was not read before, where it is known. */
  readonly version?: string
}

interface SourceBookOptions {
  readonly watch: SourceWatch
  readonly reader: SourceReader
  readonly keys: AnnotationKeys
  readonly clock: Clock
  readonly log: Log
  readonly telling: ReloadTelling
  /** Told of an object that cannot be hashed. */
  readonly unreadable: (reference: SourceReference, why: string) => void
  /** Somebody takes it still. */
  readonly isWanted: (reference: SourceReference) => boolean
  /** What is read first is compared with what it was before the change that was told. */
  readonly asksBack: () => boolean
  /** Told of a change where nobody can say any more what was before. */
  readonly untold: (reference: SourceReference, why: string) => void
  readonly onContent: (news: ContentNews) => void
}

/** From one version to the next. */
interface VersionStep {
  readonly before: string
  readonly after: string
}

/** Which keys changed when. */
interface KeyChange {
  readonly changedMs: number
  readonly keys: readonly string[]
}

const mostKeyChanges = 16

const kinds = { configmap: 'ConfigMap', secret: 'Secret' } as const satisfies Record<ObjectType, string>

export class SourceBook implements Disposable {
  readonly #options: SourceBookOptions
  readonly #queue: WorkQueue<string>
  readonly #references = new Map<string, SourceReference>()
  readonly #reads = new Map<string, Read>()
  /** When the version was heard of that was not read yet, by `elapsed()`, as all that is kept here: time may be set meanwhile. */
  readonly #heardMs = new Map<string, number>()
  /** Changes that were told and not read yet: the versions before and after the first of them. */
  readonly #unreadChanges = new Map<string, VersionStep>()
  readonly #vain = new VainReads()
  /** The last changes of each source, oldest first. */
  readonly #keyChanges = new Map<string, readonly KeyChange[]>()
  /** Reads of one version that failed one after the other: it is read again after a while, whoever asks for it meanwhile. */
  readonly #failures = new Map<string, { readonly version: string; readonly count: number; readonly isTold: boolean }>()

  constructor(options: SourceBookOptions) {
    this.#options = options
    this.#queue = new WorkQueue<string>({ clock: options.clock })
  }

  get pending(): number {
    return this.#queue.depth + this.#queue.processing
  }

  /** The source as it is known now. Asks for its content where that is not known, and is told with `onContent`. */
  state(reference: SourceReference): SourceState {
    const { watch, keys, clock } = this.#options
    const found = watch.get(reference)
    if (found === undefined) {
      const content = watch.knows(reference) ? 'absent' : 'unread'
      const heardMs = this.#heardMs.get(sourceKey(reference)) ?? clock.elapsed()
      this.#references.set(sourceKey(reference), reference)
      this.#heardMs.set(sourceKey(reference), heardMs)
      const changedAtMs = wallOf(clock, heardMs)
      return { reference, annotations: sourceAnnotations(undefined, keys), content, resourceVersion: '', uid: '', changedAtMs }
    }
    const { metadata } = found
    const read = this.#reads.get(sourceKey(reference))
    const isKnown = read !== undefined && isCurrent(read, found)
    if (!isKnown) this.read(reference)
    return {
      reference,
      annotations: sourceAnnotations(metadata.annotations, keys),
      content: isKnown ? read.content : 'unread',
      resourceVersion: metadata.resourceVersion ?? '',
      uid: metadata.uid ?? '',
      changedAtMs: read === undefined ? clock.now() : wallOf(clock, read.changedMs),
    }
  }

  /** Names of the keys that were changed, added or taken away since then, as far as they were seen. */
  changedKeys(reference: SourceReference, sinceMs: number): readonly string[] {
    const changes = this.#keyChanges.get(sourceKey(reference)) ?? []
    const isSince = ({ changedMs }: KeyChange) => wallOf(this.#options.clock, changedMs) >= sinceMs
    const keys = changes.filter(isSince).flatMap(change => change.keys)
    return [...new Set(keys)].sort()
  }

  /** A watch told of the source. `step`: what it was before is asked for, where nobody has read that. */
  heard(reference: SourceReference, step?: VersionStep): void {
    const key = sourceKey(reference)
    if (step !== undefined && !this.#unreadChanges.has(key)) this.#unreadChanges.set(key, step)
    this.#heardMs.set(key, this.#options.clock.elapsed())
    if (this.#options.watch.get(reference) === undefined) {
      this.#reads.delete(key)
      this.#unreadChanges.delete(key)
    } else this.read(reference, changedFirst)
  }

  /** Reads the source's content unless it is known. */
  read(reference: SourceReference, priority = 0): void {
    const found = this.#options.watch.get(reference)
    const key = sourceKey(reference)
    if (found === undefined || this.#failures.get(key)?.version === found.metadata.resourceVersion) return
    this.#references.set(key, reference)
    this.#queue.addAfter(key, this.#vain.delayMs(key, this.#options.clock.elapsed()), priority)
  }

  /** Forgets what nobody takes any more. */
  forgetUnwanted(): void {
    for (const [key, reference] of this.#references) if (!this.#options.isWanted(reference)) this.#forget(key)
  }

  #forget(key: string): void {
    this.#vain.delete(key)
    const maps = [this.#references, this.#reads, this.#heardMs, this.#unreadChanges, this.#keyChanges]
    for (const map of [...maps, this.#failures]) map.delete(key)
  }

  /** Reads what is asked for until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: readsAtOnce }, () => this.#work(signal)))
  }

  [Symbol.dispose](): void {
    this.#queue[Symbol.dispose]()
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let key: string | undefined
      try {
        key = await this.#queue.take(signal)
        if (key === undefined) return
        await this.#see(key, signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      } finally {
        if (key !== undefined) this.#queue.done(key)
      }
    }
  }

  async #see(key: string, signal: AbortSignal): Promise<void> {
    const reference = this.#references.get(key)
    const found = reference === undefined ? undefined : this.#options.watch.get(reference)
    if (reference === undefined || found === undefined) return
    if (!this.#options.isWanted(reference) && !this.#unreadChanges.has(key)) return
    const known = this.#reads.get(key)
    if (known !== undefined && isCurrent(known, found)) return
    try {
      await this.#read(reference, found, signal)
      this.#failures.delete(key)
    } catch (error) {
      if (signal.aborted) throw error
      this.#failed(reference, found, error)
    }
  }

  async #read(reference: SourceReference, found: KubeObject, signal: AbortSignal): Promise<void> {
    const { reader, clock, onContent } = this.#options
    const { namespace, name } = reference
    const key = sourceKey(reference)
    const reading = await reader.read({ kind: kindOf(reference), namespace, name }, signal)
    // The watch will tell that it is gone, if it is.
    if (reading === undefined) throw new OutsideError('it is watched, and cannot be read')
    const { content, resourceVersion, uid } = reading
    if (isNewer(found.metadata.resourceVersion ?? '', resourceVersion)) {
      this.#queue.addAfter(key, afterOldAnswerMs)
      return
    }
    const known = this.#reads.get(key)
    const isAhead = this.#options.asksBack() && isNewer(resourceVersion, found.metadata.resourceVersion)
    const ahead = isAhead ? { before: found.metadata.resourceVersion ?? '', after: resourceVersion } : undefined
    const step = this.#unreadChanges.get(key) ?? ahead
    const isEarlierSame =
      known !== undefined || step === undefined ? undefined : await this.#wasSame(reference, step, reading, signal)
    // What was told while it was asked is another step.
    if (this.#unreadChanges.get(key) === step) this.#unreadChanges.delete(key)
    const isSame = known !== undefined && known.content.exact === content.exact && known.uid === uid
    if (known !== undefined) this.#vain.found(key, isSame, clock.elapsed())
    const changedMs = isSame ? known.changedMs : (this.#heardMs.get(key) ?? clock.elapsed())
    this.#reads.set(key, { content: isSame ? known.content : content, resourceVersion, uid, changedMs })
    if (known !== undefined && !isSame) {
      const change = { changedMs, keys: differingKeys(known.content, content) }
      this.#keyChanges.set(key, [...(this.#keyChanges.get(key) ?? []), change].slice(-mostKeyChanges))
    }
    const isChanged = known !== undefined ? !isSame : isEarlierSame === undefined ? undefined : !isEarlierSame
    onContent({ reference, isChanged, isFirst: known === undefined, version: step?.after ?? resourceVersion })
  }

  /** Whether its content was the same before; `undefined` where the API server has forgotten that version, or does not tell of the past. @throws what is asked again */
  async #wasSame(
    reference: SourceReference,
    { before: version }: VersionStep,
    now: { readonly content: SourceContent; readonly uid: string },
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    const { reader } = this.#options
    const { namespace, name } = reference
    try {
      const then = await reader.read({ kind: kindOf(reference), namespace, name, version }, signal)
      return then === undefined || then.uid !== now.uid ? undefined : then.content.exact === now.content.exact
    } catch (error) {
      signal.throwIfAborted()
      if (isAskedAgain(error, this.#failures.get(sourceKey(reference))?.count ?? 0)) throw error
      this.#options.untold(reference, messageOf(error))
      return undefined
    }
  }

  #failed(reference: SourceReference, found: KubeObject, error: unknown): void {
    const { telling, log, unreadable } = this.#options
    const key = sourceKey(reference)
    const version = found.metadata.resourceVersion ?? ''
    const known = this.#failures.get(key)
    const isAgain = known?.version === version
    const count = isAgain ? known.count : 0
    const isUnreadable = error instanceof UnreadableSourceError
    this.#failures.set(key, { version, count: count + 1, isTold: isUnreadable || (isAgain && known.isTold) })
    const retryMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(count, 10))
    if (isForbidden(error)) telling.forbidden(kindOf(reference), error.message)
    else if (isUnreadable && !(isAgain && known.isTold)) unreadable(reference, error.message)
    else log.warn({ source: key, why: messageOf(error), retryMs }, 'a source is not read: tried again')
    telling.retried()
    this.#queue.addAfter(key, retryMs)
  }
}

function differingKeys({ keys: before }: SourceContent, { keys: now }: SourceContent): readonly string[] {
  return [...new Set([...before.keys(), ...now.keys()])].filter(key => before.get(key) !== now.get(key))
}

/** What was read is not older than what the watch told. */
function isCurrent(read: Read, { metadata }: KubeObject): boolean {
  return read.uid === (metadata.uid ?? '') && !isNewer(metadata.resourceVersion ?? '', read.resourceVersion)
}

function kindOf({ type }: SourceReference): 'ConfigMap' | 'Secret' {
  return type === 'secret' ? kinds.secret : kinds.configmap
}
