// How many requests of which sort there were and how long they took, under the names that API servers have for it.
import type { PathRequest, ResourceRequest } from '../api/request.ts'

/** Upper bounds of the histogram's buckets, seconds: upstream's, thinned out. */
const bounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 20, 30, 60]

interface RequestCount {
  readonly labels: Readonly<Record<string, string>>
  readonly count: number
}

interface Histogram {
  readonly labels: Readonly<Record<string, string>>
  /** By upper bound, those below included; the last has no bound. */
  readonly counts: number[]
  sum: number
}

const verbs: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT' }

export class RequestCounts {
  readonly #totals = new Map<string, { readonly labels: Readonly<Record<string, string>>; count: number }>()
  readonly #durations = new Map<string, Histogram>()

  /** Counts one; `code` 0 for a connection that broke. */
  add(info: ResourceRequest | PathRequest, code: number, seconds: number): void {
    if (info.kind === 'path') return
    const labels = labelsOf(info)
    const key = Object.values(labels).join('\u0000')
    const total = this.#totals.get(`${key}\u0000${code}`) ?? { labels: { ...labels, code: String(code) }, count: 0 }
    total.count++
    this.#totals.set(`${key}\u0000${code}`, total)
    // A watch takes as long as its client wants.
    if (info.verb !== 'watch') this.#observe(key, labels, seconds)
  }

  /** `apiserver_request_total`. */
  totals(): readonly RequestCount[] {
    return [...this.#totals.values()]
  }

  /** The lines of `apiserver_request_duration_seconds`, by the ending of their name. */
  durations(): {
    readonly bucket: readonly RequestCount[]
    readonly sum: readonly RequestCount[]
    readonly count: readonly RequestCount[]
  } {
    const all = [...this.#durations.values()]
    return {
      bucket: all.flatMap(({ labels, counts }) =>
        [...bounds, Number.POSITIVE_INFINITY].map((bound, index) => ({
          labels: { ...labels, le: bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound) },
          count: counts[index] ?? 0,
        })),
      ),
      sum: all.map(({ labels, sum }) => ({ labels, count: sum })),
      count: all.map(({ labels, counts }) => ({ labels, count: counts.at(-1) ?? 0 })),
    }
  }

  #observe(key: string, labels: Readonly<Record<string, string>>, seconds: number): void {
    const histogram = this.#durations.get(key) ?? { labels, counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 }
    for (const [index, bound] of [...bounds, Number.POSITIVE_INFINITY].entries())
      if (seconds <= bound) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1
    histogram.sum += seconds
    this.#durations.set(key, histogram)
  }
}

function labelsOf(info: ResourceRequest): Readonly<Record<string, string>> {
  const { verb, group, version, resource, subresource = '', namespace, name } = info
  const scope = name !== undefined || verb === 'create' ? 'resource' : namespace === undefined ? 'cluster' : 'namespace'
  return { verb: verbs[verb] ?? verb.toUpperCase(), group, version, resource, subresource, scope }
}
