// What the controllers of the twin's own kinds share: objects come and go, a spec is taken up or found wrong, and its status says which.
import { withCondition } from '#kube/objects/conditions.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { InputError, type Problem, problemSentence } from '#kube/problem.ts'
import type { ClusterAccess, StoreEvent, Writer } from '../access.ts'
import type { EventRecorder } from '../components/event-recorder.ts'
import { fieldsAt, isSame, itemsAt } from '../json-value.ts'

export const twinWriter: Writer = { manager: 'ballast-twin', user: 'system:ballast-twin' }

export interface KindContext {
  readonly access: ClusterAccess
  readonly events: EventRecorder
  /** The cluster's time, milliseconds since 1970. */
  readonly now: () => number
}

/** What is done with the objects of a kind. */
export interface KindHandler {
  readonly resource: string
  /** Takes up a spec that is new or changed; the result is what its status says beside the condition. @throws InputError */
  set(object: KubeObject): Readonly<Record<string, unknown>>
  /** Lets go of it: deleted, or about to be set anew. */
  unset(name: string): void
}

const source = { component: 'ballast-twin', writer: twinWriter }

/** Follows the objects of a kind from now on, those that are there already included. Disposing lets go of all of them. */
export function followKind(context: KindContext, handler: KindHandler): Disposable {
  const generations = new Map<string, { readonly uid: string | undefined; readonly generation: number }>()
  const stack = new DisposableStack()
  const take = (object: KubeObject) => {
    const { name, uid, generation = 0 } = object.metadata
    const known = generations.get(name)
    if (known?.uid === uid && known?.generation === generation) return
    if (known !== undefined) handler.unset(name)
    generations.set(name, { uid, generation })
    takeUp(context, handler, object)
  }
  const drop = ({ metadata: { name } }: KubeObject) => {
    if (generations.delete(name)) handler.unset(name)
  }
  const onEvent = ({ type, object }: StoreEvent) => (type === 'DELETED' ? drop(object) : take(object))
  stack.defer(() => {
    for (const name of generations.keys()) handler.unset(name)
  })
  stack.defer(context.access.subscribe(handler.resource, onEvent))
  for (const object of context.access.list(handler.resource)) take(object)
  return stack
}

function takeUp(context: KindContext, handler: KindHandler, object: KubeObject): void {
  try {
    writeStatus(context, handler.resource, object.metadata.name, { fields: handler.set(object), problems: [] })
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const [first] = error.problems
    if (first !== undefined)
      context.events.record(object, source, { type: 'Warning', reason: reasonOf(first), message: error.message })
    writeStatus(context, handler.resource, object.metadata.name, { fields: {}, problems: error.problems })
  }
}

/** Puts fields into the status; with `problems` (none: all is well) the condition Ready too. */
export function writeStatus(
  { access, now }: KindContext,
  resource: string,
  name: string,
  { fields, problems }: { readonly fields: Readonly<Record<string, unknown>>; readonly problems?: readonly Problem[] },
): void {
  const object = access.get(resource, undefined, name)
  if (object === undefined) return
  const before = fieldsAt(object, 'status') ?? {}
  const known = itemsAt(before, 'conditions') as readonly Partial<Condition>[] as readonly Condition[]
  const conditions = problems === undefined ? known : withCondition(known, readyCondition(problems, object), now())
  const status = { ...before, ...fields, conditions }
  if (isSame(status, before)) return
  try {
    access.update(resource, { ...object, status }, twinWriter, { subresource: 'status' })
  } catch (error) {
    // Somebody was quicker: their change comes round as an event of its own.
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}

function readyCondition(problems: readonly Problem[], object: KubeObject) {
  const [first] = problems
  return {
    type: 'Ready',
    status: first === undefined ? ('True' as const) : ('False' as const),
    reason: first === undefined ? 'Accepted' : reasonOf(first),
    message: first === undefined ? 'the spec is in force' : problems.map(problemSentence).join('\n'),
    observedGeneration: object.metadata.generation ?? 0,
  }
}

function reasonOf({ code }: Problem): string {
  return code.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
}
