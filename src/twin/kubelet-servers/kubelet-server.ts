// The server of one simulated kubelet: HTTPS on loopback, as the real one on its port 10250.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock } from '#kube/clock.ts'
import { FairConnections } from '#kube/server/front/fair-connections.ts'
import { handshakeMs, keptConnections, listening } from '#kube/server/listening.ts'
import type { Credentials } from '../api/request.ts'
import type { WholeResponse } from '../api/subresources/kubelet-api.ts'
import type { KeyPair } from '../authority.ts'
import { clientCertificate } from '../client-certificate.ts'
import type { TellTrouble } from '../trouble.ts'

/** What is asked of a kubelet. */
export interface AskedKubelet {
  readonly method: string
  /** Still percent-encoded, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string>>
  readonly credentials: Credentials
}

interface KubeletServerOptions {
  readonly node: string
  /** PEM of the authority that clients' certificates are checked by. */
  readonly authority: string
  readonly certificate: KeyPair
  readonly answer: (asked: AskedKubelet) => Promise<WholeResponse>
  /**
   * What callers of a node that is cut off meet: nobody answers them until they give up, or, where they live by the time of the twin, which
   * stands still while they wait, their connections break. Undefined while it is not.
   */
  readonly silence: () => 'wait' | 'break' | undefined
  readonly wire: Clock
  readonly onTrouble: TellTrouble
}

const loopback = '127.0.0.1'
const mostConnections = 64
const longestHeader = 1024 * 1024
/** A connection to a silent node is left open for so long: clients give up before. */
const silentMs = 60_000
const gzipOf = promisify(gzip)

export class KubeletServer {
  readonly #options: KubeletServerOptions
  readonly #server: Server
  readonly #connections: FairConnections
  #port = 0

  /** Listens on a free port. @throws Error where there is none, or the certificate cannot be used */
  static async start(options: KubeletServerOptions): Promise<KubeletServer> {
    const made = new KubeletServer(options)
    made.#port = await listening(made.#server, { port: 0, host: loopback })
    return made
  }

  private constructor(options: KubeletServerOptions) {
    this.#options = options
    const { wire } = options
    const server = createServer(
      {
        ...this.#identity(options.certificate),
        ...keptConnections,
        handshakeTimeout: handshakeMs,
        maxHeaderSize: longestHeader,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
      },
      (incoming, outgoing) => void this.#serve(incoming, outgoing),
    )
    const own = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      if (!this.#isLeft(socket)) for (const listener of own) listener.call(server, socket)
    })
    server.on('clientError', (error, socket) => this.#connections.refuseUnreadable(error, socket))
    this.#connections = new FairConnections(server, { most: mostConnections }, { clock: wire })
    this.#server = server
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: loopback, port: this.#port }
  }

  /** New connections are shown this one. */
  setCertificate(certificate: KeyPair): void {
    this.#server.setSecureContext(this.#identity(certificate))
  }

  /** Breaks off what is under way, as a node that is gone does. */
  async close(): Promise<void> {
    await this.#connections.close(0)
  }

  #identity({ certificate, key }: KeyPair) {
    return { cert: certificate, key, ca: this.#options.authority }
  }

  /** Whether nothing is said on the connection any more; it ends when nobody can wait for it. */
  #isLeft(socket: Socket): boolean {
    const { silence, wire } = this.#options
    const left = silence()
    if (left === 'wait') {
      const cancel = wire.schedule(silentMs, () => socket.destroy())
      socket.once('close', cancel)
    }
    if (left === 'break') socket.destroy()
    return left !== undefined
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { answer, node, onTrouble } = this.#options
    // No page takes a body.
    incoming.resume()
    if (this.#isLeft(incoming.socket)) return
    const asked = askedOf(incoming)
    try {
      const page = await packed(await answer(asked), asked)
      outgoing.writeHead(page.status, { ...page.headers, 'content-length': String(page.body.byteLength) })
      outgoing.end(asked.method === 'HEAD' ? undefined : page.body)
    } catch (error) {
      onTrouble({ kind: 'request', where: `${asked.method} ${asked.path} of kubelet ${node}`, error, count: 1 })
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end('internal error\n')
    }
  }
}

function askedOf(incoming: IncomingMessage): AskedKubelet {
  const url = incoming.url ?? '/'
  const question = url.indexOf('?')
  const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(',') : value] as const],
  )
  return {
    method: incoming.method ?? 'GET',
    path: question < 0 ? url : url.slice(0, question),
    query: new URLSearchParams(question < 0 ? '' : url.slice(question + 1)),
    headers: Object.fromEntries(headers),
    credentials: incoming.socket instanceof TLSSocket ? clientCertificate(incoming.socket) : { kind: 'none' },
  }
}

/** Pages of metrics are compressed for all who can read that, others never: as kubelets do. */
async function packed(
  { status, headers, body }: WholeResponse,
  asked: AskedKubelet,
): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array }> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const readsGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(asked.headers['accept-encoding'] ?? '')
  if (status !== 200 || !readsGzip || !asked.path.startsWith('/metrics/')) return { status, headers, body: bytes }
  return { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: await gzipOf(bytes, { level: 1 }) }
}
