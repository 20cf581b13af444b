// Samples of Prometheus' text format: as much of it as counters and gauges need.

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const sampleForm = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/
const labelForm = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g

/** The samples of the names asked for; lines that are none are passed over. */
export function samplesOf(text: string, names: ReadonlySet<string>): readonly Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, name = '', labelText = '', valueText = ''] = sampleForm.exec(line.trim()) ?? []
    const value = Number(valueText)
    if (!names.has(name) || valueText === '' || Number.isNaN(value)) continue
    samples.push({ name, labels: labelsOf(labelText), value })
  }
  return samples
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['"', '"'],
  ['\\', '\\'],
])

function labelsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...text.matchAll(labelForm)].map(([, key = '', value = '']) => [
      key,
      value.replace(/\\(.)/g, (whole, letter: string) => escapes.get(letter) ?? whole),
    ]),
  )
}
