// What a fault does to a watch or an answer.

import type { Random } from '#kube/random.ts'
import type { WatchDisturbance } from './fault.ts'

/** Something done to a watch, with the sequence that its waits are drawn from. */
export interface Disturbance {
  readonly what: WatchDisturbance
  readonly random: Random
}
