// Calls of gRPC to a source that a trigger names. The name is looked up and judged by us, since the library would look it up by itself; a
// source that is lost is looked up again.
import { createPrivateKey } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import {
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import type { Method } from '#coordination/external-scaler-api.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Message } from '#kube/protobuf-message.ts'
import { TriggerProblem } from '../../triggers/parameters.ts'
import type { Outgoing, SourceTls } from '../outgoing.ts'

const largestMessage = 4 * 1024 * 1024
const keepaliveMs = 30_000
/** Addresses of one name that calls go round. */
const mostAddresses = 32

interface GrpcAddress {
  readonly host: string
  readonly port: number
  /** Undefined: no TLS. */
  readonly tls: SourceTls | undefined
  /** Versions and ciphers; default: the process's. */
  readonly wire?: Pick<SecureContextOptions, 'minVersion' | 'ciphers'>
  /** Its certificate is judged by this name, and questions bear it; default: the host's. */
  readonly authority?: string
  /** As messages name it; default: the external scaler. */
  readonly who?: string
}

/** What goes before a question. */
type Headers = Readonly<Record<string, string>>

/** The source knows no such call. */
export class NotImplemented extends OutsideError {
  override readonly name = 'NotImplemented'
}

/** The source does not take who we say we are. */
export class NotProven extends OutsideError {
  override readonly name = 'NotProven'
}

/** It was not reached, or did not answer in time. */
export class NotReached extends OutsideError {
  override readonly name = 'NotReached'
}

/** `host:port`, with what gRPC's own names put before it. @throws TriggerProblem */
export function grpcAddress(written: string, tls: SourceTls | undefined, parameter = 'scalerAddress'): GrpcAddress {
  const bare = written.trim().replace(/^dns:(?:\/\/\/?)?|^passthrough:\/\/\//, '')
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:/\s]+)):(\d{1,5})$/.exec(bare) ?? []
  const host = bracketed ?? plain
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw new TriggerProblem(`${parameter} ${JSON.stringify(written)}: expected host:port`)
  return { host, port: Number(port), tls }
}

/** TLS as parameters of a trigger say it, its key opened: the library takes no password. @throws TriggerProblem */
export function grpcTls(given: {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly keyPassword: string | undefined
  readonly unsafeSsl?: boolean | undefined
}): SourceTls {
  const { ca, cert, key, keyPassword, unsafeSsl } = given
  const tls = { authority: ca, certificate: cert, key, isInsecure: unsafeSsl }
  if (key === undefined || keyPassword === undefined) return tls
  try {
    const opened = createPrivateKey({ key, passphrase: keyPassword }).export({ type: 'pkcs8', format: 'pem' })
    return { ...tls, key: opened.toString() }
  } catch {
    // What Node says may hold parts of the key.
    throw new TriggerProblem('key cannot be read with keyPassword')
  }
}

/** One connection for all triggers with the same address and TLS, for as long as one of them has it. */
class GrpcPool {
  readonly #held = new Map<string, { readonly source: GrpcSource; users: number }>()
  readonly #around: { readonly clock: Clock; readonly outgoing: Outgoing }

  constructor(around: { readonly clock: Clock; readonly outgoing: Outgoing }) {
    this.#around = around
  }

  /** Disposing gives it back. */
  take(address: GrpcAddress): { readonly source: GrpcSource } & Disposable {
    const key = JSON.stringify(address)
    const held = this.#held.get(key) ?? { source: new GrpcSource(address, this.#around), users: 0 }
    this.#held.set(key, held)
    held.users++
    let isTaken = true
    const giveBack = () => {
      if (!isTaken) return
      isTaken = false
      if (--held.users > 0) return
      this.#held.delete(key)
      held.source.close()
    }
    return { source: held.source, [Symbol.dispose]: giveBack }
  }
}

/** One pool for all triggers of a world. */
const pools = new WeakMap<Outgoing, GrpcPool>()

export function grpcPoolOf({ clock, outgoing }: { readonly clock: Clock; readonly outgoing: Outgoing }): GrpcPool {
  const pool = pools.get(outgoing) ?? new GrpcPool({ clock, outgoing })
  pools.set(outgoing, pool)
  return pool
}

export class GrpcSource {
  readonly #address: GrpcAddress
  readonly #around: { readonly clock: Clock; readonly outgoing: Outgoing }
  #client: Client | undefined

  constructor(address: GrpcAddress, around: { readonly clock: Clock; readonly outgoing: Outgoing }) {
    this.#address = address
    this.#around = around
  }

  /** One question, one answer. @throws NotImplemented; OutsideError; `signal.reason` */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    signal: AbortSignal,
    headers: Headers = {},
  ): Promise<Response> {
    const { clock, outgoing } = this.#around
    // What a source does is nothing a virtual clock can see.
    using _held = clock.hold()
    const client = await this.#connected(signal)
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const call = client.makeUnaryRequest(
      method.path,
      encoderOf(method.request),
      decoderOf(method.response),
      request,
      metadataOf(headers),
      {},
      (error, response) => {
        if (error === null && response !== undefined) resolve(response)
        else reject(error ?? new OutsideError('an empty answer'))
      },
    )
    let isLate = false
    const cancelTimer = clock.schedule(outgoing.timeoutMs, () => {
      isLate = true
      call.cancel()
    })
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      return await promise
    } catch (error) {
      signal.throwIfAborted()
      throw this.#told(method.path, isLate ? `no answer in ${outgoing.timeoutMs / 1_000} s` : undefined, error, client)
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** What the source says, for as long as it says something; `isTwoWay` where it would listen on. @throws NotImplemented; OutsideError; `signal.reason` */
  async *stream<Request, Response>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    signal: AbortSignal,
    { headers = {}, isTwoWay = false }: { readonly headers?: Headers; readonly isTwoWay?: boolean } = {},
  ): AsyncGenerator<Response, void, undefined> {
    const client = await this.#connected(signal)
    const [encode, decode, metadata] = [encoderOf(method.request), decoderOf(method.response), metadataOf(headers)]
    let call: ClientReadableStream<Response>
    if (isTwoWay) {
      const both = client.makeBidiStreamRequest(method.path, encode, decode, metadata)
      both.write(request)
      call = both
    } else call = client.makeServerStreamRequest(method.path, encode, decode, request, metadata)
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      for await (const message of call) yield message as Response
    } catch (error) {
      signal.throwIfAborted()
      throw this.#told(method.path, undefined, error, client)
    } finally {
      signal.removeEventListener('abort', onAbort)
      call.cancel()
    }
  }

  close(): void {
    this.#client?.close()
    this.#client = undefined
  }

  async #connected(signal: AbortSignal): Promise<Client> {
    signal.throwIfAborted()
    if (this.#client !== undefined) return this.#client
    const { host, port, tls, authority, wire } = this.#address
    const dialled = await this.#around.outgoing.dialled(host, port)
    const found =
      dialled === undefined ? await this.#around.outgoing.addresses(host, signal) : [{ address: dialled.host, family: 4 }]
    // Somebody else may have been faster.
    if (this.#client !== undefined) return this.#client
    const family = found[0]?.family
    const addresses = found.filter(one => one.family === family).slice(0, mostAddresses)
    const at = dialled?.port ?? port
    const places = addresses.map(({ address }) => (family === 6 ? `[${address}]:${at}` : `${address}:${at}`))
    this.#client = new Client(`${family === 6 ? 'ipv6' : 'ipv4'}:${places.join(',')}`, credentialsOf(tls, wire), {
      'grpc.default_authority': authority ?? `${host.includes(':') ? `[${host}]` : host}:${port}`,
      ...(tls === undefined || isIP(authority ?? host) !== 0
        ? {}
        : { 'grpc.ssl_target_name_override': (authority ?? host).replace(/:\d+$/, '') }),
      'grpc.enable_retries': 0,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.max_receive_message_length': largestMessage,
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
    })
    return this.#client
  }

  #told(path: string, late: string | undefined, error: unknown, client: Client): OutsideError {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const code = error instanceof Error && 'code' in error ? (error as ServiceError).code : undefined
    if (code === status.UNIMPLEMENTED) return new NotImplemented(`${name} is not implemented`)
    // It may be elsewhere by now: the name is looked up again.
    if ((code === status.UNAVAILABLE || late !== undefined) && this.#client === client) this.close()
    const { host, port, who = 'the external scaler' } = this.#address
    const message = `${who} at ${host}:${port}: ${name}: ${late ?? messageOf(error)}`
    if (code === status.UNAVAILABLE || late !== undefined) return new NotReached(message)
    return code === status.UNAUTHENTICATED ? new NotProven(message) : new OutsideError(message)
  }
}

function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  return metadata
}

function credentialsOf(tls: SourceTls | undefined, wire: GrpcAddress['wire']): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure()
  const buffer = (pem: string | undefined) => (pem === undefined ? null : Buffer.from(pem))
  try {
    if (wire !== undefined) {
      const pair = { ca: tls.authority, cert: tls.certificate, key: tls.key }
      return credentials.createFromSecureContext(createSecureContext({ ...pair, ...wire }))
    }
    return credentials.createSsl(buffer(tls.authority), buffer(tls.key), buffer(tls.certificate), {
      rejectUnauthorized: tls.isInsecure !== true,
    })
  } catch (error) {
    throw new TriggerProblem(`the certificate, its key or the authority: ${messageOf(error)}`)
  }
}

const encoderOf =
  <T>(type: Message<T>) =>
  (value: Partial<T>): Buffer =>
    type.encode(value)
const decoderOf =
  <T>(type: Message<T>) =>
  (data: Buffer): T =>
    type.decode(data)
