// A page of metrics by HTTP, for the dashboard: one answer of bounded size, no redirect followed.

import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import { systemClock } from '#kube/clock.ts'

const mostBytes = 1_048_576
const http = new OutgoingHttp({ clock: systemClock, connectMs: 3_000, answerMs: 3_000 })

/**
 * The text at `url`. Without a guard of addresses: they are those of nodes, which no user writes.
 * @throws Error on another status than 200, or where it is larger than a mebibyte
 */
export async function readMetrics(url: string, signal: AbortSignal): Promise<string> {
  const { status, body } = await http.ask({ url, signal, mostBytes })
  if (status !== 200) throw new Error(`it answers ${status}`)
  return body.toString('utf8')
}
