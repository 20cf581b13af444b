// What kubelets ask: a volume is mounted for a pod, and taken away. One node, one process; what is mounted stays whatever becomes of the process.

import { lstatSync, mkdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { status } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Of } from '#kube/protobuf-message.ts'
import { accessModes, type csiMessages, nodeCapabilities, usageUnits } from '../csi/messages.ts'
import type { Breaker } from '../mounts/breaker.ts'
import { askedConnections, optionsProblem, portOf } from '../mounts/mount-options.ts'
import { type Mounter, MountFailed } from '../mounts/mounter.ts'
import { readOnlyKey } from './attach/attach-service.ts'
import { mountRefusal } from './mount-refusal.ts'
import { mountSource } from './mount-source.ts'
import type { NodeFiles } from './node-files.ts'
import { Operations } from './operations.ts'
import { pathProblem, permissionBits, serverProblem } from './share-path.ts'
import { expandGiven } from './sub-dir.ts'
import { VolumeStats } from './volume-stats.ts'

type Publish = Of<typeof csiMessages.publishVolume>
type Unpublish = Of<typeof csiMessages.unpublishVolume>
type Stage = Of<typeof csiMessages.stageVolume>
type Unstage = Of<typeof csiMessages.unstageVolume>
type StatsRequest = Of<typeof csiMessages.volumeStats>
type Stats = Of<typeof csiMessages.measuredVolume>

/** A volume at a pod's place. */
interface Published {
  readonly volumeId: string
  readonly isSingleWriter: boolean
}

export interface NodeSettings {
  readonly nodeId: string
  /** Bits of mounted folders where the volume says none; 0: they are left alone. */
  readonly mountPermissions: number
  /** How long figures of a volume are good, in milliseconds. */
  readonly statsMs: number
  /** After how many milliseconds a mount that does not go is detached from its place, with what still has it open; absent: never. */
  readonly detachAfterMs?: number | undefined
  /** A volume is mounted once for all pods of the node, which kubelets are told. Upstream's driver mounts it for each. */
  readonly stages: boolean
  /** The node is asked whether it sees the new size of a volume that has grown. Upstream's driver is not. */
  readonly expands: boolean
  /** Volumes that the node may have at once, which schedulers heed; 0: any number. */
  readonly mostVolumes: number
}

/** What is to be mounted from a server. */
interface Order {
  readonly source: string
  readonly server: string
  readonly options: readonly string[]
  /** Bits of the folder; 0: they are left alone. */
  readonly permissions: number
}

type Until = (gone: Promise<void>) => void

interface NodeServiceOptions {
  readonly settings: NodeSettings
  readonly mounter: Mounter
  readonly files: NodeFiles
  readonly breaker: Breaker
  readonly clock: Clock
  readonly log: Log
  /** Told what people should hear of. */
  readonly notices?: NodeNotices | undefined
}

/** What happens on a node beyond the answer of a call. */
export interface NodeNotices {
  /** Fewer connections are in use than were asked for; or as many again. */
  connections(server: string, asked: number, used: number): void
  /** A mount went only by force, or was detached. */
  unmountedByForce(volumeId: string, target: string, step: 'forced' | 'detached'): void
  /** A server does not answer any more, or answers again. */
  server(server: string, isReachable: boolean): void
}

const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)

export class NodeService {
  readonly #options: NodeServiceOptions
  readonly #operations = new Operations()
  readonly #published = new Map<string, Published>()
  readonly #stats: VolumeStats
  /** Since when mounts have not gone, by target: kubelets ask again and again. */
  readonly #stuckSinceMs = new Map<string, number>()

  constructor(options: NodeServiceOptions) {
    this.#options = options
    this.#stats = new VolumeStats(options.settings.statsMs, options.clock)
  }

  info(): Of<typeof csiMessages.nodeInfo> {
    return { nodeId: this.#options.settings.nodeId, maxVolumesPerNode: this.#options.settings.mostVolumes }
  }

  get stages(): boolean {
    return this.#options.settings.stages
  }

  get expands(): boolean {
    return this.#options.settings.expands
  }

  capabilities(): Of<typeof csiMessages.capabilities> {
    const { STAGE_UNSTAGE_VOLUME, GET_VOLUME_STATS, EXPAND_VOLUME, SINGLE_NODE_MULTI_WRITER } = nodeCapabilities
    const types = [
      ...(this.stages ? [STAGE_UNSTAGE_VOLUME] : []),
      ...[GET_VOLUME_STATS, SINGLE_NODE_MULTI_WRITER],
      ...(this.expands ? [EXPAND_VOLUME] : []),
    ]
    return { capabilities: types.map(type => ({ rpc: { type } })) }
  }

  /** Mounts a volume at the node's place for it. @throws CallRefused */
  async stage(request: Stage): Promise<void> {
    const { volumeCapability, volumeId, stagingTargetPath } = request
    if (volumeCapability === undefined) throw invalid('Volume capability missing in request')
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (stagingTargetPath === '') throw invalid('Staging target path not provided')
    const order = this.#order({ ...request, isReadonly: isReadonlyHere(request) })
    await this.#atPlace(volumeId, stagingTargetPath, until => this.#ensure(volumeId, stagingTargetPath, order, until))
  }

  /** What is not staged is unstaged. @throws CallRefused */
  async unstage({ volumeId, stagingTargetPath }: Unstage): Promise<void> {
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (stagingTargetPath === '') throw invalid('Staging target path missing in request')
    await this.#atPlace(volumeId, stagingTargetPath, until => this.#unmount(volumeId, stagingTargetPath, until, unstaging))
  }

  #atPlace(volumeId: string, place: string, work: (until: Until) => Promise<void>): Promise<void> {
    return this.#operations.alone(`${volumeId}-${place}`, volumeId, work)
  }

  /** @throws CallRefused */
  async publish(request: Publish): Promise<void> {
    const { volumeCapability, volumeId, targetPath } = request
    if (volumeCapability === undefined) throw invalid('Volume capability missing in request')
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (targetPath === '') throw invalid('Target path not provided')
    await this.#atPlace(volumeId, targetPath, until => this.#publish(request, until))
  }

  /** @throws CallRefused */
  async unpublish({ volumeId, targetPath }: Unpublish): Promise<void> {
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (targetPath === '') throw invalid('Target path missing in request')
    await this.#atPlace(volumeId, targetPath, until => this.#unpublish(volumeId, targetPath, until))
  }

  /** Figures are of the whole share: the server tells no others. @throws CallRefused */
  async stats({ volumeId, volumePath }: StatsRequest): Promise<Stats> {
    if (volumeId === '') throw invalid('NodeGetVolumeStats volume ID was empty')
    if (volumePath === '') throw invalid('NodeGetVolumeStats volume path was empty')
    return await this.#stats.of(`${volumeId}\n${volumePath}`, () => this.#measure(volumePath))
  }

  /**
   * Nothing is done to the folder: it is as large as its server lets it be. It is said whether this node sees so much, by what the server's file system has there, so
   * that a claim counts as grown when the quota that a server holds the folder to has been raised; and figures of before are forgotten.
   * @throws CallRefused OUT_OF_RANGE where the file system has less
   */
  async expand(request: Of<typeof csiMessages.nodeExpandVolume>): Promise<Of<typeof csiMessages.nodeExpandedVolume>> {
    const { volumeId, volumePath, capacityRange, volumeCapability } = request
    if (volumeId === '') throw invalid('Volume ID missing in request')
    if (volumePath === '') throw invalid('Volume path not provided')
    if (volumeCapability?.block !== undefined) throw invalid('block volume capability not supported')
    const { requiredBytes = 0n, limitBytes = 0n } = capacityRange ?? {}
    if (requiredBytes < 0n || limitBytes < 0n || (limitBytes > 0n && requiredBytes > limitBytes))
      throw new CallRefused(status.OUT_OF_RANGE, `${requiredBytes} bytes are required and ${limitBytes} are the limit`)
    const other = this.#published.get(volumePath)
    if (!this.#options.mounter.isMounted(volumePath) || (other !== undefined && other.volumeId !== volumeId))
      throw new CallRefused(status.NOT_FOUND, `volume ${volumeId} is not mounted at ${volumePath}`)
    this.#stats.forget(volumePath)
    const { usage } = await this.#measure(volumePath)
    const total = BigInt(usage.find(({ unit }) => unit === usageUnits.BYTES)?.total ?? 0)
    if (total < requiredBytes)
      throw new CallRefused(
        status.OUT_OF_RANGE,
        `volume ${volumeId} is to have ${requiredBytes} bytes, and the file system of its server has ${total} at ${volumePath}: raise the quota of its folder there`,
      )
    return { capacityBytes: requiredBytes }
  }

  async #measure(path: string): Promise<Stats> {
    const found = await this.#options.files.figures(path)
    if (found === 'missing') throw new CallRefused(status.NOT_FOUND, `path ${path} does not exist`)
    if (found === 'hangs')
      throw new CallRefused(status.DEADLINE_EXCEEDED, `failed to get metrics: the server of ${path} does not answer`)
    if (typeof found === 'string') throw new CallRefused(status.INTERNAL, `failed to stat file ${path}: ${found}`)
    if ('problem' in found) throw new CallRefused(status.INTERNAL, `failed to get metrics: ${found.problem}`)
    const { blockSize, blocks, freeBlocks, availableBlocks, inodes, freeInodes } = found
    return {
      usage: [
        {
          available: availableBlocks * blockSize,
          total: blocks * blockSize,
          used: (blocks - freeBlocks) * blockSize,
          unit: usageUnits.BYTES,
        },
        { available: freeInodes, total: inodes, used: inodes - freeInodes, unit: usageUnits.INODES },
      ],
    }
  }

  async #publish(request: Publish, until: Until): Promise<void> {
    const { volumeId, targetPath, volumeCapability } = request
    const isReadonly = request.isReadonly || isReadonlyHere(request)
    const order = this.#order({ ...request, isReadonly })
    const staged = await this.#staged(request)
    const isSingleWriter = volumeCapability?.accessMode?.mode === accessModes.SINGLE_NODE_SINGLE_WRITER
    const isThere = await this.#isThere(volumeId, targetPath, until, staged !== undefined && isReadonly)
    if (!isThere && isSingleWriter) this.#assertAlone(volumeId, order.source, targetPath)
    // A second call for another place is not to come between.
    this.#published.set(targetPath, { volumeId, isSingleWriter })
    if (isThere) return
    try {
      if (staged === undefined) await this.#mount(volumeId, targetPath, order, until)
      else await this.#bind({ source: staged, target: targetPath, isReadonly }, until)
    } catch (error) {
      this.#published.delete(targetPath)
      throw error
    }
    if (staged === undefined) await this.#finish(targetPath, order)
  }

  /**
   * Where a volume is mounted for the node; undefined where each pod has a mount of its own. A kubelet may name a place at which it has nothing staged: it had pods with
   * the volume before it was told that volumes are staged. @throws CallRefused
   */
  async #staged(request: Publish): Promise<string | undefined> {
    const { stagingTargetPath } = request
    const { mounter } = this.#options
    if (!this.stages || stagingTargetPath === '' || !mounter.isMounted(stagingTargetPath)) return undefined
    // Pods that come at once do not refuse each other for a look.
    if (!(await this.#isGood(stagingTargetPath))) await this.stage(request)
    return stagingTargetPath
  }

  /** Mounts what is not mounted, or leads nowhere any more. */
  async #ensure(volumeId: string, target: string, order: Order, until: Until): Promise<void> {
    if (await this.#isThere(volumeId, target, until)) return
    await this.#mount(volumeId, target, order, until)
    await this.#finish(target, order)
  }

  /** Whether a volume is mounted and of use. What is of none is taken away: a stale mount, and a bind that was cut off before it was read-only. */
  async #isThere(volumeId: string, target: string, until: Until, isReadonly = false): Promise<boolean> {
    const { mounter, log } = this.#options
    const mounted = mounter.table.at(target)
    if (mounted === undefined) return false
    if (await this.#isGood(target)) {
      if (!isReadonly || mounted.options.includes('ro')) return true
      log.warn({ target }, 'a mount that is to be read-only is made anew')
    } else log.warn({ target }, 'a stale mount is taken away and made anew')
    await this.#unmount(volumeId, target, until, 'failed to unmount stale mount')
    return false
  }

  /** What to mount, by the capability and what the volume is told. @throws CallRefused */
  #order({
    volumeCapability,
    isReadonly,
    volumeContext,
  }: Pick<Publish, 'volumeCapability' | 'isReadonly' | 'volumeContext'>): Order {
    const values = new Map(Array.from(volumeContext, ([key, value]) => [key.toLowerCase(), value]))
    const more = values.get('mountoptions') ?? ''
    const options = [
      ...(volumeCapability?.mount?.mountFlags ?? []),
      ...(isReadonly ? ['ro'] : []),
      ...(more === '' ? [] : [more]),
    ]
    const permissions = values.get('mountpermissions') ?? ''
    const bits =
      permissions === ''
        ? this.#options.settings.mountPermissions
        : permissionBits(permissions, text => invalid(`invalid mountPermissions ${text}`))
    const server = values.get('server') ?? ''
    if (server === '') throw invalid('server is a required parameter')
    const share = values.get('share') ?? ''
    if (share === '') throw invalid('share is a required parameter')
    const subDir = expandGiven(values.get('subdir') ?? '', values)
    const problems = [
      ['server', server, serverProblem(server)],
      ['share', share, pathProblem(share)],
      ['subDir', subDir, pathProblem(subDir)],
    ] as const
    for (const [what, found, problem] of problems)
      if (problem !== undefined) throw invalid(`invalid ${what} ${JSON.stringify(found)}: ${problem}`)
    const source = mountSource(server, share, subDir)
    const wrongOption = optionsProblem(options)
    if (wrongOption !== undefined) throw invalid(wrongOption)
    return { source, server, options, permissions: bits }
  }

  /** Whether what is mounted can be used; what only this user may not look at can. @throws CallRefused where its server does not answer */
  async #isGood(target: string): Promise<boolean> {
    const found = await this.#options.files.look(target)
    if (found === 'hangs') throw new CallRefused(status.UNAVAILABLE, `${target} is mounted, and its server does not answer`)
    return found !== 'stale'
  }

  /** The one writer of a volume is at one place; what an earlier process mounted is known by the tables. @throws CallRefused */
  #assertAlone(volumeId: string, source: string, target: string): void {
    const { table } = this.#options.mounter
    const isThere = new Map(table.mounts().map(mounted => [mounted.target, mounted]))
    const remembered = [...this.#published].some(
      ([other, published]) => other !== target && published.volumeId === volumeId && isThere.has(other),
    )
    const volume = volumeFolder(target)
    const found = [...isThere.values()].some(
      mounted =>
        mounted.target !== target &&
        mounted.source === source &&
        mounted.fsType.startsWith('nfs') &&
        volume !== undefined &&
        volumeFolder(mounted.target) === volume,
    )
    if (remembered || found)
      throw new CallRefused(
        status.FAILED_PRECONDITION,
        `volume ${volumeId} may be written by one pod alone, and is published at another place of this node`,
      )
  }

  async #mount(volumeId: string, target: string, { source, server, options }: Order, until: Until): Promise<void> {
    const { mounter, breaker, log } = this.#options
    const forMs = breaker.openFor(server)
    if (forMs !== undefined)
      throw new CallRefused(
        status.UNAVAILABLE,
        `NFS server ${server} has not answered for ${Math.round(forMs / 1_000)} s: ${source} is not mounted`,
      )
    makePlace(target)
    log.info({ volumeId, source, target, options }, 'a volume is mounted')
    try {
      await mounter.mount({ source, target, options })
      breaker.succeeded(server)
    } catch (error) {
      if (!(error instanceof MountFailed)) throw error
      until(error.gone)
      if (error.kind === 'late') await breaker.suspect(server, portOf(options))
      throw mountRefusal(error)
    }
  }

  async #bind(order: Parameters<Mounter['bind']>[0], until: Until): Promise<void> {
    const { mounter, log } = this.#options
    makePlace(order.target)
    log.info({ ...order }, 'a volume of the node is shown to a pod')
    try {
      await mounter.bind(order)
    } catch (error) {
      if (!(error instanceof MountFailed)) throw error
      until(error.gone)
      throw mountRefusal(error)
    }
  }

  async #finish(target: string, { server, options, permissions }: Order): Promise<void> {
    if (permissions > 0) await this.#setPermissions(target, permissions)
    this.#lookAtConnections(server, target, options)
  }

  async #setPermissions(target: string, bits: number): Promise<void> {
    const { files } = this.#options
    const found = await files.permissions(target)
    if (found === bits) return
    const done = typeof found === 'number' ? await files.setPermissions(target, bits) : found
    if (done === 'there') return
    const why = typeof done === 'string' ? words[done] : done.problem
    throw new CallRefused(
      done === 'denied' ? status.PERMISSION_DENIED : status.INTERNAL,
      `mountPermissions ${bits.toString(8)} could not be set at ${target}: ${why}`,
    )
  }

  #lookAtConnections(server: string, target: string, options: readonly string[]): void {
    const asked = askedConnections(options)
    const used = asked === undefined ? undefined : this.#options.mounter.table.connections(target)
    if (asked === undefined || used === undefined) return
    if (used < asked)
      this.#options.log.warn(
        { server, asked, used },
        'fewer connections are in use than nconnect asks for: the first mount of a server on a node decides for all',
      )
    this.#options.notices?.connections(server, asked, used)
  }

  async #unpublish(volumeId: string, target: string, until: Until): Promise<void> {
    await this.#unmount(volumeId, target, until, 'failed to unmount target')
    this.#published.delete(target)
    this.#stats.forget(target)
    try {
      // An empty folder, as a rule. What is in one is none of ours, and is never removed.
      if (lstatSync(target).isDirectory()) rmdirSync(target)
      else unlinkSync(target)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      throw new CallRefused(status.INTERNAL, `failed to unmount target "${target}": ${messageOf(error)}`, { cause: error })
    }
  }

  async #unmount(volumeId: string, target: string, until: Until, what: string): Promise<void> {
    const { mounter, settings, notices, log, clock } = this.#options
    const nowMs = clock.elapsed()
    const { detachAfterMs } = settings
    const detaches = detachAfterMs !== undefined && nowMs - (this.#stuckSinceMs.get(target) ?? nowMs) >= detachAfterMs
    try {
      // Mounts may lie on each other, where a stale one was not found.
      for (;;) {
        const { step, isLeft } = await mounter.unmount(target, { detaches })
        if (step === 'forced' || step === 'detached') {
          log.warn({ target, step }, 'a mount went only by force')
          notices?.unmountedByForce(volumeId, target, step)
        }
        if (isLeft) continue
        this.#stuckSinceMs.delete(target)
        return
      }
    } catch (error) {
      if (!(error instanceof MountFailed)) throw error
      this.#stuckSinceMs.set(target, this.#stuckSinceMs.get(target) ?? nowMs)
      until(error.gone)
      throw new CallRefused(status.INTERNAL, `${what} "${target}": ${error.message}`, { cause: error })
    }
  }
}

/** What the controller said when it gave the node the volume. */
const isReadonlyHere = ({ publishContext }: Pick<Publish, 'publishContext'>): boolean =>
  publishContext.get(readOnlyKey) === 'true'

const unstaging = 'failed to unmount staging target'

/** The folder is hidden by the mount; nobody but the kubelet has to do with it before. */
const makePlace = (target: string) => mkdirSync(target, { recursive: true, mode: 0o750 })

const words = {
  there: 'it is there',
  missing: 'it is not there',
  denied: 'permission denied (the server maps root to another user: root_squash)',
  stale: 'stale file handle',
  hangs: 'the server does not answer',
} as const

/** The volume in a place that the kubelet gives: `.../volumes/kubernetes.io~csi/<volume>/mount`. */
function volumeFolder(target: string): string | undefined {
  return /\/volumes\/kubernetes\.io~csi\/([^/]+)\/mount$/.exec(target)?.[1]
}
