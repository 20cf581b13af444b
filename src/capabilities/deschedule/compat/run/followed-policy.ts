// What follows the policy in force: the watches of the cluster, and what is sampled of usage.
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import type { UsageProviders } from '../usage/usage-providers.ts'
import type { Coordination } from './coordination-settings.ts'
import { needsOf } from './needs.ts'
import { WatchedCluster } from './watched-cluster.ts'

interface WatchingOptions {
  readonly clock: Clock
  readonly coordination: Coordination
}

/** What is watched, by the policy in force. */
export class FollowedClusters implements AsyncDisposable {
  readonly #informers: Informers
  readonly #options: WatchingOptions
  #current: { readonly policy: DeschedulerPolicy; readonly cluster: WatchedCluster } | undefined

  constructor(informers: Informers, options: WatchingOptions) {
    this.#informers = informers
    this.#options = options
  }

  /** The cluster last asked for. @throws Error before the first */
  get current(): WatchedCluster {
    if (this.#current === undefined) throw new Error('no cluster is watched yet')
    return this.#current.cluster
  }

  /** Synced. What another policy watches is watched no more. @throws `signal.reason` */
  async of(policy: DeschedulerPolicy, signal: AbortSignal): Promise<WatchedCluster> {
    const known = this.#current
    if (known?.policy === policy) return known.cluster
    const { clock, coordination } = this.#options
    const needs = needsOf(policy, { isEnforced: coordination.enforce })
    const isSame = known !== undefined && isDeepStrictEqual(known.cluster.needs, needs)
    const cluster = isSame ? known.cluster : new WatchedCluster(this.#informers, clock, needs)
    this.#current = { policy, cluster }
    await cluster.synced(signal)
    if (!isSame) await known?.cluster[Symbol.asyncDispose]()
    return cluster
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.cluster[Symbol.asyncDispose]()
  }
}

/** Has the providers sample what the policy in force wants. */
export class FollowedPolicy {
  readonly #providers: UsageProviders
  #policy: DeschedulerPolicy | undefined

  constructor(providers: UsageProviders) {
    this.#providers = providers
  }

  async follow(policy: DeschedulerPolicy, signal: AbortSignal): Promise<void> {
    if (this.#policy === policy) return
    await this.#providers.follow(policy, signal)
    this.#policy = policy
  }
}
