// Snapshots of several volumes at one point in time (the GroupController service). Archives are read file by file, so nothing can be cut at one moment; but it can be known
// whether anything was written meanwhile. All volumes are looked at, then packed, then looked at again: where both looks say the same of each, nothing changed from the
// first look to the second, and the archives are of every moment between. Where a volume was written to, nothing is kept, and the caller comes again.
//
// A group is there when its record is. What is packed lies hidden until then, and gets its names after it; a call that was cut off is taken up by the next one.

import { status } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Of } from '#kube/protobuf-message.ts'
import { type csiMessages, type GroupSnapshot, groupCapabilities } from '../../csi/messages.ts'
import type { FingerprintResult } from '../../files/file-work.ts'
import type { SharedMounts } from '../../mounts/shared-mounts.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { type ControllerSettings, restoreSize, timeOf } from '../controller-service.ts'
import { onShare } from '../on-share.ts'
import { Operations } from '../operations.ts'
import type { Place, ShareFiles } from '../share-files.ts'
import { cleanPath } from '../share-path.ts'
import { readSnapshotId, type SnapshotId, writeSnapshotId } from '../snapshot-id.ts'
import { readVolumeId, type VolumeId } from '../volume-id.ts'
import { optionsOfSecret, snapshotWish } from '../wish.ts'
import {
  folderOf,
  type GroupId,
  type GroupRecord,
  groupNameProblem,
  groupPaths,
  groupsFolder,
  memberName,
  packingEnding,
  readGroup,
  readGroupId,
  writeGroupId,
} from './group-record.ts'

/** Volumes of one group. */
const mostMembers = 100
/** Records of a share that are looked through for what cut-off calls left. */
const mostGroups = 10_000
/** A call may pack for half a day; what is older than this was left by one that was cut off. */
const leftAfterMs = 24 * 3_600_000
/** Ticks of the clocks by which file systems set times: two changes within one have the same time. */
const coarsestTickMs = 2_000
/** What a kernel remembers of a file hides what others write: with this each look asks the server. */
const unremembered = 'actimeo=0'

interface GroupServiceOptions {
  readonly settings: Pick<ControllerSettings, 'compression' | 'useTarProgram'>
  readonly shares: SharedMounts
  readonly files: ShareFiles
  readonly facts?: ClusterFacts | undefined
  readonly clock: Clock
  readonly log: Log
  /** How coarse the clocks of servers are; 2 s, as FAT's. */
  readonly tickMs?: number
}

type Create = Of<typeof csiMessages.createGroupSnapshot>
type ByIds = Of<typeof csiMessages.groupSnapshotOf>
type At = Pick<Place, 'server' | 'root'>

interface Member {
  readonly volumeId: string
  readonly volume: VolumeId
  readonly snapshot: SnapshotId
}

const what = 'failed to snapshot a group of volumes'
const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)
const notFound = (message: string) => new CallRefused(status.NOT_FOUND, message)
/** The caller comes again. */
const written = (message: string) => new CallRefused(status.ABORTED, message)

export class GroupService {
  readonly #options: GroupServiceOptions
  readonly #operations = new Operations()
  readonly #tickMs: number

  constructor(options: GroupServiceOptions) {
    this.#options = options
    this.#tickMs = options.tickMs ?? coarsestTickMs
  }

  capabilities(): Of<typeof csiMessages.capabilities> {
    return { capabilities: [{ rpc: { type: groupCapabilities.CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT } }] }
  }

  /** @throws CallRefused ABORTED where a volume was written to meanwhile */
  async create({ name, sourceVolumeIds, parameters, secrets }: Create): Promise<GroupSnapshot> {
    if (name === '') throw invalid('CreateVolumeGroupSnapshot name must be provided')
    const problem = groupNameProblem(name)
    if (problem !== undefined) throw invalid(`invalid name ${JSON.stringify(name)} of a group: ${problem}`)
    const members = membersOf(name, sourceVolumeIds, parameters)
    const { home, mountOptions } = homeOf(name, members, parameters)
    const ofSecret = optionsOfSecret(secrets)
    const options = [...ofSecret, ...(mountOptions === '' ? [] : [mountOptions])]
    return await this.#alone(home, () =>
      this.#on(home, options, async at => {
        const found = await readGroup(this.#options.files, at, groupPaths(name).record)
        if (found !== undefined) {
          assertSame(name, found, members)
          return await this.#told(home, at, found)
        }
        // One that is being removed has its names still.
        if ((await readGroup(this.#options.files, at, groupPaths(name).leaving)) !== undefined) await this.#remove(at, name)
        return await this.#told(home, at, await this.#make(at, name, members, ofSecret))
      }),
    )
  }

  /** What is not there is deleted. @throws CallRefused */
  async delete({ groupSnapshotId, snapshotIds, secrets }: ByIds): Promise<void> {
    if (groupSnapshotId === '') throw invalid('Group snapshot ID is required for deletion')
    const id = readGroupId(groupSnapshotId)
    if (id === undefined) {
      this.#options.log.warn({ groupSnapshotId }, 'a group of snapshots that is to be deleted is none of this driver')
      return
    }
    await this.#alone(id, () =>
      this.#on(id, optionsOfSecret(secrets), async at => {
        const { files } = this.#options
        const paths = groupPaths(id.name)
        const found = await readGroup(files, at, paths.record)
        if (found !== undefined) {
          assertMembers(groupSnapshotId, found, snapshotIds)
          // From here on it is not there: whoever is cut off goes on by this name.
          await files.rename({ ...at, path: paths.record }, paths.leaving)
        }
        await this.#remove(at, id.name)
      }),
    )
  }

  /** @throws CallRefused NOT_FOUND */
  async get({ groupSnapshotId, snapshotIds, secrets }: ByIds): Promise<GroupSnapshot> {
    if (groupSnapshotId === '') throw invalid('Group snapshot ID is missing in request')
    const id = readGroupId(groupSnapshotId)
    if (id === undefined) throw notFound(`group of snapshots ${groupSnapshotId} is not there: it is none of this driver`)
    return await this.#alone(id, () =>
      this.#on(id, optionsOfSecret(secrets), async at => {
        const found = await readGroup(this.#options.files, at, groupPaths(id.name).record)
        if (found === undefined) throw notFound(`group of snapshots ${groupSnapshotId} is not there`)
        assertMembers(groupSnapshotId, found, snapshotIds)
        return await this.#told(id, at, found)
      }),
    )
  }

  #alone<T>(id: GroupId, work: () => Promise<T>): Promise<T> {
    return this.#operations.alone(writeGroupId(id), id.name, work)
  }

  /** Packs all volumes where nothing is written meanwhile; the record is its last step. */
  async #make(at: At, name: string, members: readonly Member[], ofSecret: readonly string[]): Promise<GroupRecord> {
    const { files } = this.#options
    const { packing, record } = groupPaths(name)
    await this.#sweep(at, name)
    for (const { snapshot, volumeId } of members)
      if (await files.isFolder({ ...at, path: snapshot.name }))
        throw new CallRefused(
          status.ALREADY_EXISTS,
          `${snapshot.name}, the snapshot of volume ${volumeId} in group ${name}, is there already`,
        )
    let takenMs: number
    try {
      takenMs = await this.#onAll(members, ofSecret, places => this.#pack(at, packing, members, places))
    } catch (error) {
      await this.#removeHalf(at, packing)
      throw error
    }
    const told = members.map(({ volumeId, snapshot }) => ({ volumeId, snapshotId: writeSnapshotId(snapshot) }))
    const group: GroupRecord = { members: told, takenMs }
    // Where this fails it may be there all the same, or come to be: the archives stay, and the next call for the group finds it so, or begins anew.
    await files.writeRecord({ ...at, path: record }, JSON.stringify(group))
    return group
  }

  /** @returns a moment at which all archives are what the volumes were, by the servers' clocks. @throws CallRefused ABORTED */
  async #pack(at: At, packing: string, members: readonly Member[], places: readonly Place[]): Promise<number> {
    const { files, settings } = this.#options
    const before = await this.#looks(places)
    for (const [index, { serverMs, changedMs }] of before.entries())
      if (serverMs - changedMs < this.#tickMs)
        throw written(
          `volume ${members[index]?.volumeId} was written to within the last ${this.#tickMs} ms: nothing is kept, try again`,
        )
    await Promise.all(
      members.map(async ({ snapshot }, index) => {
        const from = places[index]
        if (from === undefined) throw new RangeError('each member has a place')
        const into = { ...at, path: `${packing}/${snapshot.name}` }
        await files.pack({ from, into, name: snapshot.source, ...settings })
      }),
    )
    const after = await this.#looks(places)
    for (const [index, { digest }] of after.entries())
      if (digest !== before[index]?.digest)
        throw written(`volume ${members[index]?.volumeId} was written to while its group was packed: nothing is kept, try again`)
    return Math.min(...after.map(({ serverMs }) => serverMs))
  }

  #looks(places: readonly Place[]): Promise<readonly FingerprintResult[]> {
    return Promise.all(places.map(place => this.#options.files.fingerprint(place)))
  }

  /** The group as it is now: archives that have no names yet get them. @throws CallRefused NOT_FOUND where an archive is gone */
  async #told(id: GroupId, at: At, { members, takenMs }: GroupRecord): Promise<GroupSnapshot> {
    const { files, facts } = this.#options
    const { packing } = groupPaths(id.name)
    const groupSnapshotId = writeGroupId(id)
    const creationTime = timeOf(takenMs)
    const snapshots: GroupSnapshot['snapshots'][number][] = []
    for (const { snapshotId, volumeId } of members) {
      const path = folderOf(snapshotId)
      await this.#name(at, `${packing}/${path}`, path)
      const read = readSnapshotId(snapshotId)
      const archive = 'problem' in read ? undefined : await files.archiveOf({ ...at, path }, read.source)
      if (archive === undefined) throw notFound(`snapshot ${snapshotId} of group ${groupSnapshotId} is not there any more`)
      const sizeBytes = restoreSize(archive.bytes, facts?.capacity(volumeId))
      snapshots.push({ sizeBytes, snapshotId, sourceVolumeId: volumeId, creationTime, isReadyToUse: true, groupSnapshotId })
    }
    await files.remove({ ...at, path: packing })
    return { groupSnapshotId, snapshots, creationTime, isReadyToUse: true }
  }

  async #name(at: At, hidden: string, path: string): Promise<void> {
    const { files } = this.#options
    if (await files.isFolder({ ...at, path: hidden })) await files.rename({ ...at, path: hidden }, path)
  }

  /** Ends the removal of a group whose record says that it goes, and whatever a cut-off call left of one. */
  async #remove(at: At, name: string): Promise<void> {
    const { files } = this.#options
    const { leaving, packing } = groupPaths(name)
    const group = await readGroup(files, at, leaving)
    for (const { snapshotId } of group?.members ?? []) {
      const path = folderOf(snapshotId)
      if (path !== '') await files.remove({ ...at, path })
    }
    await files.remove({ ...at, path: packing })
    if (group !== undefined) await files.remove({ ...at, path: leaving })
  }

  /** Removes what cut-off calls for this group left, and old leftovers of others. */
  async #sweep(at: At, name: string): Promise<void> {
    const { files, clock, log } = this.#options
    const entries = await files.names({ ...at, path: groupsFolder }, mostGroups)
    const records = new Set(entries.map(entry => entry.name))
    for (const entry of entries) {
      if (!entry.name.endsWith(packingEnding)) continue
      const group = entry.name.slice(0, -packingEnding.length)
      const isOld = entry.mtimeMs < clock.now() - leftAfterMs && !records.has(`${group}.group`)
      if (group !== name && !isOld) continue
      log.info({ group }, 'archives of a group that was never made are removed')
      await files.remove({ ...at, path: `${groupsFolder}/${entry.name}` })
    }
  }

  async #removeHalf(at: At, path: string): Promise<void> {
    try {
      await this.#options.files.remove({ ...at, path })
    } catch (error) {
      if (!isOutside(error)) throw error
      this.#options.log.warn({ path, why: messageOf(error) }, 'archives of a group that was not made stay until the next try')
    }
  }

  /** Runs `use` where all volumes are mounted, each so that a look asks its server. */
  #onAll<T>(
    members: readonly Member[],
    ofSecret: readonly string[],
    use: (places: readonly Place[]) => Promise<T>,
    found: readonly Place[] = [],
  ): Promise<T> {
    const next = members[found.length]
    if (next === undefined) return use(found)
    const { volume, volumeId } = next
    const options = ofSecret.length > 0 ? ofSecret : (this.#options.facts?.mountOptions(volumeId) ?? [])
    return this.#on(volume, [...options, unremembered], async share => {
      const place = { ...share, path: cleanPath(volume.subDir) }
      if (!(await this.#options.files.isFolder(place)))
        throw notFound(`source volume ${volumeId} is not there: its share has no folder ${volume.subDir}`)
      return await this.#onAll(members, ofSecret, use, [...found, place])
    })
  }

  #on<T>(at: Pick<VolumeId, 'server' | 'share'>, options: readonly string[], work: (share: At) => Promise<T>): Promise<T> {
    return onShare(this.#options.shares, at, options, what, work)
  }
}

/** In the order of their identifiers, so that a second call names them alike. @throws CallRefused */
function membersOf(name: string, ids: readonly string[], parameters: ReadonlyMap<string, string>): readonly Member[] {
  if (ids.length === 0) throw invalid('CreateVolumeGroupSnapshot source volume IDs must be provided')
  if (ids.length > mostMembers) throw invalid(`a group has at most ${mostMembers} volumes, found ${ids.length}`)
  if (new Set(ids).size < ids.length) throw invalid('a volume is named twice')
  return ids.toSorted().map(volumeId => {
    const volume = readVolumeId(volumeId)
    if ('problem' in volume) throw notFound(`source volume ${volumeId} is not there: ${volume.problem}`)
    if (cleanPath(volume.subDir) === '')
      throw new CallRefused(status.FAILED_PRECONDITION, `volume ${volumeId} is a whole share, in which the archives may lie`)
    return { volumeId, volume, snapshot: snapshotWish(memberName(name, volumeId), parameters, volume).id }
  })
}

/** The share on which the archives lie, and the record beside them. @throws CallRefused where they would lie on several */
function homeOf(name: string, members: readonly Member[], parameters: ReadonlyMap<string, string>) {
  const [first] = members
  if (first === undefined) throw new RangeError('a group has a member')
  const { server, share } = first.snapshot
  const isHome = ({ snapshot }: Member) => snapshot.server === server && cleanPath(snapshot.share) === cleanPath(share)
  const other = members.find(member => !isHome(member))
  if (other !== undefined)
    throw new CallRefused(
      status.FAILED_PRECONDITION,
      `volumes ${first.volumeId} and ${other.volumeId} lie on two shares: name the server and the share of their archives in the class`,
    )
  const { mountOptions } = snapshotWish(memberName(name, first.volumeId), parameters, first.volume)
  return { home: { server, share: cleanPath(share), name }, mountOptions }
}

/** @throws CallRefused ALREADY_EXISTS */
function assertSame(name: string, group: GroupRecord, members: readonly Member[]): void {
  const [there, asked] = [group.members, members].map(all => all.map(({ volumeId }) => volumeId).toSorted())
  if (JSON.stringify(there) === JSON.stringify(asked)) return
  throw new CallRefused(status.ALREADY_EXISTS, `group ${name} exists of other volumes: ${there?.join(', ')}`)
}

/** @throws CallRefused INVALID_ARGUMENT where others are named; who names none asks for the group as it is */
function assertMembers(groupSnapshotId: string, group: GroupRecord, snapshotIds: readonly string[]): void {
  const there = new Set(group.members.map(({ snapshotId }) => snapshotId))
  const isSame = there.size === new Set(snapshotIds).size && snapshotIds.every(id => there.has(id))
  if (snapshotIds.length === 0 || isSame) return
  throw invalid(`group ${groupSnapshotId} has the snapshots ${[...there].join(', ')}, and others are named`)
}
