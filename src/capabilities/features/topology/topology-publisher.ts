// Publishes the topology of this node, as a whole, and only where it is another than before. It writes this one object and nothing else.

import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { nodeResourceTopologies } from '../names.ts'

/** Under this name upstream's next version applies it: each takes over from the other without a trace. */
const fieldManager = 'node-feature-discovery-topology-updater'
/** It is applied anew so often, for who has changed or deleted it. */
const checkMs = 600_000

interface PublisherOptions {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  /** It owns the topologies, so that they go with it. */
  readonly namespace: string
}

interface Owners {
  readonly list: readonly OwnerReference[]
  readonly untilMs: number
}

export class TopologyPublisher {
  readonly #options: PublisherOptions
  #owners: Owners | undefined
  #applied: { readonly text: string; readonly untilMs: number } | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /**
   * Makes it so; where it was made so a short time ago nothing is asked.
   *
   * @throws StatusError, ConnectionError: nothing is known then
   */
  async publish(make: (owners: readonly OwnerReference[]) => KubeObject, signal: AbortSignal): Promise<'written' | 'unchanged'> {
    const { api, clock } = this.#options
    const wanted = make(await this.#ownersOf(signal))
    const text = JSON.stringify(wanted)
    if (this.#applied?.text === text && clock.elapsed() < this.#applied.untilMs) return 'unchanged'
    this.#applied = undefined
    await api.resource<KubeObject>(nodeResourceTopologies).apply(wanted, { fieldManager, force: true, signal })
    this.#applied = { text, untilMs: clock.elapsed() + checkMs }
    return 'written'
  }

  async #ownersOf(signal: AbortSignal): Promise<readonly OwnerReference[]> {
    const { api, clock, namespace, log } = this.#options
    if (this.#owners !== undefined && clock.elapsed() < this.#owners.untilMs) return this.#owners.list
    let list: readonly OwnerReference[] = []
    try {
      const { metadata } = await api.resource<KubeObject>(builtIn.namespaces).get(namespace, { signal })
      const { name, uid = '' } = metadata
      list = [{ apiVersion: 'v1', kind: 'Namespace', name, uid }]
    } catch (error) {
      // Without it the topology is as good, and the controller takes it away with its node.
      if (!isNotFound(error) && !isForbidden(error)) throw error
      log.warn({ namespace, why: messageOf(error) }, 'the namespace that would own the topology cannot be read')
    }
    this.#owners = { list, untilMs: list.length === 0 ? clock.elapsed() + checkMs : Number.POSITIVE_INFINITY }
    return list
  }
}
