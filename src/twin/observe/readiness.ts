// Whether what a twin was started with is there: the objects, and the pods that its workloads ask for.
import type { Clock } from '#kube/clock.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PacedClock } from '#kube/time/paced-clock.ts'
import type { Components } from '../components.ts'
import { itemsAt, numberAt, textAt } from '../json-value.ts'
import type { Store } from '../store.ts'

/** How far a start is: objects put into the store, then pods made. */
export interface StartProgress {
  readonly step: 'load' | 'make'
  readonly done: number
  readonly total: number
}

type Work = Pick<Components, 'isDoneUntil' | 'afterTurn'>

interface ReadinessParts {
  readonly store: Pick<Store, 'list' | 'count'>
  readonly clock: Clock
  readonly onProgress: (progress: StartProgress) => void
}

/** The host's timers may fire a fraction of a millisecond early, and what they start counts as due. */
const earlyMs = 0.5

export class Readiness implements Disposable {
  readonly ready: Promise<void>
  readonly #parts: ReadinessParts
  readonly #wanted: number
  readonly #resolve: () => void
  /** Undefined before anybody works at it. */
  #isDoneUntil: Work['isDoneUntil'] | undefined
  #startedMs = 0
  #isReady = false
  #stop: () => void = () => undefined

  /** To be made when all is loaded, before the components start. */
  constructor(parts: ReadinessParts) {
    this.#parts = parts
    this.#wanted = podsWanted(parts.store)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    this.#resolve = resolve
  }

  /** From now on `work` makes what is wanted; without it nobody does, and nothing is waited for. */
  follow(work: Work | undefined): void {
    this.#isDoneUntil = work === undefined ? () => true : elapsedMs => work.isDoneUntil(elapsedMs)
    this.#startedMs = this.#parts.clock.elapsed()
    this.#look()
    if (!this.#isReady && work !== undefined) this.#stop = work.afterTurn(() => this.#look())
  }

  /** What is not there yet, in words; `undefined`: all is. */
  get missing(): string | undefined {
    this.#look()
    if (this.#isReady || standsStill(this.#parts.clock)) return undefined
    const made = this.#parts.store.count('pods')
    return made < this.#wanted ? `${made} of ${this.#wanted} pods are made` : 'controllers are at their first work'
  }

  [Symbol.dispose](): void {
    this.#stop()
  }

  #look(): void {
    if (this.#isReady || this.#isDoneUntil === undefined) return
    const { store, clock, onProgress } = this.#parts
    const made = store.count('pods')
    // A clock that is too fast for the machine leaves always something due: then the pods count, and what was due at the start.
    const isCaughtUp =
      this.#isDoneUntil(clock.elapsed() + earlyMs) || (made >= this.#wanted && this.#isDoneUntil(this.#startedMs))
    if (made <= this.#wanted) onProgress({ step: 'make', done: made, total: this.#wanted })
    if (!isCaughtUp) return
    this.#isReady = true
    this.#stop()
    this.#resolve()
  }
}

/** Where time only passes when somebody says so, nothing happens by itself: what is loaded is all there will be. */
function standsStill(clock: Clock): boolean {
  return clock instanceof VirtualClock || (clock instanceof PacedClock && clock.isPaused)
}

/** Pods that there are, and those that Deployments, StatefulSets and their like still have to make. Those of DaemonSets and Jobs are not counted. */
function podsWanted(store: Pick<Store, 'list' | 'count'>): number {
  const made = new Map<string, number>()
  const add = (object: KubeObject, pods: number) => {
    const owner = controllerOf(object)
    if (owner !== undefined) made.set(owner, (made.get(owner) ?? 0) + pods)
  }
  const has = ({ metadata }: KubeObject) => made.get(metadata.uid ?? '') ?? 0
  for (const pod of store.list('pods')) add(pod, 1)
  const sets = store.list('replicasets.apps')
  for (const set of sets) add(set, has(set))
  const scaled = ['deployments.apps', 'statefulsets.apps', 'replicationcontrollers'].flatMap(key => store.list(key))
  const owners = new Set(scaled.map(({ metadata }) => metadata.uid))
  const alone = sets.filter(set => !owners.has(controllerOf(set)))
  let wanted = store.count('pods')
  for (const object of [...scaled, ...alone]) wanted += Math.max(0, (numberAt(object, 'spec', 'replicas') ?? 1) - has(object))
  return wanted
}

function controllerOf(object: KubeObject): string | undefined {
  const owner = itemsAt(object, 'metadata', 'ownerReferences').find(one => one['controller'] === true)
  return textAt(owner, 'uid')
}
