// The bundle by which API servers judge us, put into all that names us: webhook configurations, APIServices, and
// CustomResourceDefinitions with a conversion webhook. They say by annotation from which Secret they want it.
import type { Api } from '../client/api.ts'
import { type Clock, wallOf } from '../clock.ts'
import type { Informers } from '../informers/informer.ts'
import type { Informer } from '../informers/informer-view.ts'
import { type Log, messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn, type GroupVersionResource, resourceKey } from '../objects/resource.ts'
import { isConflict, isNotFound } from '../objects/status.ts'
import type { InjectedPlace } from './certificate-rights.ts'
import type { Injection } from './certificate-rotation.ts'
import type { SecretName } from './certificate-secret.ts'

/** `<namespace>/<name>` of the Secret whose bundle an object wants. */
export const injectAnnotation = 'ballast.dev/cabundle-inject'
const fieldManager = 'ballast-certs'
/** A foreign value is restored once in so long: whoever writes it may write it again and again. */
const restoreMs = 60_000
const applyTimeoutMs = 10_000

interface InjectedKind {
  readonly resource: GroupVersionResource
  readonly apiVersion: string
  readonly kind: string
  /** Every bundle in it, of webhooks only those of these names; an absent one is the empty text. */
  bundles(object: KubeObject, webhooks?: readonly string[]): readonly string[]
  /** The fields of it that hold bundles, and no others. */
  fields(object: KubeObject, bundle: string, webhooks?: readonly string[]): object
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}

function webhooksOf(object: KubeObject, named: readonly string[] | undefined): readonly Fields[] {
  const all = Array.isArray(object['webhooks']) ? object['webhooks'].map(fieldsOf) : []
  return named === undefined ? all : all.filter(({ name }) => typeof name === 'string' && named.includes(name))
}

function bundleIn(clientConfig: unknown): string {
  const { caBundle } = fieldsOf(clientConfig)
  return typeof caBundle === 'string' ? caBundle : ''
}

const webhookConfiguration = (resource: GroupVersionResource, kind: string): InjectedKind => ({
  resource,
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  bundles: (object, webhooks) => webhooksOf(object, webhooks).map(({ clientConfig }) => bundleIn(clientConfig)),
  fields: (object, caBundle, webhooks) => ({
    webhooks: webhooksOf(object, webhooks).map(({ name }) => ({ name, clientConfig: { caBundle } })),
  }),
})

const injectedKinds: readonly InjectedKind[] = [
  webhookConfiguration(builtIn.mutatingwebhookconfigurations, 'MutatingWebhookConfiguration'),
  webhookConfiguration(builtIn.validatingwebhookconfigurations, 'ValidatingWebhookConfiguration'),
  {
    resource: { group: 'apiregistration.k8s.io', version: 'v1', resource: 'apiservices' },
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    bundles: object => [bundleIn(object['spec'])],
    fields: (_object, caBundle) => ({ spec: { caBundle } }),
  },
  {
    resource: builtIn.customresourcedefinitions,
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    bundles: object => {
      const conversion = fieldsOf(fieldsOf(object['spec'])['conversion'])
      return conversion['strategy'] === 'Webhook' ? [bundleIn(fieldsOf(conversion['webhook'])['clientConfig'])] : []
    },
    fields: (_object, caBundle) => ({ spec: { conversion: { webhook: { clientConfig: { caBundle } } } } }),
  },
]

interface InjectionOptions {
  readonly api: Api
  readonly informers: Informers
  readonly clock: Clock
  readonly log: Log
  readonly secret: SecretName
  /** All that may want a bundle; every object of these kinds unless given. */
  readonly places?: readonly InjectedPlace[]
  /** Told of each change of what wants a bundle. */
  readonly onChange: () => void
}

interface Watched {
  readonly kind: InjectedKind
  readonly informer: Informer<KubeObject>
  readonly webhooks: readonly string[] | undefined
  readonly isUnasked: boolean
}

/** Keeps the bundle where it is wanted, and knows since when it is everywhere. */
export class BundleInjection implements Disposable {
  readonly #options: InjectionOptions
  readonly #informers: readonly Watched[]
  readonly #subscriptions = new DisposableStack()
  /** By object: which bundle was written when, by `elapsed()` as all times that are kept here: time of day may be set meanwhile. */
  readonly #written = new Map<string, { readonly bundle: string; readonly atMs: number }>()
  #complete: { readonly bundle: string; readonly sinceMs: number } | undefined
  #retryMs: number | undefined

  constructor(options: InjectionOptions) {
    this.#options = options
    const { informers, places } = options
    this.#informers = injectedKinds.flatMap(kind => {
      if (places === undefined)
        return [{ kind, informer: informers.of<KubeObject>(kind.resource), webhooks: undefined, isUnasked: false }]
      const named = places.filter(({ resource }) => resourceKey(resource) === resourceKey(kind.resource))
      return named.map(({ name, webhooks, isUnasked = false }) => {
        const scope = { fieldSelector: `metadata.name=${name}` }
        return { kind, informer: informers.of<KubeObject>(kind.resource, scope), webhooks, isUnasked }
      })
    })
    for (const { informer, isUnasked } of this.#informers) {
      const onChange = (object: KubeObject) => (isUnasked || this.#isOurs(object) ? options.onChange() : undefined)
      this.#subscriptions.defer(informer.onChange(({ object }) => onChange(object)))
    }
  }

  /** In how many milliseconds to look again though nothing changed: a foreign value waits for its minute. */
  get retryInMs(): number | undefined {
    return this.#retryMs === undefined ? undefined : Math.max(0, this.#retryMs - this.#options.clock.elapsed())
  }

  /** Since when every place that wants it is known to have `bundle`. */
  state(bundle: string): Injection {
    if (this.#complete?.bundle !== bundle) return { completeSinceMs: undefined }
    return { completeSinceMs: wallOf(this.#options.clock, this.#complete.sinceMs) }
  }

  /** Writes `bundle` (PEM) where it is not, as far as that may be done now; nothing here throws but `signal.reason`. */
  async inject(bundle: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const wanted = Buffer.from(bundle).toString('base64')
    let isComplete = this.#informers.every(({ informer }) => informer.isSynced)
    this.#retryMs = undefined
    for (const target of this.#targets()) {
      const { kind, object, webhooks } = target
      if (kind.bundles(object, webhooks).every(found => found === wanted)) continue
      isComplete = false
      const key = `${kind.kind}/${object.metadata.name}`
      const last = this.#written.get(key)
      const dueMs = last?.bundle === bundle ? last.atMs + restoreMs : clock.elapsed()
      if (dueMs > clock.elapsed()) {
        this.#retryMs = Math.min(this.#retryMs ?? dueMs, dueMs)
        continue
      }
      this.#written.set(key, { bundle, atMs: clock.elapsed() })
      try {
        await this.#write(target, wanted, signal)
      } catch (error) {
        signal.throwIfAborted()
        // It was deleted since, or is another now: the watch says so, and there is nothing to come back for.
        if (isConflict(error) || isNotFound(error)) continue
        log.error({ object: key, err: messageOf(error) }, 'the bundle could not be written')
        const againMs = clock.elapsed() + restoreMs
        this.#retryMs = Math.min(this.#retryMs ?? againMs, againMs)
      }
    }
    if (!isComplete) this.#complete = undefined
    else if (this.#complete?.bundle !== bundle) this.#complete = { bundle, sinceMs: clock.elapsed() }
  }

  [Symbol.dispose](): void {
    this.#subscriptions.dispose()
  }

  #isOurs(object: KubeObject): boolean {
    const { namespace, name } = this.#options.secret
    return object.metadata.annotations?.[injectAnnotation] === `${namespace}/${name}`
  }

  #targets(): readonly (Watched & { readonly object: KubeObject })[] {
    return this.#informers.flatMap(watched =>
      [...watched.informer.store.list()]
        .filter(object => watched.isUnasked || this.#isOurs(object))
        .map(object => ({ ...watched, object })),
    )
  }

  async #write(
    { kind, object, webhooks }: Watched & { readonly object: KubeObject },
    bundle: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { api, informers } = this.#options
    const { name, uid } = object.metadata
    const applied = {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      // With its UID, what was deleted meanwhile is not made anew.
      metadata: { name, ...(uid === undefined ? {} : { uid }) },
      ...kind.fields(object, bundle, webhooks),
    }
    const options = { signal, fieldManager, force: true, timeoutMs: applyTimeoutMs }
    const written = await api.resource<KubeObject>(kind.resource).apply(applied, options)
    informers.observe(kind.resource, written)
  }
}
