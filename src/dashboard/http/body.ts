// Bodies of writes: small JSON objects, whole and in time.
import type { IncomingMessage } from 'node:http'

/** What is sent with a write. */
const largestBody = 16_384

type ReadBody =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'bad'; readonly found: string }
  | { readonly kind: 'cut' }

/** The body as JSON. Of one that is too large no more is read than that. */
export async function readJson(message: IncomingMessage): Promise<ReadBody> {
  if (Number(message.headers['content-length'] ?? 0) > largestBody) return { kind: 'too-large' }
  const chunks: Buffer[] = []
  let length = 0
  try {
    // Not destroyed on the way out: the refusal still has to be sent.
    for await (const chunk of message.iterator({ destroyOnReturn: false })) {
      const part = Buffer.from(chunk)
      length += part.length
      if (length > largestBody) return { kind: 'too-large' }
      chunks.push(part)
    }
  } catch (error) {
    // The peer went away in the middle: nobody waits for an answer.
    if (message.destroyed) return { kind: 'cut' }
    throw error
  }
  try {
    return { kind: 'json', value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))) }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError)
      return { kind: 'bad', found: length === 0 ? 'nothing' : 'no JSON' }
    throw error
  }
}

/** Whether `content-type` says JSON: a form of another site cannot. */
export function isJson(contentType: string | undefined): boolean {
  return /^application\/json(?:\s*;\s*charset=utf-?8)?\s*$/i.test(contentType ?? '')
}
