// Peers that said a moment ago that they do not have something, by the route on which they were asked: the same digest may be there as what it
// really is.
import { LRUCache } from 'lru-cache'
import type { Clock } from '#kube/clock.ts'
import type { PeerRequest } from './peer-client.ts'

/** As long as a look-up is kept. */
const believedMs = 5_000
const mostRemembered = 1_000

type Asked = Pick<PeerRequest, 'route' | 'digest'>

export class Absences {
  readonly #clock: Clock
  readonly #untilMs = new LRUCache<string, number>({ max: mostRemembered })

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(asked: Asked, peer: string): void {
    this.#untilMs.set(keyOf(asked, peer), this.#clock.elapsed() + believedMs)
  }

  /** Whether the peer is not to be asked for it on this route. */
  has(asked: Asked, peer: string): boolean {
    return (this.#untilMs.get(keyOf(asked, peer)) ?? Number.NEGATIVE_INFINITY) > this.#clock.elapsed()
  }
}

const keyOf = ({ route, digest }: Asked, peer: string): string => `${route} ${digest} ${peer}`
