// What servers serve over a while, by object, time and window: equal scrapes must have been served as equal numbers.
import { deepStrictEqual } from 'node:assert'
import type { MetricsServerUnderTest } from './servers.ts'

interface Sample {
  /** Namespace and name, time and window. */
  readonly what: string
  readonly value: string
}

/** What a server serves now, to the last digit. */
async function samplesOf({ ask }: Pick<MetricsServerUnderTest, 'ask'>): Promise<readonly Sample[]> {
  const found: Sample[] = []
  for (const resource of ['nodes', 'pods']) {
    const { text } = await ask(`/apis/metrics.k8s.io/v1beta1/${resource}`)
    for (const item of JSON.parse(text).items) {
      const { name, namespace = '' } = item.metadata
      const containers = [...(item.containers ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
      found.push({
        what: `${namespace}/${name} ${item.timestamp} ${item.window}`,
        value: JSON.stringify(item.usage ?? containers),
      })
    }
  }
  return found
}

const objectOf = (what: string) => what.split(' ')[0] ?? ''

/** What two servers have served so far. */
export class SharedSamples {
  readonly #servers: readonly [MetricsServerUnderTest, MetricsServerUnderTest]
  readonly #seen = [new Map<string, string>(), new Map<string, string>()] as const

  /** Upstream's and ours. */
  constructor(upstream: MetricsServerUnderTest, ours: MetricsServerUnderTest) {
    this.#servers = [upstream, ours]
  }

  /** Asks both. */
  async look(): Promise<void> {
    for (const [at, server] of this.#servers.entries())
      for (const { what, value } of await samplesOf(server)) this.#seen[at]?.set(what, value)
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

  /** Throws where one sample has two values. */
  compare(): void {
    const [theirs, ours] = this.#seen
    const told = (of: ReadonlyMap<string, string>) => Object.fromEntries(this.#common().map(what => [what, of.get(what)]))
    deepStrictEqual(told(ours), told(theirs))
  }

  #common(): readonly string[] {
    const [theirs, ours] = this.#seen
    return [...theirs.keys()].filter(what => ours.has(what))
  }
}
