// DisruptionPermits that the cluster has no place for, kept in this process: who only swapped upstream's image has neither our kinds nor
// rights to them. The arbiter writes and reads as ever; what was done is forgotten at a restart.
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import type { Api, ResourceApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { wholeProjection } from '#kube/informers/projection.ts'
import { type Change, Store } from '#kube/informers/store.ts'
import { applyMergePatch } from '#kube/objects/merge-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { formatTime } from '#kube/time/time.ts'

/** Permits that are remembered; of those that are over the oldest go first. */
const mostRemembered = 2_000

type Handler = (change: Change<DisruptionPermit>) => void

interface Surroundings {
  readonly clock: Clock
  readonly random: Random
}

/** `api` with permits of its own, and the watch of them. All else goes to the cluster. */
export function permitsInMemory(
  api: Api,
  around: Surroundings,
): { readonly api: Api; readonly permits: Informer<DisruptionPermit> } {
  const memory = new MemoryPermits(around)
  const key = resourceKey(disruptionPermits)
  // Nobody else writes what is kept here: no guard is asked.
  const withMemory = (cluster: Api): Api => ({
    ...cluster,
    resource: <T extends KubeObject>(resource: GroupVersionResource): ResourceApi<T> =>
      // One resource has one type.
      resourceKey(resource) === key
        ? (memory.resource as ResourceApi<KubeObject> as ResourceApi<T>)
        : cluster.resource<T>(resource),
    under: guard => withMemory(cluster.under(guard)),
  })
  return { api: withMemory(api), permits: memory.informer }
}

class MemoryPermits {
  readonly resource: ResourceApi<DisruptionPermit>
  readonly informer: Informer<DisruptionPermit>
  readonly #around: Surroundings
  readonly #store: Store<DisruptionPermit>
  readonly #handlers = new Set<Handler>()
  /** Namespace and name, oldest first. */
  readonly #byAge: (readonly [string | undefined, string])[] = []
  #version = 0

  constructor(around: Surroundings) {
    this.#around = around
    this.#store = new Store<DisruptionPermit>({
      clock: around.clock,
      projection: wholeProjection(),
      // Who writes a permit knows it by the answer; what is forgotten has to be told.
      onChange: change => {
        if (change.type === 'DELETED') for (const handler of this.#handlers) handler(change)
      },
    })
    this.#store.replace([], '0')
    this.resource = this.#resource()
    this.informer = this.#informer()
  }

  #resource(): ResourceApi<DisruptionPermit> {
    const store = this.#store
    const unasked = (): never => {
      throw new Error('permits in memory are created, read, patched and deleted one by one')
    }
    const list = async () => ({
      apiVersion: 'v1',
      kind: 'List',
      metadata: { resourceVersion: String(this.#version) },
      items: [...store.list()],
    })
    return {
      resource: disruptionPermits,
      get: async (name, { namespace }) => this.#found(namespace, name),
      list,
      async *pages() {
        yield await list()
      },
      create: async permit => this.#create(permit),
      patch: async (name, { body }, { namespace }) => this.#put(applyMergePatch(this.#found(namespace, name), body)),
      delete: async (name, { namespace }) => {
        const permit = this.#found(namespace, name)
        store.remove(permit)
        return permit
      },
      bytes: unasked,
      listBytes: unasked,
      visit: unasked,
      watch: unasked,
      update: unasked,
      updateStatus: unasked,
      apply: unasked,
      deleteCollection: unasked,
      sub: unasked,
    }
  }

  #informer(): Informer<DisruptionPermit> {
    const { clock } = this.#around
    return {
      resource: disruptionPermits,
      store: this.#store,
      synced: Promise.resolve(),
      isSynced: true,
      state: 'synced',
      problem: undefined,
      get lastEventElapsed() {
        return clock.elapsed()
      },
      counts: { events: 0, applyMs: 0, skipped: 0, relists: {}, watchRestarts: {} },
      estimatedBytes: 0,
      onChange: handler => {
        this.#handlers.add(handler)
        return () => this.#handlers.delete(handler)
      },
      observe: () => undefined,
      retryNow: () => undefined,
      isPolled: false,
      freshen: async () => undefined,
    }
  }

  #found(namespace: string | undefined, name: string): DisruptionPermit {
    const found = this.#store.get(namespace, name)
    if (found !== undefined) return found
    const message = `disruptionpermits.ballast.dev "${name}" not found`
    throw new StatusError({
      apiVersion: 'v1',
      kind: 'Status',
      metadata: {},
      status: 'Failure',
      code: 404,
      reason: 'NotFound',
      message,
    })
  }

  #create(permit: DisruptionPermit): DisruptionPermit {
    const { clock, random } = this.#around
    const metadata = { ...permit.metadata, uid: randomUuid(random), creationTimestamp: formatTime(clock.now()) }
    const created = this.#put({ ...permit, metadata })
    this.#byAge.push([metadata.namespace, metadata.name])
    this.#forgetOldest()
    return created
  }

  /** What is patched was a permit and stays one: only the arbiter writes here. */
  #put(value: unknown): DisruptionPermit {
    const permit = value as DisruptionPermit
    const stored = { ...permit, metadata: { ...permit.metadata, resourceVersion: String(++this.#version) } }
    this.#store.upsert(stored)
    return stored
  }

  #forgetOldest(): void {
    while (this.#store.size > mostRemembered) {
      const [namespace, name = ''] = this.#byAge[0] ?? []
      const permit = this.#store.get(namespace, name)
      // One that is out locks: what came after it waits for its end.
      if (permit !== undefined && permit.status?.releasedAt === undefined) return
      if (permit !== undefined) this.#store.remove(permit)
      this.#byAge.shift()
    }
  }
}
