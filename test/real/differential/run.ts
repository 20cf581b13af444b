// A run of the differential check: lives of every served kind at both servers, counted by kind; what is not known is shrunk.
import { seededRandom } from '#kube/random.ts'
import type { MinorVersion } from '../control-plane/build.ts'
import { type KnownFields, standingOf } from './accepted.ts'
import type { Finding } from './findings.ts'
import { livesOf } from './lives.ts'
import { askBoth, type Exchange, type Pair } from './pair.ts'
import { type Reason, reasonOf } from './reasons.ts'
import type { Life } from './request.ts'
import { type ServedKind, servedKinds } from './served.ts'
import { makeNamespace, type Servers, startServers } from './servers.ts'
import { type Shrunk, shrunk } from './shrink.ts'

export interface RunOptions {
  readonly minor: MinorVersion
  readonly seed: number
  /** At least so many requests of each kind. */
  readonly perKind: number
  readonly known: KnownFields
}

export interface KindCount {
  readonly kind: string
  requests: number
  /** Answers of the real server below 300. */
  taken: number
  equal: number
  /** Requests whose differences are all known. */
  known: number
  differing: number
}

/** A difference that no table has. */
export interface OpenDifference extends Shrunk {
  readonly finding: Finding
}

/** Kind → way → field → why it is there, where somebody said so. */
type Seen = ReadonlyMap<string, ReadonlyMap<Finding['way'], ReadonlyMap<string, Reason | undefined>>>

export interface Run {
  readonly serverVersion: string
  readonly counts: readonly KindCount[]
  readonly open: readonly OpenDifference[]
  /** Every difference that was seen, but for those that stay. */
  readonly seen: Seen
  readonly bugs: readonly string[]
  readonly lives: readonly { readonly number: number; readonly life: Life; readonly exchanges: readonly Exchange[] }[]
}

/** Kinds that are asked about at once. */
const lanes = 3
/** Lives of a kind in a run, so that numbers tell kinds apart. */
const numbersOfAKind = 10_000
const mostShrunk = 12

export async function differentialRun(options: RunOptions): Promise<Run> {
  await using servers = await startServers(options.minor)
  const kinds = await servedKinds(servers.client)
  const running = new Running(options, servers)
  const left = [...kinds.entries()]
  const lane = async () => {
    using pair = servers.open()
    for (let next = left.shift(); next !== undefined; next = left.shift()) await running.kind(next[1], next[0], pair)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  using pair = servers.open()
  await running.shrinkOpen(pair)
  return running.result(kinds)
}

class Running {
  readonly #options: RunOptions
  readonly #servers: Servers
  readonly #counts: KindCount[] = []
  readonly #open: OpenDifference[] = []
  readonly #seen = new Map<string, Map<Finding['way'], Map<string, Reason | undefined>>>()
  readonly #lives: Run['lives'][number][] = []

  constructor(options: RunOptions, servers: Servers) {
    this.#options = options
    this.#servers = servers
  }

  async kind(kind: ServedKind, index: number, pair: Pair): Promise<void> {
    for (const side of [pair.real, pair.twin]) await makeNamespace(side, `d-${kind.plural}`)
    let number = (index + 1) * numbersOfAKind
    let count: KindCount | undefined
    for (const life of livesOf(kind, seededRandom(this.#options.seed * 1000 + index))) {
      if (count === undefined) {
        count = { kind: life.kind, requests: 0, taken: 0, equal: 0, known: 0, differing: 0 }
        this.#counts.push(count)
      }
      if (count.requests >= this.#options.perKind) return
      const exchanges = await askBoth(life, ++number, pair)
      this.#lives.push({ number, life, exchanges })
      for (const exchange of exchanges) this.#count(count, life, exchange)
    }
  }

  #count(count: KindCount, life: Life, exchange: Exchange): void {
    count.requests++
    if (exchange.real.status < 300) count.taken++
    if (exchange.findings.length === 0) count.equal++
    const standings = exchange.findings.map(finding => ({
      finding,
      standing: standingOf(life.kind, finding, this.#options.known),
    }))
    for (const { finding, standing } of standings) {
      if (standing !== 'accepted') this.#note(life.kind, finding)
      const isNew = !this.#open.some(other => other.life.kind === life.kind && isSame(other.finding, finding))
      if (standing === 'open' && isNew) this.#open.push({ life, exchange, finding })
    }
    if (standings.some(({ standing }) => standing === 'open')) count.differing++
    else if (standings.length > 0) count.known++
  }

  #note(kind: string, finding: Finding): void {
    const ways = this.#seen.get(kind) ?? new Map<Finding['way'], Map<string, Reason | undefined>>()
    this.#seen.set(kind, ways)
    const fields = ways.get(finding.way) ?? new Map<string, Reason | undefined>()
    ways.set(finding.way, fields)
    if (fields.get(finding.field) === undefined) fields.set(finding.field, reasonOf(kind, finding))
  }

  /** The first few: where many are new, one cause is behind most. */
  async shrinkOpen(pair: Pair): Promise<void> {
    let number = 1
    for (const [index, open] of this.#open.slice(0, mostShrunk).entries()) {
      const smallest = await shrunk(
        open,
        ({ findings }) => findings.some(finding => isSame(finding, open.finding)),
        life => askBoth(life, number++, pair),
      )
      this.#open[index] = { ...open, ...smallest }
    }
  }

  result(kinds: readonly ServedKind[]): Run {
    const place = ({ kind }: KindCount) =>
      kinds.findIndex(({ name, apiVersion }) => `${name}/${apiVersion.split('/').at(-1)}` === kind)
    return {
      serverVersion: this.#servers.serverVersion,
      counts: this.#counts.toSorted((one, other) => place(one) - place(other)),
      open: this.#open,
      seen: this.#seen,
      bugs: this.#servers.bugs,
      lives: this.#lives.toSorted((one, other) => one.number - other.number),
    }
  }
}

const isSame = (one: Finding, other: Finding) => one.way === other.way && one.field === other.field
