// What servers serve over a while, by object, time and window: equal scrapes must have been served as equal numbers.
import { deepStrictEqual, ok } from 'node:assert'
import type { MetricsServerUnderTest } from './servers.ts'

/** By container, in the order of their names; that of a node has no name. */
type Uses = Readonly<Record<string, { readonly cpu: string; readonly memory: string }>>

interface Sample {
  /** Namespace and name, time and window. */
  readonly what: string
  readonly uses: Uses
}

/** What a server serves now, to the last digit. */
async function samplesOf({ ask }: Pick<MetricsServerUnderTest, 'ask'>): Promise<readonly Sample[]> {
  const found: Sample[] = []
  for (const resource of ['nodes', 'pods']) {
    const { text } = await ask(`/apis/metrics.k8s.io/v1beta1/${resource}`)
    for (const { metadata, timestamp, window, usage, containers = [{ name: '', usage }] } of JSON.parse(text).items) {
      const { name, namespace = '' } = metadata
      const entries: [string, Uses[string]][] = containers.map((one: { name: string; usage: Uses[string] }) => [
        one.name,
        one.usage,
      ])
      const uses = Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
      found.push({ what: `${namespace}/${name} ${timestamp} ${window}`, uses })
    }
  }
  return found
}

const objectOf = (what: string) => what.split(' ')[0] ?? ''

/** What two servers have served so far. */
export class SharedSamples {
  readonly #servers: readonly [MetricsServerUnderTest, MetricsServerUnderTest]
  readonly #seen = [new Map<string, Uses>(), new Map<string, Uses>()] as const

  /** Upstream's and ours. */
  constructor(upstream: MetricsServerUnderTest, ours: MetricsServerUnderTest) {
    this.#servers = [upstream, ours]
  }

  /** Asks both. */
  async look(): Promise<void> {
    for (const [at, server] of this.#servers.entries())
      for (const { what, uses } of await samplesOf(server)) this.#seen[at]?.set(what, uses)
  }

  /** How many samples each has served. */
  get counts(): readonly [number, number] {
    return [this.#seen[0].size, this.#seen[1].size]
  }

  /** Names of the objects that upstream has served, and those that ours has. */
  get objects(): readonly [ReadonlySet<string>, ReadonlySet<string>] {
    const [theirs, ours] = this.#seen
    return [new Set([...theirs.keys()].map(objectOf)), new Set([...ours.keys()].map(objectOf))]
  }

  /** Samples that both have served, by object. */
  get shared(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const what of this.#common()) counts.set(objectOf(what), (counts.get(objectOf(what)) ?? 0) + 1)
    return counts
  }

  /** Throws where one sample has two values: all containers are measured at once. */
  compare(): void {
    const [theirs, ours] = this.#seen
    const told = (of: ReadonlyMap<string, Uses>) => Object.fromEntries(this.#common().map(what => [what, of.get(what)]))
    deepStrictEqual(told(ours), told(theirs))
  }

  /**
   * As {@link compare} where each container is measured at a time of its own: a pod's time is that of one of them, whose use must be equal; the
   * others must have the same names.
   */
  compareApart(): void {
    const [theirs, ours] = this.#seen
    for (const what of this.#common()) {
      const [a = {}, b = {}] = [theirs.get(what), ours.get(what)]
      deepStrictEqual(Object.keys(b), Object.keys(a), what)
      const hasEqual = Object.keys(a).some(name => a[name]?.cpu === b[name]?.cpu && a[name]?.memory === b[name]?.memory)
      ok(hasEqual, `${what}: upstream has ${JSON.stringify(a)}, ours ${JSON.stringify(b)}`)
    }
  }

  #common(): readonly string[] {
    const [theirs, ours] = this.#seen
    return [...theirs.keys()].filter(what => ours.has(what))
  }
}
