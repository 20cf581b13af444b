// Connections for libraries that speak a protocol of their own: opened by us to an address that was judged, and handed over as a stream that
// ends where more comes than may come, or where a library stumbles over what a server says.
import { connect as connectPlain, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import {
  type ConnectionOptions,
  connect as connectSecure,
  createSecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import type { Outgoing, SourceTls } from './outgoing.ts'

/** Bytes that a server may say between two calls of `again`. */
export const mostGuardedBytes = 4 * 1024 * 1024

export interface SocketPlace {
  readonly host: string
  readonly port: number
}

export type SocketTls = SourceTls & {
  /** The certificate is checked, and not whom it names. */
  readonly isNameUnchecked?: boolean | undefined
}

/** Connected to an address of the host that may be reached. @throws AddressRefused; OutsideError; `signal.reason` */
export async function guardedSocket({ host, port }: SocketPlace, outgoing: Outgoing, signal: AbortSignal): Promise<Socket> {
  const [first] = await outgoing.addresses(host, signal)
  if (first === undefined) throw new OutsideError(`${host} has no address`)
  signal.throwIfAborted()
  return await judgedSocket({ host: first.address, port }, signal)
}

/** To an address that was judged before. @throws Error of the connection; `signal.reason` */
export async function judgedSocket({ host, port }: SocketPlace, signal: AbortSignal): Promise<Socket> {
  return await once(connectPlain({ host, port, noDelay: true }), 'connect', signal)
}

/** @throws TriggerProblem that names the parameter, and does not show what it says: it may be a whole text of a connection */
export function hostNamed(parameter: string, host: string): string {
  if (!/^[^\s\p{Cc}]{1,253}$/u.test(host))
    throw new TriggerProblem(`${parameter}: a host is no name: expected at most 253 characters, and no spaces`)
  return host
}

/** TLS over a connection. @throws Error of the handshake; `signal.reason` */
export async function securedSocket(socket: Socket, host: string, tls: SocketTls, signal: AbortSignal): Promise<TLSSocket> {
  const options: ConnectionOptions = {
    ...{ socket, ...secureOptions(tls) },
    // A name is compared with the certificate; an address too, but it is not sent.
    ...(/^[\d.]+$|:/.test(host) ? { host } : { servername: host }),
    ...(tls.isNameUnchecked === true ? { checkServerIdentity: () => undefined } : {}),
  }
  return await once(connectSecure(options), 'secureConnect', signal)
}

/** What Node is told of TLS. @throws TriggerProblem that names the parameter which cannot be read, and shows nothing of it */
export function secureOptions(tls: SourceTls & { readonly passphrase?: string | undefined }): ConnectionOptions {
  const { authority, certificate, key, passphrase } = tls
  const some = {
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  }
  // Node's own words do not say which of them it is.
  const read = (one: SecureContextOptions) => {
    try {
      return createSecureContext(one)
    } catch {
      // What it says may show parts of a key.
      return undefined
    }
  }
  const isInsecure = tls.isInsecure === true
  const secureContext = read(some)
  if (secureContext !== undefined) return { rejectUnauthorized: !isInsecure, secureContext }
  const wrong =
    authority !== undefined && read({ ca: authority }) === undefined
      ? 'ca'
      : certificate !== undefined && read({ cert: certificate }) === undefined
        ? 'cert'
        : key !== undefined && read({ key, ...(passphrase === undefined ? {} : { passphrase }) }) === undefined
          ? `key${passphrase === undefined ? '' : ', or its keyPassword,'}`
          : undefined
  throw new TriggerProblem(wrong === undefined ? 'key is not that of cert' : `${wrong} cannot be read: expected PEM`)
}

async function once<S extends Socket>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  const happened = Promise.withResolvers<S>()
  const onAbort = () => happened.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  socket.once(event, () => happened.resolve(socket))
  // Later errors are told by whoever reads.
  socket.on('error', error => happened.reject(error))
  socket.once('close', () => happened.reject(new OutsideError('the connection was closed')))
  try {
    return await happened.promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A connection as a library wants it: libraries that call `connect` find it connected. */
export class GuardedStream extends Duplex {
  readonly #socket: Socket
  readonly #shown: string
  readonly #whole: (piece: Buffer) => Buffer
  #left = mostGuardedBytes

  /** `shown` says in errors whose connection it is; `whole` keeps back what a library may not read, or not yet, and throws where nothing may follow. */
  constructor(socket: Socket, shown: string, whole: (piece: Buffer) => Buffer = piece => piece) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#shown = shown
    this.#whole = whole
    // Errors reach whoever listens; where nobody does, they are told by what cannot be read.
    this.on('error', () => undefined)
    socket.on('data', (piece: Buffer) => this.#come(piece))
    socket.once('end', () => this.push(null))
    socket.on('error', error => this.destroy(error))
    socket.once('close', () => this.destroy())
    if (socket.destroyed) this.destroy()
  }

  /** A new question begins: the server may say as much again. */
  again(): void {
    this.#left = mostGuardedBytes
  }

  override emit(event: string | symbol, ...words: unknown[]): boolean {
    if (event !== 'data' && event !== 'readable') return super.emit(event, ...words)
    try {
      return super.emit(event, ...words)
    } catch {
      // What a library says while it stumbles may show what was said; nobody could catch it in a listener.
      this.destroy(new AnswerError(`what answers at ${this.#shown} does not keep to the protocol`))
      return false
    }
  }

  connect(): this {
    queueMicrotask(() => this.emit('connect'))
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(piece, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #come(piece: Buffer): void {
    this.#left -= piece.length
    if (this.#left < 0) this.destroy(new AnswerError(`${this.#shown} sent more than ${mostGuardedBytes} bytes`))
    else this.#pass(piece)
  }

  #pass(piece: Buffer): void {
    try {
      const whole = this.#whole(piece)
      if (whole.length > 0 && !this.push(whole)) this.#socket.pause()
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
