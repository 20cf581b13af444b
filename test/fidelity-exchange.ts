// What was recorded of a client at a real API server: every request with the whole answer, and watches as their events.
// `test/real/clients/record.ts` records; `test/fidelity-replay.ts` asks the twin the same.
import { gunzipSync, gzipSync } from 'node:zlib'

/** As text, or base64 where the body is protobuf. */
export type RecordedBody = { readonly text: string } | { readonly base64: string }

export interface WatchEvent {
  readonly type: string
  readonly object: unknown
}

export interface ClientExchange {
  readonly method: string
  /** Still percent-encoded. */
  readonly path: string
  /** With its question mark taken off; empty where there is none. */
  readonly query: string
  /** Headers of the request that change the answer: `accept`, `content-type`, `user-agent`, `impersonate-*`, `if-none-match`. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: RecordedBody
  /** Asked by the recorder, not the client: it makes the cluster what the client finds. */
  readonly isSetup?: true
  readonly status: number
  /** Headers of the answer that clients read: `content-type`, `warning`, `location`, `retry-after`, `etag`. */
  readonly answered: Readonly<Record<string, string>>
  /** The body parsed; a string where it is no JSON. Absent for watches, and for schema and discovery documents. */
  readonly answer?: unknown
  /** A document of discovery or OpenAPI: `test/fidelity-documents.ts` holds those. */
  readonly isDocument?: true
  /** Events of a watch, in order; bookmarks that only time brings are left out. */
  readonly events?: readonly WatchEvent[]
  /** How many exchanges had begun when the watch ended; absent where it lasted to the end of the recording. */
  readonly endedBefore?: number
}

export interface ClientRecording {
  readonly client: string
  /** Module and version of the program. */
  readonly version: string
  readonly command: readonly string[]
  /** What its commands ended with. */
  readonly exitCodes: readonly number[]
  /** What it came to, line by line, without what time and chance bring: on the twin it must come to the same. */
  readonly saw: readonly string[]
  readonly server: string
  readonly exchanges: readonly ClientExchange[]
}

/** One exchange a line, so that a new version of a client reads as a diff. */
export function recordingText(recording: ClientRecording): string {
  const { exchanges, ...head } = recording
  const lines = exchanges.map(exchange => `    ${JSON.stringify(exchange)}`)
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "exchanges": [\n${lines.join(',\n')}\n  ]\n}\n`
}

/** The text packed; the same text gives the same bytes. */
export function packed(text: string): Uint8Array {
  return gzipSync(text, { level: 9 })
}

/** Reads what {@link packed} or {@link recordingText} wrote, by the file's name. */
export function readRecording(name: string, bytes: Uint8Array): ClientRecording {
  const text = name.endsWith('.gz') ? gunzipSync(bytes).toString() : Buffer.from(bytes).toString()
  return JSON.parse(text) as ClientRecording
}

/** Media ranges but protobuf and CBOR, where others are left: recordings are of JSON. */
export function withoutProtobuf(accept: string): string {
  const left = accept.split(',').filter(range => !/protobuf|cbor/.test(range))
  return left.length === 0 ? accept : left.join(',')
}
