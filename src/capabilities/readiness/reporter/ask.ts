// Asks over HTTP what works on a node.
import { messageOf } from '#kube/log.ts'
import type { Answer } from './reporter-decision.ts'

const askMs = 10_000
const longestBody = 64 * 1_024

/**
 * One question; of the answer only its beginning is read. Redirects are not followed where nobody says so: rules name what is asked.
 * Never throws but for an abort.
 */
export async function ask(
  { url }: { readonly url: string },
  signal: AbortSignal,
  { redirect = 'manual' }: { readonly redirect?: 'manual' | 'follow' } = {},
): Promise<Answer> {
  try {
    const response = await fetch(url, { redirect, signal: AbortSignal.any([signal, AbortSignal.timeout(askMs)]) })
    const body = await beginning(response)
    return { kind: 'answered', status: response.status, body }
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'unreachable', why: messageOf(error) }
  }
}

async function beginning({ body }: Response): Promise<string> {
  if (body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length >= longestBody) break
  }
  return text.slice(0, longestBody)
}
