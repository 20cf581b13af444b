// What is on the shares: volumes, snapshots and room. It is read from the servers, and from nobody's memory: a folder that is there is told, whoever made it.
//
// Pages are cut by names, so that what comes and goes between two of them moves nothing else.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Of } from '#kube/protobuf-message.ts'
import type { csiMessages, Snapshot, Volume } from '../csi/messages.ts'
import type { SurveyEntry } from '../files/file-work.ts'
import type { SharedMounts } from '../mounts/shared-mounts.ts'
import { restoreSize, timeOf } from './controller-service.ts'
import { groupOf } from './groups/group-record.ts'
import { type NamedShare, onShare } from './on-share.ts'
import type { ShareFiles } from './share-files.ts'
import { cleanPath, newPathProblem, serverProblem } from './share-path.ts'
import { readSnapshotId, sourceOf, writeSnapshotId } from './snapshot-id.ts'
import { readVolumeId, writeVolumeId } from './volume-id.ts'
import { type KnownPlaces, type KnownShare, pathOnServer } from './volume-place.ts'
import { optionsOfSecret } from './wish.ts'

/** A page has no more, since an answer has to fit into a message. */
const mostListed = 5_000
/** Names that are looked at for one page: what is sought may be rare, and the call has to end. */
const mostLookedAt = 50_000
const namesAtOnce = 5_000

/** What only the cluster knows; without one, what a flag says. */
export interface KnownStorage {
  shares(): readonly KnownShare[]
  places(): KnownPlaces
}

interface ListingOptions {
  /** Snapshots of groups are told with their group. */
  readonly settings: { readonly groups: boolean }
  readonly known: KnownStorage
  readonly shares: SharedMounts
  readonly files: ShareFiles
  readonly log: Log
}

/** After which name a page goes on. */
interface Position {
  readonly server: string
  readonly share: string
  /** The last name in the share that was looked at to its end. */
  readonly after?: string | undefined
  /** The last folder below the next one. */
  readonly below?: string | undefined
}

interface Found<T> {
  readonly value: T
  readonly at: Position
}

interface ShareAt extends KnownShare {
  readonly root: string
}

/** What is to be told of a name; several where volumes lie below it, each with its folder. */
type Choose<T> = (
  share: ShareAt,
  entry: SurveyEntry,
  places: KnownPlaces,
) => AsyncIterable<{ readonly value: T; readonly below?: string }>

const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)

export class Listing {
  readonly #options: ListingOptions

  constructor(options: ListingOptions) {
    this.#options = options
  }

  /** @throws CallRefused ABORTED for a token that is none of ours */
  async volumes({
    maxEntries,
    startingToken,
  }: Of<typeof csiMessages.listVolumes>): Promise<Of<typeof csiMessages.listedVolumes>> {
    const { files } = this.#options
    const { found, nextToken } = await this.#page<Volume>(maxEntries, startingToken, async function* (share, entry, places) {
      const path = pathOnServer({ share: share.share, folder: entry.name })
      const known = places.at(share.server, path)
      if (known.kind === 'volume' && known.volume.isOfDriver) yield { value: volumeOf(known.volume.id, known.volume.capacity) }
      if (known.kind === 'above')
        for (const { id, capacity, folder, isOfDriver } of places.below(share.server, share.share, entry.name))
          if (isOfDriver && (await files.isFolder({ ...share, path: folder })))
            yield { value: volumeOf(id, capacity), below: folder }
      if (known.kind === 'unknown' && entry.kind === 'folder')
        yield { value: volumeOf(writeVolumeId({ ...share, subDir: entry.name, uuid: '', onDelete: '' }), undefined) }
    })
    return { entries: found.map(volume => ({ volume })), nextToken }
  }

  /** @throws CallRefused ABORTED for a token that is none of ours */
  async snapshots(request: Of<typeof csiMessages.listSnapshots>): Promise<Of<typeof csiMessages.listedSnapshots>> {
    const { maxEntries, startingToken, sourceVolumeId, snapshotId, secrets } = request
    if (snapshotId !== '') {
      const one = await this.#snapshot(snapshotId, secrets)
      const isMeant = one !== undefined && (sourceVolumeId === '' || isSource(sourceVolumeId, one.sourceVolumeId))
      return { entries: isMeant ? [{ snapshot: one }] : [], nextToken: '' }
    }
    const groupOfFolder = this.#groupOf.bind(this)
    const { found, nextToken } = await this.#page<Snapshot>(maxEntries, startingToken, async function* (share, entry, places) {
      const { kind, archive } = entry
      const path = pathOnServer({ share: share.share, folder: entry.name })
      if (kind !== 'snapshot' || archive === undefined || places.at(share.server, path).kind !== 'unknown') return
      const value = { ...snapshotOf(share, entry.name, archive, places), groupSnapshotId: await groupOfFolder(share, entry.name) }
      if (sourceVolumeId === '') yield { value }
      else if (isSource(sourceVolumeId, value.sourceVolumeId)) yield { value: { ...value, sourceVolumeId } }
    })
    return { entries: found.map(snapshot => ({ snapshot })), nextToken }
  }

  /** @throws CallRefused NOT_FOUND */
  async snapshot({ snapshotId, secrets }: Of<typeof csiMessages.getSnapshot>): Promise<Of<typeof csiMessages.createdSnapshot>> {
    if (snapshotId === '') throw invalid('Snapshot ID is missing in request')
    const snapshot = await this.#snapshot(snapshotId, secrets)
    if (snapshot === undefined) throw new CallRefused(status.NOT_FOUND, `snapshot ${snapshotId} is not there`)
    return { snapshot }
  }

  /**
   * Bytes that new volumes find room in: of the share that the parameters name, else the most that any known share has, since shares may lie on one disk.
   * @throws CallRefused
   */
  async capacity(request: Of<typeof csiMessages.getCapacity>): Promise<Of<typeof csiMessages.capacity>> {
    const { parameters, volumeCapabilities } = request
    if (volumeCapabilities.some(({ block }) => block !== undefined)) return { availableCapacity: 0n }
    const named = (name: string) => [...parameters].find(([key]) => key.toLowerCase() === name)?.[1] ?? ''
    const [server, share] = [named('server'), named('share')]
    if (server !== '') {
      const problem = serverProblem(server) ?? newPathProblem(share)
      if (problem !== undefined) throw invalid(`invalid server or share ${JSON.stringify(`${server}:${share}`)}: ${problem}`)
      const options = volumeCapabilities[0]?.mount?.mountFlags ?? []
      return { availableCapacity: await this.#available({ server, share: cleanPath(share), options }) }
    }
    const { known, log } = this.#options
    let most: bigint | undefined
    let failure: unknown
    for (const one of known.shares()) {
      try {
        const bytes = await this.#available(one)
        if (most === undefined || bytes > most) most = bytes
      } catch (error) {
        if (!isOutside(error)) throw error
        failure = error
        log.warn({ server: one.server, share: one.share, why: messageOf(error) }, 'how much room a share has is not known')
      }
    }
    if (most === undefined && failure !== undefined) throw failure
    return { availableCapacity: most ?? 0n }
  }

  #available(share: KnownShare): Promise<bigint> {
    return this.#on(share, at => this.#options.files.available(at))
  }

  async #snapshot(id: string, secrets: ReadonlyMap<string, string>): Promise<Snapshot | undefined> {
    const read = readSnapshotId(id)
    if ('problem' in read || cleanPath(read.name) === '') return undefined
    const { files, known } = this.#options
    const share = { server: read.server, share: cleanPath(read.share), options: this.#optionsOf(read, secrets) }
    const path = cleanPath(read.name)
    return await this.#on(share, async at => {
      const archive = await files.archiveOf({ ...at, path }, read.source)
      if (archive === undefined) return undefined
      const groupSnapshotId = await this.#groupOf({ ...share, ...at }, path)
      return { ...snapshotOf(share, read.name, archive, known.places()), snapshotId: id, groupSnapshotId }
    })
  }

  /** Empty where it is in none. */
  async #groupOf(share: ShareAt, folder: string): Promise<string> {
    const { settings, files } = this.#options
    return (settings.groups ? await groupOf(files, share, folder) : undefined) ?? ''
  }

  /** What the Secret says, else what the cluster mounts this share by. */
  #optionsOf(at: { readonly server: string; readonly share: string }, secrets: ReadonlyMap<string, string>): readonly string[] {
    const ofSecret = optionsOfSecret(secrets)
    if (ofSecret.length > 0) return ofSecret
    const share = cleanPath(at.share)
    return this.#options.known.shares().find(one => one.server === at.server && one.share === share)?.options ?? []
  }

  async #page<T>(
    maxEntries: number,
    token: string,
    choose: Choose<T>,
  ): Promise<{ readonly found: readonly T[]; readonly nextToken: string }> {
    if (maxEntries < 0) throw invalid(`max_entries is ${maxEntries}, expected 0 or more`)
    const { known } = this.#options
    const places = known.places()
    const shares = known.shares().toSorted(compareShares)
    const from = token === '' ? undefined : readToken(token)
    const most = maxEntries > 0 ? Math.min(maxEntries, mostListed) : mostListed
    const found: Found<T>[] = []
    let looked = 0
    for (const share of shares) {
      if (from !== undefined && compareShares(share, from) < 0) continue
      const isFirst = from !== undefined && compareShares(share, from) === 0
      let after = isFirst ? from.after : undefined
      let passOver = isFirst ? from.below : undefined
      for (;;) {
        const limit = Math.min(namesAtOnce, mostLookedAt - looked)
        if (limit <= 0)
          return { found: found.map(({ value }) => value), nextToken: writeToken({ ...share, after, below: passOver }) }
        const next = await this.#on(share, async at => {
          const piece = await this.#options.files.survey(at, after, limit)
          looked += limit
          for (const entry of piece.entries) {
            for await (const { value, below } of choose({ ...share, ...at }, entry, places)) {
              if (below !== undefined && passOver !== undefined && below <= passOver) continue
              found.push({ value, at: below === undefined ? { ...share, after: entry.key } : { ...share, after, below } })
              if (found.length > most) return 'full'
            }
            after = entry.key
            passOver = undefined
          }
          return piece.next
        })
        if (next === 'full') return cut(found, most)
        if (next === undefined) break
        after = next
      }
    }
    return { found: found.map(({ value }) => value), nextToken: '' }
  }

  #on<T>(
    { server, share, options }: KnownShare,
    work: (share: Readonly<Record<'server' | 'root', string>>) => Promise<T>,
  ): Promise<T> {
    return onShare(this.#options.shares, { server, share }, options, 'failed to look at a share', work)
  }
}

function cut<T>(found: readonly Found<T>[], most: number) {
  const last = found[most - 1]
  if (last === undefined) throw new RangeError(`a page of ${most} has no last entry`)
  return { found: found.slice(0, most).map(({ value }) => value), nextToken: writeToken(last.at) }
}

function compareShares(one: NamedShare, other: NamedShare): number {
  const [a, b] = [`${one.server}\n${one.share}`, `${other.server}\n${other.share}`]
  return a < b ? -1 : a > b ? 1 : 0
}

/** Why it is none of ours is no matter to who has it. @throws CallRefused ABORTED, as CSI has it: the list is to be begun anew */
function readToken(token: string): Position {
  const refuse = () =>
    new CallRefused(status.ABORTED, `starting_token ${JSON.stringify(token)} is none of this driver's: begin anew`)
  let read: unknown
  try {
    read = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
  } catch {
    // What is no JSON is none of ours.
    throw refuse()
  }
  if (!Array.isArray(read)) throw refuse()
  const [server, share, after, below]: readonly unknown[] = read
  const isOptional = (value: unknown): value is string | null => value === null || typeof value === 'string'
  if (typeof server !== 'string' || typeof share !== 'string' || !isOptional(after) || !isOptional(below)) throw refuse()
  return { server, share, after: after ?? undefined, below: below ?? undefined }
}

const writeToken = ({ server, share, after, below }: Position): string =>
  Buffer.from(JSON.stringify([server, share, after ?? null, below ?? null])).toString('base64url')

const volumeOf = (volumeId: string, capacity: bigint | undefined): Volume => ({
  volumeId,
  capacityBytes: capacity ?? 0n,
  volumeContext: new Map(),
  contentSource: undefined,
})

function snapshotOf(
  { server, share }: NamedShare,
  name: string,
  { source, bytes, mtimeMs }: NonNullable<SurveyEntry['archive']>,
  places: KnownPlaces,
): Snapshot {
  const volume = places.ofSource(server, source)
  return {
    snapshotId: writeSnapshotId({ server, share, name, source }),
    sourceVolumeId: volume?.id ?? writeVolumeId({ server, share, subDir: source, uuid: '', onDelete: '' }),
    sizeBytes: restoreSize(bytes, volume?.capacity),
    creationTime: timeOf(mtimeMs),
    isReadyToUse: true,
    groupSnapshotId: '',
  }
}

/** Whether two identifiers name the same folder: what becomes of it may be said in one and not in the other. */
function isSource(asked: string, found: string): boolean {
  if (asked === found) return true
  const [one, other] = [readVolumeId(asked), readVolumeId(found)]
  if ('problem' in one || 'problem' in other) return false
  return one.server === other.server && cleanPath(one.share) === cleanPath(other.share) && sourceOf(one) === sourceOf(other)
}
