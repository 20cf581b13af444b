// What other replicas, scalers and probes ask: upstream's paths, and our own counts.
import { createServer, type Server } from 'node:http'
import type { Clock } from '#kube/clock.ts'
import { refuseUnreadable } from '#kube/server/hang-up.ts'
import { closed, keptConnections, listening } from '#kube/server/listening.ts'
import type { RequestCounts } from '../counts/request-counts.ts'
import { changedPath } from '../counts/shared-counts.ts'
import { standingPath } from '../standing/standing-report.ts'

interface AdminOptions {
  readonly clock: Clock
  readonly counts: RequestCounts
  /** Who answers: another start of this process has another one. */
  readonly instance: string
  /** Routes are known, and the process does not end. */
  readonly isReady: () => boolean
  /** How routes stand here, as a report. */
  readonly standing: () => string
  /** Another replica has news. */
  readonly onNews: () => void
  readonly port: number
  readonly host?: string
}

interface AdminServer extends AsyncDisposable {
  readonly port: number
}

/** @throws Error where the port is taken */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { clock, counts, instance } = options
  const answers: Readonly<Record<string, () => { readonly status: number; readonly type: string; readonly body: string }>> = {
    '/livez': () => ({ status: 200, type: 'text/plain; charset=utf-8', body: '' }),
    '/readyz': () => {
      const isReady = options.isReady()
      const body = isReady ? 'OK' : 'Service Unavailable'
      return { status: isReady ? 200 : 503, type: 'text/plain; charset=utf-8', body }
    },
    [changedPath]: () => {
      options.onNews()
      return { status: 200, type: 'text/plain; charset=utf-8', body: '' }
    },
    [standingPath]: () => ({ status: 200, type: 'application/json', body: options.standing() }),
    '/queue': () => ({ status: 200, type: 'application/json', body: JSON.stringify(queueOf(counts)) }),
    '/counts': () => ({ status: 200, type: 'application/json', body: JSON.stringify({ instance, routes: countsOf(counts) }) }),
  }
  const server: Server = createServer(keptConnections, (request, response) => {
    request.resume()
    const path = (request.url ?? '').replace(/\?.*$/, '')
    const answer = answers[path]?.() ?? { status: 404, type: 'text/plain; charset=utf-8', body: '404 page not found\n' }
    response.writeHead(answer.status, { 'Content-Type': answer.type, 'Cache-Control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  })
  server.on('clientError', (error, socket) => refuseUnreadable(error, socket, clock))
  const port = await listening(server, { port: options.port, ...(options.host === undefined ? {} : { host: options.host }) })
  return { port, [Symbol.asyncDispose]: () => closed(server) }
}

/** As upstream's scaler reads it. */
function queueOf(counts: RequestCounts): Record<string, { readonly Concurrency: number; readonly RequestCount: number }> {
  return Object.fromEntries(
    [...counts.keys()].map(key => {
      const { concurrency, total } = counts.of(key)
      return [key, { Concurrency: concurrency, RequestCount: total }]
    }),
  )
}

function countsOf(counts: RequestCounts): Record<string, object> {
  return Object.fromEntries(
    [...counts.keys()].map(key => {
      const { concurrency, total, quietMs } = counts.of(key)
      return [key, { concurrency, total, quietMs: Number.isFinite(quietMs) ? Math.round(quietMs) : null }]
    }),
  )
}
