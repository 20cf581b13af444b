// The state of a twin across processes: what its store commits is written in batches, and no answer leaves before its batch is.
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { jsonText, jsonTree } from '../json-value.ts'
import type { StoreJournal } from '../store.ts'
import { brokenState, type StateChange, StateFile } from './state-file.ts'

/** Changed objects that wait for their batch; with more of them it is written at once. */
const mostWaiting = 10_000
/** What could not be written is tried again after this. */
const againMs = 1_000

interface StateParts {
  readonly file: StateFile
  readonly folder: string
  /** When batches are written: real time. */
  readonly clock: Pick<Clock, 'schedule'>
  /** Told when nothing can be written any more, with the reason, and when it can again. */
  readonly tell: (sentence: string) => void
}

interface Waiting {
  readonly resource: string
  readonly key: string
  readonly object: KubeObject | undefined
}

interface KeptStep {
  readonly resource: string
  readonly revision: number
  /** Without it, it was removed. */
  readonly object: KubeObject | undefined
  readonly previous: KubeObject | undefined
}

export class TwinState implements StoreJournal, Disposable {
  /** How many processes have worked on it, this one included. */
  readonly life: number
  /** Whether a twin was filled here before: its objects are to be restored. */
  readonly isFilled: boolean
  readonly #parts: StateParts
  readonly #waiting = new Map<string, Waiting>()
  /** Each commit that waits, in order. */
  #steps: (Waiting & { readonly revision: number })[] = []
  readonly #kept = new Map<string, string>()
  #revision: number
  #now: () => number
  #isBegun = false
  #isClosed = false
  #batch: PromiseWithResolvers<unknown> | undefined
  #cancel: () => void = () => undefined
  #fault: unknown

  private constructor(parts: StateParts) {
    this.#parts = parts
    const { file } = parts
    const filled = file.meta('filled')
    if (filled !== 'yes' && filled !== 'no') throw brokenState(parts.folder, `filled is ${filled ?? 'not there'}`)
    this.isFilled = filled === 'yes'
    if (!this.isFilled) file.clear()
    this.life = this.isFilled ? this.#number('life') + 1 : 1
    this.#revision = this.isFilled ? this.#number('revision') : 1
    this.#now = () => this.clockMs ?? 0
    if (this.isFilled) file.commit([], { life: String(this.life) })
  }

  /**
   * Opens the state in `folder`, a new one where there is none.
   * @throws InputError where another process has it, where it is broken, and where another version wrote it
   */
  static open(folder: string, { clock, tell }: Pick<StateParts, 'clock' | 'tell'>): TwinState {
    const file = StateFile.open(folder)
    try {
      return new TwinState({ file, folder, clock, tell })
    } catch (error) {
      file[Symbol.dispose]()
      throw error
    }
  }

  /** Objects that are kept. */
  get count(): number {
    return this.#parts.file.count
  }

  /** Revision of the last write that is kept; 1: nothing was. */
  get revision(): number {
    return this.#revision
  }

  /** What the cluster's clock said last, milliseconds since 1970. */
  get clockMs(): number | undefined {
    return this.isFilled ? this.#number('clock') : undefined
  }

  /** A text that is made once and then kept: keys, the seed, what was found out at the first start. */
  async kept(name: string, make: () => string | Promise<string>): Promise<string> {
    const known = this.#kept.get(name) ?? this.#parts.file.meta(`kept:${name}`)
    if (known !== undefined) return known
    const made = await make()
    this.keep(name, made)
    return made
  }

  /** What `keep` was told of `name`, in this life or before. */
  known(name: string): string | undefined {
    return this.#kept.get(name) ?? this.#parts.file.meta(`kept:${name}`)
  }

  /** Written with the next batch. */
  keep(name: string, text: string): void {
    this.#kept.set(name, text)
    this.#plan()
  }

  /** All objects that are kept. @throws InputError where the file is broken */
  *objects(): Generator<{ readonly resource: string; readonly object: KubeObject }, void, undefined> {
    for (const { resource, key, text } of this.#parts.file.rows()) {
      const object = tree(text)
      if (object === undefined) throw brokenState(this.#parts.folder, `${resource} ${key} is no object`)
      yield { resource, object }
    }
  }

  /** The last changes before this process, oldest first, with what was before each; none where they are not known without a gap. */
  *history(): Generator<KeptStep, void, undefined> {
    for (const { revision, resource, text, before } of this.#parts.file.history.read(this.#revision)) {
      const object = text === undefined ? undefined : tree(text)
      const previous = before === undefined ? undefined : tree(before)
      if (object !== undefined || previous !== undefined) yield { resource, revision, object, previous }
    }
  }

  /** All that there is at the start is written: from now on a process may end at any moment. `now` is the cluster's clock. */
  begin(now: () => number): void {
    this.#now = now
    this.#isBegun = true
    this.#write({ filled: 'yes', life: String(this.life) })
    if (this.#fault !== undefined) throw this.#fault
    this.#parts.file.checkpoint()
  }

  note(resource: string, key: string, revision: number, object: KubeObject | undefined): void {
    // What still moves in a twin that has ended was told to nobody.
    if (this.#isClosed) return
    this.#waiting.set(`${resource} ${key}`, { resource, key, object })
    // Nobody could watch before all was there that a new cluster begins with.
    if (this.isFilled || this.#isBegun) this.#steps.push({ resource, key, object, revision })
    this.#revision = revision
    if (Math.max(this.#waiting.size, this.#steps.length) >= mostWaiting && this.#fault === undefined) this.#write()
    else this.#plan()
  }

  /** Resolves when all that was committed until now is written: with `undefined`, or with why it could not be. It is tried again with each batch. */
  async written(): Promise<unknown> {
    if (this.#fault !== undefined) return this.#fault
    if (this.#waiting.size === 0 && this.#kept.size === 0) return undefined
    this.#plan()
    return await this.#batch?.promise
  }

  /** Why the last batch could not be written; the next write tries again. */
  get fault(): string | undefined {
    if (this.#fault !== undefined) this.#write()
    return this.#fault === undefined ? undefined : messageOf(this.#fault)
  }

  /** Writes what waits. @throws Error where that fails */
  [Symbol.dispose](): void {
    // What was not filled is no state: the next start begins anew.
    if (this.#isBegun) this.#write()
    this.#isClosed = true
    this.#cancel()
    this.#parts.file[Symbol.dispose]()
    if (this.#fault !== undefined) throw this.#fault
  }

  #plan(): void {
    if (this.#batch !== undefined || this.#isClosed) return
    this.#batch = Promise.withResolvers()
    this.#cancel = this.#parts.clock.schedule(this.#fault === undefined ? 0 : againMs, () => this.#write())
  }

  #write(meta: Readonly<Record<string, string>> = {}): void {
    const batch = this.#batch
    const before = this.#fault
    this.#batch = undefined
    this.#cancel()
    try {
      const kept = Array.from(this.#kept, ([name, text]) => [`kept:${name}`, text] as const)
      const texts = new Map<KubeObject, string>()
      const changes = this.#waiting.values().map(one => withText(one, texts))
      const steps = this.#steps.map(({ revision, ...one }) => ({ revision, ...withText(one, texts) }))
      const revision = String(this.#revision)
      this.#parts.file.commit(changes, { ...Object.fromEntries(kept), ...meta, revision, clock: String(this.#now()) }, steps)
      this.#waiting.clear()
      this.#steps = []
      this.#kept.clear()
      this.#fault = undefined
    } catch (error) {
      this.#fault = error
    }
    if (this.#fault !== undefined && before === undefined)
      this.#parts.tell(`the state cannot be written, requests that change anything are refused: ${messageOf(this.#fault)}`)
    if (this.#fault === undefined && before !== undefined) this.#parts.tell('the state is written again, nothing is lost')
    if (this.#fault !== undefined) this.#plan()
    batch?.resolve(this.#fault)
  }

  /** @throws InputError */
  #number(name: string): number {
    const text = this.#parts.file.meta(name)
    const value = Number(text)
    if (text === undefined || !Number.isFinite(value)) throw brokenState(this.#parts.folder, `${name} is ${text ?? 'not there'}`)
    return value
  }
}

/** `texts`: what is known of objects already. */
function withText({ resource, key, object }: Waiting, texts: Map<KubeObject, string>): StateChange {
  if (object === undefined) return { resource, key, text: undefined }
  const text = texts.get(object) ?? jsonText(object)
  texts.set(object, text)
  return { resource, key, text }
}

function tree(text: string): KubeObject | undefined {
  try {
    const value = jsonTree(text)
    return typeof value === 'object' && value !== null ? (value as KubeObject) : undefined
  } catch {
    return undefined // told by who asked, with the object's name
  }
}
