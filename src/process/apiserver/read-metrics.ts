// A page of metrics by HTTP, for the dashboard: one answer of bounded size, no redirect followed.
import { request } from 'undici'

const mostBytes = 1_048_576

/** The text at `url`. @throws Error on another status than 200, or where it is larger than a mebibyte */
export async function readMetrics(url: string, signal: AbortSignal): Promise<string> {
  const { statusCode, body } = await request(url, { signal, headersTimeout: 3_000, bodyTimeout: 3_000 })
  if (statusCode !== 200) {
    body.destroy()
    throw new Error(`it answers ${statusCode}`)
  }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += Buffer.from(chunk).length
    if (length > mostBytes) throw new Error(`it answers more than ${mostBytes} bytes`)
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks).toString('utf8')
}
