// The HTTPS server that API servers send admission reviews to. Each connection and body has limits; certificates are exchanged
// while it runs, and open connections live on.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { type AdmissionSurroundings, answerAdmission, type Webhook, type WebhookReply } from './admission.ts'
import type { KeyPair } from './certificates.ts'
import { answerConversion, type Converter, converterPath } from './conversion.ts'
import { closed, keptConnections, listening } from './listening.ts'

interface WebhookServerOptions extends AdmissionSurroundings {
  readonly webhooks: readonly Webhook[]
  /** Converters of our own kinds that are served in several versions. */
  readonly converters?: readonly Converter[]
  readonly tls: KeyPair
  /** 0 takes any free port. */
  readonly port: number
  /** All addresses unless given. */
  readonly host?: string
}

export interface WebhookServer extends AsyncDisposable {
  readonly port: number
  /** Used from the next connection on. */
  setCertificate(tls: KeyPair): void
}

const bodyLimit = 8 * 1024 * 1024
const connectionsLimit = 1_000

/** Listens until disposed of: then new connections are refused, calls under way are answered, idle connections closed. */
export async function startWebhookServer(options: WebhookServerOptions): Promise<WebhookServer> {
  const server = createServer(
    {
      cert: options.tls.certificate,
      key: options.tls.key,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      ...keptConnections,
      maxHeaderSize: 16_384,
    },
    (request, response) => {
      void serve(request, response, options)
    },
  )
  server.maxConnections = connectionsLimit
  const port = await listening(server, options)
  return {
    port,
    setCertificate: tls => server.setSecureContext({ cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' }),
    [Symbol.asyncDispose]: () => closed(server),
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, options: WebhookServerOptions): Promise<void> {
  try {
    const body = await readBody(request)
    const reply = body === undefined ? tooLarge : await answer(request, body, options)
    const isLast = body === undefined ? { connection: 'close' } : {}
    response.writeHead(reply.status, { 'content-type': reply.contentType, ...isLast })
    response.end(reply.body)
  } catch (error) {
    // The connection broke: nobody is left to answer.
    options.log.debug({ err: String(error) }, 'webhook call broke off')
    response.destroy()
  }
}

const tooLarge: WebhookReply = { status: 413, contentType: 'text/plain; charset=utf-8', body: `body over ${bodyLimit} bytes\n` }

function answer(request: IncomingMessage, body: Uint8Array, options: WebhookServerOptions): Promise<WebhookReply> {
  const call = { method: request.method ?? '', url: request.url ?? '', contentType: request.headers['content-type'], body }
  const [path] = call.url.split('?')
  const converter = options.converters?.find(candidate => converterPath(candidate) === path)
  if (converter !== undefined) return Promise.resolve(answerConversion(converter, call, options.log))
  return answerAdmission(options.webhooks, call, options)
}

/** The whole body; `undefined` as soon as it is over the limit. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bodyLimit) return undefined
  const chunks: Buffer[] = []
  let length = 0
  // Not destroyed on the way out: the refusal still has to be sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const part = Buffer.from(chunk)
    length += part.length
    if (length > bodyLimit) return undefined
    chunks.push(part)
  }
  return Buffer.concat(chunks)
}
