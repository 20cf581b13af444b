// Whose turn it is by upstream's Lease: the old one and ours both stand for it, and who holds it acts and answers.
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { formatMicroTime } from '#kube/time/time.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { LedApiPart, Upstream } from '#upstreams/upstream.ts'
import { of } from '../access.ts'
import { fieldManager } from '../own-made.ts'
import type { Loop, Ours } from '../place.ts'
import { listOf } from '../reading.ts'
import type { Access, Swap } from '../step.ts'

type Turn = 'ours' | 'theirs' | 'nobody'

interface Turned {
  readonly turn: Turn
  /** As a person reads it. */
  readonly said: string
}

const holderOf = (lease: KubeObject): string => textAt(lease, 'spec', 'holderIdentity') ?? ''

/** Pods name themselves after their workload. */
const isOf = (loop: Pick<Loop, 'name'> | undefined, holder: string): boolean =>
  loop !== undefined && holder.startsWith(`${loop.name}-`)

async function leasesOf({ api, signal }: Swap, part: LedApiPart): Promise<readonly KubeObject[]> {
  return listOf(api, builtIn.leases, 'Lease', { signal, fieldSelector: `metadata.name=${part.lease}` })
}

/** Who holds it now; one that nobody renewed for its own length is nobody's. */
export async function turnOf(swap: Swap, part: LedApiPart, ours: Ours | undefined): Promise<Turned> {
  const held = (await leasesOf(swap, part)).filter(lease => holderOf(lease) !== '' && !isOver(lease, swap.clock.now()))
  const names = held.map(lease => `${lease.metadata.namespace}/${lease.metadata.name} is held by ${holderOf(lease)}`)
  if (held.length === 0) return { turn: 'nobody', said: `nobody holds Lease ${part.lease}` }
  const isAllOurs = held.every(lease => isOf(ours?.loop, holderOf(lease)))
  return { turn: isAllOurs ? 'ours' : 'theirs', said: `Lease ${names.join(', ')}` }
}

function isOver(lease: KubeObject, nowMs: number): boolean {
  const renewedMs = Date.parse(textAt(lease, 'spec', 'renewTime') ?? '')
  const seconds = numberAt(lease, 'spec', 'leaseDurationSeconds') ?? 0
  return Number.isNaN(renewedMs) || nowMs - renewedMs > 2 * seconds * 1_000
}

/** Why ours would not wait for the Lease that upstream in `namespace` has; `undefined`: it waits. */
export function unguarded(
  { capability }: Pick<Upstream, 'capability'>,
  { lease }: Pick<LedApiPart, 'lease'>,
  ours: Pick<Ours, 'guardLease' | 'loop' | 'file'> | undefined,
  namespace: string,
): string | undefined {
  const { guardLease, loop, file } = ours ?? {}
  const isRight = guardLease?.enabled !== false && (guardLease?.namespace ?? namespace) === namespace
  if (guardLease === undefined || isRight) return undefined
  const found = guardLease.enabled ? `guardLease.namespace: ${guardLease.namespace}` : 'guardLease.enabled: false'
  const running = loop === undefined || loop.replicas === 0 ? '' : `, and restart Deployment ${loop.namespace}/${loop.name}`
  return `capabilities.${capability} has ${found} in ConfigMap ${file?.metadata.namespace}/${file?.metadata.name}: ours would not wait for Lease ${namespace}/${lease}, and act beside upstream. Write guardLease: {enabled: true, namespace: ${namespace}}${running}, then begin anew. Nothing was written`
}

/** Has ours the Lease of that very namespace, so that whoever wakes there waits for it? */
export async function isHeldAt(swap: Swap, part: LedApiPart, ours: Ours | undefined, namespace: string): Promise<boolean> {
  const there = (await leasesOf(swap, part)).find(({ metadata }) => metadata.namespace === namespace)
  return there !== undefined && isOf(ours?.loop, holderOf(there)) && !isOver(there, swap.clock.now())
}

export async function holds(swap: Swap, part: LedApiPart, ours: Ours | undefined, who: 'ours' | 'theirs'): Promise<Proof> {
  const { turn, said } = await turnOf(swap, part, ours)
  return turn === who ? yes(said) : no(said)
}

/**
 * Gives back in its holder's place what a process that has ended left behind, as it would have done itself: the next need not wait for its
 * end. Whoever wrote it meanwhile keeps it.
 */
export async function freeLeft(swap: Swap, part: LedApiPart, ended: Pick<Loop, 'name'>): Promise<void> {
  const { api, clock, signal } = swap
  for (const lease of await leasesOf(swap, part)) {
    if (!isOf(ended, holderOf(lease))) continue
    const now = formatMicroTime(clock.now())
    const spec = { ...Object(lease['spec']), holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now }
    const { namespace } = lease.metadata
    try {
      await api.resource<KubeObject>(builtIn.leases).update({ ...lease, spec }, { namespace, signal, fieldManager })
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }
}

/** Rights to look at it, and to give it back. */
export const ofLease = (namespace: string): readonly Access[] => [
  of(builtIn.leases, undefined, 'list'),
  of(builtIn.leases, namespace, 'update'),
]
