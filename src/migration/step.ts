// One step of a swap: what is done, what proves it, how it is undone.
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { type Proof, yes } from '#upstreams/proof.ts'
import type { Place } from './place.ts'
import type { MigrationRecord } from './record.ts'

/** A swap that is under way: of which upstream, where, how far, and what whoever runs it agreed to. */
export interface Swap extends Place {
  readonly record: MigrationRecord
  /** Go on although something of upstream's flags is lost. */
  readonly allowLossy: boolean
  /** May Helm's own record of upstream's release be deleted? */
  readonly forgetRelease: boolean
  /** Told of each node, since a swap of many takes long. */
  readonly tell: (line: string) => void
}

export interface Step {
  readonly id: string
  readonly title: string
  /** What a person would run. */
  readonly command: string
  readonly proof: string
  readonly undo: string
  /** It does nothing unless Helm's own record may be deleted. */
  readonly forgetsRelease?: boolean
  /** How long after `run` its proof may take; none: it is looked at once. */
  readonly patienceMs?: number
  /** Absent: it only looks. */
  run?(swap: Swap): Promise<void>
  prove(swap: Swap): Promise<Proof>
  /** Puts back what an earlier step switched, where this one's proof fails. */
  revert?(swap: Swap): Promise<void>
  /** Ids of steps that are not done any more after `revert`. */
  readonly reverts?: readonly string[]
}

/** The steps of one direction for one cluster, and what whoever runs them has to be allowed. */
export interface Way {
  steps(swap: Swap): Promise<readonly Step[]>
  needs(swap: Swap): Promise<readonly Access[]>
}

export interface Access {
  readonly resource: GroupVersionResource
  readonly verb: string
  /** `undefined`: the whole cluster. */
  readonly namespace: string | undefined
}

const everyMs = 1_000

/** Asks until the answer is yes, or `patienceMs` are over; then the last answer. */
export async function eventually(
  swap: Pick<Swap, 'clock' | 'signal'>,
  patienceMs: number,
  ask: () => Promise<Proof>,
): Promise<Proof> {
  const end = swap.clock.elapsed() + patienceMs
  let proof = await ask()
  while (!proof.ok && swap.clock.elapsed() < end) {
    await swap.clock.after(everyMs, swap.signal)
    proof = await ask()
  }
  return proof
}

/** The first that fails, else what all said. */
export function all(...proofs: readonly Proof[]): Proof {
  return proofs.find(({ ok }) => !ok) ?? yes(proofs.map(({ said }) => said).join('; '))
}

/** A step that could not be carried out; what it had begun is put back. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
}
