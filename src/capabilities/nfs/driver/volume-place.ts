// Where volumes are on their servers: by what they are told, else by their identifiers. Shares may lie within one another, so a place is a server and a path on
// it.

import { cleanPath } from './share-path.ts'
import { sourceOf } from './snapshot-id.ts'
import { readVolumeId } from './volume-id.ts'

interface VolumePlace {
  readonly server: string
  /** The share, without slashes at its ends. */
  readonly share: string
  /** Below the share; empty: the volume is the whole share. */
  readonly folder: string
}

/** As a PersistentVolume names it. */
interface NamedVolume {
  readonly handle: string
  /** Keys in any case. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/** Where a volume of the driver is; undefined where nothing says it. */
export function volumePlace({ handle, attributes }: NamedVolume): VolumePlace | undefined {
  const said = (name: string): string | undefined => {
    const [, value] = Object.entries(attributes).find(([key]) => key.toLowerCase() === name) ?? []
    return typeof value === 'string' ? value : undefined
  }
  const [server, share] = [said('server'), said('share')]
  if (server !== undefined && share !== undefined)
    return { server, share: cleanPath(share), folder: cleanPath(said('subdir') ?? '') }
  const id = readVolumeId(handle)
  return 'problem' in id ? undefined : { server: id.server, share: cleanPath(id.share), folder: cleanPath(id.subDir) }
}

/** Its path on the server, without a slash before it. */
export const pathOnServer = ({ share, folder }: Pick<VolumePlace, 'share' | 'folder'>): string =>
  [share, folder].filter(part => part !== '').join('/')

/** A volume that the cluster has. */
export interface KnownVolume extends VolumePlace {
  /** Its handle. */
  readonly id: string
  /** Kubernetes mounts others by itself. */
  readonly isOfDriver: boolean
  /** Bytes that it was made for, where that is known. */
  readonly capacity: bigint | undefined
}

/** A share that is looked through, with the options by which it is mounted. */
export interface KnownShare {
  readonly server: string
  /** Without slashes at its ends. */
  readonly share: string
  readonly options: readonly string[]
}

/** What is known of a path on a server. */
type Known =
  | { readonly kind: 'volume'; readonly volume: KnownVolume }
  /** Volumes or shares lie below it. */
  | { readonly kind: 'above' }
  /** It lies in a volume: what is there is its user's. */
  | { readonly kind: 'within' }
  | { readonly kind: 'unknown' }

/** Volumes and shares by where they are. */
export class KnownPlaces {
  readonly #volumes = new Map<string, KnownVolume>()
  readonly #above = new Set<string>()
  readonly #bySource = new Map<string, KnownVolume>()

  constructor(volumes: Iterable<KnownVolume>, shares: readonly KnownShare[]) {
    for (const volume of volumes) {
      const path = pathOnServer(volume)
      this.#volumes.set(key(volume.server, path), volume)
      this.#markAbove(volume.server, path)
      const id = readVolumeId(volume.id)
      if (!('problem' in id)) this.#bySource.set(key(id.server, sourceOf(id)), volume)
    }
    for (const { server, share } of shares) {
      this.#above.add(key(server, share))
      this.#markAbove(server, share)
    }
  }

  at(server: string, path: string): Known {
    const volume = this.#volumes.get(key(server, path))
    if (volume !== undefined) return { kind: 'volume', volume }
    if (this.#above.has(key(server, path))) return { kind: 'above' }
    for (const ancestor of ancestors(path)) if (this.#volumes.has(key(server, ancestor))) return { kind: 'within' }
    return { kind: 'unknown' }
  }

  /** Volumes below a path of a share, in the order of their folders. */
  below(server: string, share: string, folder: string): readonly KnownVolume[] {
    return [...this.#volumes.values()]
      .filter(one => one.server === server && one.share === share && one.folder.startsWith(`${folder}/`))
      .toSorted((one, other) => (one.folder < other.folder ? -1 : 1))
  }

  /** The volume of which an archive of this name is made. */
  ofSource(server: string, source: string): KnownVolume | undefined {
    return this.#bySource.get(key(server, source))
  }

  #markAbove(server: string, path: string): void {
    for (const ancestor of ancestors(path)) this.#above.add(key(server, ancestor))
  }
}

const key = (server: string, path: string): string => `${server}\n${path}`

/** `a/b/c` lies in `a/b`, `a` and the root. */
function* ancestors(path: string): Generator<string> {
  if (path === '') return
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) yield path.slice(0, at)
  yield ''
}
