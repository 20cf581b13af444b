// Requests that the data plane carries, in the numbers of the gateway's own.
import type { Carrier } from '../counts/request-counts.ts'

/** What HAProxy knows of one route. */
export interface CarriedCount {
  readonly key: string
  readonly concurrency: number
  /** Since HAProxy began to count it. */
  readonly total: number
  /** Both ways. */
  readonly bytes: number
}

/** Reads `show table`: a line for each entry, `0x55: key=media/sonarr use=1 exp=59000 shard=0 conn_cur=1 http_req_cnt=7 …`. */
export function carriedCounts(answer: string): readonly CarriedCount[] {
  const found: CarriedCount[] = []
  for (const line of answer.split('\n')) {
    if (!line.startsWith('0x')) continue
    const field = (name: string) => {
      const at = line.indexOf(` ${name}=`)
      if (at === -1) return undefined
      const start = at + name.length + 2
      const end = line.indexOf(' ', start)
      return line.slice(start, end === -1 ? undefined : end)
    }
    const key = field('key')
    const number = (name: string) => {
      const value = Number(field(name))
      return Number.isSafeInteger(value) && value >= 0 ? value : 0
    }
    if (key === undefined) continue
    const bytes = number('bytes_in_cnt') + number('bytes_out_cnt')
    found.push({ key, concurrency: number('conn_cur'), total: number('http_req_cnt'), bytes })
  }
  return found
}

/** Who was asked within this time counts as having a request: most requests are over before anybody looks. */
const heldMs = 1_000

interface Known {
  count: CarriedCount
  arrivedMs: number
}

/** Tells the gateway's counts what changed since the last look. */
export class CarriedTally {
  readonly #counts: Carrier
  readonly #known = new Map<string, Known>()

  constructor(counts: Carrier) {
    this.#counts = counts
  }

  /** Numbers that went back began anew: HAProxy forgets what nobody asks for. */
  take(all: readonly CarriedCount[], nowMs: number): void {
    const seen = new Set<string>()
    for (const count of all) {
      seen.add(count.key)
      const known = this.#known.get(count.key) ?? {
        count: { ...count, total: 0, bytes: 0 },
        arrivedMs: Number.NEGATIVE_INFINITY,
      }
      this.#known.set(count.key, known)
      const since = (name: 'total' | 'bytes') => count[name] - (known.count[name] > count[name] ? 0 : known.count[name])
      const arrived = since('total')
      const hasMoved = arrived > 0 || since('bytes') > 0
      if (arrived > 0) known.arrivedMs = nowMs
      known.count = count
      const concurrency = Math.max(count.concurrency, nowMs - known.arrivedMs < heldMs ? 1 : 0)
      // A route that was away for a moment has lost what was told of it.
      if (hasMoved || concurrency !== this.#counts.carriedOf(count.key)) this.#counts.carried(count.key, { concurrency, arrived })
    }
    for (const key of this.#known.keys()) {
      if (seen.has(key)) continue
      this.#known.delete(key)
      if (this.#counts.carriedOf(key) > 0) this.#counts.carried(key, { concurrency: 0, arrived: 0 })
    }
  }
}
