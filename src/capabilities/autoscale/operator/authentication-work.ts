// What is done for one authentication: its status says who uses it, and one that goes is held by no finalizer that KEDA left. Ours sets none:
// nothing is to be done at its end.
import type { Api } from '#kube/client/api.ts'
import { removeFinalizer } from '#kube/client/finalizers.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { TriggerAuthentication } from '../kinds/trigger-authentication.ts'
import { kedaFinalizer } from '../names.ts'
import { emitOn, fieldManager } from './held-object.ts'
import type { ObjectWork } from './object-queue.ts'
import { writeStatus } from './status-writes.ts'

interface AuthenticationContext {
  readonly kind: 'TriggerAuthentication' | 'ClusterTriggerAuthentication'
  readonly api: Api
  readonly clock: Clock
  readonly events: Pick<EventRecorder, 'emit'>
  readonly authentications: Informer<TriggerAuthentication>
  readonly objects: Informer<KubeObject>
  readonly jobs: Informer<KubeObject>
}

export class AuthenticationWork implements ObjectWork {
  readonly #context: AuthenticationContext
  readonly #sinceMs: number
  /** As it was looked at last, by its key. */
  readonly #seen = new Map<string, TriggerAuthentication>()

  constructor(context: AuthenticationContext) {
    this.#context = context
    this.#sinceMs = context.clock.now()
  }

  async reconcile(key: string, signal: AbortSignal): Promise<undefined> {
    const { api, authentications } = this.#context
    const [namespace = '', name = ''] = key.split('/')
    const object = authentications.store.get(namespace === '' ? undefined : namespace, name)
    if (object?.metadata.deletionTimestamp !== undefined) {
      await removeFinalizer(api.resource<TriggerAuthentication>(authentications.resource), object, kedaFinalizer, {
        fieldManager,
        signal,
      })
      this.#gone(key, object)
    } else if (object === undefined) this.#gone(key, this.#seen.get(key))
    else await this.#settle(key, object, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#seen.clear()
  }

  async #settle(key: string, object: TriggerAuthentication, signal: AbortSignal): Promise<void> {
    const { api, authentications, kind, objects, jobs } = this.#context
    const before = this.#seen.get(key)
    const isNew = before?.metadata.uid !== object.metadata.uid
    this.#seen.set(key, object)
    if (isNew && Date.parse(object.metadata.creationTimestamp ?? '') >= this.#sinceMs)
      this.#tell(object, `${kind}Added`, `New ${kind} configured`)
    // The reason and the words are upstream's, for both kinds.
    else if (before !== undefined && !isNew && before.metadata.generation !== object.metadata.generation)
      this.#tell(object, 'ClusterTriggerAuthenticationUpdated', `ClusterTriggerAuthentication ${object.metadata.name} is updated`)
    const users = (informer: Informer<KubeObject>, said: string | undefined) => usersOf(kind, object, informer, said)
    const change = (status: Readonly<Record<string, unknown>>) => ({
      ...status,
      scaledobjects: users(objects, textAt(status, 'scaledobjects')),
      scaledjobs: users(jobs, textAt(status, 'scaledjobs')),
    })
    await writeStatus(api, authentications, object, change, signal)
  }

  #gone(key: string, object: TriggerAuthentication | undefined): void {
    if (object === undefined || !this.#seen.delete(key)) return
    this.#tell(object, `${this.#context.kind}Deleted`, `${this.#context.kind} was deleted`)
  }

  #tell(object: TriggerAuthentication, reason: string, note: string): void {
    emitOn(this.#context, object, 'Normal', reason, note)
  }
}

/** Names between commas; those that were said stay in their order. Undefined: nobody uses it. */
function usersOf(
  kind: AuthenticationContext['kind'],
  { metadata }: TriggerAuthentication,
  informer: Informer<KubeObject>,
  said: string | undefined,
): string | undefined {
  const key = `${metadata.namespace ?? ''}/${metadata.name}`
  const users = new Set<string>()
  for (const user of informer.store.list(metadata.namespace))
    if (user.metadata.deletionTimestamp === undefined && authenticationsOf(user, kind).includes(key))
      users.add(user.metadata.name)
  const kept = (said ?? '').split(',').filter(name => users.delete(name))
  const names = [...kept, ...[...users].toSorted()]
  return names.length === 0 ? undefined : names.join(',')
}

/** Keys of the authentications of one kind that triggers of `object` name. */
export function authenticationsOf(object: KubeObject, wanted: AuthenticationContext['kind']): readonly string[] {
  return listAt(object, 'spec', 'triggers').flatMap(trigger => {
    const [name, kind] = [textAt(trigger, 'authenticationRef', 'name'), textAt(trigger, 'authenticationRef', 'kind')]
    if (name === undefined || name === '' || (kind ?? 'TriggerAuthentication') !== wanted) return []
    return [wanted === 'TriggerAuthentication' ? `${object.metadata.namespace ?? ''}/${name}` : `/${name}`]
  })
}
