// What ScaledObjects are to one another, from what the watches know. Nothing is kept that the cluster does not have, but since when one waits.
import { isDeepStrictEqual } from 'node:util'
import { readScale } from '#coordination/effects/scale-own.ts'
import { freezeOf } from '#coordination/freeze.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { autoscalerName } from '../decisions/autoscaler.ts'
import { type Companion, type Keeping, keptAwake, reachedFrom } from '../decisions/companions.ts'
import { groupKey, type Member, type Turn, turnOf } from '../decisions/one-awake.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { type Wishes, wishesOf } from '../decisions/wishes.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { annotations, preWarmCondition } from '../names.ts'
import type { WorkContext } from './held-object.ts'
import { conditionOf } from './status-writes.ts'
import { knownObject, knownReplicas, podsOf, targetOf } from './target.ts'

/** ScaledObjects of one namespace that need others, so that a look at all of them stays short. */
const mostNeeding = 100
/** Members of one group, so that a look at all of them stays short. */
const mostMembers = 64
/** While one waits for pods of others, it is seen so often whether they are gone. */
const waitingLookMs = 2_000

type CompanionContext = Pick<WorkContext, 'objects' | 'autoscalers' | 'watches' | 'wake' | 'log' | 'clock' | 'groups' | 'api'>

/** What an object is to others now. */
interface Standing {
  readonly keeping: Keeping | undefined
  readonly turn: Turn
}

export class Companions implements Disposable {
  readonly #context: CompanionContext
  /** Those that need others, by namespace. Hardly any cluster has one, and then nothing here takes time. */
  readonly #needing = new Map<string, Map<string, readonly string[]>>()
  /** Members of groups: what they ask for, by their keys. */
  readonly #groups = new Map<string, Map<string, NonNullable<Wishes['oneAwake']>>>()
  /** Since when a member waits for pods of others. */
  readonly #waiting = new Map<string, number>()
  /** Who wakes in a group does so alone: resolves when the last of them is done. */
  readonly #entrances = new Map<string, Promise<void>>()
  readonly #unwatch: readonly (() => void)[]

  constructor(context: CompanionContext) {
    this.#context = context
    const ofObjects = context.objects.onChange(({ type, object, previous }) => {
      const isGone = type === 'DELETED'
      const wished = wishesOf(object)
      const concerned = [
        ...this.#noteNeeds(object, isGone ? [] : wished.wakes),
        ...this.#noteGroup(object, isGone ? undefined : wished.oneAwake),
      ]
      const isNews = isGone || previous === undefined || !isDeepStrictEqual(newsOf(previous), newsOf(object))
      if (isNews) for (const key of concerned) context.wake(key)
    })
    const { deployments, statefulSets } = context.watches
    this.#unwatch = [ofObjects, ...[deployments, statefulSets].map(informer => this.#followTargets(informer))]
  }

  /** That a target wakes or sleeps is news for its group, and for those that it needs. */
  #followTargets(informer: Informer<KubeObject>): () => void {
    const { objects, wake } = this.#context
    return informer.onChange(({ type, object, previous }) => {
      if (this.#needing.size === 0 && this.#groups.size === 0) return
      const isUp = type !== 'DELETED' && at(object, 'spec', 'replicas') !== 0
      if (isUp === (previous !== undefined && at(previous, 'spec', 'replicas') !== 0)) return
      for (const scaled of objects.store.list(object.metadata.namespace))
        if (scaled.spec.scaleTargetRef.name === object.metadata.name) for (const key of this.#concerned(scaled)) wake(key)
    })
  }

  /** Members of its group, and whom it needs. */
  #concerned(object: ScaledObject): readonly string[] {
    const { namespace = '', name } = object.metadata
    const needing = this.#needing.get(namespace)
    const needed = needing?.has(name) === true ? [...reachedFrom(name, one => needing.get(one) ?? [])] : []
    const group = this.#groupOf(object)
    const members = group === undefined ? [] : [...(this.#groups.get(group.key)?.keys() ?? [])]
    return [...needed.map(one => `${namespace}/${one}`), ...members]
  }

  /** Who keeps `object` awake, and whether its group lets it be. `now`: what a look that is not written down yet found. */
  standing(
    object: ScaledObject,
    now?: {
      readonly isActive: boolean
      readonly isError: boolean
      readonly replicas: number
      /** It is awake, or is to be, before anybody comes. */
      readonly isWarmed: boolean
    },
  ): Standing {
    return { keeping: this.#keeping(object), turn: this.#turn(object, now) }
  }

  /** When `standing` may be another without any news; undefined: it is not known. Milliseconds. */
  changesInMs({ turn }: Standing): number | undefined {
    if (turn.kind === 'waits') return waitingLookMs
    if (turn.kind !== 'yields' || turn.untilMs === undefined) return undefined
    return Math.max(waitingLookMs, turn.untilMs - this.#context.clock.now())
  }

  /**
   * Lets `object` wake where nobody else of its group does so at the same time; the others' scales are read anew, since a watch may be behind.
   * Undefined: it is in no group. `others`: who is in its way after all.
   * @throws StatusError; `signal.reason`
   */
  async enter(object: ScaledObject, signal: AbortSignal): Promise<({ readonly turn: Turn } & Disposable) | undefined> {
    const key = keyOf(object)
    const group = this.#groupOf(object)
    if (group === undefined) return undefined
    const done = Promise.withResolvers<void>()
    const before = this.#entrances.get(group.key) ?? Promise.resolve()
    const over = before.then(() => done.promise)
    this.#entrances.set(group.key, over)
    const leave = () => {
      done.resolve()
      void over.then(() => {
        if (this.#entrances.get(group.key) === over) this.#entrances.delete(group.key)
      })
    }
    try {
      await raced(before, signal)
      const others: string[] = []
      for (const other of this.#members(group.key)) {
        if (keyOf(other) !== key && (await this.#isUp(other, signal))) others.push(keyOf(other))
      }
      const turn: Turn = others.length === 0 ? { kind: 'free' } : { kind: 'waits', group: group.name, others }
      return { turn, [Symbol.dispose]: leave }
    } catch (error) {
      leave()
      throw error
    }
  }

  [Symbol.dispose](): void {
    for (const unwatch of this.#unwatch) unwatch()
  }

  #keeping({ metadata }: ScaledObject): Keeping | undefined {
    const { namespace = '', name } = metadata
    const needing = this.#needing.get(namespace)
    if (needing === undefined) return undefined
    const companions = [...needing].slice(0, mostNeeding).flatMap(([one, wakes]): readonly Companion[] => {
      const object = this.#present(namespace, one)
      if (object === undefined) return []
      return [{ name: one, wakes, isActive: isAsked(object), isAwake: (this.#replicas(object) ?? 0) > 0 }]
    })
    return keptAwake(companions).get(name)
  }

  #groupOf({ metadata }: ScaledObject): { readonly key: string; readonly name: string } | undefined {
    const { namespace = '', name } = metadata
    for (const [key, members] of this.#groups) {
      const wish = members.get(`${namespace}/${name}`)
      if (wish !== undefined) return { key, name: wish.group }
    }
    return undefined
  }

  #turn(object: ScaledObject, now: Parameters<Companions['standing']>[1]): Turn {
    const group = this.#groupOf(object)
    if (group === undefined) return { kind: 'free' }
    const key = keyOf(object)
    const members = this.#members(group.key).map(one => this.#member(one, group.key, keyOf(one) === key ? now : undefined))
    const { clock } = this.#context
    const nowMs = clock.now()
    const waitingSinceMs = this.#waiting.get(key)
    const turn = turnOf(key, members, { group: group.name, nowMs, waitingSinceMs })
    // Who is free because it waited long enough is not to begin anew before it is awake.
    const isAwake = members.some(one => one.key === key && one.isAwake)
    if (turn.kind === 'yields' || isAwake) this.#waiting.delete(key)
    else if (turn.kind === 'waits') this.#waiting.set(key, waitingSinceMs ?? nowMs)
    return turn
  }

  #members(group: string): readonly ScaledObject[] {
    const keys = [...(this.#groups.get(group)?.keys() ?? [])].toSorted().slice(0, mostMembers)
    return keys.flatMap(key => {
      const [namespace = '', name = ''] = key.split('/')
      return this.#present(namespace, name) ?? []
    })
  }

  #member(object: ScaledObject, group: string, now: Parameters<Companions['standing']>[1]): Member {
    const { spec, status, metadata } = object
    const replicas = now?.replicas ?? this.#replicas(object) ?? 0
    const isUnknown = now?.isError ?? isFailing(object)
    const isLeast = (spec.minReplicaCount ?? 0) > 0 && spec.idleReplicaCount === undefined
    const asked = now?.isActive ?? isAsked(object)
    const isActive = !pausesOf(object).isPaused && (asked || isLeast || this.#keeping(object) !== undefined)
    const kind = status?.scaleTargetGVKR
    const lastMs = Date.parse(status?.lastActiveTime ?? '')
    return {
      key: keyOf(object),
      priority: this.#groups.get(group)?.get(`${metadata.namespace ?? ''}/${metadata.name}`)?.priority ?? 0,
      isActive: isActive || (isUnknown && replicas > 0),
      isAwake: replicas > 0,
      isWarmed: !isActive && (now?.isWarmed ?? isWarmed(object)),
      fixedBy: this.#heldBy(object) ?? (pausesOf(object).isScaleInPaused ? `${annotations.pausedScaleIn} is set` : undefined),
      canWake: this.#heldBy(object) === undefined && !pausesOf(object).isScaleOutPaused,
      pods: kind === undefined ? [] : podsOf(targetOf(object, kind), this.#context.watches),
      lastActiveMs: Number.isNaN(lastMs) ? undefined : lastMs,
    }
  }

  /** Why it is not scaled at all. */
  #heldBy(object: ScaledObject): string | undefined {
    if (pausesOf(object).isPaused) return 'it is paused'
    const ready = object.status?.conditions?.find(({ type }) => type === 'Ready')
    if (ready?.status === 'False' && ready.reason === 'ScaledObjectCheckFailed')
      return 'what is wrong with it keeps it from being scaled'
    const { clock, watches } = this.#context
    const kind = object.status?.scaleTargetGVKR
    const target = kind === undefined ? undefined : knownObject(targetOf(object, kind), watches)
    return (freezeOf(object, clock.now()) ?? freezeOf(target, clock.now()))?.where
  }

  #present(namespace: string, name: string): ScaledObject | undefined {
    const object = this.#context.objects.store.get(namespace, name)
    return object?.metadata.deletionTimestamp === undefined ? object : undefined
  }

  /** As the watches know it: for kinds that are not watched, what its autoscaler saw. */
  #replicas(object: ScaledObject): number | undefined {
    const { watches, autoscalers } = this.#context
    const kind = object.status?.scaleTargetGVKR
    const known = kind === undefined ? undefined : knownReplicas(targetOf(object, kind), watches)
    if (known !== undefined) return known
    const name = object.status?.hpaName ?? autoscalerName(object)
    const seen = at(autoscalers.store.get(object.metadata.namespace, name), 'status', 'currentReplicas')
    return typeof seen === 'number' ? seen : undefined
  }

  /** As the server knows it. */
  async #isUp(object: ScaledObject, signal: AbortSignal): Promise<boolean> {
    const kind = object.status?.scaleTargetGVKR
    if (kind === undefined) return false
    try {
      return ((await readScale(this.#context, targetOf(object, kind), signal)).spec?.replicas ?? 0) > 0
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  /** Whom it concerns that `object` is as it is. */
  #noteNeeds({ metadata }: ScaledObject, wakes: readonly string[]): readonly string[] {
    const { namespace = '', name } = metadata
    const needing = this.#needing.get(namespace) ?? new Map<string, readonly string[]>()
    const before = needing.get(name) ?? []
    if (wakes.length > 0) {
      if (needing.size === mostNeeding && before.length === 0)
        this.#context.log.warn({ namespace, most: mostNeeding }, 'more ScaledObjects need others than are looked at')
      needing.set(name, wakes)
      this.#needing.set(namespace, needing)
    } else if (needing.delete(name) && needing.size === 0) this.#needing.delete(namespace)
    const wakesOf = (of: string) => (of === name ? [...before, ...wakes] : (this.#needing.get(namespace)?.get(of) ?? []))
    return [...reachedFrom(name, wakesOf)].map(one => `${namespace}/${one}`)
  }

  /** Whom it concerns that `object` is as it is. */
  #noteGroup(object: ScaledObject, wish: Wishes['oneAwake']): readonly string[] {
    const { namespace = '' } = object.metadata
    const key = keyOf(object)
    const before = this.#groupOf(object)?.key
    const now = wish === undefined ? undefined : groupKey(wish.group, namespace, this.#context.groups)
    const concerned = [before, now].flatMap(group => (group === undefined ? [] : [...(this.#groups.get(group)?.keys() ?? [])]))
    if (before !== undefined && before !== now) {
      const members = this.#groups.get(before)
      members?.delete(key)
      if (members?.size === 0) this.#groups.delete(before)
    }
    if (now === undefined || wish === undefined) {
      this.#waiting.delete(key)
      return concerned
    }
    const members = this.#groups.get(now) ?? new Map<string, NonNullable<Wishes['oneAwake']>>()
    if (members.size === mostMembers && !members.has(key))
      this.#context.log.warn({ group: now, most: mostMembers }, 'a group has more ScaledObjects than are looked at')
    members.set(key, wish)
    this.#groups.set(now, members)
    return concerned.filter(one => one !== key)
  }
}

/** `namespace/name` */
function keyOf({ metadata }: ScaledObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

/** By what its last look wrote down, or by force. */
function isAsked(object: ScaledObject): boolean {
  const { isPaused, isForced } = pausesOf(object)
  const isActive = Object.values(object.status?.triggersActivity ?? {}).some(one => one?.isActive === true)
  return !isPaused && (isForced || isActive)
}

/** It was woken before anybody came, and nobody came yet. */
function isWarmed(object: ScaledObject): boolean {
  return conditionOf(object, preWarmCondition)?.status === 'True'
}

/** Its triggers could not all be asked: whether it is active is not known. */
function isFailing({ status }: ScaledObject): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return ready?.reason === 'TriggerError' || Object.values(status?.health ?? {}).some(one => one?.status === 'Failing')
}

/** What matters of it to others. */
function newsOf(object: ScaledObject): unknown {
  const { uid, deletionTimestamp, annotations: asked } = object.metadata
  return [isAsked(object), isFailing(object), isWarmed(object), uid, deletionTimestamp, asked]
}

/** @throws `signal.reason` */
async function raced(waited: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([waited, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
