// When a plan may go on: inside the windows of its policy and, where the arbiter holds its class to windows, of its capability.
import type { RebalancePolicy } from '../../api.ts'
import type { ArbiterSurroundings } from '../../arbiter/surroundings.ts'
import { classNumber } from '../../intent.ts'
import { modeOf } from '../../policy/mode.ts'
import { windowOpensMs } from '../../policy/pauses/window.ts'
import type { Asking } from '../names.ts'
import { runsAt } from '../schedule.ts'

/** Two sets of windows meet within so many steps, or are taken never to. */
const mostSteps = 64

/** The first moment at or after `ms` at which both let the plan go on; infinity where none comes. */
export function opensMs(
  {
    policy,
    arbiter,
    asking,
  }: { readonly policy: RebalancePolicy; readonly arbiter: ArbiterSurroundings['policy']; readonly asking: Asking },
  ms: number,
): number {
  let atMs = ms
  for (let step = 0; step < mostSteps; step++) {
    const own = runsAt(policy, atMs)
    const ofPolicy = own.isOpen ? atMs : (own.nextMs ?? Number.POSITIVE_INFINITY)
    const next = Math.max(ofPolicy, arbiterOpensMs({ arbiter, asking }, atMs))
    if (next === atMs || next === Number.POSITIVE_INFINITY) return next
    atMs = next
  }
  return Number.POSITIVE_INFINITY
}

/** When the arbiter's own windows let steps of the plan pass: `ms` where they are open, or are none. */
export function arbiterOpensMs(
  { arbiter, asking }: { readonly arbiter: ArbiterSurroundings['policy']; readonly asking: Asking },
  ms: number,
): number {
  const isHeld = classNumber(asking.class) >= 4 && modeOf(asking.requester, arbiter.modes) === 'enforce'
  return isHeld ? windowOpensMs(arbiter, asking.requester, ms) : ms
}
