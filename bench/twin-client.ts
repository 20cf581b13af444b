// A client of a twin for measuring: HTTP/2 with the administrator's certificate, bytes counted, nothing parsed that need not be.
import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { parse } from 'yaml'
import { systemClock } from '#kube/clock.ts'

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[]
  readonly users: readonly { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } }[]
}

/** A new connection to the cluster of a kubeconfig with a client certificate in it. */
export function connectTo(kubeconfigFile: string): ClientHttp2Session {
  const { clusters, users }: Kubeconfig = parse(readFileSync(kubeconfigFile, 'utf8'))
  const [{ cluster } = { cluster: undefined }] = clusters
  const [{ user } = { user: undefined }] = users
  if (cluster === undefined || user === undefined) throw new Error(`${kubeconfigFile} has no cluster or no user`)
  const decoded = (text: string) => Buffer.from(text, 'base64')
  const session = connect(cluster.server, {
    ca: decoded(cluster['certificate-authority-data']),
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
    settings: { initialWindowSize: 16 * 1024 * 1024 },
  })
  session.setMaxListeners(0)
  session.once('connect', () => session.setLocalWindowSize(64 * 1024 * 1024))
  return session
}

interface Answered {
  readonly status: number
  readonly bytes: number
  readonly ms: number
  /** The beginning of the body: enough for a list's metadata, and for a table's columns with its first row. */
  readonly start: string
}

const startLength = 8192

/** GET, to the end of the body. */
export function get(session: ClientHttp2Session, path: string, accept = 'application/json'): Promise<Answered> {
  return request(session, { ':path': path, accept })
}

/** A request to the end of its answer's body. */
export function request(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Answered> {
  const since = systemClock.elapsed()
  const { promise, resolve, reject } = Promise.withResolvers<Answered>()
  const stream = session.request(headers)
  let bytes = 0
  let start = ''
  let status = 0
  stream.on('response', answer => {
    status = answer[':status'] ?? 0
  })
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (start.length < startLength) start += chunk.subarray(0, startLength).toString('latin1')
  })
  stream.on('end', () => resolve({ status, bytes, ms: systemClock.elapsed() - since, start }))
  stream.on('error', reject)
  stream.end(body)
  return promise
}

/** Opens a watch; resolves when the server has answered. */
export async function openWatch(session: ClientHttp2Session, path: string): Promise<ClientHttp2Stream> {
  const stream = session.request({ ':path': path, accept: 'application/json' })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  stream.once('response', () => resolve())
  stream.once('error', reject)
  await promise
  return stream
}

/** The value below which `share` (0 to 1) of the values are. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
