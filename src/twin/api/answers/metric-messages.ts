// Prometheus' protobuf format: families one after the other, each with its length before it.
import protobuf from 'protobufjs/light.js'
import type { MetricFamily, MetricLine } from './metric-text.ts'

/** As it is asked for in Accept, and said in the answer. */
export const familiesType = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

const counter = 0
const gauge = 1

/** Whether `accept` asks for it, before or beside text. */
export function wantsFamilies(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some(range => {
    const [type = '', ...parameters] = range.split(';').map(part => part.trim().toLowerCase())
    const has = (parameter: string) => parameters.some(one => one.replaceAll('"', '') === parameter)
    return (
      type === 'application/vnd.google.protobuf' &&
      has('proto=io.prometheus.client.metricfamily') &&
      has('encoding=delimited') &&
      !parameters.some(one => /^q=0(\.0*)?$/.test(one))
    )
  })
}

/** Those that have lines. */
export function familiesMessage(families: readonly MetricFamily[]): Uint8Array {
  const writer = protobuf.Writer.create()
  for (const family of families) if (family.lines.length > 0) writeFamily(writer, family)
  return writer.finish()
}

/** `MetricFamily { name = 1, help = 2, type = 3, metric = 4 }`. */
function writeFamily(writer: protobuf.Writer, { name, help, type, lines }: MetricFamily): void {
  writer.fork()
  writer.uint32(10).string(name).uint32(18).string(help)
  writer.uint32(24).uint32(type === 'counter' ? counter : gauge)
  for (const line of lines) writeMetric(writer.uint32(34).fork(), line, type).ldelim()
  writer.ldelim()
}

/** `Metric { label = 1 { name = 1, value = 2 }, gauge = 2, counter = 3 { value = 1 }, timestamp_ms = 6 }`; labels are sorted by name. */
function writeMetric(writer: protobuf.Writer, { labels, value, atMs }: MetricLine, type: MetricFamily['type']): protobuf.Writer {
  for (const name of Object.keys(labels).toSorted())
    writer
      .uint32(10)
      .fork()
      .uint32(10)
      .string(name)
      .uint32(18)
      .string(labels[name] ?? '')
      .ldelim()
  writer
    .uint32(type === 'counter' ? 26 : 18)
    .fork()
    .uint32(9)
    .double(value)
    .ldelim()
  if (atMs !== undefined) writer.uint32(48).int64(Math.round(atMs))
  return writer
}
