// The question to a pod whether it may be stopped.
import { request } from 'undici'
import type { Said } from './consent.ts'

const timeoutMs = 5_000
const mostBytes = 64 * 1024

/** @throws Error where it says nothing in time */
export async function askPod(
  { host, port }: { readonly host: string; readonly port: number },
  path: string,
  signal: AbortSignal,
): Promise<Said> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const { statusCode, headers, body } = await request(`http://${authority}${path}`, { signal: limit })
  await body.dump({ limit: mostBytes, signal: limit })
  const said = headers['retry-after']
  const seconds = typeof said === 'string' && /^\d{1,6}$/.test(said) ? Number(said) : undefined
  return { status: statusCode, retryAfter: seconds }
}
