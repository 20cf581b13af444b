// Certificates by which agents and controller know each other. The authority's key stays in our own namespace; what agents get is a copy
// without it, in theirs. Renewing is the keeper's affair: a new authority is trusted a while before anything is signed by it.
import { type ControllerContext, standardAgentNamespace } from '#coordination/capability.ts'
import { applyFields } from '#kube/client/apply.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { CertificateKeeper } from '#kube/server/certificate-keeper.ts'
import { agentTlsSecret, authoritySecret } from './agent-objects.ts'
import type { PeerIdentity } from './contract.ts'
import { agentTlsName } from './prefetch.ts'

const lookAgainMs = 300_000
const retryMs = 10_000

export class AgentCertificates {
  readonly #context: ControllerContext
  readonly #keeper: CertificateKeeper
  #identity: PeerIdentity | undefined
  #isPublished = false
  #wake: () => void = () => undefined

  constructor(context: ControllerContext) {
    const { identity } = context
    this.#context = context
    this.#keeper = new CertificateKeeper({
      ...context,
      secret: { namespace: identity.namespace, name: authoritySecret },
      places: [],
      names: {
        authorityName: 'ballast agents',
        leaf: { commonName: agentTlsName, dnsNames: [agentTlsName], usages: ['server', 'client'] },
      },
      onCertificate: (tls, bundle) => {
        this.#identity = { ca: bundle, certificate: tls.certificate, key: tls.key }
        this.#isPublished = false
        this.#wake()
      },
    })
  }

  /** What the controller shows agents; `undefined` before it was made or read. */
  get identity(): PeerIdentity | undefined {
    return this.#identity
  }

  get isPublished(): boolean {
    return this.#isPublished
  }

  /** Keeps and hands out, until `signal`. @throws `signal.reason`; SecretRefusedError where the Secret may not be used */
  async run(signal: AbortSignal): Promise<never> {
    await Promise.all([this.#keeper.run(signal), this.#publishing(signal)])
    throw signal.reason
  }

  async #publishing(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    while (!signal.aborted) {
      let waitMs = lookAgainMs
      try {
        if (this.#identity !== undefined) await this.#publish(this.#identity, signal)
      } catch (error) {
        signal.throwIfAborted()
        log.warn({ why: messageOf(error) }, 'the certificate of the agents could not be handed out, tried again')
        waitMs = retryMs
      }
      await this.#rest(waitMs, signal, clock)
    }
  }

  /** Until a new certificate, or so long: somebody may have taken the Secret away. */
  async #rest(waitMs: number, signal: AbortSignal, clock: ControllerContext['clock']): Promise<void> {
    if (this.#identity !== undefined && !this.#isPublished && waitMs === lookAgainMs) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    try {
      await clock.after(waitMs, AbortSignal.any([signal, woken.signal]))
    } catch (error) {
      signal.throwIfAborted()
      if (!woken.signal.aborted) throw error
    }
  }

  async #publish(identity: PeerIdentity, signal: AbortSignal): Promise<void> {
    const { api, identity: own, leading } = this.#context
    const namespace = own.agentNamespace ?? standardAgentNamespace
    const secrets = api.resource<KubeObject>(builtIn.secrets)
    const encoded = (text: string) => Buffer.from(text).toString('base64')
    const data = {
      'ca.crt': encoded(identity.ca),
      'tls.crt': encoded(identity.certificate),
      'tls.key': encoded(identity.key),
    }
    const there = await secrets.get(agentTlsSecret, { namespace, signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    if (!isDataEqual(there?.['data'], data)) {
      leading?.effects.leadership.assert()
      await applyFields(
        secrets,
        {
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/tls',
          metadata: { name: agentTlsSecret, namespace, labels: { 'ballast.dev/managed': 'true' } },
          data,
        },
        { fieldManager: 'ballast-certs', force: true, namespace, signal },
      )
    }
    if (identity === this.#identity) this.#isPublished = true
  }
}

function isDataEqual(found: unknown, wanted: Readonly<Record<string, string>>): boolean {
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(wanted).every(([key, text]) => Reflect.get(found, key) === text)
}
