// Where Ballast answers otherwise than metrics-server v0.9.0, and why. Whatever else differs is a fault.
import type { MetricsAnswer } from './real/metrics/requests.ts'

/** By the name of the request: what is left out of the comparison. */
const ownWords: Readonly<Record<string, string>> = {
  // Addresses for clients of other networks, which no client of the aggregator reads; ours names the version of the list.
  groups: 'serverAddressByClientCIDRs',
  // Upstream leaves group and version of the answer empty, although they are known.
  'aggregated discovery': 'responseKind',
  // An empty list of columns, not none at all: readers in other languages stumble over null.
  'empty table': 'null',
  // The same code and reason in other words.
  html: 'message',
}

/** A pod that is idle since it began: upstream leaves it out, since its counter is 0. */
const idle = '"name":"idle"'

/** Both answers as they are compared: without what is meant to differ. */
export function comparable(answer: MetricsAnswer): MetricsAnswer {
  const { name, body } = answer
  if (Object.hasOwn(ownWords, name)) return { ...answer, body: reasonOf(body) }
  if (typeof body !== 'object' || body === null || !('items' in body) || !Array.isArray(body.items)) return answer
  return { ...answer, body: { ...body, items: body.items.filter(item => !JSON.stringify(item).includes(idle)) } }
}

function reasonOf(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body
  return 'reason' in body ? body.reason : Reflect.get(body, 'kind')
}
