// The controller's webhooks over HTTPS, and the words by which an API server finds them.
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { startWebhookServer } from '#kube/server/webhook.ts'

interface WebhookEndpointOptions {
  /** Our certificate, and the PEM bundle by which API servers judge it. */
  readonly tls: KeyPair
  readonly bundle: string
  /** Where API servers call: a Service in front of us, or this host by URL (the port is added). */
  readonly reachedBy:
    | { readonly service: { readonly namespace: string; readonly name: string; readonly port: number } }
    | { readonly host: string }
  readonly port: number
  /** The address to listen on; all unless given. */
  readonly bind?: string
  readonly clock: Clock
  readonly log: Log
}

/** Listens until disposed of. Parts put their webhooks on it while they run. */
export async function startWebhookEndpoint(options: WebhookEndpointOptions): Promise<WebhookEndpoint & AsyncDisposable> {
  const webhooks: Webhook[] = []
  const { tls, port, bind, clock, log, reachedBy } = options
  const server = await startWebhookServer({ webhooks, tls, port, clock, log, ...(bind === undefined ? {} : { host: bind }) })
  const caBundle = Buffer.from(options.bundle).toString('base64')
  return {
    clientConfig: path =>
      'service' in reachedBy
        ? { service: { ...reachedBy.service, path }, caBundle }
        : { url: `https://${reachedBy.host}:${server.port}${path}`, caBundle },
    serve(webhook) {
      webhooks.push(webhook)
      return {
        [Symbol.dispose]: () => {
          const at = webhooks.indexOf(webhook)
          if (at >= 0) webhooks.splice(at, 1)
        },
      }
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
