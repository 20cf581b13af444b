// What ScaledObjects are to one another, from what the watches know. Nothing is kept that the cluster does not have.
import { isDeepStrictEqual } from 'node:util'
import { at } from '#kube/objects/object-fields.ts'
import { autoscalerName } from '../decisions/autoscaler.ts'
import { type Companion, type Keeping, keptAwake, reachedFrom } from '../decisions/companions.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { wishesOf } from '../decisions/wishes.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { WorkContext } from './held-object.ts'
import { knownReplicas, targetOf } from './target.ts'

/** ScaledObjects of one namespace that need others, so that a look at all of them stays short. */
const mostNeeding = 100

type CompanionContext = Pick<WorkContext, 'objects' | 'autoscalers' | 'watches' | 'wake' | 'log'>

export class Companions implements Disposable {
  readonly #context: CompanionContext
  /** Those that need others, by namespace. Hardly any cluster has one, and then nothing here takes time. */
  readonly #needing = new Map<string, Map<string, readonly string[]>>()
  readonly #unwatch: () => void

  constructor(context: CompanionContext) {
    this.#context = context
    this.#unwatch = context.objects.onChange(({ type, object, previous }) => {
      const wakes = type === 'DELETED' ? [] : wishesOf(object).wakes
      const before = this.#note(object, wakes)
      const isNews = type === 'DELETED' || previous === undefined || !isDeepStrictEqual(activityOf(previous), activityOf(object))
      if (!isNews && isDeepStrictEqual(before, wakes)) return
      const { namespace = '', name } = object.metadata
      const wakesOf = (of: string) => (of === name ? [...before, ...wakes] : (this.#needing.get(namespace)?.get(of) ?? []))
      for (const one of reachedFrom(name, wakesOf)) context.wake(`${namespace}/${one}`)
    })
  }

  /** Who keeps `object` awake; undefined: nobody does. */
  keeping({ metadata }: ScaledObject): Keeping | undefined {
    const needing = this.#needing.get(metadata.namespace ?? '')
    if (needing === undefined) return undefined
    return keptAwake(
      [...needing].slice(0, mostNeeding).flatMap(([name, wakes]) => this.#companion(metadata.namespace, name, wakes)),
    ).get(metadata.name)
  }

  [Symbol.dispose](): void {
    this.#unwatch()
  }

  /** Whom it needed before. */
  #note({ metadata }: ScaledObject, wakes: readonly string[]): readonly string[] {
    const { namespace = '', name } = metadata
    const needing = this.#needing.get(namespace) ?? new Map<string, readonly string[]>()
    const before = needing.get(name) ?? []
    if (wakes.length > 0) {
      if (needing.size === mostNeeding && before.length === 0)
        this.#context.log.warn({ namespace, most: mostNeeding }, 'more ScaledObjects need others than are looked at')
      needing.set(name, wakes)
      this.#needing.set(namespace, needing)
    } else if (needing.delete(name) && needing.size === 0) this.#needing.delete(namespace)
    return before
  }

  #companion(namespace: string | undefined, name: string, wakes: readonly string[]): readonly Companion[] {
    const object = this.#context.objects.store.get(namespace, name)
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return []
    return [{ name, wakes, isActive: isActive(object), isAwake: (this.#replicas(object) ?? 0) > 0 }]
  }

  /** As the watches know it: for kinds that are not watched, what its autoscaler saw. */
  #replicas(object: ScaledObject): number | undefined {
    const { watches, autoscalers } = this.#context
    const kind = object.status?.scaleTargetGVKR
    const known = kind === undefined ? undefined : knownReplicas(targetOf(object, kind), watches)
    if (known !== undefined) return known
    const { namespace } = object.metadata
    const seen = at(
      autoscalers.store.get(namespace, object.status?.hpaName ?? autoscalerName(object)),
      'status',
      'currentReplicas',
    )
    return typeof seen === 'number' ? seen : undefined
  }
}

/** By what its last look wrote down, or by force. */
function isActive(object: ScaledObject): boolean {
  const pauses = pausesOf(object)
  return (
    !pauses.isPaused &&
    (pauses.isForced || Object.values(object.status?.triggersActivity ?? {}).some(one => one?.isActive === true))
  )
}

/** What matters to others of it. */
function activityOf(object: ScaledObject): unknown {
  return [isActive(object), object.metadata.uid, object.metadata.deletionTimestamp]
}
