// How much volumes use: their folders are walked through one after the other, slowly, by whoever leads. What is found is kept on the volumes, counted, and
// told where a volume holds as much as was asked for: servers do not hold anybody to that.

import { Gauge, type Registry } from 'prom-client'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { ControllerService } from '../driver/controller-service.ts'
import { type Job, type JobContext, teller } from '../jobs/job.ts'
import { ownLeaseName } from '../jobs/lease-names.ts'
import { claims, keyOf, type StoredVolume, storageBytes, volumes } from '../jobs/storage-kinds.ts'
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
  readonly controller: ControllerService
  readonly metrics?: Registry | undefined
}

export function usageJob(options: UsageOptions): Job {
  const used =
    options.metrics === undefined
      ? undefined
      : new Gauge({
          name: 'ballast_nfs_volume_used_bytes',
          help: 'Bytes that the files of a volume take on its server, as of its last walk',
          labelNames: ['namespace', 'persistentvolumeclaim'] as const,
          registers: [options.metrics],
        })
  return {
    name: 'usage',
    needs: [
      { ...volumes, mode: 'projection', fields: ['metadata.annotations', 'spec', 'status.phase'] },
      { ...claims, mode: 'projection', fields: ['metadata.annotations', 'spec', 'status.phase'] },
    ],
    // Jobs that ask no driver are not told whose they are.
    leaseName: () => ownLeaseName('usage', options.driver),
    run: (context, signal) => run(context, options, used, signal),
  }
}

async function run(
  context: JobContext,
  { driver, settings, controller }: UsageOptions,
  used: Gauge<'namespace' | 'persistentvolumeclaim'> | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { informers, clock, log, api } = context
  const stored = informers.of<StoredVolume>(volumes)
  const claimed = informers.of(claims)
  await informers.allSynced(signal)
  const tell = teller(context, 'ballast-nfs')
  const failedMs = new Map<string, number>()
  const counted = new Map<string, { readonly namespace: string; readonly persistentvolumeclaim: string }>()
  for (;;) {
    await clock.after(pauseMs, signal)
    const nowMs = clock.now()
    const waiting = (name: string) => (failedMs.get(name) ?? Number.NEGATIVE_INFINITY) + settings.everyMs > nowMs
    const all = [...stored.store.list()]
    const names = new Set(all.map(({ metadata }) => metadata.name))
    for (const [gone, labels] of counted)
      if (!names.has(gone)) {
        used?.remove(labels)
        counted.delete(gone)
        failedMs.delete(gone)
      }
    const next = nextDue(
      all.filter(({ metadata }) => !waiting(metadata.name)),
      { driver, everyMs: settings.everyMs, nowMs },
    )
    if (next === undefined || next.dueMs > nowMs) continue
    const { volume } = next
    const { name } = volume.metadata
    try {
      const found = await controller.usage(volume.spec.csi?.volumeHandle ?? '', {
        entries: settings.mostEntries,
        entriesPerSecond: settings.entriesPerSecond,
      })
      context.assertLeading()
      const use: VolumeUse = {
        bytes: Number(found.allocatedBytes),
        entries: Number(found.entries),
        at: clock.now(),
        ...(found.isWhole ? {} : { isPartial: true }),
      }
      const before = readUse(volume.metadata.annotations?.[useAnnotation])
      const annotations = { [useAnnotation]: writeUse(use, before) }
      await api.resource<StoredVolume>(volumes).patch(name, { type: 'merge', body: { metadata: { annotations } } }, { signal })
      const { namespace = '', name: claimName = '' } = volume.spec.claimRef ?? {}
      const labels = { namespace, persistentvolumeclaim: claimName }
      used?.set(labels, use.bytes)
      counted.set(name, labels)
      const asked = storageBytes(volume.spec.capacity)
      const fill = fillOf(use.bytes, asked)
      const claim = claimed.store.get(namespace, claimName)
      if (claim !== undefined && fill !== 'below' && fill !== fillOf(before?.bytes ?? 0, asked))
        tell(
          claim,
          'Warning',
          fill === 'above' ? 'NfsVolumeAboveRequest' : 'NfsVolumeNearlyFull',
          `${keyOf(claim)} uses ${use.bytes} of the ${asked} bytes that it asks for; the server does not hold it to that`,
        )
      failedMs.delete(name)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      failedMs.set(name, nowMs)
      log.warn({ volume: name, why: messageOf(error) }, 'how much a volume uses is not known')
    }
  }
}
