// How far a migration is: the ConfigMap `ballast-migration-<component>`. It is written under optimistic lock, so that of two people who are
// at it one hears of the other; what it saved is what the way back needs.
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Api } from '#kube/client/api.ts'
import { dataInPlaceOf, inPlaceOf } from '#kube/client/update.ts'
import type { Clock } from '#kube/clock.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict } from '#kube/objects/status.ts'
import { parseTime } from '#kube/time/time.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { fieldManager } from './own-made.ts'

export interface Saved {
  /** Replicas of upstream's Deployments before the swap, by `namespace/name`. */
  readonly replicas: Readonly<Record<string, number>>
  /** Hash of each workload's pod template before the switch, by `Kind namespace/name`. */
  readonly templates: Readonly<Record<string, string>>
  /** The cluster's resourceVersion when these were taken: what was written since is newer. */
  readonly revision: string
  /** Upstream's objects before they were deleted, for the way back. */
  readonly removed: readonly KubeObject[]
  /** Objects that lead to ours now, as they were when they led to upstream. */
  readonly led: readonly KubeObject[]
  /** What callers were answered before they were led elsewhere, where that can be told. */
  readonly answered: readonly string[]
}

interface Content {
  readonly direction: 'forth' | 'back'
  /** Ids of the steps that were proved, in order. */
  readonly done: readonly string[]
  readonly saved: Saved | undefined
}

interface RecordOptions {
  readonly api: Api
  readonly clock: Clock
  readonly component: string
  /** Where it is made. */
  readonly namespace: string
  /** Who is at it. */
  readonly holder: string
  readonly signal: AbortSignal
}

/** A process that has not written for so long has stopped working on it. */
const holdMs = 5 * 60_000

/** What was saved, with changes. */
export function savedWith(saved: Saved | undefined, changed: Partial<Saved>): Saved {
  const { templates = {}, revision = '0', removed = [], led = [], answered = [], replicas = {} } = saved ?? {}
  return { templates, revision, removed, led, answered, ...changed, replicas: { ...replicas, ...changed.replicas } }
}

const nothing: Content = { direction: 'forth', done: [], saved: undefined }

export class MigrationRecord {
  readonly #options: RecordOptions
  #object: KubeObject | undefined
  #content: Content

  private constructor(options: RecordOptions, object: KubeObject | undefined) {
    this.#options = options
    this.#object = object
    this.#content = object === undefined ? nothing : contentOf(object)
  }

  /** As it stands, wherever it lies; nothing is written. */
  static async read(options: RecordOptions): Promise<MigrationRecord> {
    const { api, component, signal } = options
    const found = await api.resource(builtIn.configmaps).list({ fieldSelector: `metadata.name=${nameOf(component)}`, signal })
    return new MigrationRecord(options, found.items[0])
  }

  /** Where it lies, or is to be made. */
  get namespace(): string {
    return this.#object?.metadata.namespace ?? this.#options.namespace
  }

  get content(): Content {
    return this.#content
  }

  get saved(): Saved | undefined {
    return this.#content.saved
  }

  /** Makes it ours. @throws CommandRefused where somebody else is at it */
  async take(direction: Content['direction']): Promise<void> {
    const { clock, holder } = this.#options
    const other = textAt(this.#object, 'data', 'holder') ?? ''
    const sinceMs = parseTime(textAt(this.#object, 'data', 'at') ?? '')
    if (other !== '' && other !== holder && sinceMs.ok && clock.now() - sinceMs.value < holdMs) throw heldBy(other)
    // Turning around, what was proved on the way there says nothing about the way back.
    const done = this.#content.direction === direction ? this.#content.done : []
    await this.write({ direction, done })
  }

  /** @throws CommandRefused where somebody else wrote meanwhile */
  async write(changed: Partial<Content>): Promise<void> {
    this.#content = { ...this.#content, ...changed }
    await this.#put(this.#options.holder)
  }

  /** Another may go on. */
  async release(): Promise<void> {
    await this.#put('')
  }

  async #put(holder: string): Promise<void> {
    const { api, clock, component, signal } = this.#options
    const { namespace } = this
    const data = { ...dataOf(this.#content), holder, at: new Date(clock.now()).toISOString() }
    const object: KubeObject = inPlaceOf(this.#object, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: nameOf(component),
        namespace,
        labels: { 'app.kubernetes.io/part-of': 'ballast' },
      },
      data: dataInPlaceOf(this.#object, data, ownKeys),
    })
    const configMaps = api.resource(builtIn.configmaps)
    const options = { namespace, signal, fieldManager }
    try {
      this.#object =
        this.#object === undefined ? await configMaps.create(object, options) : await configMaps.update(object, options)
    } catch (error) {
      if (isConflict(error) || isAlreadyExists(error)) throw heldBy('somebody else')
      throw error
    }
  }
}

/** The keys of it that are ours, whether they are there now or not. */
const ownKeys = ['direction', 'done', 'saved', 'holder', 'at']

const nameOf = (component: string) => `ballast-migration-${component}`

function heldBy(other: string): CommandRefused {
  return new CommandRefused(
    `${other} is at this migration: wait until it is done (a run that was killed is over five minutes after its last write)`,
    exitCodes.failed,
  )
}

function dataOf({ direction, done, saved }: Content): Readonly<Record<string, string>> {
  return {
    direction,
    done: done.join(','),
    ...(saved === undefined ? {} : { saved: gzipSync(JSON.stringify(saved)).toString('base64') }),
  }
}

const largestSavedBytes = 64 * 1024 * 1024

function contentOf(object: KubeObject): Content {
  const packed = textAt(object, 'data', 'saved')
  const saved: unknown =
    packed === undefined
      ? undefined
      : JSON.parse(gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: largestSavedBytes }).toString('utf8'))
  return {
    direction: textAt(object, 'data', 'direction') === 'back' ? 'back' : 'forth',
    done: (textAt(object, 'data', 'done') ?? '').split(',').filter(id => id !== ''),
    // What an earlier version wrote has no such list.
    saved: at(saved, 'revision') === undefined ? undefined : savedWith(saved as Saved, {}),
  }
}
