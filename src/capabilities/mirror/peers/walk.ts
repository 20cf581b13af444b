// Kademlia's walk: ask the nearest that are known for nearer ones, until those nearest of all have answered.
import { compareDistance, type Place, placeOfPeer } from './keys.ts'

interface WalkOptions {
  readonly target: Place
  readonly start: readonly string[]
  /** Never asked: ourselves. */
  readonly own: string
  /** Peers that the asked one knows to be near; `undefined` where it does not answer. */
  readonly ask: (peer: string, signal: AbortSignal) => Promise<readonly string[] | undefined>
  /** How many of the nearest have to have answered. */
  readonly certain: number
  /** Requests at once. */
  readonly parallel: number
  readonly signal: AbortSignal
}

/** Peers that one walk remembers; a neighbour cannot make it longer. */
export const mostSeen = 512

interface Seen {
  readonly id: string
  readonly place: Place
  state: 'known' | 'asked' | 'answered' | 'silent'
}

/** All that answered or are believed to be there, nearest first. Ends early, without an error, when `signal` is aborted. */
export async function walk(options: WalkOptions): Promise<readonly string[]> {
  const { target, own, ask, certain, parallel, signal } = options
  const seen = new Map<string, Seen>()
  const ordered: Seen[] = []
  const add = (id: string) => {
    if (id === own || seen.has(id) || seen.size >= mostSeen) return
    const entry: Seen = { id, place: placeOfPeer(id), state: 'known' }
    seen.set(id, entry)
    ordered.push(entry)
    ordered.sort((left, right) => compareDistance(target, left.place, right.place))
  }
  for (const id of options.start) add(id)
  const running = new Set<Promise<void>>()
  const askOne = async (entry: Seen) => {
    entry.state = 'asked'
    const closer = await ask(entry.id, signal)
    entry.state = closer === undefined ? 'silent' : 'answered'
    for (const id of closer ?? []) add(id)
  }
  while (!signal.aborted) {
    const wanted = ordered.filter(({ state }) => state !== 'silent').slice(0, certain)
    const next = wanted.filter(({ state }) => state === 'known').slice(0, parallel - running.size)
    for (const entry of next) {
      const run = askOne(entry).finally(() => running.delete(run))
      running.add(run)
    }
    if (running.size === 0) break
    await Promise.race(running)
  }
  return ordered.filter(({ state }) => state !== 'silent').map(({ id }) => id)
}
