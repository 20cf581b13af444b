// The loop of a garbage collector that runs alone: a watch of nodes says which goes, and all is looked through at the start and every interval.

import { Bell } from '#coordination/arbiter/bell.ts'
import type { Check } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Random } from '#kube/random.ts'
import type { CollectingMetrics } from './metrics.ts'
import { sweep } from './sweep.ts'

interface CollectingOptions {
  readonly api: Api
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: CollectingMetrics
  readonly intervalMs: number
  /** 0: as many as a list has by default. */
  readonly pageSize: number
  /** Told of what a handler throws. */
  readonly onFault: (error: unknown) => void
}

/** What could not be deleted is tried again after so long. */
const retryMs = 10_000

export class Collecting {
  readonly #options: CollectingOptions
  readonly #bell: Bell
  /** Nodes that went, and were not looked after yet. */
  readonly #gone = new Set<string>()
  #hasBegun = false

  constructor(options: CollectingOptions) {
    this.#options = options
    this.#bell = new Bell(options.clock)
  }

  /** Well once the nodes are known. */
  checks(): readonly Check[] {
    return [{ name: 'features-gc', ok: this.#hasBegun, ...(this.#hasBegun ? {} : { message: 'the nodes are not read yet' }) }]
  }

  /** Until `signal` is aborted; never rejects but for what nobody foresaw. */
  async run(signal: AbortSignal): Promise<void> {
    const { api, clock, random, log, intervalMs, pageSize, onFault } = this.#options
    await using stack = new AsyncDisposableStack()
    const informers = stack.use(
      new Informers(api, {
        clock,
        random,
        log,
        onHandlerFault: onFault,
        watchList: 'off',
        pageSize: pageSize || wholePage,
        signal,
      }),
    )
    const nodes = informers.of<Node>(builtIn.nodes, { metadataOnly: true })
    const unsubscribe = nodes.onChange(({ type, object }) => {
      if (type !== 'DELETED') return
      this.#gone.add(object.metadata.name)
      this.#bell.ring()
    })
    stack.defer(unsubscribe)
    const isKnown = (node: string) => nodes.store.get(undefined, node) !== undefined
    const around = { clock, log, what: 'what describes nodes that are gone is deleted' }
    const done = async (only?: string) => {
      const sweeping = () => sweep({ ...this.#options, isKnown }, signal, only)
      return await untilDone(sweeping, around, signal)
    }
    try {
      await informers.allSynced(signal)
      this.#hasBegun = true
      for (let nextMs = clock.elapsed(); ; ) {
        const node = await this.#bell.until(() => [...this.#gone][0], {
          limitMs: Math.max(0, nextMs - clock.elapsed()),
          signal,
        })
        if (node !== undefined) {
          this.#gone.delete(node)
          if (!(await done(node))) nextMs = Math.min(nextMs, clock.elapsed() + retryMs)
        } else nextMs = clock.elapsed() + ((await done()) ? intervalMs : Math.min(intervalMs, retryMs))
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** Objects in a page where no size is said. */
const wholePage = 500
