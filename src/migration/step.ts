// One step of a swap: what is done, what proves it, how it is undone.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { MigrationRecord } from './record.ts'
import { type OwnState, type Reach, readSituation, type Situation } from './situation.ts'

export interface Proof {
  readonly ok: boolean
  /** What was seen, or what is missing and how to get it. */
  readonly said: string
}

/** What every swap has. */
export interface SwapCore extends Reach {
  readonly record: MigrationRecord
  /** Go on although something of upstream's flags is lost. */
  readonly allowLossy: boolean
  /** May Helm's own record of upstream's release be deleted? */
  readonly forgetRelease: boolean
}

/** Reloader's. */
export interface Swap extends SwapCore {
  /** Everything that is to be installed, for our values. */
  readonly installation: (values: object) => readonly KubeObject[]
  /** The rights of an installation that is there, with reload among what is enabled. */
  readonly rights: (ours: OwnState) => readonly KubeObject[]
}

export interface Step<Of extends SwapCore = Swap> {
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
  run?(swap: Of): Promise<void>
  prove(swap: Of): Promise<Proof>
  /** Puts back what an earlier step switched, where this one's proof fails. */
  revert?(swap: Of): Promise<void>
  /** Ids of steps that are not done any more after `revert`. */
  readonly reverts?: readonly string[]
}

export const yes = (said: string): Proof => ({ ok: true, said })
export const no = (said: string): Proof => ({ ok: false, said })

const everyMs = 1_000

/** Asks until the answer is yes, or `patienceMs` are over; then the last answer. */
export async function eventually(
  swap: Pick<SwapCore, 'clock' | 'signal'>,
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

/** As `eventually`, of the situation. @throws Error where it does not come to be */
export async function situationWhere(
  swap: Swap,
  what: string,
  patienceMs: number,
  isSo: (situation: Situation) => boolean,
): Promise<void> {
  const proof = await eventually(swap, patienceMs, async () => (isSo(await readSituation(swap)) ? yes(what) : no(what)))
  if (!proof.ok) throw new StepFailed(`${what}: not within ${patienceMs / 1000} s`)
}

/** A step that could not be carried out; what it had begun is put back. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
}
