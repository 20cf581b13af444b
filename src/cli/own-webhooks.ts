// A webhook endpoint with a certificate of its own, for processes that no installer gave one: a person's controller, `up --hold`.
import type { WebhookEndpoint } from '#coordination/capability.ts'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { startWebhookEndpoint } from './webhook-endpoint.ts'

interface OwnWebhooksOptions {
  /** Name or address under which the API server reaches this process. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** All addresses unless given. */
  readonly bind?: string
  readonly clock: Clock
  readonly log: Log
}

const isAddress = (host: string) => /^[\d.]+$/.test(host) || host.includes(':')

/** Issues an authority and a leaf for `host` and listens. The certificates live as long as the process and are written nowhere. */
export async function openOwnWebhooks(options: OwnWebhooksOptions): Promise<WebhookEndpoint & AsyncDisposable> {
  const { host, port, bind, clock, log } = options
  // Certificates are judged by the host's clock, whatever time the cluster has.
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'ballast webhooks', nowMs })
  const names = isAddress(host) ? { ipAddresses: [host] } : { dnsNames: [host] }
  const tls = await issueLeaf(authority, { commonName: 'ballast-webhook', ...names, usages: ['server'], nowMs })
  return await startWebhookEndpoint({
    tls,
    bundle: authority.certificate,
    reachedBy: { host },
    port,
    clock,
    log,
    ...(bind === undefined ? {} : { bind }),
  })
}
