// A controller's webhooks where no certificate was given to it: served with the one of the Secret that all replicas share or, while the
// Secret may not be read or written, with one of this process's own. Nobody is answered before that is known: API servers that were told
// of the Secret's authority would not believe another.
import type { Capability, Check, WebhookEndpoint } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { certificatePlaces, certificateSecrets } from '#coordination/rbac.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'
import type { Webhook } from '#kube/server/admission.ts'
import { CertificateKeeper } from '#kube/server/certificate-keeper.ts'
import type { certificateMetrics } from '#kube/server/certificate-metrics.ts'
import type { SecretName } from '#kube/server/certificate-secret.ts'
import type { CertificateNames } from '#kube/server/certificates.ts'
import type { Front } from '#kube/server/front/front.ts'
import type { ServedCertificate } from './certificate-directory.ts'
import { Opening } from './opening.ts'
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

  get check(): Check {
    if (this.#endpoint === undefined) return { name: 'webhooks', ok: false, message: 'no certificate was read or made yet' }
    return {
      name: 'webhooks',
      ok: true,
      state: this.#shown?.injectedFrom === undefined ? 'own certificate' : 'shared certificate',
    }
  }

  /** @throws OutsideError while there is no certificate: nobody could be told by which authority to judge us */
  clientConfig(path: string): Readonly<Record<string, unknown>> {
    if (this.#endpoint === undefined)
      throw new OutsideError('the webhooks have no certificate yet: their Secret cannot be read or written')
    return this.#endpoint.clientConfig(path)
  }

  annotations(): Readonly<Record<string, string>> {
    return this.#endpoint?.annotations?.() ?? {}
  }

  serve(webhook: Webhook): Disposable {
    return servedAmong(this.#webhooks, webhook, this.#options.ending)
  }

  /**
   * Begins to keep the certificates, and resolves when calls are answered, or after 30 s: what is no webhook does not wait for their Secret.
   * Disposing ends the keeping. @throws `signal.reason`; when the port is taken
   */
  async keep(around: KeepingSurroundings, signal: AbortSignal): Promise<AsyncDisposable> {
    const { clock, log } = this.#options
    const { namespace, capabilities } = around
    const secret = { namespace, name: certificateSecrets.core }
    const stop = new AbortController()
    const until = AbortSignal.any([signal, stop.signal])
    const informers = around.informers.share({ signal: until })
    const opened = new Opening({ clock, log, what: 'webhooks', signal: until })
    this.#keeper = new CertificateKeeper({
      ...around,
      informers,
      clock,
      log,
      secret,
      places: certificatePlaces(capabilities.flatMap(one => partsIn('controller', one))),
      names: { authorityName: 'ballast webhooks', leaf: { commonName: 'ballast-webhook', ...this.#names, usages: ['server'] } },
      onCertificate: (tls, bundle) => opened.by(this.#show({ tls, bundle, injectedFrom: secret })),
      onRefused: why => {
        log.warn(
          { object: `Secret ${namespace}/${secret.name}`, why },
          "the Secret may not be used: the webhooks' certificate is this process's own until it may; replicas behind one address need the Secret, or --webhook-cert-dir",
        )
        opened.by(this.#showOwn())
      },
    })
    const running = opened.ofKeeping(this.#keeper.run(until))
    const end = async () => {
      stop.abort(new DOMException('certificates are not kept any more', 'AbortError'))
      await running
      await informers[Symbol.asyncDispose]()
    }
    try {
      await opened.waited()
    } catch (error) {
      await end()
      throw error
    }
    return { [Symbol.asyncDispose]: end }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#opening)?.[Symbol.asyncDispose]()
  }

  /** Resolves when calls are answered with a certificate of our own, unless there is the shared one by then. @throws when the port is taken */
  async #showOwn(): Promise<void> {
    if (this.#shown !== undefined) return
    // Issuing takes the host's time, not the cluster's.
    using _held = this.#options.clock.hold()
    const own = await issuedHere(this.#names)
    if (this.#shown === undefined) await this.#show(own)
  }

  /** Resolves when calls are answered with it, or with what came after it. @throws when the port is taken */
  async #show(shown: Shown): Promise<void> {
    const { port, bind, clock, log, front, clientAuthority } = this.#options
    if (shown.injectedFrom !== undefined && this.#shown !== undefined && this.#shown.injectedFrom === undefined)
      log.info({}, 'the Secret may be used: the webhooks have the certificate that all replicas share')
    this.#shown = shown
    if (this.#opening !== undefined) {
      this.#endpoint?.renew(shown)
      return
    }
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
