// The triggers of one object, opened: kept for as long as its generation, opened anew where one of them failed, since its credentials may
// have changed.
import type { Trigger } from '../kinds/triggers.ts'
import { askedFor } from '../scalers/asking.ts'
import { scalerKind, standingOf } from '../scalers/registry.ts'
import type { MetricReading, OpenedTrigger, Scaler, ScalerKind, ScalerWorld } from '../scalers/scaler.ts'
import type { HpaMetric } from '../triggers/metric-names.ts'
import { type GivenParameters, TriggerProblem } from '../triggers/parameters.ts'

type TriggerOwner = OpenedTrigger['owner']

interface TriggerSource {
  readonly owner: TriggerOwner
  readonly triggers: readonly Trigger[]
  readonly world: ScalerWorld
  /** What a trigger refers to, read anew each time. @throws TriggerProblem, StatusError */
  readonly given: (trigger: Trigger, signal: AbortSignal) => Promise<GivenParameters>
}

/** Why one trigger could not be opened. */
export class UnusableTrigger extends Error {
  constructor(trigger: Trigger, index: number, cause: unknown) {
    const name = trigger.name === undefined ? '' : ` ${JSON.stringify(trigger.name)}`
    super(`trigger ${index}${name} of type ${trigger.type}`, { cause })
    this.name = 'UnusableTrigger'
  }
}

export class TriggerSet implements AsyncDisposable {
  readonly #source: TriggerSource
  readonly #scalers: Scaler[]
  /** What sources want watched since they said so. */
  readonly #streamed = new Map<number, readonly HpaMetric[]>()
  #isClosed = false

  /** Opens all of them, or none. @throws UnusableTrigger; `signal.reason` */
  static async open(source: TriggerSource, signal: AbortSignal): Promise<TriggerSet> {
    const opened = await Promise.allSettled(source.triggers.map((trigger, index) => openOne(source, trigger, index, signal)))
    const scalers = opened.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    const failed = opened.find(one => one.status === 'rejected')
    if (failed === undefined) return new TriggerSet(source, scalers)
    await Promise.allSettled(scalers.map(scaler => scaler[Symbol.asyncDispose]()))
    throw failed.reason
  }

  private constructor(source: TriggerSource, scalers: Scaler[]) {
    this.#source = source
    this.#scalers = scalers
  }

  get triggers(): readonly Trigger[] {
    return this.#source.triggers
  }

  scaler(index: number): Scaler | undefined {
    return this.#scalers[index]
  }

  /** @throws as `Scaler.metrics` */
  async metrics(index: number, signal: AbortSignal): Promise<readonly HpaMetric[]> {
    return this.#streamed.get(index) ?? (await this.#scalers[index]?.metrics(signal)) ?? []
  }

  /** From now on a trigger has these metrics, as its source says. */
  replaceMetrics(index: number, metrics: readonly HpaMetric[]): void {
    this.#streamed.set(index, metrics)
  }

  /** Reads one metric; where that fails the trigger is opened anew once and asked again. @throws as `Scaler.read`, UnusableTrigger */
  async read(index: number, metric: string, signal: AbortSignal): Promise<MetricReading> {
    const scaler = this.#scalers[index]
    if (scaler === undefined) throw new Error(`there is no trigger ${index}`)
    const { owner, triggers, world } = this.#source
    const { type, name } = triggers[index] ?? { type: '', name: undefined }
    const read = (one: Scaler) =>
      askedFor({ owner, trigger: { type, name }, metric }, world.counts, () => one.read(metric, signal))
    try {
      return await read(scaler)
    } catch (error) {
      signal.throwIfAborted()
      if (this.#isClosed) throw error
    }
    const fresh = await this.#openAgain(index, scaler, signal)
    return await read(fresh)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#scalers.map(scaler => scaler[Symbol.asyncDispose]()))
  }

  async #openAgain(index: number, old: Scaler, signal: AbortSignal): Promise<Scaler> {
    const trigger = this.#source.triggers[index]
    // Another reading may have been faster.
    const current = this.#scalers[index]
    if (trigger === undefined || (current !== undefined && current !== old)) return current ?? old
    const fresh = await openOne(this.#source, trigger, index, signal)
    if (this.#isClosed || this.#scalers[index] !== old) {
      await fresh[Symbol.asyncDispose]()
      return this.#scalers[index] ?? old
    }
    this.#scalers[index] = fresh
    await old[Symbol.asyncDispose]()
    return fresh
  }
}

async function openOne(
  { owner, world, given }: TriggerSource,
  trigger: Trigger,
  index: number,
  signal: AbortSignal,
): Promise<Scaler> {
  try {
    const kind = await loadedKind(trigger.type, world)
    if (kind === undefined) throw new TriggerProblem(missing(trigger.type))
    const { type, name, metricType } = trigger
    return await kind.open({ type, name, metricType, index, owner, given: await given(trigger, signal) }, world)
  } catch (error) {
    signal.throwIfAborted()
    throw new UnusableTrigger(trigger, index, error)
  }
}

/** Reading files takes the host's time, not the cluster's. */
async function loadedKind(type: string, { clock }: ScalerWorld): Promise<ScalerKind | undefined> {
  using _held = clock.hold()
  return await scalerKind(type)
}

function missing(type: string): string {
  return standingOf(type) === 'missing'
    ? `KEDA's scaler ${type} is not in Ballast yet: run it as an external scaler, or leave this object to KEDA`
    : `no scaler found for type: ${type}`
}
