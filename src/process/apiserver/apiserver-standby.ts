// What a standby answers on the page's address: that another pod leads, and how to reach that one.
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { DashboardConfiguration } from '#dashboard/configuration.ts'
import { parseListen } from '#dashboard/configuration.ts'
import { readPair } from '#dashboard/http/own-tls.ts'
import { systemClock } from '#kube/clock.ts'
import { FairConnections } from '#kube/server/front/fair-connections.ts'
import { handshakeMs } from '#kube/server/listening.ts'

/** Connections to whom a standby talks at once. */
const connectionsLimit = 100
const headersLimitMs = 10_000
const retryAfterSeconds = 5

interface StandbyOptions {
  readonly configuration: DashboardConfiguration
  /** Ballast's own. */
  readonly namespace: string
  /** Name of the pod that leads; empty where that is not known. */
  readonly holder: () => string
}

/** Listens until disposed of. @throws Error where the port is taken; InputError for certificates that cannot be read */
export async function openStandby(options: StandbyOptions): Promise<AsyncDisposable & { readonly port: number }> {
  const { configuration, namespace, holder } = options
  const { host, port } = parseListen(configuration.listen) ?? { host: '127.0.0.1', port: 8080 }
  const answering: RequestListener = (message, response) => {
    const text = standbyText(holder(), { namespace, port })
    const isApi = message.url?.startsWith(`${configuration.basePath}api/`) === true
    const body = isApi
      ? JSON.stringify({ error: { code: 'standing-by', message: text.message, remedy: text.remedy } })
      : `${text.message}\n${text.remedy}\n`
    response.writeHead(503, {
      'content-type': isApi ? 'application/json' : 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'retry-after': String(retryAfterSeconds),
      'x-content-type-options': 'nosniff',
      connection: 'close',
    })
    response.end(body)
    // Whatever else is sent is not read.
    message.resume()
  }
  const limits = { headersTimeout: headersLimitMs, requestTimeout: headersLimitMs }
  const pair = configuration.tls === undefined ? undefined : await readPair(configuration.tls)
  const server =
    pair === undefined
      ? createServer(limits, answering)
      : createTlsServer({ ...limits, handshakeTimeout: handshakeMs, cert: pair.certificate, key: pair.key }, answering)
  const connections = new FairConnections(server, { most: connectionsLimit, inPieces: true }, { clock: systemClock })
  const used = await connections.listen({ port, ...(host === undefined ? {} : { host }) })
  return {
    port: used,
    [Symbol.asyncDispose]: () => connections.close(0),
  }
}

/** What is said by a pod that does not lead. */
export function standbyText(
  holder: string,
  { namespace, port }: { readonly namespace: string; readonly port: number },
): { readonly message: string; readonly remedy: string } {
  return holder === ''
    ? { message: 'Nobody leads yet: this pod of ballast-apiserver stands by.', remedy: 'Try again in a few seconds.' }
    : {
        message: `This pod of ballast-apiserver stands by: ${holder} leads and serves the page.`,
        remedy: `kubectl -n ${namespace} port-forward pod/${holder} ${port}`,
      }
}
