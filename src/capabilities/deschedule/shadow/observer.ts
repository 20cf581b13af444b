// Looks at a cluster in which another descheduler works: what it evicts, and how the cluster was right before. Writes nothing.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { fieldsIn, listIn, textIn } from '#cluster/loose-fields.ts'
import { ClusterView } from '#coordination/facts/cluster-view.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { DeschedulerPolicy } from '../compat/policy/args.ts'
import { needsOf } from '../compat/run/needs.ts'
import type { MeasuredFigures } from '../compat/strategies/low-node-utilization.ts'
import { type CycleMaterial, compareCycle, type Look, type ShadowCycle } from './compare.ts'
import { attemptOf, theirController } from './their-events.ts'
import { TheirLog } from './their-log.ts'
import { ShadowWindow } from './window.ts'

interface ObserverOptions {
  readonly informers: Informers
  readonly clock: Clock
  readonly policy: DeschedulerPolicy
  /** The other one's `--descheduling-interval`, in milliseconds. */
  readonly intervalMs: number
  /** Cycles are told by lines of its log (`readLine`), else by its Events. */
  readonly byLog: boolean
  /** What the policy's providers of metrics know now. */
  readonly figures: () => Promise<MeasuredFigures>
}

/** No cycle pauses longer between two evictions; half of a shorter interval. */
const longestQuietMs = 15_000
/** How old figures of metrics get before a look. */
const figuresAgeMs = 10_000

/** Where cycles that were told by a log wait for whoever asks. */
const mostWaiting = 100

export class ShadowObserver implements Disposable {
  readonly #options: ObserverOptions
  readonly #view: ClusterView
  readonly #unsubscribe: (() => void)[] = []
  readonly #log = new TheirLog()
  readonly #told: CycleMaterial[] = []
  #window: ShadowWindow | undefined
  #measured: MeasuredFigures = {}
  #isLogOver = false

  /** Starts the watches; `open` waits for them. */
  constructor(options: ObserverOptions) {
    this.#options = options
    const { informers, policy, byLog } = options
    const needs = needsOf(policy, { isEnforced: false })
    const fields = needs.find(({ kind }) => kind === 'Pod')?.fields ?? []
    // Told before the view is, which then still shows the cluster without the change.
    const pods = informers.of<Pod>(builtIn.pods, { fields })
    this.#unsubscribe.push(pods.onChange(change => this.#podChanged(change)))
    this.#view = new ClusterView(informers, options.clock, needs)
    if (byLog) return
    const events = informers.of<KubeObject>(builtIn.events, { fieldSelector: `reportingController=${theirController}` })
    this.#unsubscribe.push(events.onChange(change => this.#eventChanged(change)))
  }

  /** Waits until the cluster is known, and begins to compare. @throws `signal.reason` */
  async open(signal: AbortSignal): Promise<void> {
    await this.#options.informers.allSynced(signal)
    this.#measured = await this.#options.figures()
    const { intervalMs } = this.#options
    const quietMs = Math.min(longestQuietMs, intervalMs / 2)
    this.#window = new ShadowWindow(this.#look(), { intervalMs, quietMs, isDryRun: false })
  }

  /** The cluster that is looked at. */
  get state(): ClusterState {
    return this.#view.state()
  }

  /** Takes in a line of the other one's log. */
  readLine(line: string): void {
    const wasWithin = this.#log.isWithin
    const cycle = this.#log.add(line)
    const nowMs = this.#options.clock.now()
    if (!wasWithin && (this.#log.isWithin || cycle !== undefined)) this.#window?.evicting(nowMs, () => this.#look())
    if (cycle !== undefined) this.#keep(this.#window?.closeAs(cycle, this.#look()))
  }

  /** The log is over: no further cycle comes. */
  endLog(): void {
    const cycle = this.#log.end()
    if (cycle !== undefined) this.#keep(this.#window?.closeAs(cycle, this.#look()))
    this.#isLogOver = true
    this.#view.ring()
  }

  /** The next cycle, compared; `undefined`: the log is over. @throws Error before `open`; `signal.reason` */
  async next(signal: AbortSignal): Promise<ShadowCycle | undefined> {
    if (this.#window === undefined) throw new Error('a shadow is opened before it compares')
    const material = this.#options.byLog ? await this.#nextTold(signal) : await this.#nextSeen(this.#window, signal)
    return material === undefined ? undefined : compareCycle(material, this.#options.policy)
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#view[Symbol.dispose]()
  }

  async #nextTold(signal: AbortSignal): Promise<CycleMaterial | undefined> {
    for (;;) {
      const isThere = () => (this.#told.length > 0 || this.#isLogOver ? true : undefined)
      await this.#view.until(isThere, { limitMs: figuresAgeMs, signal })
      if (isThere()) return this.#told.shift()
      this.#measured = await this.#options.figures()
    }
  }

  async #nextSeen(window: ShadowWindow, signal: AbortSignal): Promise<CycleMaterial> {
    const { clock, figures } = this.#options
    for (;;) {
      const { dueMs } = window
      const leftMs = dueMs - clock.now()
      if (leftMs <= 0) break
      // What is seen meanwhile may bring the end nearer.
      const isSooner = () => (window.dueMs < dueMs ? true : undefined)
      const limitMs = Math.min(leftMs, figuresAgeMs)
      if ((await this.#view.until(isSooner, { limitMs, signal })) !== true) this.#measured = await figures()
    }
    return window.close(this.#look())
  }

  #look(): Look {
    return { state: this.#view.state(), atMs: this.#options.clock.now(), measured: this.#measured }
  }

  #keep(material: CycleMaterial | undefined): void {
    if (material === undefined) return
    this.#told.push(material)
    // Looks are held with them: who does not ask loses the oldest.
    if (this.#told.length > mostWaiting) this.#told.shift()
    this.#view.ring()
  }

  #podChanged({ type, object, previous, initial }: Change<Pod>): void {
    if (initial) return
    const isEnd = type === 'DELETED' ? !isLeaving(object) : !(previous !== undefined && isLeaving(previous)) && isEvicted(object)
    if (isEnd) this.#window?.evicting(this.#options.clock.now(), () => this.#look())
  }

  #eventChanged({ type, object, initial }: Change<KubeObject>): void {
    const attempt = initial || type === 'DELETED' ? undefined : attemptOf(object)
    if (attempt === undefined) return
    this.#window?.attempted(attempt, this.#options.clock.now(), () => this.#look())
    this.#view.ring()
  }
}

function isLeaving(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp !== null
}

/** By the eviction API, whoever asked. */
function isEvicted(pod: Pod): boolean {
  const conditions = listIn(fieldsIn(pod, 'status'), 'conditions')
  return isLeaving(pod) && conditions.some(one => textIn(one, 'reason') === 'EvictionByEvictionAPI')
}
