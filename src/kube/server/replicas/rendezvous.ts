// Which of several replicas does what for a thing, without a word between them: each works it out alone, and where one comes or goes only its
// share moves (highest random weight).
import { createHash } from 'node:crypto'

const weightOf = (thing: string, replica: string): Buffer => createHash('sha1').update(`${thing}\0${replica}`).digest()

/** The replica whose `thing` is, the same in whatever order they are named; undefined where there is none. */
export function rendezvous(thing: string, replicas: readonly string[]): string | undefined {
  let best: { readonly replica: string; readonly weight: Buffer } | undefined
  for (const replica of replicas) {
    const weight = weightOf(thing, replica)
    const order = best === undefined ? 1 : Buffer.compare(weight, best.weight)
    if (best === undefined || order > 0) best = { replica, weight }
  }
  return best?.replica
}

/** All of them, the one whose `thing` is first: where that one goes, the next has it. */
export function byRendezvous(thing: string, replicas: readonly string[]): readonly string[] {
  return replicas
    .map(replica => ({ replica, weight: weightOf(thing, replica) }))
    .toSorted((one, other) => Buffer.compare(other.weight, one.weight))
    .map(({ replica }) => replica)
}
