// A controller's webhooks where no certificate was given to it: served with the one of the Secret that all replicas share or, where the
// Secret may not be read or written, with one of this process's own. Nobody is answered before that is known: API servers that were told
// of the Secret's authority would not believe another.
import type { Capability, WebhookEndpoint } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { certificatePlaces, certificateSecrets } from '#coordination/rbac.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { Random } from '#kube/random.ts'
import type { Webhook } from '#kube/server/admission.ts'
import { CertificateKeeper, SecretRefusedError } from '#kube/server/certificate-keeper.ts'
import type { certificateMetrics } from '#kube/server/certificate-metrics.ts'
import type { SecretName } from '#kube/server/certificate-secret.ts'
import type { CertificateNames } from '#kube/server/certificates.ts'
import type { Front } from '#kube/server/front/front.ts'
import type { NamedCheck } from '../health/controller-health.ts'
import type { ServedCertificate } from './certificate-directory.ts'
import { issuedHere, readReach, type WebhookAddress } from './own-webhooks.ts'
import { type ServedEndpoint, servedAmong, startWebhookEndpoint } from './webhook-endpoint.ts'

/** What a controller has, once it runs, for keeping certificates. */
interface KeepingSurroundings {
  readonly api: Api
  readonly informers: Informers
  readonly random: Random
  /** Our own. */
  readonly namespace: string
  readonly capabilities: readonly Capability[]
}

interface SharedWebhooksOptions extends WebhookAddress {
  /** Once it is aborted webhooks are answered until the end, whatever becomes of the parts that serve them. */
  readonly ending?: AbortSignal
  readonly clock: Clock
  readonly log: Log
  /** The thread in which they are served; one of their own unless given. */
  readonly front?: Front
}

type Shown = ServedCertificate & { readonly injectedFrom?: SecretName }

export class SharedWebhooks implements WebhookEndpoint, AsyncDisposable {
  readonly #options: SharedWebhooksOptions
  readonly #reachedBy: ReturnType<typeof readReach>['reachedBy']
  readonly #names: CertificateNames
  readonly #webhooks: Webhook[] = []
  #opening: Promise<ServedEndpoint> | undefined
  #endpoint: ServedEndpoint | undefined
  #shown: Shown | undefined
  #keeper: CertificateKeeper | undefined

  /** @throws CommandRefused where `host` cannot be read */
  constructor(options: SharedWebhooksOptions) {
    const { reachedBy, names } = readReach(options.host)
    this.#options = options
    this.#reachedBy = reachedBy
    this.#names = names
  }

  /** For metrics: what is served with, and trusted, now. */
  get certificates(): ReturnType<Parameters<typeof certificateMetrics>[1]> {
    const kept = this.#keeper?.current
    if (kept !== undefined || this.#shown === undefined) return kept
    return { leaf: this.#shown.tls, authority: { certificate: this.#shown.bundle } }
  }

  get check(): NamedCheck {
    if (this.#endpoint === undefined) return { name: 'webhooks', ok: false, message: 'no certificate was read or made yet' }
    return {
      name: 'webhooks',
      ok: true,
      state: this.#shown?.injectedFrom === undefined ? 'own certificate' : 'shared certificate',
    }
  }

  /** @throws Error before `keep` has yielded: nobody could be told by which authority to judge us */
  clientConfig(path: string): Readonly<Record<string, unknown>> {
    if (this.#endpoint === undefined) throw new Error('the webhooks have no certificate yet')
    return this.#endpoint.clientConfig(path)
  }

  annotations(): Readonly<Record<string, string>> {
    return this.#endpoint?.annotations?.() ?? {}
  }

  serve(webhook: Webhook): Disposable {
    return servedAmong(this.#webhooks, webhook, this.#options.ending)
  }

  /** Begins to keep the certificates, and resolves when calls are answered. Disposing ends the keeping. @throws `signal.reason`; when the port is taken */
  async keep(around: KeepingSurroundings, signal: AbortSignal): Promise<AsyncDisposable> {
    const { clock, log } = this.#options
    const { namespace, capabilities } = around
    const secret = { namespace, name: certificateSecrets.core }
    const stop = new AbortController()
    const until = AbortSignal.any([signal, stop.signal])
    const informers = around.informers.share({ signal: until })
    const opened = Promise.withResolvers<void>()
    const show = (shown: Shown) => this.#show(shown).then(opened.resolve, opened.reject)
    this.#keeper = new CertificateKeeper({
      ...around,
      informers,
      clock,
      log,
      secret,
      places: certificatePlaces(capabilities.flatMap(one => partsIn('controller', one))),
      names: { authorityName: 'ballast webhooks', leaf: { commonName: 'ballast-webhook', ...this.#names, usages: ['server'] } },
      onCertificate: (tls, bundle) => void show({ tls, bundle, injectedFrom: secret }),
    })
    const running = this.#keeper.run(until).catch(async (error: unknown) => {
      if (error instanceof SecretRefusedError) {
        log.warn(
          { object: `Secret ${namespace}/${secret.name}`, why: error.message },
          "the Secret may not be used: the webhooks' certificate is this process's own and ends with it; replicas behind one address need the Secret, or --webhook-cert-dir",
        )
        // Issuing takes the host's time, not the cluster's.
        using _held = clock.hold()
        await show(await issuedHere(this.#names))
        return
      }
      opened.reject(error)
      if (!until.aborted) throw error
    })
    const end = async () => {
      stop.abort(new DOMException('certificates are not kept any more', 'AbortError'))
      await running
      await informers[Symbol.asyncDispose]()
    }
    try {
      await opened.promise
    } catch (error) {
      await end()
      throw error
    }
    return { [Symbol.asyncDispose]: end }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#opening)?.[Symbol.asyncDispose]()
  }

  /** Resolves when calls are answered with it, or with what came after it. @throws when the port is taken */
  async #show(shown: Shown): Promise<void> {
    this.#shown = shown
    if (this.#opening !== undefined) {
      this.#endpoint?.renew(shown)
      return
    }
    const { port, bind, clock, log, front, clientAuthority } = this.#options
    this.#opening = startWebhookEndpoint({
      ...shown,
      webhooks: this.#webhooks,
      reachedBy: this.#reachedBy,
      port,
      clock,
      log,
      ...(bind === undefined ? {} : { bind }),
      ...(front === undefined ? {} : { front }),
      ...(clientAuthority === undefined ? {} : { clientAuthority }),
    })
    const endpoint = await this.#opening
    endpoint.renew(this.#shown)
    this.#endpoint = endpoint
  }
}
