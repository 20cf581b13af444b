// The ledger's requests: a permit created, joined, released, deleted. What becomes of a write whose answer is lost is decided here.
import type { Api, ResourceApi, WriteOptions } from '#kube/client/api.ts'
import { NotSentError } from '#kube/client/connection-error.ts'
import type { Clock } from '#kube/clock.ts'
import { isConflict, isInvalid, isNotFound, StatusError } from '#kube/objects/status.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { type DisruptionPermit, type DisruptionPermitStatus, disruptionPermits } from '../api.ts'
import type { PermitRecord } from './permit-record.ts'
import { mostJoinedTogether } from './shared-permit.ts'

/** How long the server may work on a write. */
const serverTimeoutMs = 4_000
/** A second more for the way there: whoever reads then sees whether it was done. */
export const surelyOverMs = 5_000
/** How many wishes a permit can carry beside its own; the definition of the kind says the same. */
export const mostJoined = 32
const joinTries = 3

type Joined = DisruptionPermit['spec']['joined']

/** A write was sent and nobody knows whether it was done. */
export class UncertainWriteError extends OutsideError {
  override readonly name = 'UncertainWriteError'
}

export class PermitWrites {
  readonly #api: ResourceApi<DisruptionPermit>
  readonly #clock: Clock

  /** Only these namespaces; empty: all. */
  readonly #namespaces: readonly string[]

  constructor(options: { readonly api: Api; readonly clock: Clock; readonly namespaces?: readonly string[] | undefined }) {
    this.#api = options.api.resource<DisruptionPermit>(disruptionPermits)
    this.#clock = options.clock
    this.#namespaces = options.namespaces ?? []
  }

  /** All permits, read from etcd and not from a cache. */
  async *all(signal: AbortSignal): AsyncGenerator<DisruptionPermit> {
    const places = this.#namespaces.length === 0 ? [undefined] : this.#namespaces
    for (const namespace of places) for await (const page of this.#api.pages({ namespace, signal })) yield* page.items
  }

  /**
   * Creates `permit`. A create whose answer was lost may have been done: its name is used by nobody else, so that reading it tells.
   * @throws UncertainWriteError where that was not possible either; what the server refuses.
   */
  async create(
    permit: DisruptionPermit,
    options: { readonly requester: string; readonly signal: AbortSignal },
  ): Promise<DisruptionPermit> {
    const write: WriteOptions = {
      namespace: permit.metadata.namespace,
      signal: options.signal,
      fieldManager: `ballast-${options.requester}`,
      priority: 'effect',
      query: { timeout: '4s' },
    }
    try {
      return await this.#api.create(permit, write)
    } catch (error) {
      if (error instanceof NotSentError || (error instanceof StatusError && error.code < 500)) throw error
      const found = await this.#readBack(permit, error, options.signal)
      if (found === undefined) throw error
      return found
    }
  }

  /**
   * Writes the grant in `permit` into the request that it answers, on the version that was judged. @throws as `create` does, and a conflict
   * where the request was changed meanwhile.
   */
  async grant(
    permit: DisruptionPermit,
    options: { readonly request: DisruptionPermit; readonly signal: AbortSignal },
  ): Promise<DisruptionPermit> {
    const { signal } = options
    const { name, namespace, annotations } = permit.metadata
    const { uid, resourceVersion } = options.request.metadata
    const { workload, nodes, joined, siblings, grant } = permit.spec
    const body = { metadata: { uid, resourceVersion, annotations }, spec: { workload, nodes, joined, siblings, grant } }
    try {
      return await this.#api.patch(
        name,
        { type: 'merge', body },
        { namespace, signal, priority: 'effect', fieldManager: 'ballast-arbiter', query: { timeout: '4s' } },
      )
    } catch (error) {
      if (error instanceof NotSentError || (error instanceof StatusError && error.code < 500)) throw error
      const found = await this.#readBack(permit, error, signal)
      if (found?.spec.grant?.token !== grant?.token || found === undefined) throw error
      return found
    }
  }

  /** A permit as etcd has it; `undefined` where there is none. */
  async read(
    { name, namespace }: { readonly name: string; readonly namespace: string | undefined },
    signal: AbortSignal,
  ): Promise<DisruptionPermit | undefined> {
    try {
      return await this.#api.get(name, { namespace, signal, priority: 'effect', timeoutMs: serverTimeoutMs })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /**
   * Adds wishes to a permit that is out, on the version that was read: nobody's entry is lost. `undefined` when it is out no more, or full.
   */
  async join(
    { name, namespace }: Pick<PermitRecord, 'name' | 'namespace'>,
    wishes: Joined,
    signal: AbortSignal,
  ): Promise<DisruptionPermit | undefined> {
    for (let attempt = 1; ; attempt++) {
      const permit = await this.read({ name, namespace }, signal)
      if (permit === undefined || permit.status?.releasedAt !== undefined) return undefined
      const there = permit.spec.joined ?? []
      const missing = wishes.filter(
        wish => !there.some(one => one.requester === wish.requester && one.idempotencyKey === wish.idempotencyKey),
      )
      if (missing.length === 0) return permit
      const most = permit.spec.members === undefined ? mostJoined : mostJoinedTogether
      if (there.length + missing.length > most) return undefined
      const { uid, resourceVersion } = permit.metadata
      const body = { metadata: { uid, resourceVersion }, spec: { joined: [...there, ...missing] } }
      try {
        return await this.#api.patch(
          name,
          { type: 'merge', body },
          { namespace, signal, priority: 'effect', fieldManager: 'ballast-arbiter', query: { timeout: '4s' } },
        )
      } catch (error) {
        if (!isConflict(error) || attempt >= joinTries) throw error
      }
    }
  }

  /** Writes into a permit's status. `undefined` when it is gone; as it is when it was released before: an ending is written once. */
  async setStatus(
    { name, namespace }: Pick<PermitRecord, 'name' | 'namespace'>,
    status: DisruptionPermitStatus,
    signal: AbortSignal,
  ): Promise<DisruptionPermit | undefined> {
    try {
      return await this.#api.patch(
        name,
        // An answer takes the place of the one before: what is not said any more goes.
        { type: 'merge', body: { status: { until: null, ...status } } },
        { namespace, subresource: 'status', signal, fieldManager: 'ballast-arbiter-status', query: { timeout: '4s' } },
      )
    } catch (error) {
      if (isNotFound(error)) return undefined
      if (!isInvalid(error)) throw error
      const permit = await this.read({ name, namespace }, signal)
      if (permit?.status?.releasedAt === undefined) throw error
      return permit
    }
  }

  /** Deletes a permit on the version that is known. @throws what the server refuses, but for one that is gone or was changed. */
  async delete(
    { name, namespace, resourceVersion }: Pick<PermitRecord, 'name' | 'namespace' | 'resourceVersion'>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#api.delete(name, { namespace, signal, preconditions: { resourceVersion } })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  async #readBack(permit: DisruptionPermit, cause: unknown, signal: AbortSignal): Promise<DisruptionPermit | undefined> {
    const { name, namespace } = permit.metadata
    try {
      for (const delayMs of [0, surelyOverMs]) {
        await this.#clock.after(delayMs, signal)
        const found = await this.read({ name, namespace }, signal)
        if (found?.spec.grant !== undefined) return found
      }
      return undefined
    } catch {
      // Neither the write nor the reading was answered.
      throw new UncertainWriteError(`nobody knows whether permit ${namespace ?? ''}/${name} was written`, { cause })
    }
  }
}
