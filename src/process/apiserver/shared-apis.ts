// The APIs that parts of this process serve behind the cluster's API server: one HTTPS server for all of them, with the certificate of the
// Secret that all replicas share. API servers judge it by the bundle that the keeper puts into our APIServices.
import type { Registry } from 'prom-client'
import type { ApiEndpoint, Capability, Check } from '#coordination/capability.ts'
import { aggregatedPortName, apiServicesOf, partsIn } from '#coordination/part-hosts.ts'
import { certificatePlaces, certificateSecrets } from '#coordination/rbac.ts'
import type { Api } from '#kube/client/api.ts'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import type { AggregatedApi } from '#kube/server/aggregated-api.ts'
import { type AggregatedServer, startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { CertificateKeeper } from '#kube/server/certificate-keeper.ts'
import type { certificateMetrics } from '#kube/server/certificate-metrics.ts'
import { type KeyPair, serviceDnsNames } from '#kube/server/certificates.ts'
import type { PrivatePath } from '#kube/server/replicas/private-paths.ts'
import { type ReadyReplicas, readyReplicas } from '#kube/server/replicas/ready-replicas.ts'
import { ReplicaClient } from '#kube/server/replicas/replica-client.ts'
import { Opening } from '../webhooks/opening.ts'

interface SharedApisOptions {
  /** Name of the Service by which API servers reach us, in our own namespace. */
  readonly service: string
  /** 0 takes a free one. */
  readonly port: number
  /** All addresses unless given. */
  readonly bind?: string
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Registry
  readonly version: string
  /** Our own token, by which replicas of this process know each other; absent: they do not. */
  readonly token?: () => Promise<string | undefined>
  /** Where replicas are in truth, whose addresses nobody can reach. */
  readonly dial?: Dial
}

interface KeepingSurroundings {
  readonly api: Api
  readonly informers: Informers
  readonly random: Random
  /** Our own. */
  readonly namespace: string
  /** Name of our own pod. */
  readonly pod: string
  /** Those that are enabled. */
  readonly capabilities: readonly Capability[]
}

/** As it is registered; the port that it leads to is another. */
const servicePort = 443

type Named = Pick<AggregatedApi, 'group' | 'version'>

export class SharedApis implements ApiEndpoint {
  readonly #options: SharedApisOptions
  #apis: readonly AggregatedApi[] = []
  #awaited: readonly Named[] = []
  #server: AggregatedServer | undefined
  #opening: Promise<AggregatedServer> | undefined
  #keeper: CertificateKeeper | undefined
  #refusal: string | undefined
  #paths: readonly PrivatePath[] = []
  readonly #replicas: ReplicaClient
  /** How the replicas' certificate is judged: theirs and ours is one, by the authority of the Secret. */
  #trust: { readonly authority: string; readonly serverName: string } | undefined
  /** Ours, once we are told. */
  #place: { readonly namespace: string; readonly pod: string } | undefined

  constructor(options: SharedApisOptions) {
    this.#options = options
    const { clock, token = async () => undefined, dial } = options
    this.#replicas = new ReplicaClient({ clock, token, dial, trust: () => this.#trust })
  }

  get service(): ApiEndpoint['service'] {
    return { name: this.#options.service, port: servicePort }
  }

  /** Where it listens; `undefined` until there is a certificate. */
  get port(): number | undefined {
    return this.#server?.port
  }

  /** For metrics: what is served with, and trusted, now. */
  get certificates(): ReturnType<Parameters<typeof certificateMetrics>[1]> {
    return this.#keeper?.current
  }

  /** @throws Error for an API that no listener names, or that another part serves */
  serve(api: AggregatedApi): Disposable {
    const name = `${api.group}/${api.version}`
    const isIt = (other: Named) => other.group === api.group && other.version === api.version
    if (!this.#awaited.some(isIt)) throw new Error(`API ${name} is served, but no listener of an enabled capability names it`)
    if (this.#apis.some(isIt)) throw new Error(`API ${name} is served by another part already`)
    this.#apis = [...this.#apis, api]
    return {
      [Symbol.dispose]: () => {
        this.#apis = this.#apis.filter(one => one !== api)
      },
    }
  }

  answerReplicas(path: PrivatePath): Disposable {
    if (this.#paths.some(one => one.path === path.path)) throw new Error(`path ${path.path} is answered by another part already`)
    this.#paths = [...this.#paths, path]
    return {
      [Symbol.dispose]: () => {
        this.#paths = this.#paths.filter(one => one !== path)
      },
    }
  }

  replicasBy(slices: Iterable<KubeObject>): ReadyReplicas | undefined {
    const port = this.port
    // Who has no token, or is not listening, has nothing to ask or to be asked with.
    if (this.#place === undefined || port === undefined || this.#options.token === undefined) return undefined
    const { service } = this.#options
    return readyReplicas(slices, { service, own: this.#place.pod, portName: aggregatedPortName, port })
  }

  askReplica(...question: Parameters<ApiEndpoint['askReplica']>): ReturnType<ApiEndpoint['askReplica']> {
    return this.#replicas.ask(...question)
  }

  checks(): readonly Check[] {
    if (this.#awaited.length === 0) return []
    if (this.#server === undefined)
      return [{ name: 'apis', ok: false, message: this.#refusal ?? 'no certificate was read or made yet' }]
    const own = this.#server.checks.map(({ name, check }): Check => {
      const why = check()
      return { name, ok: why === undefined, ...(why === undefined ? {} : { message: why }) }
    })
    const missing = this.#awaited.filter(
      one => !this.#apis.some(({ group, version }) => group === one.group && version === one.version),
    )
    const names = missing.map(({ group, version }) => `${group}/${version}`)
    return [
      ...own,
      {
        name: 'apis',
        // What one part does not serve keeps the others from nothing: the part's own check says why.
        ok: true,
        state: names.length === 0 ? `${this.#apis.length} served` : `waiting for ${names.join(', ')}`,
      },
    ]
  }

  /**
   * Begins to keep certificates, and resolves when calls are answered, when the Secret is refused, or after 30 s: they are answered as soon as
   * there is a certificate. Disposing ends both. @throws `signal.reason`; when the port is taken
   */
  async keep(around: KeepingSurroundings, signal: AbortSignal): Promise<AsyncDisposable> {
    const { clock, log, service } = this.#options
    const { namespace, pod, capabilities } = around
    this.#place = { namespace, pod }
    const parts = capabilities.flatMap(one => partsIn('apiserver', one))
    this.#awaited = apiServicesOf(parts)
    if (this.#awaited.length === 0) return new AsyncDisposableStack()
    const stop = new AbortController()
    const until = AbortSignal.any([signal, stop.signal])
    const informers = around.informers.share({ signal: until })
    const secret = { namespace, name: certificateSecrets.edge }
    const opened = new Opening({ clock, log, what: 'APIs', signal: until })
    this.#keeper = new CertificateKeeper({
      ...around,
      informers,
      clock,
      log,
      secret,
      places: certificatePlaces(parts),
      names: {
        authorityName: 'ballast APIs',
        leaf: { commonName: service, dnsNames: serviceDnsNames(service, namespace), usages: ['server'] },
      },
      onCertificate: (tls, bundle) => {
        this.#trust = { authority: bundle, serverName: `${service}.${namespace}.svc` }
        opened.by(this.#show(tls, { ...around, informers }))
      },
      onRefused: why => {
        this.#refusal = `Secret ${namespace}/${secret.name} may not be used: ${why}`
        log.error({ object: `Secret ${namespace}/${secret.name}`, why }, 'no API is served until the Secret may be used')
        opened.by(Promise.resolve())
      },
    })
    // Who balances load is told that it ends, while what is asked is still answered.
    signal.addEventListener('abort', () => this.#server?.drain(), { once: true })
    const running = opened.ofKeeping(this.#keeper.run(until))
    const end = async () => {
      stop.abort(new DOMException('APIs are served no more', 'AbortError'))
      await running
      await this.#replicas[Symbol.asyncDispose]()
      await this.#server?.[Symbol.asyncDispose]()
      this.#server = undefined
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

  /** Resolves when calls are answered with it. @throws when the port is taken */
  async #show(tls: KeyPair, { api, informers, random }: KeepingSurroundings): Promise<void> {
    if (this.#opening !== undefined) {
      const server = await this.#opening
      server.setCertificate(tls)
      return
    }
    const { port, bind, clock, log, metrics, version, token = async () => undefined } = this.#options
    this.#opening = startAggregatedServer({
      apis: () => this.#apis,
      awaited: this.#awaited,
      privatePaths: { all: () => this.#paths, token },
      tls,
      port,
      api,
      informers,
      clock,
      random,
      log,
      metrics,
      version,
      ...(bind === undefined ? {} : { host: bind }),
    })
    this.#server = await this.#opening
  }
}
