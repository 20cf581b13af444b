// Which parts of a share belong to whom: folders with and without a volume, volumes without a folder, archives. Decisions only; lists are bounded, counts are not.

import { writeVolumeId } from '../driver/volume-id.ts'
import { type KnownPlaces, pathOnServer } from '../driver/volume-place.ts'
import type { SurveyEntry } from '../files/file-work.ts'
import { archivedPrefix } from '../files/relative-path.ts'

/** A list names no more; what is beyond is counted. */
export const mostNamed = 500
/** What was changed since then may be about to get its volume, or to lose its folder. */
const settledMs = 3_600_000

/** A folder that no object of the cluster names. */
export interface LooseFolder {
  /** As an identifier of a volume. */
  readonly id: string
  /** In milliseconds since 1970. */
  readonly changedMs: number
  /** The length of an archive's file. */
  readonly bytes?: number
}

/** A list that is cut, with how many there are. */
export interface Named<T> {
  readonly count: number
  readonly first: readonly T[]
}

export interface ShareInventory {
  readonly server: string
  /** Without slashes at its ends. */
  readonly share: string
  /** Why it could not be looked at; all else is empty then. */
  readonly problem?: string
  /** Volumes of the cluster whose folders are there. */
  readonly volumes: number
  /** Names of PersistentVolumes whose folders are not there. */
  readonly missing: Named<string>
  /** Folders with the name of a volume that a provisioner made, and without a volume. */
  readonly orphans: Named<LooseFolder>
  /** Archives of snapshots that no VolumeSnapshotContent names. Undefined where the cluster has no kinds of snapshots. */
  readonly snapshots: Named<LooseFolder> | undefined
  /** Folders of deleted volumes that were kept under another name. */
  readonly archived: Named<LooseFolder>
  /** Folders without a volume whose names prove nothing: they may be anybody's. */
  readonly others: Named<string>
  /** Folders whose names no identifier can have. */
  readonly unnamed: number
}

export interface InventoryFacts {
  readonly places: KnownPlaces
  /** Archives that contents name, as `archiveKey` has them, and names of those that are being made; undefined where there are no such kinds. */
  readonly archives: ReadonlySet<string> | undefined
  /** Before the UID in the name of a volume, and of a snapshot. */
  readonly prefixes: { readonly volume: string; readonly snapshot: string }
  readonly nowMs: number
}

export const archiveKey = (server: string, share: string, name: string): string => [server, share, name].join('\n')

const madeEnd = /^-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a name is one that the provisioner gives: nobody else makes folders of such names by chance. */
export const isMadeName = (name: string, prefix: string): boolean =>
  name.startsWith(prefix) && madeEnd.test(name.slice(prefix.length))

/** Whether a name is that of an archived folder that was made for a volume or a snapshot: others have folders called `archived-…`, too. */
export function isMadeArchive(name: string, { volume, snapshot }: InventoryFacts['prefixes']): boolean {
  if (!name.startsWith(archivedPrefix)) return false
  const rest = name.slice(archivedPrefix.length)
  return [rest, rest.replace(/-[0-9]{1,4}$/, '')].some(made => isMadeName(made, volume) || isMadeName(made, snapshot))
}

/** Collects what is found on a share. */
export class ShareTally {
  readonly #at: { readonly server: string; readonly share: string }
  readonly #orphans = new Cut<LooseFolder>()
  readonly #snapshots = new Cut<LooseFolder>()
  readonly #archived = new Cut<LooseFolder>()
  readonly #others = new Cut<string>()
  readonly #missing = new Cut<string>()
  #hasContents = false
  #volumes = 0
  #unnamed = 0

  constructor(at: { readonly server: string; readonly share: string }) {
    this.#at = at
  }

  /** A volume of the cluster, and whether its folder is there. */
  volume(name: string, isThere: boolean): void {
    if (isThere) this.#volumes++
    else this.#missing.add(name)
  }

  unnamed(count: number): void {
    this.#unnamed += count
  }

  entry(entry: SurveyEntry, { places, archives, prefixes, nowMs }: InventoryFacts): void {
    const { server, share } = this.#at
    const { name, kind, changedMs, archive } = entry
    this.#hasContents ||= archives !== undefined
    if (kind === 'removed') return
    if (places.at(server, pathOnServer({ share, folder: name })).kind !== 'unknown') return
    const loose = { id: writeVolumeId({ server, share, subDir: name, uuid: '', onDelete: '' }), changedMs }
    if (kind === 'archived') {
      if (isMadeArchive(name, prefixes)) this.#archived.add(loose)
      else this.#others.add(name)
      return
    }
    if (changedMs > nowMs - settledMs) return
    if (isMadeName(name, prefixes.volume)) this.#orphans.add(loose)
    else if (archive === undefined || !isMadeName(name, prefixes.snapshot)) this.#others.add(name)
    else if (archives !== undefined && !archives.has(archiveKey(server, share, name)) && !archives.has(name))
      this.#snapshots.add({ ...loose, bytes: archive.bytes })
  }

  result(): ShareInventory {
    return {
      ...this.#at,
      volumes: this.#volumes,
      missing: this.#missing.named(),
      orphans: this.#orphans.named(),
      snapshots: this.#hasContents ? this.#snapshots.named() : undefined,
      archived: this.#archived.named(),
      others: this.#others.named(),
      unnamed: this.#unnamed,
    }
  }
}

export function notLookedAt(at: { readonly server: string; readonly share: string }, problem: string): ShareInventory {
  return { ...new ShareTally(at).result(), problem }
}

class Cut<T> {
  readonly #first: T[] = []
  #count = 0

  add(value: T): void {
    this.#count++
    if (this.#first.length < mostNamed) this.#first.push(value)
  }

  named(): Named<T> {
    return { count: this.#count, first: this.#first }
  }
}
