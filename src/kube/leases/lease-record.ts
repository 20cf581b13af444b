// The Lease as an object: who holds it by what we saw of it, and the writes that take, renew and give it back. Expiry is
// judged only by how long we have seen no change; the clocks of other machines are never compared.
import type { ResourceApi } from '../client/api.ts'
import type { RequestOptions } from '../client/request-options.ts'
import type { Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { isAlreadyExists, isConflict, isNotFound, StatusError } from '../objects/status.ts'
import { formatMicroTime } from '../time/time.ts'

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
    /** Fields of coordinated election, kept as they are. */
    readonly [field: string]: unknown
  }
}

interface LeaseRecordOptions {
  readonly leases: ResourceApi<Lease>
  readonly namespace: string
  readonly name: string
  readonly identity: string
  readonly leaseDurationMs: number
  /** A holder that is known to act no more: its Lease is taken at once. */
  readonly outlived?: string
  /** For one request. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Log
}

/** What was last seen of the Lease, and when by our own clock. */
interface Seen {
  readonly lease: Lease
  readonly spec: string
  readonly elapsedMs: number
}

const releaseLimitMs = 5000
const releaseRetryMs = 200

export class LeaseRecord {
  readonly #options: LeaseRecordOptions
  #seen: Seen | undefined
  /** Annotations of ours: written with each renewal, and again where the Lease was deleted or they were taken away. */
  #annotations: Readonly<Record<string, string>> = {}
  #isMade = false
  #predecessor = ''

  constructor(options: LeaseRecordOptions) {
    this.#options = options
  }

  /** Who held it when it was last seen; `''` when nobody did. */
  get holder(): string {
    return this.#seen?.lease.spec?.holderIdentity ?? ''
  }

  get transitions(): number {
    return this.#seen?.lease.spec?.leaseTransitions ?? 0
  }

  /** From whom it became ours; `''` where it was given back or was nobody's. */
  get predecessor(): string {
    return this.#predecessor
  }

  /** It was ours from the moment we made it: nobody knows whether another held one that was deleted. */
  get isMade(): boolean {
    return this.#isMade
  }

  /** What is written on it, as it was last seen, and what we want there. */
  get annotations(): Readonly<Record<string, string>> {
    return { ...this.#seen?.lease.metadata.annotations, ...this.#annotations }
  }

  /** From the next write on `annotations` are on it; they stay until others of the same keys are given. */
  annotate(annotations: Readonly<Record<string, string>>): void {
    this.#annotations = { ...this.#annotations, ...annotations }
  }

  /**
   * Takes or renews it. False when it is another's, or another was faster. Where there is none it is made: `anew`, by a candidate; `as it
   * was`, by a leader where nobody can have led since its last renewal; or it is left, and nobody's. @throws what the requests throw.
   */
  async take(signal: AbortSignal, absent: 'anew' | 'as it was' | 'left' = 'anew'): Promise<boolean> {
    const { identity, outlived, clock } = this.#options
    const known = this.#seen
    if (known !== undefined && this.holder === identity && clock.elapsed() < expiryOf(known)) {
      const isRenewed = await this.#write(known.lease, signal)
      if (isRenewed) return true
    }
    const current = await this.#read(signal)
    if (current === undefined) {
      if (absent !== 'left') return this.#create(signal, absent)
      this.#seen = undefined
      return false
    }
    const holder = current.lease.spec?.holderIdentity ?? ''
    const isFree = holder === '' || holder === identity || holder === outlived
    if (!isFree && clock.elapsed() < expiryOf(current)) return false
    return this.#write(current.lease, signal)
  }

  /** Gives it back where it is ours, so that the next need not wait for its end. Tried for 5 s at most; never throws. */
  async release(): Promise<void> {
    const { clock, log, namespace, name } = this.#options
    const limit = new AbortController()
    const cancel = clock.schedule(releaseLimitMs, () =>
      limit.abort(new Error(`the lease was not released within ${releaseLimitMs} ms`)),
    )
    try {
      while (!(await this.#tryRelease(limit.signal))) await clock.after(releaseRetryMs, limit.signal)
    } catch (error) {
      log.warn({ lease: `${namespace}/${name}`, why: messageOf(error) }, 'lease not released: it ends by itself')
    } finally {
      cancel()
    }
  }

  async #tryRelease(signal: AbortSignal): Promise<boolean> {
    const { clock, identity, leases } = this.#options
    const current = await this.#read(signal)
    if (current === undefined || current.lease.spec?.holderIdentity !== identity) return true
    const now = formatMicroTime(clock.now())
    const spec = { ...current.lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now }
    try {
      this.#see(await leases.update({ ...current.lease, spec }, this.#request(signal)))
      return true
    } catch (error) {
      if (isConflict(error)) return false
      throw error
    }
  }

  async #read(signal: AbortSignal): Promise<Seen | undefined> {
    try {
      return this.#see(await this.#options.leases.get(this.#options.name, this.#request(signal)))
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #see(lease: Lease): Seen {
    const spec = JSON.stringify(lease.spec ?? {})
    const isSame = this.#seen?.spec === spec
    const elapsedMs = isSame && this.#seen !== undefined ? this.#seen.elapsedMs : this.#options.clock.elapsed()
    this.#seen = { lease, spec, elapsedMs }
    return this.#seen
  }

  async #create(signal: AbortSignal, how: 'anew' | 'as it was'): Promise<boolean> {
    const { namespace, name, leases } = this.#options
    const before = how === 'as it was' && this.holder === this.#options.identity ? this.#seen?.lease : undefined
    if (before === undefined) this.#annotations = {}
    const metadata = { namespace, name, labels: { 'ballast.dev/managed': 'true' }, annotations: this.#annotations }
    const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: this.#specOf(before) }
    try {
      this.#see(await leases.create(lease, this.#request(signal)))
      this.#isMade = before === undefined
      return true
    } catch (error) {
      if (isAlreadyExists(error)) return false
      throw error
    }
  }

  /** Conditional on the version of `lease`. False when it changed or is gone. */
  async #write(lease: Lease, signal: AbortSignal): Promise<boolean> {
    try {
      // A new term begins with what others wrote, not with what we wrote in an earlier one.
      const wasOurs = lease.spec?.holderIdentity === this.#options.identity
      if (!wasOurs) this.#annotations = {}
      const metadata = { ...lease.metadata, annotations: { ...lease.metadata.annotations, ...this.#annotations } }
      this.#see(await this.#options.leases.update({ ...lease, metadata, spec: this.#specOf(lease) }, this.#request(signal)))
      this.#isMade &&= wasOurs
      if (!wasOurs) this.#predecessor = lease.spec?.holderIdentity ?? ''
      return true
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false
      // A PUT may create a Lease, and is refused because it names the version of one that was deleted.
      if (error instanceof StatusError && (await this.#read(signal)) === undefined) return false
      throw error
    }
  }

  #specOf(lease: Lease | undefined): NonNullable<Lease['spec']> {
    const { identity, clock, leaseDurationMs } = this.#options
    const now = formatMicroTime(clock.now())
    const spec = lease?.spec ?? {}
    const wasOurs = spec.holderIdentity === identity
    const transitions = spec.leaseTransitions ?? 0
    return {
      ...spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(leaseDurationMs / 1000),
      acquireTime: wasOurs ? (spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: lease === undefined || wasOurs ? transitions : transitions + 1,
    }
  }

  #request(signal: AbortSignal): RequestOptions {
    return { namespace: this.#options.namespace, signal, priority: 'lease', timeoutMs: this.#options.timeoutMs }
  }
}

function expiryOf({ lease, elapsedMs }: Seen): number {
  return elapsedMs + (lease.spec?.leaseDurationSeconds ?? 0) * 1000
}
