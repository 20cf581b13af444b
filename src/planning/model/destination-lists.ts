// The destinations of candidates as indexes of nodes. Pods that are alike share a list: each is read once, and a number tells it from others.
import type { Candidate } from '../candidates/candidate.ts'

interface DestinationList {
  /** Ascending; the node on which the pod is may be among them. */
  readonly indexes: readonly number[]
  /** The same for the same nodes. */
  readonly number: number
}

export class DestinationLists {
  readonly #nodeIndex: ReadonlyMap<string, number>
  /** Names of nodes, by pod. */
  readonly #forbidden: ReadonlyMap<string, ReadonlySet<string>>
  readonly #byNames = new WeakMap<readonly string[], DestinationList>()
  readonly #byText = new Map<string, DestinationList>()

  /** `forbidden`: pairs of pod key and node, as `namespace/name>node`. */
  constructor(nodeIndex: ReadonlyMap<string, number>, forbidden: ReadonlySet<string>) {
    this.#nodeIndex = nodeIndex
    const byPod = Map.groupBy(forbidden, pair => pair.slice(0, pair.indexOf('>')))
    this.#forbidden = new Map(Array.from(byPod, ([pod, pairs]) => [pod, new Set(pairs.map(pair => pair.slice(pod.length + 1)))]))
  }

  of({ pod, destinations }: Candidate): DestinationList {
    const forbidden = this.#forbidden.get(pod.key)
    if (forbidden !== undefined) return this.#read(destinations.filter(name => !forbidden.has(name)))
    const known = this.#byNames.get(destinations) ?? this.#read(destinations)
    this.#byNames.set(destinations, known)
    return known
  }

  #read(names: readonly string[]): DestinationList {
    const text = names.join(' ')
    const known = this.#byText.get(text) ?? {
      indexes: names.flatMap(name => this.#nodeIndex.get(name) ?? []),
      number: this.#byText.size,
    }
    this.#byText.set(text, known)
    return known
  }
}
