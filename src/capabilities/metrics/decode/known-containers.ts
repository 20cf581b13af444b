// Containers by the labels of their series. A kubelet says the same labels in the same order, scrape by scrape and series by series: what
// comes next is guessed, and bytes are compared before any text is made of them.
import { type ContainerName, type ContainerReading, emptyReading } from './reading.ts'

interface Known {
  /** The bytes between the braces, one character each. */
  readonly labels: string
  readonly name: ContainerName
}

interface Found extends Known {
  readonly reading: ContainerReading
}

/** Containers of one node; more are rejected. A kubelet has 110 pods unless told otherwise. */
export const containersLimit = 20_000
/** How many that are gone a guess passes over. */
const lookAhead = 8

/** What is remembered of a node from one answer to the next: labels in their order. */
export class KnownContainers {
  #order: readonly Known[] = []

  /** Begins an answer. */
  begin(): ContainersOfAnswer {
    return new ContainersOfAnswer(this.#order)
  }

  /** Remembers what an answer said. */
  keep(answer: ContainersOfAnswer): void {
    this.#order = answer.order
  }
}

class ContainersOfAnswer {
  readonly #before: readonly Known[]
  readonly #order: Found[] = []
  readonly #byLabels = new Map<string, number>()
  readonly #byName = new Map<string, ContainerReading>()
  /** Position behind what was last found, in this answer's order and in the last answer's. */
  #next = 0
  #nextBefore = 0

  constructor(before: readonly Known[]) {
    this.#before = before
  }

  get order(): readonly Known[] {
    return this.#order.map(({ labels, name }) => ({ labels, name }))
  }

  /** Each container once, in the order in which they first appear. */
  get readings(): readonly ContainerReading[] {
    return [...this.#byName.values()]
  }

  /** The container whose labels stand at `from`, closed by a brace, where that is one of those that are guessed. */
  guessed(body: Uint8Array, from: number): Pick<Found, 'labels' | 'reading'> | undefined {
    for (const at of [this.#next, 0]) {
      const found = this.#order[at]
      if (found === undefined || !standsAt(body, from, found.labels)) continue
      this.#next = at + 1
      return found
    }
    for (let at = this.#nextBefore; at < this.#nextBefore + lookAhead; at++) {
      const known = this.#before[at]
      if (known === undefined) return undefined
      if (this.#byLabels.has(known.labels) || !standsAt(body, from, known.labels)) continue
      return this.#added(known)
    }
    return undefined
  }

  /** The container of these labels; `read` says what they mean. Undefined where that is nothing, or one too many. */
  of(labels: string, read: () => ContainerName | undefined): ContainerReading | 'labels' | 'too-many' {
    const at = this.#byLabels.get(labels)
    if (at !== undefined) {
      this.#next = at + 1
      return this.#order[at]?.reading ?? 'labels'
    }
    const name = read()
    if (name === undefined) return 'labels'
    if (this.#order.length >= containersLimit) return 'too-many'
    return this.#added({ labels, name }).reading
  }

  #added(known: Known): Found {
    const { namespace, pod, container } = known.name
    const key = `${namespace}\0${pod}\0${container}`
    const reading = this.#byName.get(key) ?? { namespace, pod, container, ...emptyReading() }
    this.#byName.set(key, reading)
    const found = { ...known, reading }
    this.#byLabels.set(known.labels, this.#order.length)
    this.#order.push(found)
    this.#next = this.#order.length
    for (let at = this.#nextBefore; at < this.#nextBefore + lookAhead; at++)
      if (this.#before[at]?.labels === known.labels) this.#nextBefore = at + 1
    return found
  }
}

const closingBrace = 0x7d

function standsAt(body: Uint8Array, from: number, labels: string): boolean {
  const { length } = labels
  if (body[from + length] !== closingBrace) return false
  // From behind: what differs are the names of pods, which stand last.
  for (let at = length - 1; at >= 0; at--) if (body[from + at] !== labels.charCodeAt(at)) return false
  return true
}
