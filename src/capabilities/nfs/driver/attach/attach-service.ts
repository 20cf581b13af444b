// Volumes that nodes have by the controller's leave (ControllerPublishVolume): NFS lets every node mount every volume, so that one for a single node is held to it here.
//
// Each step leaves a record from which the same call goes on: what is wished is written down, then the records are read again, and only then does it hold. Two
// controllers that work at once both see each other's wish, so never both grant it.

import { status } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Of } from '#kube/protobuf-message.ts'
import type { csiMessages } from '../../csi/messages.ts'
import type { SharedMounts } from '../../mounts/shared-mounts.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { onShare } from '../on-share.ts'
import { Operations } from '../operations.ts'
import type { Place, ShareFiles } from '../share-files.ts'
import { cleanPath, folderProblem, pathProblem, serverProblem } from '../share-path.ts'
import { expandGiven } from '../sub-dir.ts'
import { type KnownShare, volumePlace } from '../volume-place.ts'
import { checkCapabilities, optionsOfSecret } from '../wish.ts'
import { type Attachment, decideAttach, isForOneNode, modeName } from './attach-decision.ts'
import { type AttachRecord, AttachRecords, recordKey } from './attach-records.ts'

/** By this key of `publish_context` a node is told to mount a volume read-only. */
export const readOnlyKey = 'ballast.dev/read-only'

/** Another share that does not say within so long how many of its volumes a node has counts with what it said last. */
const countLimitMs = 5_000

export interface AttachSettings {
  /** Whether there is such a node. */
  isNode(id: string): Promise<boolean>
  /** Volumes that a node may have at once; 0: any number. */
  readonly mostPerNode: number
}

interface AttachServiceOptions {
  readonly settings: AttachSettings
  readonly shares: SharedMounts
  readonly files: ShareFiles
  /** Those whose volumes count for `mostPerNode`, beside the one that is asked for. */
  readonly known: { shares(): readonly KnownShare[] }
  readonly facts?: ClusterFacts | undefined
  readonly clock: Clock
  readonly log: Log
}

type Attach = Of<typeof csiMessages.attachVolume>
type Detach = Of<typeof csiMessages.detachVolume>
type At = Pick<Place, 'server' | 'root'>

interface VolumeAt {
  readonly server: string
  readonly share: string
  readonly folder: string
}

const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)
const notFound = (message: string) => new CallRefused(status.NOT_FOUND, message)

export class AttachService {
  readonly #options: AttachServiceOptions
  readonly #records: AttachRecords
  readonly #operations = new Operations()
  /** Records of shares as they were last, by share. */
  readonly #lastRecords = new Map<string, readonly AttachRecord[]>()
  readonly #asked = new Map<string, Promise<void>>()

  constructor(options: AttachServiceOptions) {
    this.#options = options
    this.#records = new AttachRecords(options.files)
  }

  /** @throws CallRefused */
  async attach(request: Attach): Promise<Of<typeof csiMessages.attachedVolume>> {
    const { volumeId, nodeId, volumeCapability, isReadonly, secrets, volumeContext } = request
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (nodeId === '') throw invalid('Node ID missing in request')
    if (volumeCapability === undefined) throw invalid('Volume capability missing in request')
    checkCapabilities([volumeCapability])
    const { settings, files } = this.#options
    const volume = this.#placeOf(volumeId, volumeContext)
    if (volume === undefined)
      throw notFound(`volume ${volumeId} is not there: neither its identifier nor its context says where it is`)
    const wish = { node: nodeId, mode: volumeCapability.accessMode?.mode ?? 0, isReadonly }
    const options = optionsOfSecret(secrets)
    await this.#alone(volume, volumeId, wish, () =>
      this.#on(volume, volumeId, options.length > 0 ? options : (volumeCapability.mount?.mountFlags ?? []), async at => {
        if (volume.folder !== '' && !(await files.isFolder({ ...at, path: volume.folder })))
          throw notFound(`volume ${volumeId} is not there: its share has no folder ${volume.folder}`)
        if (!(await settings.isNode(nodeId))) throw notFound(`node ${nodeId} is not there`)
        await this.#attach(at, volumeId, volume, wish)
      }),
    )
    return { publishContext: isReadonly ? new Map([[readOnlyKey, 'true']]) : new Map() }
  }

  /** Without a node: from all. What is not attached is detached. @throws CallRefused */
  async detach({ volumeId, nodeId, secrets }: Detach): Promise<void> {
    if (volumeId === '') throw invalid('Volume ID missing in request')
    const volume = this.#placeOf(volumeId, new Map())
    if (volume === undefined) {
      this.#options.log.warn({ volumeId }, 'a volume that is to be detached is none of this driver')
      return
    }
    await this.#operations.alone(volumeKey(volume), volumeId, () =>
      this.#on(volume, volumeId, optionsOfSecret(secrets), async at => {
        const node = recordKey(nodeId)
        for (const record of await this.#records.of(at, volume.folder))
          if (nodeId === '' || record.node === node) await this.#records.remove(at, record)
      }),
    )
  }

  /** The node that has the volume of a folder, whoever else has; undefined where none has. @throws FileWorkFailed */
  async holder(at: At, path: string): Promise<string | undefined> {
    const [first] = await this.#records.of(at, path)
    return first === undefined ? undefined : await this.#records.nodeOf(at, first)
  }

  /** Two nodes may come at once for a volume that one may have: one is refused here, in place of both by what the other wished. */
  #alone<T>(volume: VolumeAt, volumeId: string, wish: Attachment, work: () => Promise<T>): Promise<T> {
    const ofVolume = isForOneNode(wish) ? volumeKey(volume) : `${volumeKey(volume)}\n${wish.node}`
    const worked = () => this.#operations.alone(ofVolume, volumeId, work)
    // Volumes of a node are counted before one is added.
    return this.#options.settings.mostPerNode === 0 ? worked() : this.#operations.alone(`node ${wish.node}`, volumeId, worked)
  }

  async #attach(at: At, volumeId: string, volume: VolumeAt, wish: Attachment): Promise<void> {
    const node = recordKey(wish.node)
    const all = await this.#records.all(at)
    this.#lastRecords.set(shareKey(volume), all)
    const own = all.filter(record => record.volume === recordKey(volume.folder))
    const isAttached = await this.#decided(
      at,
      volumeId,
      wish,
      own.filter(({ isWanted }) => !isWanted),
    )
    if (isAttached) return
    await this.#assertRoom(volume, wish.node)
    // What this node wished in another way, in a call that was cut off.
    for (const record of own) if (record.isWanted && record.node === node) await this.#records.remove(at, record)
    const wanted = await this.#records.want(at, volume.folder, wish)
    const others = (await this.#records.of(at, volume.folder)).filter(record => record.node !== node)
    try {
      await this.#decided(at, volumeId, wish, others)
    } catch (error) {
      await this.#records.remove(at, wanted)
      throw error
    }
    await this.#records.hold(at, wanted)
  }

  /** Whether it has it already. @throws CallRefused where it may not have it */
  async #decided(at: At, volumeId: string, wish: Attachment, held: readonly AttachRecord[]): Promise<boolean> {
    const decision = decideAttach({ ...wish, node: recordKey(wish.node) }, held)
    if (decision.kind === 'attach') return false
    if (decision.kind === 'attached') return true
    const { mode, isReadonly, node } = decision.by
    const how = `${isReadonly ? 'read-only ' : ''}with ${modeName(mode)}`
    if (decision.kind === 'otherwise')
      throw new CallRefused(status.ALREADY_EXISTS, `volume ${volumeId} is published to node ${wish.node} ${how} already`)
    const record = held.find(one => one.node === node)
    const other = record === undefined ? node : await this.#records.nodeOf(at, record)
    throw new CallRefused(status.FAILED_PRECONDITION, `volume ${volumeId} is published to node ${other} ${how}`)
  }

  async #assertRoom(volume: VolumeAt, nodeId: string): Promise<void> {
    const { settings, known } = this.#options
    if (settings.mostPerNode === 0) return
    const others = known.shares().filter(share => shareKey(share) !== shareKey(volume))
    await Promise.all(others.map(share => this.#refresh(share)))
    const node = recordKey(nodeId)
    const keys = new Set([volume, ...others].map(shareKey))
    const had = new Set(
      [...keys].flatMap(key =>
        (this.#lastRecords.get(key) ?? []).flatMap(record =>
          record.node === node && !record.isWanted ? [`${key}\n${record.volume}`] : [],
        ),
      ),
    )
    if (had.size >= settings.mostPerNode)
      throw new CallRefused(
        status.RESOURCE_EXHAUSTED,
        `node ${nodeId} has ${had.size} volumes, and may have ${settings.mostPerNode}`,
      )
  }

  /** A server that does not answer holds up nothing: it goes on being asked, once at a time. */
  async #refresh(share: KnownShare): Promise<void> {
    const { clock, log, shares } = this.#options
    const key = shareKey(share)
    const asking = async () => {
      try {
        const records = await onShare(shares, share, share.options, 'failed to read who has volumes', at => this.#records.all(at))
        this.#lastRecords.set(key, records)
      } catch (error) {
        if (!isOutside(error)) throw error
        log.warn(
          { server: share.server, share: share.share, why: messageOf(error) },
          'which node has volumes of a share is not known',
        )
      } finally {
        this.#asked.delete(key)
      }
    }
    if (this.#asked.has(key)) return
    const asked = asking()
    this.#asked.set(key, asked)
    const late = Promise.withResolvers<void>()
    const cancel = clock.schedule(countLimitMs, late.resolve)
    await Promise.race([asked, late.promise])
    cancel()
  }

  #placeOf(volumeId: string, context: ReadonlyMap<string, string>): VolumeAt | undefined {
    const attributes = context.size > 0 ? Object.fromEntries(context) : (this.#options.facts?.attributes(volumeId) ?? {})
    const place = volumePlace({ handle: volumeId, attributes })
    if (place === undefined || serverProblem(place.server) !== undefined) return undefined
    const values = new Map(Object.entries(attributes).map(([key, value]) => [key.toLowerCase(), value]))
    const folder = cleanPath(expandGiven(place.folder, values))
    if ((pathProblem(place.share) ?? folderProblem(folder)) !== undefined) return undefined
    return { server: place.server, share: place.share, folder }
  }

  #on<T>(volume: VolumeAt, volumeId: string, options: readonly string[], work: (at: At) => Promise<T>): Promise<T> {
    const chosen = options.length > 0 ? options : (this.#options.facts?.mountOptions(volumeId) ?? [])
    return onShare(this.#options.shares, volume, chosen, 'failed to write down which node has a volume', work)
  }
}

const volumeKey = ({ server, share, folder }: VolumeAt): string => `${server}\n${share}\n${folder}`
const shareKey = ({ server, share }: Pick<VolumeAt, 'server' | 'share'>): string => `${server}\n${cleanPath(share)}`
