// Metrics as Prometheus reads them, by their shape: names, types, labels, buckets; and traces by theirs.

/** A family of metrics. */
interface MetricFamily {
  readonly name: string
  readonly type: string
  /** Names, in order; without those of buckets. Empty where there is no series. */
  readonly labels: readonly string[]
  /** Upper bounds of a histogram, as written. */
  readonly buckets: readonly string[]
  /** Values of the label `result`, where it has one. */
  readonly results: readonly string[]
}

/** The families of `text` whose names begin with `prefix`, by name. */
export function familiesIn(text: string, prefix: string): readonly MetricFamily[] {
  const types = Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = '', type = '']) => ({ name, type }))
  return types
    .filter(({ name }) => name.startsWith(prefix))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type }) => {
      const series = seriesOf(text, name)
      const valuesOf = (label: string) => [...new Set(series.flatMap(labels => labels.get(label) ?? []))]
      const labels = [...new Set(series.flatMap(one => [...one.keys()]))].filter(label => label !== 'le').sort()
      return { name, type, labels, buckets: valuesOf('le'), results: valuesOf('result').sort() }
    })
}

function seriesOf(text: string, name: string): readonly ReadonlyMap<string, string>[] {
  const lines = text.split('\n').filter(line => new RegExp(`^${name}(_bucket|_sum|_count)?[{ ]`).test(line))
  return lines.map(line => {
    const pairs = Array.from(line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, label = '', value = '']) => [label, value] as const)
    return new Map(pairs)
  })
}

/** A span as a collector prints it. */
export interface CollectedSpan {
  readonly service: string
  readonly scope: string
  readonly trace: string
  readonly id: string
  readonly parent: string
  readonly name: string
  readonly kind: string
  readonly start: number
  readonly end: number
  readonly attributes: Readonly<Record<string, string>>
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[]
}

/** What spans of one kind look like. */
interface SpanShape {
  readonly name: string
  readonly kind: string
  readonly attributes: readonly string[]
  /** Name and attributes of each kind of event. */
  readonly events: readonly string[]
}

/** The shapes of those of `names`, by name. */
export function spanShapes(spans: readonly CollectedSpan[], names: readonly string[]): readonly SpanShape[] {
  return names.map(name => {
    const of = spans.filter(span => span.name === name)
    const events = of.flatMap(span => span.events.map(event => `${event.name}: ${Object.keys(event.attributes).sort().join(', ')}`))
    return {
      name,
      kind: of[0]?.kind ?? 'none came',
      attributes: [...new Set(of.flatMap(span => Object.keys(span.attributes)))].sort(),
      events: [...new Set(events)].sort(),
    }
  })
}

/** What upstream shows of a cycle in which one pod is evicted and the next one meets the limit. */
export interface RecordedInstruments {
  readonly version: string
  readonly command: string
  readonly families: readonly MetricFamily[]
  readonly spans: readonly SpanShape[]
  /** Path to status and body; of /metrics the status alone. */
  readonly answers: Readonly<Record<string, { readonly status: number; readonly body?: string }>>
}
