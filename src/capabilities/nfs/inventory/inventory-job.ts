// Shares are looked through now and then, by whoever leads: what belongs to nobody is noted in a ConfigMap for people to read, and archived folders that are older
// than they are kept go. What was not looked at is said to be so, and nothing goes there.

import { LRUCache } from 'lru-cache'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { ControllerService } from '../driver/controller-service.ts'
import type { Place, ShareFiles } from '../driver/share-files.ts'
import { cleanPath } from '../driver/share-path.ts'
import { readSnapshotId } from '../driver/snapshot-id.ts'
import { KnownPlaces, type KnownShare, type KnownVolume, pathOnServer } from '../driver/volume-place.ts'
import type { SurveyEntry } from '../files/file-work.ts'
import { type Job, type JobContext, together } from '../jobs/job.ts'
import { ownLeaseName } from '../jobs/lease-names.ts'
import { awaitKinds } from '../jobs/snapshot/present-kinds.ts'
import { type Content, contents } from '../jobs/snapshot/snapshot-kinds.ts'
import { classes, type StoredVolume, type VolumeClass, volumes } from '../jobs/storage-kinds.ts'
import { knownShares, knownVolumes } from '../watched-facts.ts'
import { type ArchiveLimits, beyondMost, leastKeptMs, limitsOf, type MeasuredArchive } from './archive-limits.ts'
import { archiveKey, type InventoryFacts, isMadeArchive, notLookedAt, type ShareInventory, ShareTally } from './inventory.ts'
import { writeReport } from './report.ts'

interface InventorySettings {
  readonly everyMs: number
  readonly limits: ArchiveLimits
  readonly prefixes: InventoryFacts['prefixes']
}

interface InventoryOptions {
  readonly driver: string
  /** Where the report is written. */
  readonly namespace: string
  readonly settings: InventorySettings
  readonly controller: Pick<ControllerService, 'at'>
  readonly files: ShareFiles
}

/** Before the first look: who has just come to lead is about to know the cluster. */
const firstPauseMs = 30_000
const namesAtOnce = 5_000
/** Archives whose sizes are remembered: nobody writes into them. */
const mostMeasured = 10_000
/** An archive is measured at this pace, so that others have the server, too. */
const measuring = { entries: 10_000_000, entriesPerSecond: 5_000 } as const

export function inventoryJob(options: InventoryOptions): Job {
  return {
    name: 'inventory',
    needs: [
      { ...volumes, mode: 'projection', fields: ['spec', 'status.phase'] },
      { ...classes, mode: 'full' },
      { ...contents, mode: 'full' },
    ],
    // Jobs that ask no driver are not told whose they are.
    leaseName: () => ownLeaseName('inventory', options.driver),
    run: (context, signal) => run(context, options, signal),
  }
}

async function run(context: JobContext, options: InventoryOptions, signal: AbortSignal): Promise<void> {
  const { informers, clock } = context
  const watched = {
    volumes: informers.of<StoredVolume>(volumes),
    classes: informers.of<VolumeClass>(classes),
    contents: informers.of<Content>(contents, { optional: true }),
  }
  await informers.allSynced(signal)
  const looks = async (until: AbortSignal) => {
    const rounds = new Rounds(context, options, watched)
    await clock.after(firstPauseMs, until)
    for (;;) {
      await rounds.round(until)
      await clock.after(options.settings.everyMs, until)
    }
  }
  await together(signal, looks, until => awaitKinds(clock, [watched.contents], until))
}

interface Watched {
  readonly volumes: Informer<StoredVolume>
  readonly classes: Informer<VolumeClass>
  readonly contents: Informer<Content>
}

class Rounds {
  readonly #context: JobContext
  readonly #options: InventoryOptions
  readonly #watched: Watched
  readonly #measured = new LRUCache<string, bigint>({ max: mostMeasured })

  constructor(context: JobContext, options: InventoryOptions, watched: Watched) {
    this.#context = context
    this.#options = options
    this.#watched = watched
  }

  /** Looks through all shares once, and writes down what was found. */
  async round(signal: AbortSignal): Promise<void> {
    const { clock, log, api } = this.#context
    const { driver, namespace } = this.#options
    const found: ShareInventory[] = []
    for (const share of knownShares(this.#watched.classes.store.list(), this.#watched.volumes.store.list(), driver)) {
      try {
        found.push(await this.#share(share, signal))
      } catch (error) {
        signal.throwIfAborted()
        if (!isOutside(error)) throw error
        log.warn({ server: share.server, share: share.share, why: messageOf(error) }, 'what is on a share is not known')
        found.push(notLookedAt(share, messageOf(error)))
      }
    }
    await writeReport(api, { namespace, driver, atMs: clock.now(), shares: found }, signal)
  }

  async #share(share: KnownShare, signal: AbortSignal): Promise<ShareInventory> {
    const { controller, files } = this.#options
    const tally = new ShareTally(share)
    const archived: SurveyEntry[] = []
    const there = new Set<string>()
    await controller.at(share, async place => {
      let after: string | undefined
      do {
        const piece = await files.survey(place, after, namesAtOnce)
        signal.throwIfAborted()
        tally.unnamed(piece.unnamed)
        // What has got its volume while the server was asked is known by now.
        const facts = this.#facts()
        for (const entry of piece.entries) {
          tally.entry(entry, facts)
          const isOld = entry.kind === 'archived' && isMadeArchive(entry.name, facts.prefixes)
          if (isOld || entry.kind === 'removed') archived.push(entry)
          if (facts.places.at(share.server, pathOnServer({ share: share.share, folder: entry.name })).kind === 'volume')
            there.add(entry.name)
        }
        after = piece.next
      } while (after !== undefined)
      for (const { name, volume } of this.#volumesOf(share)) {
        const isThere =
          volume.folder === '' || there.has(volume.folder) || (await files.isFolder({ ...place, path: volume.folder }))
        tally.volume(name, isThere)
      }
      await this.#expire(share, place, archived, signal)
    })
    return tally.result()
  }

  #facts(): InventoryFacts {
    const { driver, settings } = this.#options
    const all = [...this.#watched.volumes.store.list()]
    const shares = knownShares(this.#watched.classes.store.list(), all, driver)
    const { contents: watched } = this.#watched
    const archives = new Set<string>()
    for (const { spec, status } of watched.store.list()) {
      const id = readSnapshotId(status?.snapshotHandle ?? spec.source.snapshotHandle ?? '')
      if (!('problem' in id)) archives.add(archiveKey(id.server, cleanPath(id.share), cleanPath(id.name)))
      // One that is being made has no handle yet, and is told by its name, wherever it will lie.
      const { uid } = spec.volumeSnapshotRef
      if (uid !== undefined) archives.add(`${settings.prefixes.snapshot}-${uid}`)
    }
    return {
      places: new KnownPlaces(knownVolumes(all, driver), shares),
      archives: watched.state === 'absent' ? undefined : archives,
      prefixes: settings.prefixes,
      nowMs: this.#context.clock.now(),
    }
  }

  #volumesOf(share: KnownShare): readonly { readonly name: string; readonly volume: KnownVolume }[] {
    return [...this.#watched.volumes.store.list()].flatMap(stored => {
      const [volume] = knownVolumes([stored], this.#options.driver)
      const isOn = volume?.isOfDriver === true && volume.server === share.server && volume.share === share.share
      return isOn && stored.status?.phase !== 'Failed' ? [{ name: stored.metadata.name, volume }] : []
    })
  }

  /** Archived folders go that are older than the share keeps them, and then the oldest beyond what it may keep. */
  async #expire(share: KnownShare, place: Pick<Place, 'server' | 'root'>, archived: readonly SurveyEntry[], signal: AbortSignal) {
    const { clock, log } = this.#context
    const { driver, settings, files } = this.#options
    const { limits, problems } = limitsOf(share, this.#watched.classes.store.list(), driver, settings.limits)
    for (const why of problems) log.warn({ server: share.server, share: share.share, why }, 'no archive of a share is removed')
    const going = async (name: string, beforeMs: number) => {
      signal.throwIfAborted()
      this.#context.assertLeading()
      const end = await files.expire({ ...place, path: name }, beforeMs)
      if (end.kind === 'removed') log.info({ server: share.server, share: share.share, name }, 'an archived folder is removed')
      return end.kind === 'removed'
    }
    for (const { name, kind } of archived) if (kind === 'removed') await going(name, 0)
    const { keepMs, mostBytes } = limits
    const left: SurveyEntry[] = []
    for (const entry of archived) {
      if (entry.kind !== 'archived') continue
      const beforeMs = keepMs === undefined ? undefined : clock.now() - keepMs
      if (beforeMs === undefined || entry.changedMs >= beforeMs || !(await going(entry.name, beforeMs))) left.push(entry)
    }
    if (mostBytes === undefined) return
    const measured: MeasuredArchive[] = []
    for (const { name, changedMs } of left)
      measured.push({ name, changedMs, bytes: await this.#bytes(place, name, changedMs, signal) })
    for (const name of beyondMost(measured, mostBytes, clock.now())) await going(name, clock.now() - leastKeptMs)
  }

  async #bytes(place: Pick<Place, 'server' | 'root'>, name: string, changedMs: number, signal: AbortSignal): Promise<bigint> {
    const key = JSON.stringify([place.server, place.root, name, changedMs])
    const known = this.#measured.get(key)
    if (known !== undefined) return known
    const { allocatedBytes } = await this.#options.files.usage({ ...place, path: name }, measuring, signal)
    const bytes = BigInt(allocatedBytes)
    this.#measured.set(key, bytes)
    return bytes
  }
}
