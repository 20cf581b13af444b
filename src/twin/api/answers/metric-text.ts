// Prometheus' text format, with numbers as Go writes them.

export interface MetricLine {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Milliseconds since 1970. */
  readonly atMs?: number | undefined
}

export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly lines: readonly MetricLine[]
}

/** A family with its lines as text; nothing where it has none. */
export function metricFamily(name: string, help: string, type: MetricFamily['type'], lines: readonly MetricLine[]): string {
  return familyText({ name, help, type, lines })
}

/** The same of one that is made. */
export function familyText({ name, help, type, lines }: MetricFamily): string {
  if (lines.length === 0) return ''
  const head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  return head + lines.map(line => `${name}${labelText(line.labels)} ${goNumber(line.value)}${timeText(line.atMs)}\n`).join('')
}

function timeText(atMs: number | undefined): string {
  return atMs === undefined ? '' : ` ${Math.round(atMs)}`
}

/** Sorted by name. */
function labelText(labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).toSorted()
  if (names.length === 0) return ''
  return `{${names.map(name => `${name}="${escaped(labels[name] ?? '')}"`).join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

/** As strconv's shortest `g`: an exponent below -4 and from 6 digits before the point on. */
export function goNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return '0'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  // Between these JavaScript writes no exponent either.
  if (power >= -4 && power < 6) return String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}
