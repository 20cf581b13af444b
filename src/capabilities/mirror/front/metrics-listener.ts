// The metrics port: health for probes, metrics for Prometheus, and the pages that people look into an agent by.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'
import { systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { FairConnections } from '#kube/server/front/fair-connections.ts'
import type { NoticesDocument } from '../notices.ts'
import { type Answer, emptyAnswer, jsonAnswer, textAnswer } from './answers.ts'
import type { DebugPages } from './debug-pages.ts'
import type { ListenAddress } from './listen-address.ts'
import type { Listener } from './listener.ts'
import type { Readiness } from './readiness.ts'
import { readinessAnswer } from './registry-front.ts'

const mostConnections = 200
const headersMs = 10_000
/** What is under way when the process ends has so long. */
const answeringMs = 3_000
const largestHead = 16_384

interface MetricsListenerOptions {
  readonly address: ListenAddress
  readonly metrics: Registry
  readonly readiness: () => Readiness
  /** What is told of this node beside; read by the agent's role `readiness`. */
  readonly notices: () => NoticesDocument
  /** `undefined`: switched off. */
  readonly debug: DebugPages | undefined
  readonly log: Log
}

/** Listens until disposed of. Bodies of requests are not read. @throws where the address is taken */
export async function listenForMetrics(options: MetricsListenerOptions): Promise<Listener> {
  const { address, log } = options
  const server = createServer(
    { headersTimeout: headersMs, requestTimeout: headersMs, maxHeaderSize: largestHead },
    (request, response) => {
      respond(options, request, response).catch((error: unknown) => {
        log.error({ why: messageOf(error), err: error }, 'a request to the metrics port could not be answered')
        response.destroy()
      })
    },
  )
  const connections = new FairConnections(server, { most: mostConnections, inPieces: true }, { clock: systemClock })
  const port = await connections.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) })
  return { port, [Symbol.asyncDispose]: () => connections.close(answeringMs) }
}

async function respond(options: MetricsListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort(new DOMException('who asked has gone', 'AbortError')))
  const { method, url = '/' } = request
  request.resume()
  const isRead = method === 'GET' || method === 'HEAD'
  const { status, headers, body } = isRead ? await answerTo(options, url, gone.signal) : textAnswer(405, 'only GET is answered\n')
  response.writeHead(status, { ...headers, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
  response.end(method === 'HEAD' ? undefined : body)
}

async function answerTo(
  { metrics, readiness, notices, debug }: MetricsListenerOptions,
  target: string,
  gone: AbortSignal,
): Promise<Answer> {
  switch (URL.parse(target, 'http://metrics')?.pathname) {
    case '/metrics': {
      const body = await metrics.metrics()
      return { status: 200, headers: { 'content-type': metrics.contentType, 'content-length': Buffer.byteLength(body) }, body }
    }
    case '/livez':
    case '/healthz':
      return emptyAnswer
    case '/readyz':
      return readinessAnswer(readiness())
    case '/ballast/notices':
      return jsonAnswer(notices())
    case '/debug/pprof/':
      return textAnswer(404, 'there are no profiles over the network\n')
    default:
      return (await debug?.answer(target, gone)) ?? textAnswer(404, 'not found\n')
  }
}
