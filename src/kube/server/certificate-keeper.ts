// The life of our certificates: the Secret is made by whichever replica is first, renewed by whichever writes first, read by all; the
// bundle goes everywhere before anything is signed by a new authority. Serving goes on from memory whatever becomes of the Secret.
import type { Api } from '../client/api.ts'
import type { Clock } from '../clock.ts'
import type { Informers } from '../informers/informer.ts'
import type { Informer } from '../informers/informer-view.ts'
import { type Log, messageOf } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { isAlreadyExists, isConflict, isForbidden, isInvalid } from '../objects/status.ts'
import type { Random } from '../random.ts'
import { BundleInjection } from './bundle-injection.ts'
import type { InjectedPlace } from './certificate-rights.ts'
import { afterStep, bundleOf, type CertificateState, nextStep, type RotationNames } from './certificate-rotation.ts'
import { type SecretLayout, type SecretName, secretOf, stateOf } from './certificate-secret.ts'
import type { KeyPair } from './certificates.ts'
import type { HealthCheck } from './health.ts'

interface KeeperOptions {
  readonly api: Api
  readonly informers: Informers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly secret: SecretName
  readonly names: RotationNames
  /** How the Secret is laid out; ours unless given. */
  readonly layout?: SecretLayout
  /** How long a new authority is everywhere before it signs; a minute unless given. */
  readonly settlingMs?: number
  /** All that may want the bundle; without it every webhook configuration, APIService and definition is looked at. */
  readonly places?: readonly InjectedPlace[]
  /** Told of each new leaf, and of each new bundle, before anybody is asked to trust less than before. */
  readonly onCertificate: (tls: KeyPair, bundle: string) => void
  /** Told why, when the Secret may not be read or not be made and there is nothing to serve with: not again for the same reason. Asking goes on. */
  readonly onRefused?: (why: string) => void
}

const writeTimeoutMs = 10_000
const firstRetryMs = 1_000
const longestRetryMs = 60_000

/** How long nothing is done unless something changes: what is good by the time of day ends by it, what is tried again waits by its own. */
interface Rest {
  readonly inMs?: number | undefined
  readonly atMs?: number | undefined
}

export class CertificateKeeper {
  readonly #options: KeeperOptions
  readonly #informer: Informer<KubeObject>
  readonly #wakers = new Set<() => void>()
  #state: CertificateState | undefined
  #hasNews = false
  #refusal: string | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    const { namespace, name } = options.secret
    const scope = { namespace, fieldSelector: `metadata.name=${name}`, optional: true }
    this.#informer = options.informers.of(builtIn.secrets, scope)
  }

  /** What is served with; undefined until it was made or read. */
  get current(): CertificateState | undefined {
    return this.#state
  }

  readonly check: HealthCheck = {
    name: 'certificates',
    check: () => (this.#state === undefined ? 'no certificate was made or read yet' : undefined),
  }

  /** Until `signal` is aborted: what comes from outside is tried again for ever, refusals too, since rights come and go. @throws `signal.reason` */
  async run(signal: AbortSignal): Promise<never> {
    const { log } = this.#options
    using stack = new DisposableStack()
    stack.defer(this.#informer.onChange(this.#wake))
    const injection = stack.use(new BundleInjection({ ...this.#options, onChange: this.#wake }))
    // Before the first list an absent Secret is not known to be absent.
    await this.#settled(signal)
    let retryMs = firstRetryMs
    let told = ''
    for (;;) {
      let rest: Rest
      try {
        rest = await this.#turn(injection, signal)
        retryMs = firstRetryMs
        told = ''
      } catch (error) {
        signal.throwIfAborted()
        const why = messageOf(error)
        if (this.#state === undefined && (isForbidden(error) || isInvalid(error))) this.#refused(why)
        else if (why !== told) log.error({ err: why }, 'certificates could not be kept, tried again')
        told = why
        rest = { inMs: retryMs }
        retryMs = Math.min(longestRetryMs, retryMs * 2)
      }
      await this.#rest(rest, signal)
    }
  }

  #refused(why: string): void {
    if (why === this.#refusal) return
    this.#refusal = why
    this.#options.onRefused?.(why)
  }

  readonly #wake = (): void => {
    this.#hasNews = true
    for (const wake of this.#wakers) wake()
  }

  /** Waits for `rest`, or until something changed since the last turn began. */
  async #rest({ inMs, atMs }: Rest, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    if (this.#hasNews) return
    const rested = Promise.withResolvers<void>()
    this.#wakers.add(rested.resolve)
    const cancels = [
      ...(inMs === undefined ? [] : [clock.schedule(inMs, rested.resolve)]),
      ...(atMs === undefined ? [] : [clock.at(atMs, rested.resolve)]),
    ]
    const onAbort = () => rested.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      if (signal.aborted) throw signal.reason
      await rested.promise
    } finally {
      for (const cancel of cancels) cancel()
      signal.removeEventListener('abort', onAbort)
      this.#wakers.delete(rested.resolve)
    }
  }

  /** Issuing takes the host's time, not the cluster's. */
  async #held<T>(issue: () => Promise<T>): Promise<T> {
    using _held = this.#options.clock.hold()
    return await issue()
  }

  /** One step at most; yields when to look again. */
  async #turn(injection: BundleInjection, signal: AbortSignal): Promise<Rest> {
    const { clock } = this.#options
    this.#hasNews = false
    const stored = this.#stored()
    if (stored === undefined && this.#state !== undefined) await this.#write(this.#state, signal)
    else if (stored !== undefined) this.#adopt(stored)
    const { names, random, settlingMs } = this.#options
    if (this.#state !== undefined) await injection.inject(bundleOf(this.#state), signal)
    const known = this.#state === undefined ? { completeSinceMs: undefined } : injection.state(bundleOf(this.#state))
    const step = nextStep(this.#state, known, { nowMs: clock.now(), leaf: names.leaf, settlingMs })
    if (step.kind === 'wait') return { atMs: step.untilMs, inMs: injection.retryInMs }
    const next = await this.#held(() => this.#after(step, { names, nowMs: clock.now(), random }))
    const isWritten = await this.#write(next, signal)
    // What another replica wrote comes by the watch, which wakes us.
    return { inMs: isWritten ? 0 : firstRetryMs }
  }

  /** Keys are made outside of the loop, where a virtual clock does not see them. */
  async #after(...[step, around]: [Parameters<typeof afterStep>[0], Parameters<typeof afterStep>[2]]): Promise<CertificateState> {
    using _held = this.#options.clock.hold()
    return await afterStep(step, this.#state, around)
  }

  async #settled(signal: AbortSignal): Promise<void> {
    const { informers } = this.#options
    for (;;) {
      await informers.settled(this.#informer, signal)
      if (this.#informer.isSynced) return
      // Absent is the kind, not the object: a server that is starting.
      if (this.#informer.state === 'denied') this.#refused(this.#informer.problem ?? 'the Secret may not be read')
      await this.#options.clock.after(firstRetryMs, signal)
    }
  }

  /** The state in the Secret; undefined where there is none, or none that can be used. */
  #stored(): CertificateState | undefined {
    const { secret, log, layout } = this.#options
    const found = this.#informer.store.get(secret.namespace, secret.name)
    if (found === undefined) return undefined
    const state = stateOf(found, layout)
    if (typeof state !== 'string') return state
    log.warn(
      { object: `${secret.namespace}/${secret.name}`, why: state },
      'the certificate Secret was edited: it is written anew',
    )
    return undefined
  }

  /** False where another replica was faster: then its certificates are ours, and nothing is lost. */
  async #write(state: CertificateState, signal: AbortSignal): Promise<boolean> {
    const { api, informers, secret, layout } = this.#options
    const secrets = api.resource<KubeObject>(builtIn.secrets)
    const before = this.#informer.store.get(secret.namespace, secret.name)
    const object = secretOf(secret, state, before, layout)
    const options = { signal, fieldManager: 'ballast-certs', timeoutMs: writeTimeoutMs }
    try {
      const written = before === undefined ? await secrets.create(object, options) : await secrets.update(object, options)
      informers.observe(builtIn.secrets, written)
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error)) throw error
      return false
    }
    this.#adopt(state)
    return true
  }

  #adopt(state: CertificateState): void {
    const before = this.#state
    this.#state = state
    const isSame =
      before !== undefined && before.leaf.certificate === state.leaf.certificate && bundleOf(before) === bundleOf(state)
    if (!isSame) this.#options.onCertificate(state.leaf, bundleOf(state))
  }
}
