// A bare HTTPS server behind an APIService: says what it was asked, so that what an API server hands on can be seen.
import { once } from 'node:events'
import { createServer } from 'node:https'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf, serviceDnsNames } from '#kube/server/certificates.ts'

export const echoService = { namespace: 'default', name: 'echo' } as const
export const echoGroup = 'echo.example.io'

/** What is the API server's own to say and differs from run to run. */
const unsteadyHeaders = [
  'host',
  'audit-id',
  'traceparent',
  'user-agent',
  'content-length',
  'connection',
  'date',
  'accept-encoding',
]

export interface EchoServer extends AsyncDisposable {
  readonly port: number
  readonly authority: string
  /** How many answers to `/slow` are still awaited. */
  readonly waiting: number
}

/** Listens on loopback. */
export async function startEchoServer(): Promise<EchoServer> {
  const nowMs = systemClock.now()
  const { name, namespace } = echoService
  const authority = await issueAuthority({ commonName: 'echo', nowMs })
  const leaf = await issueLeaf(authority, {
    commonName: name,
    dnsNames: serviceDnsNames(name, namespace),
    usages: ['server'],
    nowMs,
  })
  let waiting = 0
  const server = createServer({ cert: leaf.certificate, key: leaf.key, requestCert: true, rejectUnauthorized: false })
  server.on('request', (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'https://echo')
      const answer = (value: object, status = 200) => {
        response.writeHead(status, { 'content-type': 'application/json', 'x-echo': 'yes' })
        response.end(JSON.stringify(value))
      }
      const root = `/apis/${echoGroup}/v1`
      if (url.pathname === root) {
        const resources = [
          { name: 'things', singularName: 'thing', namespaced: false, kind: 'Thing', verbs: ['get', 'list', 'watch'] },
        ]
        answer({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${echoGroup}/v1`, resources })
      } else if (url.pathname === '/apis') {
        const version = { groupVersion: `${echoGroup}/v1`, version: 'v1' }
        const group = { name: echoGroup, versions: [version], preferredVersion: version }
        answer({ kind: 'APIGroupList', apiVersion: 'v1', groups: [group] })
      } else if (url.pathname === `${root}/things/slow`) {
        waiting++
        response.once('close', () => waiting--)
      } else if (url.pathname === `${root}/things/redirect`) {
        response.writeHead(302, { location: `${root}/things/other` })
        response.end()
      } else if (url.pathname === `${root}/things/broken`) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
        response.write('{"half":')
        response.destroy()
      } else if (url.searchParams.get('watch') === '1') {
        response.writeHead(200, { 'content-type': 'application/json' })
        for (const at of [1, 2, 3]) response.write(`{"type":"ADDED","object":{"at":${at}}}\n`)
        response.end()
      } else {
        const headers = Object.entries(request.headersDistinct).filter(([key]) => !unsteadyHeaders.includes(key))
        answer({
          method: request.method,
          path: url.pathname,
          query: url.search,
          headers: Object.fromEntries(headers.toSorted(([left], [right]) => (left < right ? -1 : 1))),
          body: Buffer.concat(chunks).toString(),
        })
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    authority: authority.certificate,
    get waiting() {
      return waiting
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      const ended = once(server, 'close')
      server.close()
      await ended
    },
  }
}
