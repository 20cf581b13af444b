// What provisioners, resizers and snapshotters ask: folders of shares are made, removed, packed and copied. Every call may come twice, and a call whose
// process was killed comes again: what is there decides, not what is remembered.

import { status } from '@grpc/grpc-js'
import { LRUCache } from 'lru-cache'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Of } from '#kube/protobuf-message.ts'
import {
  type ContentSource,
  controllerCapabilities,
  type csiMessages,
  type Volume,
  type VolumeCapability,
} from '../csi/messages.ts'
import type { SharedMounts } from '../mounts/shared-mounts.ts'
import type { SnapshotProgress } from '../told/snapshot-progress.ts'
import { changesAsked, setByMounts } from './changes.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { type ExpansionLimits, expansionProblem } from './expansion.ts'
import { folderUse } from './folder-use.ts'
import { groupOf } from './groups/group-record.ts'
import { onShare } from './on-share.ts'
import { Operations } from './operations.ts'
import { spoilsMount } from './refusals.ts'
import type { Place, ShareFiles } from './share-files.ts'
import { cleanPath } from './share-path.ts'
import { readSnapshotId, type SnapshotId, writeSnapshotId } from './snapshot-id.ts'
import { policyOf, readVolumeId, type VolumeId, writeVolumeId } from './volume-id.ts'
import { type KnownShare, pathOnServer } from './volume-place.ts'
import {
  checkCapabilities,
  type FoundSource,
  optionsOfSecret,
  readSource,
  snapshotWish,
  type VolumeWish,
  volumeWish,
} from './wish.ts'

export interface ControllerSettings {
  /** Bits of new folders where the class says none; 0: they are left as they are made. */
  readonly mountPermissions: number
  /** `delete`, `retain`, `archive`; empty is `delete`. */
  readonly defaultOnDelete: string
  /** What becomes of an archived folder that has the name already. */
  readonly existingArchive: 'refuse' | 'remove' | 'number'
  readonly useTarProgram: boolean
  readonly compression: 'none' | 'gzip' | 'zstd'
  /** What is on the shares is told, and how much room they have. Upstream's driver does not. */
  readonly lists: boolean
  /** What classes of attributes say of volumes is set, when they are made and later. Upstream's driver does not. */
  readonly modifies: boolean
  readonly expansion: ExpansionLimits
  /** Nodes that have a volume mounted are asked whether they see its new size. Upstream's driver asks none. */
  readonly nodeExpands: boolean
  /** Volumes are snapshotted in groups, whose members go together. Upstream's driver knows none. */
  readonly groups: boolean
}

interface Attached {
  /** A node that has the volume of a folder; undefined where none has. */
  holder(at: Pick<Place, 'server' | 'root'>, path: string): Promise<string | undefined>
}

interface ControllerServiceOptions {
  readonly settings: ControllerSettings
  readonly shares: SharedMounts
  readonly files: ShareFiles
  readonly log: Log
  readonly facts?: ClusterFacts | undefined
  /** Told how far snapshots have come while they are packed. */
  readonly progress?: Pick<SnapshotProgress, 'told' | 'ended'> | undefined
  /** Which nodes have volumes; absent: nobody knows. */
  readonly attached?: Attached | undefined
}

type CreateVolume = Of<typeof csiMessages.createVolume>
type CreateSnapshot = Of<typeof csiMessages.createSnapshot>

/** A volume that this process has made whole. */
interface Made {
  readonly id: string
  readonly capacity: bigint
  readonly source: string
}

/** Volumes that are remembered, to tell a second call from one for another volume of the same name. */
const mostRemembered = 10_000

const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)
const notFound = (message: string) => new CallRefused(status.NOT_FOUND, message)

export class ControllerService {
  readonly #options: ControllerServiceOptions
  readonly #operations = new Operations()
  readonly #made = new LRUCache<string, Made>({ max: mostRemembered })
  /** Sizes that were granted: until the volume says so, nobody else knows of it. */
  readonly #granted = new LRUCache<string, bigint>({ max: mostRemembered })

  constructor(options: ControllerServiceOptions) {
    this.#options = options
  }

  get modifies(): boolean {
    return this.#options.settings.modifies
  }

  capabilities(): Of<typeof csiMessages.capabilities> {
    const { CREATE_DELETE_VOLUME, SINGLE_NODE_MULTI_WRITER, CLONE_VOLUME, CREATE_DELETE_SNAPSHOT, EXPAND_VOLUME } =
      controllerCapabilities
    const { LIST_VOLUMES, GET_CAPACITY, LIST_SNAPSHOTS, GET_SNAPSHOT, MODIFY_VOLUME } = controllerCapabilities
    const { PUBLISH_UNPUBLISH_VOLUME, PUBLISH_READONLY } = controllerCapabilities
    const types = [
      ...[CREATE_DELETE_VOLUME, SINGLE_NODE_MULTI_WRITER, CLONE_VOLUME, CREATE_DELETE_SNAPSHOT, EXPAND_VOLUME],
      ...(this.#options.settings.lists ? [LIST_VOLUMES, GET_CAPACITY, LIST_SNAPSHOTS, GET_SNAPSHOT] : []),
      ...(this.modifies ? [MODIFY_VOLUME] : []),
      ...(this.#options.attached === undefined ? [] : [PUBLISH_UNPUBLISH_VOLUME, PUBLISH_READONLY]),
    ]
    return { capabilities: types.map(type => ({ rpc: { type } })) }
  }

  /** @throws CallRefused */
  async createVolume(request: CreateVolume): Promise<Volume> {
    const { name, volumeCapabilities, parameters, mutableParameters } = request
    if (name === '') throw invalid('CreateVolume name must be provided')
    checkCapabilities(volumeCapabilities)
    // Where nothing is said of changes nobody sends such parameters, and upstream's driver passes over them.
    const changes = changesAsked(this.modifies ? mutableParameters : new Map())
    return await this.#operations.alone(name, name, async () => {
      const { settings, facts } = this.#options
      const wish = await volumeWish({
        name,
        parameters,
        defaultPermissions: settings.mountPermissions,
        changes,
        defaultOnDelete: settings.defaultOnDelete,
        claim: async (namespace, claim) => facts?.claim(namespace, claim),
      })
      const id = writeVolumeId(wish.id)
      const { contentSource } = request
      const isWhole = this.#isMade(request, id)
      // What was filled once may have been written since.
      await this.#make(wish, optionsOf(volumeCapabilities), isWhole ? undefined : contentSource)
      this.#made.set(name, { id, capacity: capacityOf(request), source: textOf(contentSource) })
      // A provisioner that is told nothing takes what it asked for.
      return {
        capacityBytes: settings.lists ? capacityOf(request) : 0n,
        volumeId: id,
        volumeContext: wish.context,
        contentSource,
      }
    })
  }

  /** @throws CallRefused */
  async deleteVolume({ volumeId, secrets }: Of<typeof csiMessages.deleteVolume>): Promise<void> {
    if (volumeId === '') throw invalid('volume id is empty')
    const { settings, log } = this.#options
    const volume = readVolumeId(volumeId)
    if ('problem' in volume) {
      // What can be no volume of ours is not there.
      log.warn({ volumeId, why: volume.problem }, 'a volume that is to be deleted is none of this driver')
      return
    }
    const policy = policyOf(volume.onDelete || settings.defaultOnDelete, 'delete')
    if (policy === undefined)
      throw invalid(
        `volume ${volumeId} says ${JSON.stringify(volume.onDelete)} for onDelete, expected delete, retain or archive: nothing is deleted`,
      )
    await this.#operations.alone(volumeId, volumeId, async () => {
      if (policy === 'retain') {
        log.info({ volumeId }, 'the folder of a deleted volume is kept')
        return
      }
      const path = cleanPath(volume.subDir)
      if (path === '')
        throw new CallRefused(
          status.INTERNAL,
          `volume ${volumeId} is the whole share ${volume.share || '/'}: what is in it is never deleted or renamed; set onDelete to retain`,
        )
      await this.#on(volume, this.#optionsFor(volumeId, secrets), 'failed to delete the folder of a volume', async share => {
        await this.#assertFree(volumeId, { ...share, path })
        const use = this.#useOf(volumeId, volume)
        if (use.kind === 'holds')
          throw new CallRefused(
            status.FAILED_PRECONDITION,
            `volume ${volumeId} has volume ${use.by} in its folder: nothing is deleted until that is gone`,
          )
        if (use.kind === 'shared') {
          log.info({ volumeId, by: use.by }, 'the folder of a deleted volume is that of another one, too, and stays')
          return
        }
        if (policy === 'archive') await this.#options.files.archive({ ...share, path }, settings.existingArchive)
        else await this.#options.files.remove({ ...share, path })
      })
      for (const [name, made] of this.#made.entries()) if (made.id === volumeId) this.#made.delete(name)
    })
  }

  #useOf(volumeId: string, { server, share, subDir }: VolumeId): ReturnType<typeof folderUse> {
    const { facts, settings } = this.#options
    const path = pathOnServer({ share: cleanPath(share), folder: cleanPath(subDir) })
    return folderUse(volumeId, path, facts?.volumesAt(server, path) ?? [], settings.defaultOnDelete)
  }

  /** @throws CallRefused where a node has the volume */
  async #assertFree(volumeId: string, { path, ...share }: Place): Promise<void> {
    const holder = await this.#options.attached?.holder(share, path)
    if (holder !== undefined)
      throw new CallRefused(status.FAILED_PRECONDITION, `volume ${volumeId} is published to node ${holder}: nothing is deleted`)
  }

  /** @throws CallRefused */
  async validateCapabilities(request: Of<typeof csiMessages.validateCapabilities>) {
    const { volumeId, volumeCapabilities, secrets } = request
    if (volumeId === '') throw invalid('Volume ID missing in request')
    checkCapabilities(volumeCapabilities)
    const volume = readVolumeId(volumeId)
    if ('problem' in volume) throw notFound(`volume ${volumeId} is not there: ${volume.problem}`)
    const isThere = await this.#on(volume, this.#optionsFor(volumeId, secrets), 'failed to look at a volume', share =>
      this.#isFolder({ ...share, path: cleanPath(volume.subDir) }),
    )
    if (!isThere) throw notFound(`volume ${volumeId} is not there: its share has no folder ${volume.subDir}`)
    return { confirmed: { volumeContext: new Map(), volumeCapabilities, parameters: new Map() }, message: '' }
  }

  /** @throws CallRefused */
  async createSnapshot(request: CreateSnapshot): Promise<Of<typeof csiMessages.createdSnapshot>> {
    const { name, sourceVolumeId, parameters, secrets } = request
    if (name === '') throw invalid('CreateSnapshot name must be provided')
    if (sourceVolumeId === '') throw invalid('CreateSnapshot source volume ID must be provided')
    const volume = readVolumeId(sourceVolumeId)
    if ('problem' in volume) throw notFound(`failed to create source volume: ${volume.problem}`)
    const wish = snapshotWish(name, parameters, volume)
    const { settings, files, progress } = this.#options
    const ofSecret = optionsOfSecret(secrets)
    const archiveOptions = [...ofSecret, ...(wish.mountOptions === '' ? [] : [wish.mountOptions])]
    return await this.#operations.alone(`snapshot ${name}`, name, () =>
      this.#operations.alone(`source ${sourceVolumeId}`, sourceVolumeId, async () => {
        const what = 'failed to create archive for snapshot'
        const archive = await this.#on(volume, this.#optionsFor(sourceVolumeId, secrets), what, from =>
          this.#on(wish.id, archiveOptions, what, async into => {
            const source = { ...from, path: cleanPath(volume.subDir) }
            if (!(await this.#isFolder(source)))
              throw notFound(`source volume ${sourceVolumeId} is not there: its share has no folder ${volume.subDir}`)
            const order = {
              from: source,
              into: { ...into, path: name },
              name: wish.id.source,
              compression: settings.compression,
              useTarProgram: settings.useTarProgram,
            }
            try {
              return await files.pack(order, come => progress?.told(name, come))
            } finally {
              progress?.ended(name)
            }
          }),
        )
        return {
          snapshot: {
            sizeBytes: this.#restoreSize(archive.bytes, sourceVolumeId),
            snapshotId: writeSnapshotId(wish.id),
            sourceVolumeId,
            creationTime: timeOf(archive.mtimeMs),
            isReadyToUse: true,
            groupSnapshotId: '',
          },
        }
      }),
    )
  }

  /** @throws CallRefused */
  async deleteSnapshot({ snapshotId, secrets }: Of<typeof csiMessages.deleteSnapshot>): Promise<void> {
    if (snapshotId === '') throw invalid('Snapshot ID is required for deletion')
    const snapshot = readSnapshotId(snapshotId)
    if ('problem' in snapshot || cleanPath(snapshot.name) === '') {
      const why = 'problem' in snapshot ? snapshot.problem : 'it names no folder'
      this.#options.log.warn({ snapshotId, why }, 'a snapshot that is to be deleted is none of this driver')
      return
    }
    const { files, settings } = this.#options
    const path = cleanPath(snapshot.name)
    await this.#operations.alone(`snapshot ${snapshot.name}`, snapshotId, () =>
      this.#on(snapshot, optionsOfSecret(secrets), 'failed to delete the archive of a snapshot', async share => {
        const group = settings.groups ? await groupOf(files, { ...share, share: cleanPath(snapshot.share) }, path) : undefined
        if (group !== undefined)
          throw invalid(`snapshot ${snapshotId} is part of the group ${group}: delete the group, which goes as a whole`)
        const stranger = await files.strangerIn({ ...share, path }, snapshot.source)
        if (stranger !== undefined)
          throw new CallRefused(
            status.FAILED_PRECONDITION,
            `snapshot ${snapshotId}: ${path}/${stranger} is no archive of ${snapshot.source}, so that ${path} is another folder: nothing is deleted`,
          )
        await files.remove({ ...share, path })
      }),
    )
  }

  /** Volumes of files have no size of their own: what is asked for is granted, where nothing else is set. @throws CallRefused */
  async expandVolume(request: Of<typeof csiMessages.expandVolume>): Promise<Of<typeof csiMessages.expandedVolume>> {
    const { volumeId, capacityRange, secrets } = request
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (capacityRange === undefined) throw invalid('Capacity Range missing in request')
    const { expansion, nodeExpands } = this.#options.settings
    const grown = { capacityBytes: capacityRange.requiredBytes, isNodeExpansionRequired: nodeExpands }
    if (!expansion.needsRoom && expansion.mostPerNamespace === undefined) return grown
    const available = expansion.needsRoom ? await this.#room(volumeId, secrets) : undefined
    // Nothing is waited for from here on, so that two that grow at once know of each other.
    const problem = this.#expansionProblem(volumeId, capacityRange.requiredBytes, available)
    if (problem !== undefined) throw new CallRefused(status.OUT_OF_RANGE, `volume ${volumeId} cannot grow: ${problem}`)
    this.#granted.set(volumeId, capacityRange.requiredBytes)
    return grown
  }

  /** Gives the folder of a volume other permissions. @throws CallRefused */
  async modifyVolume(request: Of<typeof csiMessages.modifyVolume>): Promise<void> {
    const { volumeId, mutableParameters, secrets } = request
    if (volumeId === '') throw invalid('Volume ID missing in request')
    const { permissions } = changesAsked(mutableParameters)
    const volume = readVolumeId(volumeId)
    if ('problem' in volume) throw notFound(`volume ${volumeId} is not there: ${volume.problem}`)
    const path = cleanPath(volume.subDir)
    await this.#operations.alone(volumeId, volumeId, () =>
      this.#on(volume, this.#optionsFor(volumeId, secrets), 'failed to change a volume', async share => {
        if (!(await this.#isFolder({ ...share, path })))
          throw notFound(`volume ${volumeId} is not there: its share has no folder ${volume.subDir}`)
        if (permissions === undefined) return
        if (path === '') throw invalid(`volume ${volumeId} is a whole share, whose permissions are never changed`)
        const set = setByMounts(this.#options.facts?.attributes(volumeId), this.#options.settings.mountPermissions)
        if (set !== undefined) throw invalid(`volume ${volumeId} cannot have other permissions: ${set}, and each mount sets them`)
        const { warning } = await this.#options.files.makeFolder({ ...share, path }, permissions)
        if (warning !== undefined) throw new CallRefused(status.INTERNAL, `volume ${volumeId}: ${warning}`)
      }),
    )
  }

  #expansionProblem(volumeId: string, required: bigint, available: bigint | undefined): string | undefined {
    const { settings, facts } = this.#options
    const granted = facts?.capacity(volumeId)
    const found = facts?.neighbours(volumeId)
    const larger = (one: bigint, other: bigint) => (one > other ? one : other)
    const sum = (found?.others ?? []).reduce((bytes, one) => bytes + larger(one.bytes, this.#granted.get(one.id) ?? 0n), 0n)
    const namespace = found === undefined ? undefined : { name: found.namespace, others: sum }
    return expansionProblem(settings.expansion, { required, granted, available, namespace })
  }

  async #room(volumeId: string, secrets: ReadonlyMap<string, string>): Promise<bigint> {
    const volume = readVolumeId(volumeId)
    if ('problem' in volume) throw notFound(`volume ${volumeId} is not there: ${volume.problem}`)
    return await this.#on(volume, this.#optionsFor(volumeId, secrets), 'failed to look at the room of a share', share =>
      this.#options.files.available(share),
    )
  }

  /** Runs `work` where a share is mounted. @throws CallRefused */
  at<T>({ options, ...share }: KnownShare, work: (share: Pick<Place, 'server' | 'root'>) => Promise<T>): Promise<T> {
    return this.#on(share, options, 'failed to look at a share', work)
  }

  /** What a volume takes up on its server; the walk ends when `signal` is aborted. @throws CallRefused */
  async usage(
    volumeId: string,
    limits: Parameters<ShareFiles['usage']>[1],
    signal: AbortSignal,
  ): Promise<Awaited<ReturnType<ShareFiles['usage']>>> {
    const volume = readVolumeId(volumeId)
    if ('problem' in volume) throw notFound(volume.problem)
    return await this.#on(volume, this.#optionsFor(volumeId, new Map()), 'failed to measure a volume', share =>
      this.#options.files.usage({ ...share, path: cleanPath(volume.subDir) }, limits, signal),
    )
  }

  /** Whether a call for this volume was answered before. @throws CallRefused where its name is that of another one */
  #isMade(request: CreateVolume, id: string): boolean {
    const { name, capacityRange, contentSource } = request
    const made = this.#made.get(name)
    const capacity = made?.id === id ? made.capacity : this.#options.facts?.capacity(id)
    if (capacity === undefined) return false
    const { requiredBytes = 0n, limitBytes = 0n } = capacityRange ?? {}
    if (capacity < requiredBytes || (limitBytes > 0n && capacity > limitBytes))
      throw new CallRefused(
        status.ALREADY_EXISTS,
        `volume ${name} exists with ${capacity} bytes: expected at least ${requiredBytes}${limitBytes > 0n ? ` and at most ${limitBytes}` : ''}`,
      )
    // The cluster has it: it was made by a process before this one.
    if (made?.id !== id) return true
    if (made.source !== textOf(contentSource))
      throw new CallRefused(status.ALREADY_EXISTS, `volume ${name} exists and was made from another source`)
    return true
  }

  async #make({ id, permissions }: VolumeWish, options: readonly string[], source: ContentSource | undefined): Promise<void> {
    const { files, log } = this.#options
    const from = source === undefined ? undefined : readSource(source)
    const use = this.#useOf(writeVolumeId(id), id)
    if (from !== undefined && use.kind !== 'own')
      throw new CallRefused(
        status.FAILED_PRECONDITION,
        `the folder ${id.subDir} is that of volume ${use.by}, or has it in it: nothing is put into it`,
      )
    await this.#on(id, options, 'failed to make subdirectory', async share => {
      const into = { ...share, path: cleanPath(id.subDir) }
      // The share itself is there, and its permissions are none of a volume's.
      const { made, warning } = into.path === '' ? { made: false } : await files.makeFolder(into, permissions)
      if (warning !== undefined) log.warn({ why: warning, subDir: id.subDir }, 'failed to chmod subdirectory')
      if (from === undefined) return
      try {
        await this.#fill(into, from, options)
        // The folder has the source's permissions now.
        if (permissions > 0 && into.path !== '') await files.makeFolder(into, permissions)
      } catch (error) {
        if (made && !spoilsMount(error)) await this.#removeHalf(into)
        throw error
      }
    })
  }

  /** What was begun and failed is removed: whoever asked may never ask again. */
  async #removeHalf(at: Place): Promise<void> {
    try {
      await this.#options.files.remove(at)
    } catch (error) {
      this.#options.log.warn({ path: at.path, why: messageOf(error) }, 'the folder of a volume that was not made stays')
    }
  }

  async #fill(into: Place, source: FoundSource, options: readonly string[]): Promise<void> {
    const { files } = this.#options
    if ('snapshot' in source) {
      const { snapshot } = source
      await this.#on(snapshot, options, 'failed to copy volume for snapshot', async share => {
        const from = { ...share, path: cleanPath(snapshot.name) }
        if (from.path === '' || !(await this.#isFolder(from)))
          throw notFound(`snapshot ${writeSnapshotId(snapshot)} is not there`)
        await files.unpack(from, snapshot.source, into)
      })
      return
    }
    const { volume } = source
    await this.#on(volume, options, 'failed to copy volume', async share => {
      const from = { ...share, path: cleanPath(volume.subDir) }
      if (!(await this.#isFolder(from))) throw notFound(`source volume ${writeVolumeId(volume)} is not there`)
      await files.copy(from, into)
    })
  }

  async #isFolder(at: Place): Promise<boolean> {
    return at.path === '' || (await this.#options.files.isFolder(at))
  }

  #on<T>(
    at: Pick<VolumeId | SnapshotId, 'server' | 'share'>,
    options: readonly string[],
    what: string,
    work: (share: Pick<Place, 'server' | 'root'>) => Promise<T>,
  ): Promise<T> {
    return onShare(this.#options.shares, at, options, what, work)
  }

  /** For calls that bring no capability: what the Secret says, else what the volume's own PersistentVolume does. */
  #optionsFor(volumeId: string, secrets: ReadonlyMap<string, string>): readonly string[] {
    const ofSecret = optionsOfSecret(secrets)
    return ofSecret.length > 0 ? ofSecret : (this.#options.facts?.mountOptions(volumeId) ?? [])
  }

  #restoreSize(bytes: number, volumeId: string): bigint {
    return restoreSize(bytes, this.#options.facts?.capacity(volumeId))
  }
}

/** An archive may be larger than its volume was asked for: a size that would forbid to restore it is not said. */
export const restoreSize = (bytes: number, capacity: bigint | undefined): bigint =>
  capacity !== undefined && BigInt(bytes) > capacity ? 0n : BigInt(bytes)

const optionsOf = ([first]: readonly VolumeCapability[]): readonly string[] => first?.mount?.mountFlags ?? []

const capacityOf = ({ capacityRange }: CreateVolume): bigint => capacityRange?.requiredBytes ?? 0n

const textOf = (source: ContentSource | undefined): string =>
  source === undefined ? '' : `${source.snapshot?.snapshotId ?? ''}\n${source.volume?.volumeId ?? ''}`

/** @param ms since 1970, maybe with a fraction */
export const timeOf = (ms: number) => ({ seconds: Math.floor(ms / 1_000), nanos: Math.floor(ms % 1_000) * 1_000_000 })
