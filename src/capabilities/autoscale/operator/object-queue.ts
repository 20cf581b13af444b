// The queue of one kind: objects are worked on when they change and when they are due, each by one worker at a time.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '#kube/clock.ts'
import { type ReconcileResult, reconciled, runWorkers } from '#kube/controllers/controller.ts'
import { WorkQueue } from '#kube/controllers/queue.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** Sources that hang keep only so many others waiting. */
const atOnce = 64
/** One look with all of its questions. */
const timeLimitMs = 60_000

/** What is done for one object of a kind. */
export interface ObjectWork extends AsyncDisposable {
  /** @returns milliseconds until it is due again; undefined: not before it changes. @throws what is to be tried again */
  reconcile(key: string, signal: AbortSignal): Promise<number | undefined>
}

interface QueueOptions {
  /** As logs call it: `scaled objects`. */
  readonly name: string
  readonly objects: Informer<KubeObject>
  readonly clock: Clock
  readonly log: Log
}

export class ObjectQueue<Work extends ObjectWork> implements AsyncDisposable {
  readonly work: Work
  readonly #options: QueueOptions
  readonly #queue: WorkQueue<string>
  readonly #unwatch: () => void

  /** `makeWork` is given what has an object worked on at once, by its key. */
  constructor(options: QueueOptions, makeWork: (wake: (key: string) => void) => Work) {
    const { objects, clock } = options
    this.#options = options
    this.#queue = new WorkQueue<string>({ clock, groupOf: key => key.slice(0, key.indexOf('/')) })
    this.work = makeWork(key => this.wake(key))
    this.#unwatch = objects.onChange(({ type, object, previous }) => {
      if (type === 'DELETED' || !isStatusAlone(object, previous)) this.wake(keyOf(object))
    })
  }

  wake(key: string): void {
    this.#queue.add(key)
  }

  /** Works until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, clock, log } = this.#options
    const reconcile = async (key: string, limit: AbortSignal): Promise<ReconcileResult> => {
      const delayMs = await this.work.reconcile(key, limit)
      return delayMs === undefined ? reconciled : { kind: 'after', delayMs }
    }
    await runWorkers({ name, queue: this.#queue, reconcile, clock, log, concurrency: atOnce, timeLimitMs }, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch()
    this.#queue.shutDown()
    await this.work[Symbol.asyncDispose]()
  }
}

/** `namespace/name` */
export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

/** What we ourselves write all the time is no news. */
function isStatusAlone(object: KubeObject, previous: KubeObject | undefined): boolean {
  if (previous === undefined) return false
  const told = ({ metadata }: KubeObject) => [
    metadata.uid,
    metadata.generation,
    metadata.labels,
    metadata.annotations,
    metadata.deletionTimestamp,
    at(metadata, 'finalizers'),
  ]
  return isDeepStrictEqual(told(object), told(previous))
}
