// Keeps the webhook's configuration as the policies want it: written where it is missing or says something else, taken away with the last.
import { isDeepStrictEqual } from 'node:util'
import type { RebalancePolicy } from '#coordination/api.ts'
import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { takeAway } from '#kube/client/take-away.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { type MutatingWebhook, webhookPath } from '#kube/server/admission.ts'
import {
  answerPodCreation,
  isolationConfigurationName,
  isolationsOf,
  type StandingIsolation,
  type Tried,
  wantedIsolations,
  webhookConfiguration,
} from './toleration-webhook.ts'

/** A changed configuration takes effect late: each API server follows its own watch. */
const settleMs = 2_000
/** How old what we know of the configuration may be: others may have changed or deleted it. */
const freshMs = 60_000
/** The controller that began a roll-out may have died before its pods came. The next controller tries again, at most so often in all. */
const mostTries = 3

interface KeeperOptions {
  readonly effects: EffectContext
  readonly webhooks: WebhookEndpoint | undefined
  /** This very process. */
  readonly instance: string
}

export class TolerationKeeper {
  readonly #options: KeeperOptions
  /** What is served. */
  #isolations: readonly StandingIsolation[] = []
  /** The configuration as it was last seen, and what of it we wrote. */
  #stored: KubeObject | undefined
  #written: KubeObject | undefined
  #seenMs: number | undefined
  /** The roll-out that this process began last, and the generation of its template from then on. */
  #begun: { readonly mark: string; readonly generation: number } | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Whether API servers can reach us at all. */
  get isServed(): boolean {
    return this.#options.webhooks !== undefined
  }

  /** As it is served, at `/mutate/tolerations.isolate`. */
  readonly webhook: MutatingWebhook = {
    kind: 'mutating',
    name: 'tolerations.isolate',
    failurePolicy: 'Ignore',
    handle: request => answerPodCreation(request, this.#isolations),
  }

  /** Makes the configuration what `policies` want, and waits until API servers have it. */
  async keep(policies: readonly RebalancePolicy[], signal: AbortSignal): Promise<void> {
    const wanted = wantedIsolations(policies, this.#isolations)
    // While nothing is wanted and nothing is there, only we could make it.
    const isAbsent = this.#seenMs !== undefined && this.#stored === undefined
    if (isAbsent && wanted.length === 0) return
    if (this.#isStale()) await this.#look(signal)
    const standing = this.#stored === undefined ? [] : isolationsOf(this.#stored)
    const known = this.#isolations.length === 0 ? standing : this.#isolations
    this.#isolations = this.isServed ? wantedIsolations(policies, known) : []
    if (this.#isolations.length === 0) await this.#remove(signal)
    else if (await this.#write(signal)) await this.#options.effects.clock.after(settleMs, signal)
  }

  /** The policy's last roll-out that is not over well, if there is one. */
  tried(policy: RebalancePolicy): Tried | undefined {
    return this.#isolations.find(each => each.policy === policy.metadata.name)?.tried
  }

  /** Whether what was tried must not be tried again: it was by this process, or often enough. */
  isSpent({ by, tries }: Tried): boolean {
    return by === this.#options.instance || tries >= mostTries
  }

  /** Another try of `workload`, by this process. */
  nextTry(policy: RebalancePolicy, workload: string, mark: string): Tried {
    const before = this.tried(policy)
    const tries = before?.workload === workload && before.mark !== mark ? before.tries + 1 : 1
    return { workload, mark, tries, by: this.#options.instance }
  }

  /** Writes down which roll-out is tried for `policy`, before it begins; `undefined`: it is over. */
  async note(policy: RebalancePolicy, tried: Tried | undefined, signal: AbortSignal): Promise<void> {
    if (isDeepStrictEqual(this.tried(policy), tried)) return
    this.#isolations = this.#isolations.map(each => {
      if (each.policy !== policy.metadata.name) return each
      const { tried: _, ...rest } = each
      return tried === undefined ? rest : { ...rest, tried }
    })
    await this.#write(signal)
  }

  /** A roll-out was begun with this mark; its template has it from `generation` on. */
  begin(mark: string, generation: number): void {
    this.#begun = { mark, generation }
  }

  /** Whether this process began the roll-out of `mark`: it is not begun again, whoever takes its mark away. */
  hasBegun(mark: string): boolean {
    return this.#begun?.mark === mark
  }

  /** Whether an object of this generation is from before the roll-out of `mark` was begun: the watch has not brought it yet. */
  isBefore(mark: string, generation: number | undefined): boolean {
    return this.#begun?.mark === mark && (generation ?? 0) < this.#begun.generation
  }

  #isStale(): boolean {
    const { clock } = this.#options.effects
    return this.#seenMs === undefined || clock.elapsed() - this.#seenMs >= freshMs
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { effects } = this.#options
    try {
      const found = await this.#configurations.get(isolationConfigurationName, { signal })
      if (found.metadata.resourceVersion !== this.#stored?.metadata.resourceVersion) this.#written = undefined
      this.#stored = found
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#stored = undefined
      this.#written = undefined
    }
    this.#seenMs = effects.clock.elapsed()
  }

  /** @returns whether the server's configuration is another now */
  async #write(signal: AbortSignal): Promise<boolean> {
    const { effects, webhooks } = this.#options
    if (webhooks === undefined) return false
    const clientConfig = webhooks.clientConfig(webhookPath(this.webhook))
    const configuration = webhookConfiguration(this.#isolations, clientConfig, webhooks.annotations?.())
    if (isDeepStrictEqual(configuration, this.#written)) return false
    effects.leadership.assert()
    const before = this.#stored?.metadata.resourceVersion
    this.#stored = await this.#configurations.apply(configuration, { signal, fieldManager: 'ballast-isolate', force: true })
    this.#written = configuration
    return this.#stored.metadata.resourceVersion !== before
  }

  async #remove(signal: AbortSignal): Promise<void> {
    if (this.#stored === undefined) return
    this.#options.effects.leadership.assert()
    await takeAway(this.#configurations, isolationConfigurationName, { signal, uid: this.#stored.metadata.uid })
    this.#stored = undefined
    this.#written = undefined
  }

  get #configurations() {
    return this.#options.effects.api.resource<KubeObject>(builtIn.mutatingwebhookconfigurations)
  }
}
