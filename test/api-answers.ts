// Requests whose answers were recorded from a real kube-apiserver, and what of an answer counts: everything but identities,
// times and addresses, which no two servers share.
import type { HttpVerb } from '#kube/client/transport.ts'

export interface AskedRequest {
  readonly verb: HttpVerb
  readonly path: string
  readonly contentType?: string
  readonly body?: unknown
}

export interface RecordedAnswer extends AskedRequest {
  readonly status: number
  readonly answer: unknown
}

export interface AnswerScenario {
  readonly name: string
  readonly requests: readonly AskedRequest[]
}

export interface RecordedScenario {
  readonly name: string
  readonly exchanges: readonly RecordedAnswer[]
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const address = /\b10\.\d+\.\d+\.\d+\b/g

/** The recorded server runs without the ServiceAccount plug-in. */
const ignored = new Set(['serviceAccount', 'serviceAccountName'])

/** An answer with what differs from server to server made equal. */
export function comparable(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map(item => comparable(item))
    return name === 'managedFields'
      ? items
          .map(item => JSON.stringify(item))
          .toSorted()
          .map((text): unknown => JSON.parse(text))
      : items
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([field, item]) => item !== null && !ignored.has(field))
    return Object.fromEntries(
      entries.toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([field, item]) => [field, comparable(item, field)]),
    )
  }
  if (name === 'resourceVersion' && value !== '') return 'VERSION'
  if (name === 'nodePort') return 'PORT'
  if (typeof value !== 'string') return value
  // Forbidden updates of pods end with a diff of Go structs.
  const [words = ''] = value.split('\n@@')
  return time.test(words) ? 'TIME' : words.replaceAll(uuid, 'UID').replaceAll(address, 'ADDRESS')
}
