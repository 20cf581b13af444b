// Spans as the protobuf message that OpenTelemetry collectors take: `ExportTraceServiceRequest` of OTLP 1.
import { bytes, integer, list, message, nested, sentText, text, wide } from '#kube/protobuf-message.ts'
import type { Span } from './cycle-spans.ts'

/** What the spans are of. */
export interface TraceSource {
  /** `service.name` and the like. */
  readonly attributes: Readonly<Record<string, string>>
  readonly scope: string
  readonly version: string
}

/** `SPAN_KIND_INTERNAL` */
const internalKind = 1

const keyValue = message({ key: text(1), value: nested(2, message({ text: sentText(1) })) })
const event = message({ time: wide(1), name: text(2), attributes: list(3, keyValue) })
const span = message({
  traceId: bytes(1),
  spanId: bytes(2),
  parentId: bytes(4),
  name: text(5),
  kind: integer(6),
  start: wide(7),
  end: wide(8),
  attributes: list(9, keyValue),
  events: list(11, event),
})
const scopeSpans = message({ scope: nested(1, message({ name: text(1), version: text(2) })), spans: list(2, span) })
const resourceSpans = message({ resource: nested(1, message({ attributes: list(1, keyValue) })), scopes: list(2, scopeSpans) })
const request = message({ resources: list(1, resourceSpans) })

/** The bytes of one request with all of `spans`. */
export function encodeTraces({ attributes, scope, version }: TraceSource, spans: readonly Span[]): Uint8Array {
  const scopes = [{ scope: { name: scope, version }, spans: spans.map(spanOf) }]
  return request.encode({ resources: [{ resource: { attributes: pairs(attributes) }, scopes }] })
}

function spanOf({ traceId, spanId, parentId, name, startNs, endNs, attributes, events }: Span) {
  return {
    traceId: Buffer.from(traceId, 'hex'),
    spanId: Buffer.from(spanId, 'hex'),
    parentId: Buffer.from(parentId, 'hex'),
    name,
    kind: internalKind,
    start: startNs,
    end: endNs,
    attributes: pairs(attributes),
    events: events.map(each => ({ time: each.atNs, name: each.name, attributes: pairs(each.attributes) })),
  }
}

const pairs = (entries: Readonly<Record<string, string>>) =>
  Object.entries(entries).map(([key, value]) => ({ key, value: { text: value } }))
