// The arbiter's book: DisruptionPermit objects in the API server. A Permit comes into being only by being written there, so that
// no effect can be without its record.
import type { Api, ResourceApi, WriteOptions } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informer.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isConflict, isNotFound, StatusError } from '#kube/status.ts'
import { workloadKey } from '#planning/policy.ts'
import { ballastApiVersion, type DisruptionPermit, disruptionPermits } from './api.ts'
import { type Intent, targetKey } from './intent.ts'
import type { Leadership } from './leadership.ts'
import { type Ending, isActive, leaderEpochAnnotation, type PermitRecord, recordOf } from './permit-record.ts'
import type { Verdict } from './policy.ts'
import { objectionSentence } from './sentences.ts'

declare const written: unique symbol

/** Leave to disrupt, written down before it was handed out. Only the ledger makes one. */
export interface Permit {
  readonly record: PermitRecord & { readonly grant: NonNullable<PermitRecord['grant']> }
  readonly [written]: true
}

interface LedgerOptions {
  readonly api: Api
  readonly permits: Informer<DisruptionPermit>
  readonly leadership: Leadership
  readonly clock: Clock
  readonly log: Log
  /** Our own namespace: where permits for nodes and machines lie. */
  readonly namespace: string
}

/** How long a released permit stays readable, in milliseconds: longer than every cool-down and the day of reverse moves. */
const keptMs = 48 * 3_600_000
/** Tokens of one epoch start above those of every earlier one, also when all permits were deleted. */
const tokensPerEpoch = 1_000_000
const siblingLimit = 50
const serverTimeoutMs = 4_000

/**
 * Flow: `takeOver` once after the Lease was won, then `grant` before and `release` after each effect.
 * Guarantees: tokens rise; a grant is in the API server before the Permit exists; the Lease was renewed by compare-and-swap before.
 * Assumes that calls come one after the other (the arbiter's queue sees to it).
 */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #api: ResourceApi<DisruptionPermit>
  #epoch = 0
  #token = 0

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#api = options.api.resource<DisruptionPermit>(disruptionPermits)
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Every permit known, in order of namespace and name. */
  records(): readonly PermitRecord[] {
    return [...this.#options.permits.store.list()]
      .map(recordOf)
      .sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
  }

  /** Reads all permits from etcd (not from a cache), so that nothing granted by an earlier leader is missed, and begins a new epoch. */
  async takeOver(signal: AbortSignal): Promise<void> {
    let highest = this.#options.leadership.transitions
    for await (const page of this.#api.pages({ signal })) {
      for (const permit of page.items) {
        this.#options.permits.observe(permit)
        const record = recordOf(permit)
        highest = Math.max(highest, record.epoch)
        this.#token = Math.max(this.#token, record.grant?.token ?? 0)
      }
    }
    this.#epoch = highest + 1
    this.#token = Math.max(this.#token, this.#epoch * tokensPerEpoch)
  }

  /**
   * Writes a grant: the Lease first, by compare-and-swap, then the permit.
   * @throws what the API server refuses; `LostLeaseError` of the leadership. Then there is no permit and nothing may be done.
   */
  async grant(
    intent: Intent,
    verdict: Verdict & { kind: 'grant' },
    context: { siblings: readonly string[]; nowMs: number; signal: AbortSignal },
  ): Promise<Permit> {
    await this.#options.leadership.confirm(context.signal)
    const token = ++this.#token
    const permit = this.#permitObject(intent, verdict, { ...context, token })
    const options = {
      namespace: permit.metadata.namespace,
      signal: context.signal,
      fieldManager: `ballast-${intent.requester}`,
      priority: 'effect' as const,
      query: { timeout: '4s' },
    }
    const stored = await this.#createOrReadBack(permit, options)
    this.#options.permits.observe(stored)
    return minted(recordOf(stored))
  }

  /** The permit of an earlier leader (or of this one) taken up again. @throws Error when it is not out, or was written by a later leader. */
  adopt(record: PermitRecord): Permit {
    if (!isActive(record)) throw new Error(`permit ${record.namespace}/${record.name} is not out any more`)
    if (record.epoch > this.#epoch)
      throw new Error(
        `permit ${record.namespace}/${record.name} was written by a later leader (epoch ${record.epoch}, ours is ${this.#epoch})`,
      )
    return minted(record)
  }

  /** Writes how it ended. A permit that is gone, or released already, is left as it is; asking twice does nothing. */
  async release(record: PermitRecord, ending: Ending, reason: string, signal: AbortSignal): Promise<void> {
    this.#options.leadership.assert()
    const known = this.#options.permits.store.get(record.namespace, record.name)
    const wouldBe = known?.spec.grant?.wouldBe
    const releasedAt = new Date(this.#options.clock.now()).toISOString()
    const status = {
      decision: 'Granted',
      releasedAt,
      ending,
      reason: reason.slice(0, 4096),
      ...(wouldBe === undefined ? {} : { wouldBe }),
    }
    if (known !== undefined && recordOf(known).releasedAtMs !== undefined) return
    try {
      const stored = await this.#api.patch(
        record.name,
        { type: 'merge', body: { status } },
        { namespace: record.namespace, subresource: 'status', signal, fieldManager: 'ballast-arbiter-status' },
      )
      this.#options.permits.observe(stored)
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#options.log.warn({ permit: `${record.namespace}/${record.name}` }, 'a permit was deleted before its release')
    }
  }

  /** Deletes permits released longer ago than any rule looks back. */
  async forgetOld(signal: AbortSignal): Promise<void> {
    const beforeMs = this.#options.clock.now() - keptMs
    for (const record of this.records()) {
      if (record.releasedAtMs === undefined || record.releasedAtMs >= beforeMs) continue
      try {
        await this.#api.delete(record.name, {
          namespace: record.namespace,
          signal,
          preconditions: { resourceVersion: record.resourceVersion },
        })
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) {
          this.#options.log.warn(
            { permit: `${record.namespace}/${record.name}`, error: messageOf(error) },
            'an old permit could not be deleted',
          )
        }
      }
    }
  }

  /** A create whose answer was lost may have been done: its name is used by nobody else, so that reading it tells. */
  async #createOrReadBack(permit: DisruptionPermit, options: WriteOptions): Promise<DisruptionPermit> {
    try {
      return await this.#api.create(permit, options)
    } catch (error) {
      if (error instanceof StatusError && error.code < 500) throw error
      options.signal.throwIfAborted()
      // The server works on it for 4 s at most.
      for (const delayMs of [0, serverTimeoutMs]) {
        await this.#options.clock.after(delayMs, options.signal)
        const found = await this.#read(permit, options)
        if (found !== undefined) return found
      }
      throw error
    }
  }

  async #read(permit: DisruptionPermit, { namespace, signal }: WriteOptions): Promise<DisruptionPermit | undefined> {
    try {
      return await this.#api.get(permit.metadata.name, { namespace, signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #permitObject(
    intent: Intent,
    verdict: Verdict & { kind: 'grant' },
    { siblings, nowMs, token }: { siblings: readonly string[]; nowMs: number; token: number },
  ): DisruptionPermit {
    const expiresAtMs = nowMs + intent.timeToLiveMs
    const wouldBe =
      verdict.wouldBe === undefined
        ? {}
        : {
            wouldBe: {
              decision: verdict.wouldBe.decision,
              rule: verdict.wouldBe.objection.rule,
              message: objectionSentence(verdict.wouldBe.objection).slice(0, 1024),
            },
          }
    return {
      apiVersion: ballastApiVersion,
      kind: 'DisruptionPermit',
      metadata: {
        name: permitName(intent, token),
        namespace: intent.targets[0]?.namespace ?? this.#options.namespace,
        labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': intent.requester },
        annotations: { [leaderEpochAnnotation]: String(this.#epoch) },
      },
      spec: {
        requester: intent.requester,
        class: intent.class,
        verb: intent.verb,
        purpose: intent.purpose,
        targets: intent.targets.map(target => ({ ...target })),
        ...(intent.workload === undefined ? {} : { workload: workloadKey(intent.workload) }),
        reasons: intent.reasons.map(reason => ({
          code: reason.code,
          message: reason.message,
          ...(reason.data === undefined ? {} : { data: { ...reason.data } }),
        })),
        idempotencyKey: intent.idempotencyKey,
        ...(intent.batch === undefined ? {} : { batch: intent.batch }),
        deadline: new Date(intent.deadlineMs).toISOString(),
        siblings: siblings.slice(0, siblingLimit),
        grant: { token, at: new Date(nowMs).toISOString(), expiresAt: new Date(expiresAtMs).toISOString(), ...wouldBe },
      },
    }
  }
}

/** The one place where a Permit is made, from a record that the API server has. */
function minted(record: PermitRecord): Permit {
  if (record.grant === undefined) throw new Error(`permit ${record.namespace}/${record.name} carries no grant`)
  return { record } as Permit
}

/** `evict-cart-7c9f-2000017`: a name that is never used twice, because tokens rise. */
function permitName(intent: Intent, token: number): string {
  const [first] = intent.targets
  const subject = first === undefined ? intent.requester : targetKey({ name: first.name })
  return `${intent.verb}-${subject.slice(0, 200)}-${token}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
