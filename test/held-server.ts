// A twin behind a server that may stop answering at any request: what a process does in the midst of its start, or of its life, when its
// API server is silent.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request as ask } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parse, stringify } from 'yaml'

export interface HeldServer extends AsyncDisposable {
  /** The same kubeconfig, whose way leads through this server. */
  readonly kubeconfig: string
  /** `GET /api/v1/pods`, in the order in which they came. */
  readonly requests: readonly string[]
  /** The `count`th request from now on, counted from 1, and all after it have no answer. Resolves when it is there. */
  holdFrom(count: number): Promise<void>
  /** Resolves at the `count`th request of all. */
  reached(count: number): Promise<void>
}

interface Kubeconfig {
  readonly clusters: readonly [{ readonly name: string; readonly cluster: { readonly server: string } }]
  readonly users: readonly [
    { readonly user: { readonly 'client-certificate-data'?: string; readonly 'client-key-data'?: string } },
  ]
}

/** `kubeconfig` is of a twin that listens. */
export async function heldServer(kubeconfig: string): Promise<HeldServer> {
  const config: Kubeconfig = parse(kubeconfig)
  const [{ name, cluster }] = config.clusters
  // What the way to this server cannot carry goes with what it asks itself.
  const [{ user }] = config.users
  const decoded = (data: string | undefined) => (data === undefined ? undefined : Buffer.from(data, 'base64'))
  const agent = new Agent({
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
    rejectUnauthorized: false,
  })
  const target = new URL(cluster.server)
  const requests: string[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  let heldFrom = Number.POSITIVE_INFINITY
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    requests.push(`${request.method} ${request.url}`)
    for (const one of waiting) if (requests.length >= one.count) one.resolve()
    if (requests.length >= heldFrom) return
    const { hostname, port } = target
    const headers = { ...request.headers, host: target.host }
    const onward = ask({ hostname, port, path: request.url, method: request.method, headers, agent }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      answer.pipe(response)
      answer.once('error', () => response.destroy())
    })
    onward.once('error', () => response.destroy())
    response.once('close', () => onward.destroy())
    request.pipe(onward)
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  const { port }: AddressInfo = address
  const reached = (count: number) => {
    const arrived = Promise.withResolvers<void>()
    if (requests.length >= count) arrived.resolve()
    else waiting.push({ count, resolve: arrived.resolve })
    return arrived.promise
  }
  return {
    kubeconfig: stringify({ ...config, clusters: [{ name, cluster: { server: `http://127.0.0.1:${port}` } }] }),
    requests,
    holdFrom: count => {
      heldFrom = requests.length + count
      return reached(heldFrom)
    },
    reached,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      agent.destroy()
      await new Promise<void>(closed => server.close(() => closed()))
    },
  }
}
