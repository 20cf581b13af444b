// What nodes and pods use, asked now and then of whoever measures in this process, else of metrics.k8s.io: it cannot be watched.
import type { UsagePeaks, UsageSource } from '#coordination/ports/usage.ts'
import type { Api } from '#kube/client/api.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import type { MeasuredPicture } from '../picture.ts'

interface UsagePollOptions {
  readonly api: Api
  readonly clock: Clock
  readonly wallClock: Clock
  /** How many pods there are. */
  readonly pods: () => number
  /** What this process measures by itself: then nobody else is asked. */
  readonly measured?: () => UsageSource | undefined
  /** Told of each object that is new or different, and of those that are gone. */
  readonly onChange: (change: { readonly isGone: boolean; readonly object: KubeObject }) => void
  /** A round is over: nothing, something or everything may be different. */
  readonly onRound: () => void
  readonly signal: AbortSignal
}

/** How whoever is asked answers. Times are the cluster's, in milliseconds of `elapsed()`. */
export interface UsageAnswer {
  /** When it answered last. */
  readonly answeredElapsed: number | undefined
  /** There are more pods than are asked about. */
  readonly isWithoutPods: boolean
  /** `absent` and `denied`: what the last answer was; else why there was none. */
  readonly trouble: { readonly kind: 'absent' | 'denied' | 'failed'; readonly message: string } | undefined
  /** What this process knows besides, where it measures. */
  readonly measured: MeasuredPicture | undefined
}

const pollEveryMs = 15_000
/** Where the cluster's time runs faster than ours it is asked no more often than so, of our time. */
const fastestMs = 1_000
/** Nodes whose figures are taken over at once: each is a row that is made anew, and told. */
const mostNodesAtOnce = 500
const betweenMs = 250
/** What one list may take. */
const listLimitMs = 10_000
/** Usage of pods is listed so seldom that the work of it is no more than this part of the time. */
const workShare = 1 / 100
/** Where there are more the use of single pods is not asked for: listing them all takes more than all else. */
export const mostPodsMeasured = 20_000

const metrics = { group: 'metrics.k8s.io', version: 'v1beta1' } as const
const nodeMetrics: GroupVersionResource = { ...metrics, resource: 'nodes' }
const podMetrics: GroupVersionResource = { ...metrics, resource: 'pods' }

/**
 * Flow: a round at once, and then one every `pollEveryMs` of the cluster while `follow` is on; without it a round is made when somebody asks
 * and the last is too old.
 * Guarantees: what was answered last stays, however long nothing comes; no timer is set while nobody follows.
 */
export class UsagePoll implements Disposable {
  readonly #options: UsagePollOptions
  readonly #known = { nodes: new Map<string, KubeObject>(), pods: new Map<string, KubeObject>() }
  #timer: Cancel | undefined
  #isFollowed = false
  #round: Promise<void> | undefined
  #triedMs = Number.NEGATIVE_INFINITY
  #triedElapsed = Number.NEGATIVE_INFINITY
  #podsNotBeforeMs = Number.NEGATIVE_INFINITY
  #answeredElapsed: number | undefined
  #trouble: UsageAnswer['trouble']
  #isWithoutPods = false
  #measured: MeasuredPicture | undefined

  constructor(options: UsagePollOptions) {
    this.#options = options
  }

  get answer(): UsageAnswer {
    return {
      answeredElapsed: this.#answeredElapsed,
      trouble: this.#trouble,
      isWithoutPods: this.#isWithoutPods,
      measured: this.#measured,
    }
  }

  /** While somebody looks. */
  follow(isOn: boolean): void {
    this.#isFollowed = isOn
    this.#timer?.()
    this.#timer = undefined
    if (isOn) this.#next()
  }

  /** A round, unless the last is young enough or under way. Resolves with the one under way. */
  ask(): Promise<void> {
    if (this.#round !== undefined) return this.#round
    const { clock, wallClock, signal } = this.#options
    const isYoung = clock.elapsed() - this.#triedElapsed < pollEveryMs || wallClock.elapsed() - this.#triedMs < fastestMs
    if (isYoung || signal.aborted) return Promise.resolve()
    this.#triedMs = wallClock.elapsed()
    this.#triedElapsed = clock.elapsed()
    this.#round = this.#ask().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  [Symbol.dispose](): void {
    this.follow(false)
  }

  #next(): void {
    const { wallClock } = this.#options
    const look = () => {
      void this.ask().then(() => {
        if (!this.#isFollowed || this.#options.signal.aborted) return
        this.#timer?.()
        this.#timer = wallClock.schedule(fastestMs, look)
      })
    }
    look()
  }

  async #ask(): Promise<void> {
    const { wallClock, clock, onRound, signal } = this.#options
    try {
      await this.#list(nodeMetrics, 'NodeMetrics', this.#known.nodes)
      this.#answeredElapsed = clock.elapsed()
      this.#trouble = undefined
      this.#isWithoutPods = this.#options.pods() > mostPodsMeasured
      if (this.#isWithoutPods) this.#forget(this.#known.pods, new Set())
      else if (wallClock.elapsed() >= this.#podsNotBeforeMs) {
        const startMs = wallClock.elapsed()
        await this.#list(podMetrics, 'PodMetrics', this.#known.pods)
        this.#podsNotBeforeMs = startMs + (wallClock.elapsed() - startMs) / workShare
      }
      this.#measured = await this.#ownWords()
    } catch (error) {
      if (signal.aborted) return
      const kind = isNotFound(error) ? 'absent' : isForbidden(error) ? 'denied' : 'failed'
      this.#trouble = { kind, message: messageOf(error) }
      // Nobody serves it any more: what it said last is nobody's word.
      if (kind !== 'failed') for (const known of [this.#known.nodes, this.#known.pods]) this.#forget(known, new Set())
    }
    onRound()
  }

  async #list(resource: GroupVersionResource, kind: string, known: Map<string, KubeObject>): Promise<void> {
    const { clock, wallClock, onChange, signal } = this.#options
    const breathe = breather(clock)
    const items = await this.#items(resource, kind, breathe)
    const seen = new Set<string>()
    let taken = 0
    for (const item of items) {
      const key = `${item.metadata.namespace ?? ''}/${item.metadata.name}`
      seen.add(key)
      const before = known.get(key)
      if (before !== undefined && before['timestamp'] === item['timestamp'] && isSame(before, item)) continue
      known.set(key, item)
      onChange({ isGone: false, object: item })
      if (kind === 'NodeMetrics' && ++taken % mostNodesAtOnce === 0) await wallClock.after(betweenMs, signal)
      else await breathe()
    }
    this.#forget(known, seen)
  }

  async #items(resource: GroupVersionResource, kind: string, breathe: () => Promise<void>): Promise<readonly KubeObject[]> {
    const { api, measured, signal } = this.#options
    const items: KubeObject[] = []
    const own = measured?.()
    if (own === undefined) {
      await api
        .resource<KubeObject>(resource)
        .visit({ signal, timeoutMs: listLimitMs }, item => void items.push(lean(item, kind)))
      return items
    }
    for (const item of kind === 'NodeMetrics' ? own.nodes() : own.pods()) {
      items.push(lean(item, kind))
      await breathe()
    }
    return items
  }

  async #ownWords(): Promise<MeasuredPicture | undefined> {
    const { measured, clock } = this.#options
    const own = measured?.()
    if (own === undefined) return undefined
    const breathe = breather(clock)
    const peaks = new Map<string, UsagePeaks>()
    for (const [key, { metadata }] of this.#known.pods) {
      const found = own.podPeaks(metadata.namespace ?? '', metadata.name)
      if (found !== undefined) peaks.set(key, found)
      await breathe()
    }
    const strictUntilMs = own.strictUntilMs?.()
    return { resolutionMs: own.resolutionMs, scrapes: [...own.scrapes()], peaks, strictUntilMs }
  }

  #forget(known: Map<string, KubeObject>, seen: ReadonlySet<string>): void {
    for (const [key, object] of known) {
      if (seen.has(key)) continue
      known.delete(key)
      this.#options.onChange({ isGone: true, object })
    }
  }
}

/** What is read of it; items of a list carry neither apiVersion nor kind. */
function lean(item: KubeObject, kind: string): KubeObject {
  const { namespace, name } = item.metadata
  return {
    apiVersion: `${metrics.group}/${metrics.version}`,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    timestamp: item['timestamp'],
    window: item['window'],
    ...(item['usage'] === undefined ? {} : { usage: item['usage'] }),
    ...(item['containers'] === undefined ? {} : { containers: item['containers'] }),
  }
}

function isSame(one: KubeObject, other: KubeObject): boolean {
  return (
    JSON.stringify([one['usage'], one['containers'], one['window']]) ===
    JSON.stringify([other['usage'], other['containers'], other['window']])
  )
}
