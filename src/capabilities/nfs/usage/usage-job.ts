// How much volumes use: their folders are walked through one after the other, slowly, by whoever leads. What is found is kept on the volumes, counted, and
// told where a volume holds as much as was asked for: servers do not hold anybody to that.

import { Gauge, type Registry } from 'prom-client'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { ControllerService } from '../driver/controller-service.ts'
import { type Job, type JobContext, type Tell, teller } from '../jobs/job.ts'
import { ownLeaseName } from '../jobs/lease-names.ts'
import { Retries } from '../jobs/retries.ts'
import { type Claim, claims, keyOf, type StoredVolume, storageBytes, volumes } from '../jobs/storage-kinds.ts'
import { readUse, useAnnotation, type VolumeUse, writeUse } from './use-annotation.ts'

interface UsageSettings {
  /** From the end of one walk of a volume to the next, in milliseconds. */
  readonly everyMs: number
  readonly entriesPerSecond: number
  /** A walk of one volume ends there, so that the others have their turn. */
  readonly mostEntries: number
}

/** Between two volumes, and before the first look. */
const pauseMs = 5_000
/** After a failed walk; then twice as long each time, up to the time between two walks. */
const failedMs = 60_000
const nearlyFull = 0.8

/** What a volume that was asked for with so many bytes is told of, by what it uses. */
export function fillOf(use: bigint | number, asked: bigint): 'below' | 'nearly' | 'above' {
  if (asked === 0n) return 'below'
  const share = Number(use) / Number(asked)
  return share >= 1 ? 'above' : share >= nearlyFull ? 'nearly' : 'below'
}

/** The volume whose walk is due first, with the time at which it is; undefined where there is none. */
export function nextDue(
  all: Iterable<StoredVolume>,
  { driver, everyMs, nowMs }: { readonly driver: string; readonly everyMs: number; readonly nowMs: number },
): { readonly volume: StoredVolume; readonly dueMs: number } | undefined {
  let first: { readonly volume: StoredVolume; readonly dueMs: number } | undefined
  for (const volume of all) {
    const { spec, status, metadata } = volume
    if (spec.csi?.driver !== driver || status?.phase !== 'Bound') continue
    const use = readUse(metadata.annotations?.[useAnnotation])
    // One that is to come is a clock that was set back.
    const dueMs = use === undefined || use.at > nowMs ? nowMs : use.at + everyMs
    if (first === undefined || dueMs < first.dueMs) first = { volume, dueMs }
  }
  return first
}

interface UsageOptions {
  readonly driver: string
  readonly settings: UsageSettings
  readonly controller: Pick<ControllerService, 'usage'>
  readonly metrics?: Registry | undefined
}

export function usageJob(options: UsageOptions): Job {
  const { driver, metrics } = options
  /** Undefined while another process leads: what this one would tell is old. */
  let known: Informer<StoredVolume> | undefined
  if (metrics !== undefined)
    new Gauge({
      name: 'ballast_nfs_volume_used_bytes',
      help: 'Bytes that the files of a volume take on its server, as of its last walk',
      labelNames: ['namespace', 'persistentvolumeclaim'] as const,
      registers: [metrics],
      // What is noted on the volumes is told, so that a new process tells what the one before it found.
      collect() {
        this.reset()
        for (const { labels, bytes } of usedBytes(known?.store.list() ?? [], driver)) this.set(labels, bytes)
      },
    })
  return {
    name: 'usage',
    needs: [
      { ...volumes, mode: 'projection', fields: ['metadata.annotations', 'spec', 'status.phase'] },
      { ...claims, mode: 'projection', fields: ['metadata.annotations', 'spec', 'status.phase'] },
    ],
    // It asks the driver in its own process: by its socket it knows none.
    leaseName: () => ownLeaseName('usage', driver),
    async run(context, signal) {
      known = context.informers.of<StoredVolume>(volumes)
      try {
        await new Walks(context, options).run(signal)
      } finally {
        known = undefined
      }
    },
  }
}

/** What is noted on volumes that claims have, for a metric. */
function* usedBytes(all: Iterable<StoredVolume>, driver: string) {
  for (const { spec, status, metadata } of all) {
    if (spec.csi?.driver !== driver || status?.phase !== 'Bound') continue
    const use = readUse(metadata.annotations?.[useAnnotation])
    const { namespace = '', name = '' } = spec.claimRef ?? {}
    if (use !== undefined) yield { labels: { namespace, persistentvolumeclaim: name }, bytes: use.bytes }
  }
}

/** One term of leading. */
class Walks {
  readonly #context: JobContext
  readonly #options: UsageOptions
  readonly #volumes: Informer<StoredVolume>
  readonly #claims: Informer<Claim>
  readonly #tell: Tell
  readonly #retries: Retries<string>
  /** Volumes whose walk failed, and until when they wait, by the clock that only goes on. */
  readonly #waitMs = new Map<string, number>()

  constructor(context: JobContext, options: UsageOptions) {
    this.#context = context
    this.#options = options
    this.#volumes = context.informers.of<StoredVolume>(volumes)
    this.#claims = context.informers.of<Claim>(claims)
    this.#tell = teller(context, 'ballast-nfs')
    this.#retries = new Retries({ firstMs: failedMs, lastMs: options.settings.everyMs })
  }

  /** Until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { informers, clock } = this.#context
    await informers.allSynced(signal)
    for (;;) {
      await clock.after(pauseMs, signal)
      const volume = this.#due()
      if (volume !== undefined) await this.#walk(volume, signal)
    }
  }

  #due(): StoredVolume | undefined {
    const { driver, settings } = this.#options
    const { clock } = this.#context
    const all = [...this.#volumes.store.list()]
    const names = new Set(all.map(({ metadata }) => metadata.name))
    for (const name of this.#waitMs.keys()) if (!names.has(name)) this.#forget(name)
    const nowMs = clock.now()
    const next = nextDue(
      all.filter(({ metadata }) => (this.#waitMs.get(metadata.name) ?? 0) <= clock.elapsed()),
      { driver, everyMs: settings.everyMs, nowMs },
    )
    return next === undefined || next.dueMs > nowMs ? undefined : next.volume
  }

  #forget(name: string): void {
    this.#waitMs.delete(name)
    this.#retries.forget(name)
  }

  async #walk(volume: StoredVolume, signal: AbortSignal): Promise<void> {
    const { name } = volume.metadata
    try {
      await this.#note(volume, await this.#look(volume, signal), signal)
      this.#forget(name)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const delayMs = this.#retries.nextMs(name)
      this.#waitMs.set(name, this.#context.clock.elapsed() + delayMs)
      this.#context.log.warn({ volume: name, why: messageOf(error), delayMs }, 'how much a volume uses is not known')
    }
  }

  async #look({ spec }: StoredVolume, signal: AbortSignal): Promise<VolumeUse> {
    const { controller, settings } = this.#options
    const { mostEntries: entries, entriesPerSecond } = settings
    const found = await controller.usage(spec.csi?.volumeHandle ?? '', { entries, entriesPerSecond }, signal)
    return {
      bytes: Number(found.allocatedBytes),
      entries: Number(found.entries),
      at: this.#context.clock.now(),
      ...(found.isWhole ? {} : { isPartial: true }),
    }
  }

  async #note({ metadata, spec }: StoredVolume, use: VolumeUse, signal: AbortSignal): Promise<void> {
    const { api, assertLeading } = this.#context
    assertLeading()
    const before = readUse(metadata.annotations?.[useAnnotation])
    const body = { metadata: { annotations: { [useAnnotation]: writeUse(use, before) } } }
    const patched = await api.resource<StoredVolume>(volumes).patch(metadata.name, { type: 'merge', body }, { signal })
    this.#volumes.observe(patched)
    const asked = storageBytes(spec.capacity)
    const fill = fillOf(use.bytes, asked)
    const { namespace = '', name = '' } = spec.claimRef ?? {}
    const claim = this.#claims.store.get(namespace, name)
    if (claim === undefined || fill === 'below' || fill === fillOf(before?.bytes ?? 0, asked)) return
    const reason = fill === 'above' ? 'NfsVolumeAboveRequest' : 'NfsVolumeNearlyFull'
    const said = `${keyOf(claim)} uses ${use.bytes} of the ${asked} bytes that it asks for; the server does not hold it to that`
    this.#tell(claim, 'Warning', reason, said)
  }
}
