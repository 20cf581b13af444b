// Spans as the protobuf message that OpenTelemetry collectors take: `ExportTraceServiceRequest` of OTLP 1.
import type { Span } from './cycle-spans.ts'

/** What the spans are of. */
export interface TraceSource {
  /** `service.name` and the like. */
  readonly attributes: Readonly<Record<string, string>>
  readonly scope: string
  readonly version: string
}

/** Wire types of protobuf. */
const [wireVarint, wireFixed64, wireBytes] = [0, 1, 2]
/** `SPAN_KIND_INTERNAL` */
const internalKind = 1

/** The bytes of one request with all of `spans`. */
export function encodeTraces(source: TraceSource, spans: readonly Span[]): Uint8Array {
  const resource = message(1, source.attributes, attribute)
  const scope = Buffer.concat([textField(1, source.scope), textField(2, source.version)])
  const scopeSpans = Buffer.concat([bytesField(1, scope), ...spans.map(span => bytesField(2, spanMessage(span)))])
  return bytesField(1, Buffer.concat([bytesField(1, resource), bytesField(2, scopeSpans)]))
}

function spanMessage(span: Span): Buffer {
  return Buffer.concat([
    bytesField(1, Buffer.from(span.traceId, 'hex')),
    bytesField(2, Buffer.from(span.spanId, 'hex')),
    ...(span.parentId === '' ? [] : [bytesField(4, Buffer.from(span.parentId, 'hex'))]),
    textField(5, span.name),
    Buffer.concat([tag(6, wireVarint), varint(internalKind)]),
    timeField(7, span.startNs),
    timeField(8, span.endNs),
    message(9, span.attributes, attribute),
    ...span.events.map(({ atNs, name, attributes }) =>
      bytesField(11, Buffer.concat([timeField(1, atNs), textField(2, name), message(3, attributes, attribute)])),
    ),
  ])
}

/** One field `number` for each entry. */
function message(
  number: number,
  entries: Readonly<Record<string, string>>,
  encode: (key: string, value: string) => Buffer,
): Buffer {
  return Buffer.concat(Object.entries(entries).map(([key, value]) => bytesField(number, encode(key, value))))
}

/** A `KeyValue` with a text. */
function attribute(key: string, value: string): Buffer {
  return Buffer.concat([textField(1, key), bytesField(2, Buffer.concat([tag(1, wireBytes), lengthAnd(Buffer.from(value))]))])
}

/** Left out where empty, as proto3 has it. */
function textField(number: number, text: string): Buffer {
  return text === '' ? Buffer.alloc(0) : bytesField(number, Buffer.from(text))
}

function bytesField(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([tag(number, wireBytes), lengthAnd(bytes)])
}

function timeField(number: number, ns: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(ns)
  return Buffer.concat([tag(number, wireFixed64), bytes])
}

function lengthAnd(bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(bytes.length), bytes])
}

function tag(number: number, wireType: number): Buffer {
  return varint(number * 8 + wireType)
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return Buffer.from([...bytes, rest])
}
