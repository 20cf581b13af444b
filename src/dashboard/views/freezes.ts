// What is frozen: by whom, since when and why, as the annotations and the configuration say.
import { freezeOf } from '#coordination/freeze.ts'
import { frozenByAnnotation } from '#coordination/plans/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Freeze, Ref } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { rfc3339 } from '../words/time.ts'

/** Events that a freeze is told by. */
const freezeReasons: readonly string[] = ['Frozen', 'PlanPaused']

/** What the annotation `ballast.dev/freeze` on `object` says now; its scope is that object. */
export function freezeOn(picture: Picture, object: KubeObject | undefined): Freeze | null {
  const freeze = freezeOf(object, picture.nowMs)
  if (freeze === undefined || object === undefined) return null
  const { kind, metadata } = object
  return {
    since: since(picture, object),
    by: metadata.annotations?.[frozenByAnnotation] ?? 'somebody',
    reason: freeze.reason,
    scope: { kind, namespace: metadata.namespace ?? null, name: metadata.name },
  }
}

/** The freeze of everything: the configuration's, or that of Ballast's own namespace. Its scope is null. */
export function clusterFreeze(picture: Picture): Freeze | null {
  const { freeze } = picture.arbiter
  if (freeze !== false)
    return { since: null, by: 'the configuration', reason: freeze === true ? 'arbiter.freeze is set' : freeze, scope: null }
  const own = freezeOn(picture, picture.state.object('Namespace', undefined, picture.ownNamespace))
  return own === null ? null : { ...own, scope: null }
}

/** The freeze that holds for `ref`: its own, that of its namespace, or that of everything. */
export function freezeFor(picture: Picture, ref: Ref): Freeze | null {
  const { state } = picture
  const own = freezeOn(picture, state.object(ref.kind, ref.namespace ?? undefined, ref.name))
  if (own !== null) return own
  const around = ref.namespace === null ? null : freezeOn(picture, state.object('Namespace', undefined, ref.namespace))
  return around ?? clusterFreeze(picture)
}

function since({ book }: Picture, { kind, metadata }: KubeObject): string | null {
  const told = book.events.findLast(
    ({ reason, regarding }) =>
      freezeReasons.includes(reason) &&
      regarding.kind === kind &&
      regarding.name === metadata.name &&
      (regarding.namespace ?? '') === (metadata.namespace ?? ''),
  )
  return told === undefined ? null : rfc3339(told.lastMs)
}
