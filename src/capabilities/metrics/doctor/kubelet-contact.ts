// One connection to one address of a kubelet: what certificate it shows, or why none was seen. Nothing is sent on it that says who we are.
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { namesOf } from '#kube/server/certificates.ts'
import { keyOf } from '../pins/pin-rules.ts'
import type { Contact, Unreached } from './kubelet-facts.ts'

interface ContactOptions {
  /** PEM; undefined: the system's. */
  readonly authority: string | undefined
  readonly limitMs: number
  readonly clock: Clock
  readonly dial?: Dial | undefined
  readonly signal: AbortSignal
}

/** @throws `signal.reason`, nothing else */
export async function contactKubelet(host: string, port: number, options: ContactOptions): Promise<Contact> {
  const { authority, limitMs, clock, dial, signal } = options
  signal.throwIfAborted()
  // A socket is nothing that a virtual clock can see.
  using _held = clock.hold()
  try {
    const place = (await dial?.(host, port)) ?? { host, port }
    const socket = connect({
      ...place,
      ...(authority === undefined ? {} : { ca: authority }),
      // It is to be seen, not believed: who does not verify is told nothing.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    })
    try {
      await secured(socket, { limitMs, clock, signal })
      return seen(socket, host)
    } finally {
      socket.destroy()
    }
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'unreached', ...whyUnreached(error) }
  }
}

class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

async function secured(
  socket: TLSSocket,
  { limitMs, clock, signal }: Pick<ContactOptions, 'limitMs' | 'clock' | 'signal'>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.schedule(limitMs, () => reject(new NoAnswer()))
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  socket.once('secureConnect', () => resolve())
  // What breaks behind its end has nobody to tell.
  socket.on('error', reject)
  try {
    await promise
  } finally {
    cancel()
    signal.removeEventListener('abort', abort)
  }
}

function seen(socket: TLSSocket, host: string): Contact {
  const { raw } = socket.getPeerCertificate()
  if (raw === undefined) return { kind: 'unreached', why: 'no-tls', message: 'it shows no certificate' }
  const certificate = new X509Certificate(raw)
  const { dnsNames = [], ipAddresses = [] } = namesOf(certificate.toString())
  return {
    kind: 'certificate',
    certificate: {
      names: [...dnsNames, ...ipAddresses],
      subject: oneLine(certificate.subject),
      issuer: oneLine(certificate.issuer),
      fromMs: Date.parse(certificate.validFrom),
      untilMs: Date.parse(certificate.validTo),
      chain: socket.authorized
        ? undefined
        : String(Reflect.get(Object(socket.authorizationError), 'code') ?? socket.authorizationError),
      key: keyOf(certificate),
      isNamed: checkServerIdentity(host, socket.getPeerCertificate()) === undefined,
    },
  }
}

function oneLine(name: string): string {
  return name.trim().replaceAll('\n', ', ')
}

const reasons: Readonly<Record<string, Unreached>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'no-route',
  ENETUNREACH: 'no-route',
  EHOSTDOWN: 'no-route',
  ENETDOWN: 'no-route',
  EADDRNOTAVAIL: 'no-route',
  // An address of this link alone, without saying which link.
  EINVAL: 'no-route',
  ENOTFOUND: 'no-name',
  EAI_AGAIN: 'no-name',
  EPROTO: 'no-tls',
}

function whyUnreached(error: unknown): { readonly why: Unreached; readonly message: string } {
  if (error instanceof NoAnswer) return { why: 'timeout', message: '' }
  const code: unknown = Reflect.get(Object(error), 'code')
  const known = typeof code === 'string' ? (reasons[code] ?? (code.startsWith('ERR_SSL_') ? 'no-tls' : undefined)) : undefined
  // What OpenSSL says of a protocol is a line of its source.
  const said = known === 'no-tls' ? '' : messageOf(error)
  return { why: known ?? 'broken', message: said }
}
