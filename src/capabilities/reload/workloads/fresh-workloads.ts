// Where workloads may be listed and not watched, as with Reloader's role: a change of a source is decided on what a list shows that was
// asked for after the change. And a workload that nobody knew of when the source changed is told from one that came afterwards.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { markOfUid, type WorkloadBaseline } from '../baseline/baseline.ts'
import { targetContainer } from '../rollouts/target-container.ts'
import type { ReloadSettings } from '../settings.ts'
import { isAskedAgain } from '../sources/asking-the-past.ts'
import type { SourceIndex } from '../sources/source-index.ts'
import { type SourceAnnotations, type SourceReference, sourceKey } from '../sources/source-state.ts'
import { decideReload } from './decision.ts'
import { type WorkloadFacts, workloadFacts, workloadKey } from './workload-facts.ts'
import type { WorkloadKind, WorkloadWatch } from './workload-watch.ts'

/** What happened to a source. */
export interface SourceChanged {
  readonly reference: SourceReference
  readonly annotations: SourceAnnotations
  readonly event: 'create' | 'update' | 'delete'
  /** The version that it came to first; `undefined`: nobody can say. */
  readonly version: string | undefined
  /** Nobody had read it before: of no workload it is known that it was there, also where they are watched. */
  readonly isFirst?: boolean
}

interface FreshWorkloadsOptions {
  readonly api: Api
  readonly clock: Clock
  readonly settings: ReloadSettings
  readonly workloads: Pick<WorkloadWatch, 'kinds' | 'get'>
  readonly index: Pick<SourceIndex, 'workloadsOf'>
  readonly baselineOf: (workload: string) => WorkloadBaseline | undefined
  /** Workloads of the kind are to be planned anew. */
  readonly lookAt: (reference: SourceReference, kind: string) => void
  /** Told of a change where nobody can say any more who took it then. */
  readonly untold: (reference: SourceReference, why: string) => void
  readonly signal: AbortSignal
}

interface Overtaken {
  readonly uid: string
  readonly events: Map<string, 'create' | 'update'>
}

const none: ReadonlyMap<string, 'create' | 'update'> = new Map()
const pageSize = 500
/** Doubled with each failure. */
const firstRetryMs = 1_000

export class FreshWorkloads {
  readonly #options: FreshWorkloadsOptions
  /** By kind and source: the change that waits for its list. */
  readonly #pending = new Map<string, SourceChanged>()
  /** By workload. */
  readonly #overtaken = new Map<string, Overtaken>()

  constructor(options: FreshWorkloadsOptions) {
    this.#options = options
  }

  /** Workloads are listed where that is needed, and then planned anew, kind by kind: one that cannot be listed holds up no other. */
  changed(change: SourceChanged): void {
    for (const { of, informer } of this.#options.workloads.kinds) {
      if (!informer.isPolled && change.isFirst !== true) {
        this.#options.lookAt(change.reference, of.kind)
        continue
      }
      this.#pending.set(pendingKey(change.reference, of.kind), change)
      void this.#decide(change, of, informer)
    }
  }

  /** A change of it waits until workloads of the kind are listed. */
  isPending(reference: SourceReference, kind: string): boolean {
    return this.#pending.has(pendingKey(reference, kind))
  }

  /** What changed under the workload before anybody knew of it, and is neither acted on nor remembered in `known`. */
  overtaken(workload: WorkloadFacts, known: WorkloadBaseline | undefined): ReadonlyMap<string, 'create' | 'update'> {
    const key = workloadKey(workload)
    const found = this.#overtaken.get(key)
    if (found === undefined) return none
    if (found.uid === workload.uid && known?.uid === markOfUid(workload.uid))
      for (const source of known.marks.keys()) found.events.delete(source)
    if (found.uid === workload.uid && found.events.size > 0) return found.events
    this.#overtaken.delete(key)
    return none
  }

  async #decide(change: SourceChanged, of: WorkloadKind, informer: Informer<KubeObject>): Promise<void> {
    const { signal, untold, lookAt } = this.#options
    const { reference } = change
    if (informer.isPolled) await Promise.all(placesOf(change).map(namespace => informer.freshen(namespace)))
    try {
      await this.#untilFound(change, of)
    } catch (error) {
      if (signal.aborted) return
      untold(reference, `${of.kind}: ${messageOf(error)}`)
    }
    if (signal.aborted) return
    const key = pendingKey(reference, of.kind)
    if (this.#pending.get(key) === change) this.#pending.delete(key)
    lookAt(reference, of.kind)
  }

  /** @throws what is not asked again, `signal.reason` */
  async #untilFound(change: SourceChanged, of: WorkloadKind): Promise<void> {
    const { clock, signal } = this.#options
    for (let failures = 0; ; failures++) {
      try {
        await this.#findOvertaken(change, of)
        return
      } catch (error) {
        if (signal.aborted || !isAskedAgain(error, failures)) throw error
        await clock.after(firstRetryMs * 2 ** failures, signal)
      }
    }
  }

  /** Finds, among the workloads that nothing is remembered about, those that took the source at the very version of its change. */
  async #findOvertaken({ reference, annotations, event, version }: SourceChanged, { kind, resource }: WorkloadKind) {
    const { api, settings, signal } = this.#options
    if (event === 'delete' || version === undefined || version === '') return
    const unknown = this.#unknown({ reference, annotations }, kind)
    for (const [namespace, workloads] of Map.groupBy(unknown, one => one.namespace)) {
      const [only, ...others] = workloads
      const selector = only === undefined || others.length > 0 ? {} : { fieldSelector: `metadata.name=${only.name}` }
      const exactly = { resourceVersion: version, resourceVersionMatch: 'Exact', limit: pageSize } as const
      const uids = new Set(workloads.map(({ uid }) => uid))
      for await (const { items } of api.resource<KubeObject>(resource).pages({ namespace, ...selector, ...exactly, signal }))
        for (const object of items) {
          if (!uids.has(object.metadata.uid ?? '')) continue
          const then = workloadFacts(object, settings)
          if (!takes(then, { reference, annotations }, settings)) continue
          const key = workloadKey(then)
          const known = this.#overtaken.get(key)
          const events = known?.uid === then.uid ? known.events : new Map<string, 'create' | 'update'>()
          this.#overtaken.set(key, { uid: then.uid, events: events.set(sourceKey(reference), event) })
        }
    }
  }

  #unknown(source: Pick<SourceChanged, 'reference' | 'annotations'>, kind: string): readonly WorkloadFacts[] {
    const { index, workloads, baselineOf, settings } = this.#options
    return [...index.workloadsOf(source.reference)].flatMap(key => {
      const facts = workloads.get(key)
      if (facts === undefined || facts.kind !== kind || !takes(facts, source, settings)) return []
      const known = baselineOf(key)
      const isKnown = known?.uid === markOfUid(facts.uid) && known.marks.has(sourceKey(source.reference))
      return isKnown ? [] : [facts]
    })
  }
}

/** Where workloads that may take it lie; `undefined`: anywhere. */
function placesOf({ reference, annotations }: SourceChanged): readonly (string | undefined)[] {
  const { allowNamespaces } = annotations
  return allowNamespaces.includes('*') ? [undefined] : [...new Set([reference.namespace, ...allowNamespaces])]
}

function takes(
  workload: WorkloadFacts,
  source: Pick<SourceChanged, 'reference' | 'annotations'>,
  settings: ReloadSettings,
): boolean {
  const { reload, auto } = decideReload(source, workload, settings)
  return reload && targetContainer(workload.pod, source.reference, { mustUse: auto }) !== undefined
}

function pendingKey(reference: SourceReference, kind: string): string {
  return `${kind} ${sourceKey(reference)}`
}
