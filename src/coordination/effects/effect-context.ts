// What every effect needs besides its permit: the way to the API server, and the proof that we still lead.
import type { Api, WriteOptions } from '#kube/client/api.ts'
import { NotSentError } from '#kube/client/connection-error.ts'
import type { Clock } from '#kube/clock.ts'
import type { Leadership } from '../arbiter/leadership.ts'
import type { Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'

export interface EffectContext {
  readonly api: Api
  readonly clock: Clock
  readonly leadership: Leadership
}

/** How long the server may work on an effect: with the renew deadline of 10 s it ends before the Lease of 15 s can be lost. */
const serverTimeout = '4s'
/** The same with a second for the way there: whoever reads then sees whether it was done. */
export const surelyOverMs = 5_000

/** An effect comes too late: its permit is over, or is another's. */
class PermitOverError extends NotSentError {
  override readonly name = 'PermitOverError'
}

/**
 * Options of the one request of an effect: never repeated, ended by the server after 4 s, in the name that its permit says, or the requester's.
 * `guard` says whether it may still be done: it is asked again when the bytes leave, since the client's bucket, credentials and free connections
 * may have kept them waiting, and the process may have stood still meanwhile.
 */
export function effectOptions(
  by: string | Pick<PermitRecord, 'requester' | 'fieldManager'>,
  namespace: string | undefined,
  { guard, signal }: { readonly guard: () => void; readonly signal: AbortSignal },
): WriteOptions {
  const { requester, fieldManager } = typeof by === 'string' ? { requester: by, fieldManager: undefined } : by
  return {
    namespace,
    signal,
    guard,
    priority: 'effect',
    fieldManager: fieldManager ?? `ballast-${requester}`,
    query: { timeout: serverTimeout },
    timeoutMs: 8_000,
  }
}

/** What must hold when an effect of `permit` on `target` is sent; asked at once. @throws as `assertPermitted` */
export function permittedGuard(
  context: EffectContext,
  permit: Permit,
  target: Parameters<typeof assertPermitted>[2],
): () => void {
  const guard = () => assertPermitted(context, permit, target)
  guard()
  return guard
}

/** What must hold when an effect is sent that needs no permit: we lead; asked at once. @throws what the leadership throws */
export function leadingGuard({ leadership }: { readonly leadership: Pick<Leadership, 'assert'> }): () => void {
  const guard = () => leadership.assert()
  guard()
  return guard
}

/**
 * @throws NotSentError when the permit's time is over, it does not speak of `target`, or it was released or overtaken; what the leadership throws when
 * we lead no more.
 */
function assertPermitted(
  context: EffectContext,
  permit: Permit,
  target: { readonly kind: string; readonly namespace?: string | undefined; readonly name: string },
): void {
  context.leadership.assert()
  const { record } = permit
  const name = `permit ${record.namespace}/${record.name}`
  if (context.clock.elapsed() >= permit.expiresElapsedMs)
    throw new PermitOverError(`${name} expired at ${new Date(record.grant.expiresAtMs).toISOString()}`)
  const isNamed = record.targets.some(
    one => one.kind === target.kind && one.name === target.name && one.namespace === target.namespace,
  )
  if (!isNamed) throw new PermitOverError(`${name} does not speak of ${target.kind} ${target.namespace ?? ''}/${target.name}`)
  const why = whyFenced(permit)
  if (why !== undefined) throw new PermitOverError(`${name} (token ${record.grant.token}) ${why}`)
}

/**
 * Why whoever holds `permit` comes too late: it was ended, or a later leader granted something on the same workload. Tokens of one leader
 * may be out side by side, where a mode without locks let them.
 */
function whyFenced({ record, epoch, ledger }: Permit): string | undefined {
  const now = ledger
    .byKey(record.requester, record.idempotencyKey)
    .find(one => one.name === record.name && one.namespace === record.namespace && one.member === record.member)
  if (now?.releasedAtMs !== undefined) return `was released at ${new Date(now.releasedAtMs).toISOString()}`
  if (record.workload === undefined) return undefined
  const later = ledger.ofWorkload(record.workload).find(one => (one.grant?.token ?? 0) > record.grant.token && one.epoch > epoch)
  return later === undefined ? undefined : `was overtaken by ${later.name} of a later leader on ${record.workload}`
}
