// Which of several replicas does what for a thing, without a word between them: each works it out alone, and where one comes or goes only its
// share moves (highest random weight).
import { createHash } from 'node:crypto'

/** The replica whose `thing` is, the same in whatever order they are named; undefined where there is none. */
export function rendezvous(thing: string, replicas: readonly string[]): string | undefined {
  let best: { readonly replica: string; readonly weight: Buffer } | undefined
  for (const replica of replicas) {
    const weight = createHash('sha1').update(`${thing}\0${replica}`).digest()
    const order = best === undefined ? 1 : Buffer.compare(weight, best.weight)
    if (best === undefined || order > 0) best = { replica, weight }
  }
  return best?.replica
}
