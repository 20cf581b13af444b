// What a plan says of energy, as sentences. Nothing is decided here.

import { stayCodes } from '../plan-record.ts'
import { staySentence } from '../sentences.ts'
import type { EnergyNodeOutcome, EnergyOutcome, EnergyStay } from './record.ts'

/** Why a node stays on, without its name. */
export function energyStaySentence({ code, data }: EnergyStay): string {
  switch (code) {
    case 'PowerDownNever':
      return 'the policy says powerDown: never'
    case 'ControlPlane':
      return 'it is a control plane'
    case 'NodeClaim':
      return `it belongs to NodePool ${data['pool'] ?? ''}, which consolidates it`
    case 'NotReady':
      return data['cordoned'] === undefined ? 'it is not ready' : 'somebody has cordoned it'
    case 'GoalNeedsNode':
      return `goal ${data['goal'] ?? ''} wants it in use`
    case 'SavesNothing':
      return `off it draws ${data['standby'] ?? ''} W, idle ${data['idle'] ?? ''} W`
    case 'PodStays': {
      const more = Number(data['pods'] ?? '1') - 1
      const others = more > 0 ? `, and ${more} more` : ''
      const because = stayCodes.find(one => one === data['because'])
      const why = because === undefined ? '' : `: ${staySentence({ code: because, data, node: data['on'] ?? 'its node' })}`
      return `pod ${data['pod'] ?? ''} stays${why}${others}`
    }
    case 'OutsideWindow':
      return data['opens'] === undefined ? 'its window never opens' : `its window opens at ${data['opens']}`
    case 'OffTooShort':
      return `it could be off for ${data['minutes'] ?? ''} min, ${data['least'] ?? ''} min are the least`
    case 'TooFewNodes':
      return `${data['ready'] ?? ''} nodes are ready, ${data['least'] ?? ''} have to be (spec.energy.minReadyNodes)`
    case 'NoRoom':
      return 'its pods find no room elsewhere under the headroom, or would break a goal there'
    case 'NoReserve':
      return `no other node would keep ${data['cpu'] ?? ''} of cpu and ${data['memory'] ?? ''} of memory free (spec.energy.reserve)`
    case 'NoRoomToWake':
      return 'the others could not carry what ran within the last day, or what sleeps at zero and may wake'
    case 'NoSafeOrder':
      return `pod ${data['pod'] ?? ''} cannot go to ${data['to'] ?? ''} (${data['detail'] ?? ''})`
    case 'OthersSaveMore':
      return 'other nodes off save more, with fewer moves'
  }
}

/** `worker-3: 56 W, off 1 W after 2 moves` or why it stays on. */
function nodeSentence({ node, decision, stays, watts, wattsAfter, moves }: EnergyNodeOutcome): string {
  const now = `${node}: ${watts} W`
  if (decision === 'off') return `${now}, off`
  if (decision === 'power-down') return `${now}, could be off (${wattsAfter} W) after ${moves} ${moves === 1 ? 'move' : 'moves'}`
  return `${now}, stays on${stays === undefined ? '' : `: ${energyStaySentence(stays)} [${stays.code}]`}`
}

/** The lines of a report: the sum, then a node each, then warnings. */
export function energyLines({ nodes, watts, warnings }: EnergyOutcome): readonly string[] {
  const down = nodes.filter(({ decision }) => decision === 'power-down').map(({ node }) => node)
  const saved = Math.round((watts.before - watts.after) * 10) / 10
  const advice =
    down.length === 0
      ? 'no node could be off'
      : `${down.join(', ')} could be off, which saves ${saved} W; nobody switches nodes yet, so this is advice`
  return [
    `energy: ${watts.before} W now, ${watts.after} W then: ${advice}`,
    ...nodes.map(node => `  ${nodeSentence(node)}`),
    ...warnings.map(warning => `  warning: ${warning}`),
  ]
}
