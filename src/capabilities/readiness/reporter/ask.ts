// Asks over HTTP what works on a node.

import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import { systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { Answer } from './reporter-decision.ts'

const askMs = 10_000
const longestBody = 64 * 1_024

/**
 * One question; of the answer only its beginning is read. Redirects are not followed where nobody says so: rules name what is asked.
 * Without a guard of addresses: the configuration, or the environment of its own pod, names what is asked, and that answers on the node.
 * Never throws but for an abort.
 */
export async function ask(
  { url }: { readonly url: string },
  signal: AbortSignal,
  { mostRedirects = 0 }: { readonly mostRedirects?: number } = {},
): Promise<Answer> {
  await using http = new OutgoingHttp({ clock: systemClock, connectMs: askMs / 2, answerMs: askMs / 2 })
  try {
    const { status, body } = await http.ask({ url, signal, mostBytes: longestBody, whenLonger: 'cut', mostRedirects })
    return { kind: 'answered', status, body: body.toString('utf8') }
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'unreachable', why: messageOf(error) }
  }
}
