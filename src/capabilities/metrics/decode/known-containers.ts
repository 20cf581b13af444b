// Containers by the labels of their series. A kubelet says the same labels in the same order, scrape by scrape and series by series: what
// comes next is guessed, and bytes are compared before any text is made of them.
import { type ContainerName, type ContainerReading, emptyReading } from './reading.ts'

/** A container that an answer had. Its labels are not kept where they are what every kubelet makes of its name. */
interface Known extends ContainerName {
  /** The bytes between the braces, one character each; undefined where they are those of {@link usualLabels}. */
  readonly labels: string | undefined
  /** The answer that last had it. */
  answer: number
}

interface Found {
  /** Bytes of the labels. */
  readonly length: number
  readonly reading: ContainerReading
}

/** Containers of one node; more are rejected. A kubelet has 110 pods unless told otherwise. */
export const containersLimit = 20_000
/** How many that are gone a guess passes over. */
const lookAhead = 8
/** Names that are kept once: namespaces and containers, and pods while their containers are read. */
const wordsLimit = 8_192

const words = new Map<string, string>()

/** The same text, one of its own for all who have it: what a parser cut out of a line would hold that line in memory. */
function word(text: string): string {
  const known = words.get(text)
  if (known !== undefined) return known
  if (words.size >= wordsLimit) words.clear()
  const own = Buffer.from(text).toString()
  words.set(own, own)
  return own
}

/** What is remembered of a node from one answer to the next: its containers in their order. */
export class KnownContainers {
  #order: readonly Known[] = []
  #answers = 0

  /** Begins an answer. */
  begin(): ContainersOfAnswer {
    return new ContainersOfAnswer(this.#order, ++this.#answers)
  }

  /** Remembers what an answer said. */
  keep(answer: ContainersOfAnswer): void {
    this.#order = answer.order
  }
}

class ContainersOfAnswer {
  readonly #before: readonly Known[]
  readonly #answer: number
  #order: Known[] = []
  readonly #found: Found[] = []
  /** Made where something is looked for that was not guessed. */
  #byLabels: Map<string, number> | undefined
  #byName: Map<string, ContainerReading> | undefined
  /** Position behind what was last found, in this answer's order and in the last answer's. */
  #next = 0
  #nextBefore = 0

  constructor(before: readonly Known[], answer: number) {
    this.#before = before
    this.#answer = answer
  }

  /** The last answer's own list where this one had the same. */
  get order(): readonly Known[] {
    const isSame = this.#order.length === this.#before.length && this.#order.every((known, at) => known === this.#before[at])
    // As long as it needs to be, which what grew is not.
    return isSame ? this.#before : this.#order.slice()
  }

  /** Each container once, in the order in which they first appear. */
  get readings(): readonly ContainerReading[] {
    const all = this.#found.map(({ reading }) => reading)
    return this.#byName === undefined ? all : [...new Set(all)]
  }

  /** The container whose labels stand at `from`, closed by a brace, where that is one of those that are guessed. */
  guessed(body: Uint8Array, from: number): Found | undefined {
    const found = this.#foundAt(this.#next, body, from) ?? this.#foundAt(0, body, from)
    if (found !== undefined) return found
    for (let at = this.#nextBefore; at < this.#nextBefore + lookAhead; at++) {
      const known = this.#before[at]
      if (known === undefined) return undefined
      if (known.answer === this.#answer) continue
      const length = lengthAt(body, from, known)
      if (length === 0) continue
      this.#nextBefore = at + 1
      return this.#added(known, length)
    }
    return undefined
  }

  /** The container of these labels; `read` says what they mean. Undefined where that is nothing, or one too many. */
  of(labels: string, read: () => ContainerName | undefined): ContainerReading | 'labels' | 'too-many' {
    this.#byLabels ??= new Map(this.#order.map((known, at) => [known.labels ?? usualLabels(known), at]))
    const at = this.#byLabels.get(labels)
    if (at !== undefined) {
      this.#next = at + 1
      return this.#found[at]?.reading ?? 'labels'
    }
    const name = read()
    if (name === undefined) return 'labels'
    if (this.#order.length >= containersLimit) return 'too-many'
    const own = { namespace: word(name.namespace), pod: word(name.pod), container: word(name.container) }
    const isUsual = usualLabels(own) === labels
    return this.#added({ ...own, labels: isUsual ? undefined : labels, answer: 0 }, labels.length).reading
  }

  #foundAt(at: number, body: Uint8Array, from: number): Found | undefined {
    const known = this.#order[at]
    if (known === undefined || lengthAt(body, from, known) === 0) return undefined
    this.#next = at + 1
    return this.#found[at]
  }

  #added(known: Known, length: number): Found {
    const found = { length, reading: this.#readingOf(known) }
    known.answer = this.#answer
    this.#byLabels?.set(known.labels ?? usualLabels(known), this.#order.length)
    this.#order.push(known)
    this.#found.push(found)
    this.#next = this.#order.length
    return found
  }

  /** One reading for each name: only labels in another order than usual can say a name twice. */
  #readingOf(known: Known): ContainerReading {
    const { namespace, pod, container, labels } = known
    if (labels !== undefined) this.#byName ??= new Map(this.#found.map(({ reading }) => [nameKey(reading), reading]))
    if (this.#byName === undefined) return { namespace, pod, container, ...emptyReading() }
    const key = nameKey(known)
    const reading = this.#byName.get(key) ?? { namespace, pod, container, ...emptyReading() }
    this.#byName.set(key, reading)
    return reading
  }
}

function nameKey({ namespace, pod, container }: ContainerName): string {
  return `${namespace}\0${pod}\0${container}`
}

const [beforeContainer, beforeNamespace, beforePod, behind] = ['container="', '",namespace="', '",pod="', '"'] as const
const usualLength = beforeContainer.length + beforeNamespace.length + beforePod.length + behind.length

/** The labels of a container as kubelets write them; names with quotes, escapes or other alphabets are written otherwise. */
export function usualLabels({ container, namespace, pod }: ContainerName): string {
  return `${beforeContainer}${container}${beforeNamespace}${namespace}${beforePod}${pod}${behind}`
}

const closingBrace = 0x7d

/** How many bytes at `from` are the labels of `known`; 0 where others stand there. */
function lengthAt(body: Uint8Array, from: number, known: Known): number {
  const { container, namespace, pod, labels } = known
  if (labels !== undefined) return body[from + labels.length] === closingBrace && standsAt(body, from, labels) ? labels.length : 0
  const length = usualLength + container.length + namespace.length + pod.length
  if (body[from + length] !== closingBrace) return 0
  // From behind: what differs are the names of pods, which stand last.
  let at = from + length - behind.length
  if (!standsAt(body, at, behind)) return 0
  at -= pod.length
  if (!standsAt(body, at, pod)) return 0
  at -= beforePod.length
  if (!standsAt(body, at, beforePod)) return 0
  at -= namespace.length
  if (!standsAt(body, at, namespace)) return 0
  at -= beforeNamespace.length
  if (!standsAt(body, at, beforeNamespace)) return 0
  at -= container.length
  return standsAt(body, at, container) && standsAt(body, from, beforeContainer) ? length : 0
}

function standsAt(body: Uint8Array, from: number, text: string): boolean {
  for (let at = text.length - 1; at >= 0; at--) if (body[from + at] !== text.charCodeAt(at)) return false
  return true
}

/** What a decoder needs besides the bytes. */
export interface Decoding {
  readonly known: KnownContainers
  /** The time of a series without one: milliseconds since 1970. */
  readonly sentMs: number
  readonly signal?: AbortSignal
  /** Waited for between slices of a long answer, so that others have their turns. */
  readonly nextTurn?: () => Promise<void>
}
