// What every effect needs besides its permit: the way to the API server, and the proof that we still lead.
import type { Api, WriteOptions } from '#kube/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Leadership } from '../leadership.ts'
import type { Permit } from '../ledger.ts'

export interface EffectContext {
  readonly api: Api
  readonly clock: Clock
  readonly leadership: Leadership
}

/** How long the server may work on an effect: with the renew deadline of 10 s it ends before the Lease of 15 s can be lost. */
const serverTimeout = '4s'

/** Options of the one request of an effect: never repeated, ended by the server after 4 s, under the requester's name. */
export function effectOptions(requester: string, namespace: string | undefined, signal: AbortSignal): WriteOptions {
  return {
    namespace,
    signal,
    priority: 'effect',
    fieldManager: `ballast-${requester}`,
    query: { timeout: serverTimeout },
    timeoutMs: 8_000,
  }
}

/** @throws Error when the permit expired or does not speak of `target`; what the leadership throws when we lead no more. */
export function assertPermitted(
  context: EffectContext,
  permit: Permit,
  target: { readonly kind: string; readonly namespace?: string | undefined; readonly name: string },
): void {
  context.leadership.assert()
  const { record } = permit
  if (context.clock.now() >= record.grant.expiresAtMs)
    throw new Error(`permit ${record.namespace}/${record.name} expired at ${new Date(record.grant.expiresAtMs).toISOString()}`)
  const isNamed = record.targets.some(
    one => one.kind === target.kind && one.name === target.name && one.namespace === target.namespace,
  )
  if (!isNamed)
    throw new Error(
      `permit ${record.namespace}/${record.name} does not speak of ${target.kind} ${target.namespace ?? ''}/${target.name}`,
    )
}
