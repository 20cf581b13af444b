// Ports of a pod over one WebSocket: as kubectl asks for them, in a SPDY connection of its own, or two channels a port, as browsers' clients do.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { MessageSocket } from '../api/request.ts'
import { type PodPort, podAnswer } from './pod-http.ts'
import { RemoteStream } from './remote-stream.ts'
import { type SpdyStream, spdySession } from './spdy-session.ts'

/** What is at a port of the pod, or why nothing is. */
export type FindPort = (port: number) => PodPort | { readonly fault: string }

/** Requests that wait for the second of their two streams. */
const mostHalfPairs = 64

/** Answers HTTP/1.1 on connections that come over other ones. It listens nowhere. */
export class PodHttp {
  readonly #server: Server
  readonly #ports = new WeakMap<object, () => PodPort | undefined>()

  constructor() {
    const server = createServer((request, response) => this.#answer(request, response))
    // Who has sent all that it asks closes its half, and is still answered.
    this.#server = Object.assign(server, { httpAllowHalfOpen: true })
  }

  /** Serves the connection until it ends. `find` is asked with each request: the pod may have changed. */
  serve(connection: Duplex, find: () => PodPort | undefined): void {
    this.#ports.set(connection, find)
    this.#server.emit('connection', connection)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const place = this.#ports.get(request.socket)?.()
    if (place === undefined) {
      request.socket.destroy()
      return
    }
    const { method = 'GET', url: path = '/', headers } = request
    request.resume().on('end', () => {
      const { status, headers: told, body } = podAnswer(place, { method, path, headers })
      response.writeHead(status, { ...told, 'content-length': String(Buffer.byteLength(body)) }).end(body)
    })
  }
}

/** Forwards until the client goes: each connection has a stream for its bytes and one for what went wrong. */
export async function forwardStreams(socket: MessageSocket, find: FindPort, http: PodHttp): Promise<void> {
  const waiting = new Map<string, SpdyStream>()
  await spdySession(socket, stream => {
    const type = stream.headers.get('streamtype') ?? ''
    const port = portIn(stream.headers.get('port') ?? '')
    if ((type !== 'error' && type !== 'data') || port === undefined) return false
    // Old clients number no requests: their two streams follow each other.
    const request = stream.headers.get('requestid') ?? String(type === 'data' ? stream.id - 2 : stream.id)
    const other = waiting.get(request)
    if (other === undefined) {
      if (waiting.size >= mostHalfPairs) return false
      waiting.set(request, stream)
      stream.bytes.once('close', () => waiting.delete(request))
      return true
    }
    if (other.headers.get('streamtype') === type) return false
    waiting.delete(request)
    const [data, error] = type === 'data' ? [stream, other] : [other, stream]
    error.bytes.resume()
    const place = find(port)
    if ('fault' in place) {
      error.bytes.end(place.fault, () => data.bytes.destroy())
      return true
    }
    data.bytes.once('close', () => error.bytes.end())
    http.serve(data.bytes, () => portOrNone(find(port)))
    return true
  })
}

/** Forwards the ports asked for: channels 2n and 2n + 1 are its bytes and what went wrong, each begins with the port in little-endian. */
export async function forwardChannels(
  socket: MessageSocket,
  { ports, find }: { readonly ports: readonly number[]; readonly find: FindPort },
  http: PodHttp,
): Promise<void> {
  const send = (channel: number) => (bytes: Uint8Array) => socket.send(Buffer.concat([Buffer.from([channel]), bytes]))
  const ended: Promise<unknown>[] = []
  const streams = new Map<number, RemoteStream>()
  for (const [at, port] of ports.entries()) {
    const [data, error] = [2 * at, 2 * at + 1]
    const name = Buffer.from([port & 0xff, port >>> 8])
    await send(data)(name)
    await send(error)(name)
    const place = find(port)
    if ('fault' in place) {
      ended.push(send(error)(Buffer.from(place.fault)))
      continue
    }
    const stream = new RemoteStream({ send: send(data), sendEnd: () => Promise.resolve() })
    streams.set(data, stream)
    // There is no half of a channel: what the pod has ended is ended.
    stream.once('finish', () => stream.destroy())
    ended.push(new Promise(resolve => stream.once('close', resolve)))
    http.serve(stream, () => portOrNone(find(port)))
  }
  const reading = (async () => {
    for await (const message of socket.messages) await streams.get(message[0] ?? -1)?.receive(message.subarray(1))
  })()
  try {
    await Promise.race([Promise.all(ended), reading])
  } finally {
    for (const stream of streams.values()) stream.destroy()
  }
}

function portOrNone(found: ReturnType<FindPort>): PodPort | undefined {
  return 'fault' in found ? undefined : found
}

/** A port as a decimal number; undefined where it is none. */
export function portIn(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : undefined
}
