// The controller's webhooks over HTTPS, and the words by which an API server finds them.
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Webhook } from '#kube/server/admission.ts'
import { injectAnnotation } from '#kube/server/bundle-injection.ts'
import type { SecretName } from '#kube/server/certificate-secret.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import type { Front } from '#kube/server/front/front.ts'
import { startWebhookServer } from '#kube/server/webhook.ts'

interface WebhookEndpointOptions {
  /** Our certificate, and the PEM bundle by which API servers judge it. */
  readonly tls: KeyPair
  readonly bundle: string
  /** Where API servers call: a Service in front of us, or this host by URL (the port is ours unless given). */
  readonly reachedBy:
    | { readonly service: { readonly namespace: string; readonly name: string; readonly port: number } }
    | { readonly host: string; readonly port?: number }
  readonly port: number
  /** The address to listen on; all unless given. */
  readonly bind?: string
  /** What is served already; parts put theirs on it, too. */
  readonly webhooks?: Webhook[]
  /** Once it is aborted webhooks are answered until the end: API servers learn late that a process is ending, and its parts end first. */
  readonly ending?: AbortSignal
  /** PEM: only who holds a certificate of it gets through the handshake. */
  readonly clientAuthority?: string
  readonly clock: Clock
  readonly log: Log
  /** The thread in which it listens; one of its own unless given. */
  readonly front?: Front
}

export interface ServedEndpoint extends WebhookEndpoint, AsyncDisposable {
  /** Used from the next connection, and the next configuration that is written, on. @throws when certificate and key do not belong together */
  renew(to: Pick<WebhookEndpointOptions, 'tls' | 'bundle'> & { readonly injectedFrom?: SecretName }): void
}

/** Listens until disposed of. Parts put their webhooks on it while they run. */
export async function startWebhookEndpoint(options: WebhookEndpointOptions): Promise<ServedEndpoint> {
  const { webhooks = [], ending, tls, port, bind, clock, log, reachedBy, front, clientAuthority } = options
  const server = await startWebhookServer({
    webhooks,
    tls,
    port,
    clock,
    log,
    ...(bind === undefined ? {} : { host: bind }),
    ...(front === undefined ? {} : { front }),
    ...(clientAuthority === undefined ? {} : { clientAuthority }),
  })
  const inBase64 = (bundle: string) => Buffer.from(bundle).toString('base64')
  let caBundle = inBase64(options.bundle)
  let annotations: Readonly<Record<string, string>> = {}
  return {
    annotations: () => annotations,
    clientConfig: path =>
      'service' in reachedBy
        ? { service: { ...reachedBy.service, path }, caBundle }
        : { url: `https://${reachedBy.host}:${reachedBy.port ?? server.port}${path}`, caBundle },
    renew(to) {
      server.setCertificate(to.tls)
      caBundle = inBase64(to.bundle)
      const from = to.injectedFrom
      annotations = from === undefined ? {} : { [injectAnnotation]: `${from.namespace}/${from.name}` }
    },
    serve: webhook => servedAmong(webhooks, webhook, ending),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Puts `webhook` among `webhooks`; disposing takes it away, unless the end has begun. */
export function servedAmong(webhooks: Webhook[], webhook: Webhook, ending: AbortSignal | undefined): Disposable {
  webhooks.push(webhook)
  return {
    [Symbol.dispose]: () => {
      const at = webhooks.indexOf(webhook)
      if (at >= 0 && ending?.aborted !== true) webhooks.splice(at, 1)
    },
  }
}
