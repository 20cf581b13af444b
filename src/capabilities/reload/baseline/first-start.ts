// A first start is written down before anything is looked at, on the first ConfigMap of the baseline: what changes from then on is known,
// whatever becomes of who was starting.
import { untilDone } from '#kube/controllers/until-done.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { type BaselineStore, type BaselineStoreOptions, baselineLabels, baselineNames, fieldManager } from './baseline-store.ts'

/** To write down that we are there; then it goes on without. */
const claimLimitMs = 5_000
/**
 * The version of the cluster from which on changes are ours, until all workloads were looked at once. Whoever comes later compares with what
 * was then, where nothing is remembered.
 */
const sinceKey = 'ballast.dev/reload-since'
/** The version is that of the ConfigMap itself, which was made with it. */
const pending = 'pending'
const complete = 'complete'

export class FirstStart {
  readonly #options: Pick<BaselineStoreOptions, 'api' | 'clock' | 'log' | 'leadership' | 'namespace'>
  readonly #baseline: Pick<BaselineStore, 'loadedVersion' | 'problem' | 'flush'>
  readonly #name = baselineNames[0] ?? ''
  /** While the first start goes on. */
  #claimed: string | undefined

  constructor(
    options: Pick<BaselineStoreOptions, 'api' | 'clock' | 'log' | 'leadership' | 'namespace'>,
    baseline: Pick<BaselineStore, 'loadedVersion' | 'problem' | 'flush'>,
  ) {
    this.#options = options
    this.#baseline = baseline
  }

  /** The first start goes on. */
  get isUnderWay(): boolean {
    return this.#claimed !== undefined
  }

  /** With which version something is to be compared that is at `version` now: who was there then may not have acted on what came after. */
  before(version: string): string | undefined {
    const claimed = this.#claimed
    const loaded = this.#baseline.loadedVersion
    if (loaded !== undefined && isNewer(version, loaded)) return loaded
    return claimed !== undefined && isNewer(version, claimed) ? claimed : undefined
  }

  /** Writes down that we are here, where nobody was before. Where it cannot be written that is told. @throws `signal.reason` */
  async begin(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const limit = new AbortController()
    const cancel = clock.schedule(claimLimitMs, () => limit.abort(new DOMException('it took too long', 'TimeoutError')))
    const within = AbortSignal.any([signal, limit.signal])
    const untold = (error: unknown) =>
      log.warn(
        { why: messageOf(error) },
        'what changes during a first start may be taken as known: its start is not written down',
      )
    const claim = async () => {
      try {
        this.#claimed = await this.#claim(within)
      } catch (error) {
        if (!isForbidden(error)) throw error
        untold(error)
      }
    }
    try {
      await untilDone(claim, { clock, log, what: 'the start of reload is written down' }, within)
    } catch (error) {
      signal.throwIfAborted()
      untold(error)
    } finally {
      cancel()
    }
  }

  /** Every workload was looked at: writes what is remembered, and that the first start is over. @throws what a write throws */
  async end(signal: AbortSignal): Promise<void> {
    if (this.#claimed === undefined || this.#baseline.problem !== undefined) return
    await this.#baseline.flush(signal)
    await this.#say(complete, signal)
    this.#claimed = undefined
  }

  async #claim(signal: AbortSignal): Promise<string | undefined> {
    const found = (await this.#read(signal)) ?? (await this.#create(signal))
    const said = found.metadata.annotations?.[sinceKey] ?? complete
    if (said !== pending) return said === complete ? undefined : said
    const since = found.metadata.resourceVersion ?? ''
    await this.#say(since, signal)
    return since
  }

  async #read(signal: AbortSignal): Promise<KubeObject | undefined> {
    const { namespace } = this.#options
    try {
      return await this.#configmaps.get(this.#name, { namespace, signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #create(signal: AbortSignal): Promise<KubeObject> {
    const { namespace, leadership } = this.#options
    leadership.assert()
    const metadata = { name: this.#name, namespace, labels: baselineLabels, annotations: { [sinceKey]: pending } }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata }
    return this.#configmaps.create(object, { namespace, fieldManager, priority: 'status', signal })
  }

  async #say(since: string, signal: AbortSignal): Promise<void> {
    const { namespace, leadership } = this.#options
    leadership.assert()
    const body = { metadata: { annotations: { [sinceKey]: since } } }
    await this.#configmaps.patch(
      this.#name,
      { type: 'merge', body },
      { namespace, fieldManager, metadataOnly: true, priority: 'status', signal },
    )
  }

  get #configmaps() {
    return this.#options.api.resource<KubeObject>(builtIn.configmaps)
  }
}
