// In which mode a capability's wishes are judged.
import { type ArbiterPolicy, type ArbitrationMode, arbitrationModes } from './arbiter-policy.ts'

/** `enforce` where nothing is said: whoever should be left to act as its upstream has to be named. */
export function modeOf(requester: string, modes: ArbiterPolicy['modes']): ArbitrationMode {
  return Object.hasOwn(modes, requester) ? (modes[requester] ?? 'enforce') : 'enforce'
}

/** Whether what holds from `from` on holds in `mode`. */
export function holdsIn(mode: ArbitrationMode, from: ArbitrationMode): boolean {
  return arbitrationModes.indexOf(mode) >= arbitrationModes.indexOf(from)
}
