// A webhook endpoint as a process serves it: with the certificate that an installer gave it, which all replicas behind one address share;
// else with one of its own (a person's controller, `up --hold`).
import { readFileSync } from 'node:fs'
import { type Clock, systemClock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { certificatesIn } from '#kube/server/certificate-trust.ts'
import { type CertificateNames, issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import type { Front } from '#kube/server/front/front.ts'
import { CommandRefused } from '../surroundings.ts'
import { CertificateDirectory, type ServedCertificate } from './certificate-directory.ts'
import { type ServedEndpoint, startWebhookEndpoint } from './webhook-endpoint.ts'

/** Where API servers reach a process, and where it listens for them. */
export interface WebhookAddress {
  /** Name or address under which the API server reaches this process, `HOST` or `HOST:PORT`. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** All addresses unless given. */
  readonly bind?: string
  /** PEM: only who holds a certificate of it gets through the handshake. */
  readonly clientAuthority?: string
}

interface OwnWebhooksOptions extends WebhookAddress {
  /** Where certificate, key and authority lie; without it they are issued here. */
  readonly certificates?: string
  /** Once it is aborted webhooks are answered until the end, whatever becomes of the parts that serve them. */
  readonly ending?: AbortSignal
  readonly clock: Clock
  readonly log: Log
  /** The thread in which they are served; one of their own unless given. */
  readonly front?: Front
}

interface OwnWebhooks extends ServedEndpoint {
  /** For metrics: what is served with, and trusted, now. */
  readonly certificates: { readonly leaf: KeyPair; readonly authority: { readonly certificate: string } }
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(':')

/** `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`. @throws CommandRefused for anything else */
export function readWebhookHost(text: string): { readonly host: string; readonly port?: number } {
  if (/^[\da-f:]*:[\da-f:]*:[\da-f:.]*$/i.test(text)) return { host: text }
  const match = /^(?:\[([\da-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/i.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? undefined : Number(match[3])
  if (host === undefined || port === 0 || (port ?? 1) > 65_535)
    throw new CommandRefused(`--webhook-host: found ${JSON.stringify(text)}, expected HOST, HOST:PORT or [ADDRESS]:PORT`)
  return { host, ...(port === undefined ? {} : { port }) }
}

/** How webhooks are reached: by a Service of the cluster, or by an address that API servers can resolve. */
type Reach = Parameters<typeof startWebhookEndpoint>[0]['reachedBy']

/** The name of a Service inside of its cluster. API servers find it by reference only: many cannot ask the cluster's DNS. */
const serviceName = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc$/

/** How `text` is said in a configuration, and what a certificate for it names. @throws CommandRefused where it is neither host nor address */
export function readReach(text: string): { readonly reachedBy: Reach; readonly names: CertificateNames } {
  const { host, ...shown } = readWebhookHost(text)
  const [, name, namespace] = serviceName.exec(host) ?? []
  if (name !== undefined && namespace !== undefined)
    return { reachedBy: { service: { namespace, name, port: shown.port ?? 443 } }, names: { dnsNames: [host] } }
  return {
    reachedBy: { host: host.includes(':') ? `[${host}]` : host, ...shown },
    names: isAddress(host) ? { ipAddresses: [host] } : { dnsNames: [host] },
  }
}

/** The authority of API servers that show a certificate, from a file in PEM. @throws CommandRefused where it cannot be read or has no certificate */
export function readClientAuthority(file: string): string {
  const refused = (why: string) => new CommandRefused(`--webhook-client-ca: ${why}, expected a file with certificates in PEM`)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw refused(messageOf(error))
  }
  try {
    if (certificatesIn(text).length > 0) return text
  } catch (error) {
    throw refused(`${file}: ${messageOf(error)}`)
  }
  throw refused(`${file} has none`)
}

/** Listens. Certificates that are issued here live as long as the process and are written nowhere. @throws CommandRefused naming what is wrong */
export async function openOwnWebhooks(options: OwnWebhooksOptions): Promise<OwnWebhooks> {
  const { host, certificates, ...around } = options
  const { reachedBy, names } = readReach(host)
  const directory = certificates === undefined ? undefined : new CertificateDirectory(certificates)
  let certificate = directory?.current ?? (await issuedHere(names))
  const endpoint = await startWebhookEndpoint({ ...certificate, ...around, reachedBy })
  const watch = directory?.watch(changed => {
    endpoint.renew(changed)
    certificate = changed
  }, options)
  return {
    ...endpoint,
    get certificates() {
      return { leaf: certificate.tls, authority: { certificate: certificate.bundle } }
    },
    [Symbol.asyncDispose]: async () => {
      watch?.[Symbol.dispose]()
      await endpoint[Symbol.asyncDispose]()
    },
  }
}

/** A certificate under an authority that nobody else has. */
export async function issuedHere(names: CertificateNames): Promise<ServedCertificate> {
  // Certificates are judged by the host's clock, whatever time the cluster has.
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'ballast webhooks', nowMs })
  const tls = await issueLeaf(authority, { commonName: 'ballast-webhook', ...names, usages: ['server'], nowMs })
  return { tls, bundle: authority.certificate }
}
