// POST to an address that a user configured: its answer is read for its status alone, and a redirect is not followed.
import type { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Parsed } from '#kube/problem.ts'

const longestUrl = 4_096
const answerLimitBytes = 16 * 1024

export interface Message {
  readonly body: string
  readonly contentType: string
}

/** An absolute http or https address. What it looks like is told up to its host only: paths of such addresses are often the secret. */
export function readHttpUrl(text: string, where: string): Parsed<URL> {
  const url = text.length > longestUrl ? null : URL.parse(text.trim())
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '')
    return { ok: true, value: url }
  const found = url === null ? `a text of ${text.length} characters that is no URL` : `an address of ${url.protocol}//`
  return {
    ok: false,
    problem: { code: 'http-url', where, found, expected: `http://HOST or https://HOST, at most ${longestUrl} characters` },
  }
}

/** Scheme and host of an address, for logs. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}`
}

/** The status of the answer, whatever it is. @throws when there is none in time */
export async function post(http: OutgoingHttp, url: URL, { body, contentType }: Message, signal?: AbortSignal): Promise<number> {
  const headers = { 'content-type': contentType }
  const question = { url, method: 'POST', headers, body, signal, mostBytes: answerLimitBytes, whenLonger: 'cut' } as const
  return (await http.ask(question)).status
}
