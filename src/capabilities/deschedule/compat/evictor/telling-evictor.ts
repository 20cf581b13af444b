// Says of every pod that an evictor refuses why, as upstream's log does: `Filter` at level 4, `PreEvictionFilter` at level 0.
import type { PodState } from '#cluster/cluster-state.ts'
import type { Evictor, Refusals, StrategyView } from '../contract.ts'

const filterLevel = 4

interface Telling {
  readonly profile: string
  readonly verbosity: number
  readonly tell: StrategyView['tell']
}

/** `evictor`, with its refusals told. */
export function tellingEvictor(evictor: Evictor, { profile, verbosity, tell }: Telling): Evictor {
  const say = (level: number, pod: PodState, refusals: Refusals): Refusals => {
    if (refusals.length > 0 && level <= verbosity) {
      const checks = refusals.length === 1 ? (refusals[0] ?? '') : `[${[...new Set(refusals)].join(', ')}]`
      const extensionPoint = level === filterLevel ? 'Filter' : 'PreEvictionFilter'
      tell(level, 'Pod fails the following checks', { plugin: 'DefaultEvictor', profile, extensionPoint, pod: pod.key, checks })
    }
    return refusals
  }
  return {
    filter: pod => say(filterLevel, pod, evictor.filter(pod)),
    preEvictionFilter: pod => say(0, pod, evictor.preEvictionFilter(pod)),
  }
}
