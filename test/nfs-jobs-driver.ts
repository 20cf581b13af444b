// A CSI driver that keeps its volumes in memory, behind a real socket: it counts, and fails, hangs and waits where it is told to.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server, status } from '@grpc/grpc-js'
import type { Method } from '#kube/grpc/method.ts'
import { answering, CallRefused, definition, listenAt, serverLimits } from '#kube/grpc/served-method.ts'
import {
  type ContentSource,
  controllerCapabilities as can,
  pluginServices,
  type Volume,
} from '../src/capabilities/nfs/csi/messages.ts'
import { attachMethods, controllerMethods, identityMethods, nodeMethods } from '../src/capabilities/nfs/csi/methods.ts'

export type CalledMethod =
  | 'createVolume'
  | 'deleteVolume'
  | 'createSnapshot'
  | 'deleteSnapshot'
  | 'listSnapshots'
  | 'expandVolume'
  | 'modifyVolume'
  | 'attachVolume'
  | 'detachVolume'
  | 'probe'

/** What a call gets in place of its answer; with `isDone` only after it was carried out. */
interface Failure {
  readonly code: status
  readonly details: string
  readonly isDone?: boolean
}

interface MadeVolume {
  readonly id: string
  bytes: bigint
  readonly parameters: ReadonlyMap<string, string>
  /** What can be changed of it. */
  attributes: ReadonlyMap<string, string>
  readonly contentSource: ContentSource | undefined
}

interface MadeSnapshot {
  readonly id: string
  readonly source: string
}

interface Call {
  readonly method: CalledMethod
  readonly request: unknown
}

/** What it can unless a test says otherwise. */
export const usual = [
  can.CREATE_DELETE_VOLUME,
  can.CREATE_DELETE_SNAPSHOT,
  can.CLONE_VOLUME,
  can.EXPAND_VOLUME,
  can.SINGLE_NODE_MULTI_WRITER,
] as const

export class FakeDriver implements AsyncDisposable {
  readonly name: string
  /** Numbers of `controllerCapabilities`. */
  readonly can: Set<number>
  readonly services = new Set<number>([pluginServices.CONTROLLER_SERVICE])
  readonly folder = mkdtempSync(join(tmpdir(), 'ballast-csi-'))
  readonly address = join(this.folder, 'csi.sock')
  readonly calls: Call[] = []
  /** By name. */
  readonly volumes = new Map<string, MadeVolume>()
  readonly snapshots = new Map<string, MadeSnapshot>()
  /** Volumes of nodes, as `<volume> on <node>`. */
  readonly attached = new Set<string>()
  /** How often something was made or deleted that was not so already. */
  readonly done: string[] = []
  /** What the next calls of a method get in place of their answer, in turn. */
  readonly failures = new Map<CalledMethod, Failure[]>()
  /** What a volume of that name gets in place of its making. */
  refuses: (name: string) => Failure | undefined = () => undefined
  /** Asked when a call comes, and again when it was carried out: what it waits for. */
  meanwhile: (method: CalledMethod, moment: 'before' | 'after') => Promise<void> | void = () => undefined
  /** Size of volumes that are made; 0: it says none, as the real one. */
  capacityBytes = 0n
  saysSource = true
  isReady = true
  snapshotsAreReady = true
  nodeExpands = false
  #server: Server | undefined

  constructor({ name = 'nfs.csi.k8s.io', can: capabilities = usual }: { name?: string; can?: readonly number[] } = {}) {
    this.name = name
    this.can = new Set(capabilities)
  }

  async start(): Promise<void> {
    const server = new Server(serverLimits)
    this.#server = server
    const { getPluginInfo, getPluginCapabilities, probe } = identityMethods
    server.addService(
      { info: definition(getPluginInfo), capabilities: definition(getPluginCapabilities), probe: definition(probe) },
      {
        info: answering(getPluginInfo, () => ({ name: this.name, vendorVersion: 'v1', manifest: new Map() })),
        capabilities: answering(getPluginCapabilities, () => ({
          capabilities: Array.from(this.services, type => ({ service: { type }, volumeExpansion: undefined })),
        })),
        probe: this.#handler('probe', probe, () => ({ ready: { value: this.isReady } })),
      },
    )
    const { nodeGetCapabilities } = nodeMethods
    server.addService(
      { node: definition(nodeGetCapabilities) },
      { node: answering(nodeGetCapabilities, () => ({ capabilities: this.nodeExpands ? [{ rpc: { type: 3 } }] : [] })) },
    )
    const { controllerPublishVolume, controllerUnpublishVolume } = attachMethods
    server.addService(
      { attach: definition(controllerPublishVolume), detach: definition(controllerUnpublishVolume) },
      {
        attach: this.#handler('attachVolume', controllerPublishVolume, ({ volumeId, nodeId, isReadonly }) => {
          this.attached.add(`${volumeId} on ${nodeId}`)
          return { publishContext: new Map(isReadonly ? [['ballast.dev/read-only', 'true']] : []) }
        }),
        detach: this.#handler('detachVolume', controllerUnpublishVolume, ({ volumeId, nodeId }) => {
          this.attached.delete(`${volumeId} on ${nodeId}`)
          return {}
        }),
      },
    )
    const c = controllerMethods
    server.addService(
      {
        can: definition(c.controllerGetCapabilities),
        create: definition(c.createVolume),
        delete: definition(c.deleteVolume),
        expand: definition(c.controllerExpandVolume),
        modify: definition(c.controllerModifyVolume),
        snapshot: definition(c.createSnapshot),
        unsnapshot: definition(c.deleteSnapshot),
        list: definition(c.listSnapshots),
      },
      {
        can: answering(c.controllerGetCapabilities, () => ({ capabilities: Array.from(this.can, type => ({ rpc: { type } })) })),
        create: this.#handler('createVolume', c.createVolume, request => ({ volume: this.#create(request) })),
        delete: this.#handler('deleteVolume', c.deleteVolume, ({ volumeId }) => this.#delete(volumeId)),
        expand: this.#handler('expandVolume', c.controllerExpandVolume, ({ volumeId, capacityRange }) => {
          const bytes = capacityRange?.requiredBytes ?? 0n
          for (const volume of this.volumes.values()) if (volume.id === volumeId) volume.bytes = bytes
          this.done.push(`expand ${volumeId} ${bytes}`)
          return { capacityBytes: bytes, isNodeExpansionRequired: this.nodeExpands }
        }),
        modify: this.#handler('modifyVolume', c.controllerModifyVolume, ({ volumeId, mutableParameters }) => {
          for (const volume of this.volumes.values()) if (volume.id === volumeId) volume.attributes = mutableParameters
          this.done.push(`modify ${volumeId}`)
          return {}
        }),
        snapshot: this.#handler('createSnapshot', c.createSnapshot, ({ name, sourceVolumeId }) =>
          this.#snapshot(name, sourceVolumeId),
        ),
        unsnapshot: this.#handler('deleteSnapshot', c.deleteSnapshot, ({ snapshotId }) => {
          for (const [name, { id }] of this.snapshots) if (id === snapshotId) this.#unsnapshot(name)
          return {}
        }),
        list: this.#handler('listSnapshots', c.listSnapshots, ({ snapshotId }) => ({
          entries: [...this.snapshots.values()]
            .filter(({ id }) => id === snapshotId)
            .map(({ id, source }) => ({ snapshot: this.#told(id, source) })),
          nextToken: '',
        })),
      },
    )
    await listenAt(server, this.address)
  }

  stop(): void {
    this.#server?.forceShutdown()
    this.#server = undefined
  }

  /** Calls of a method so far. */
  count(method: CalledMethod): number {
    return this.calls.filter(call => call.method === method).length
  }

  /** The next call of a method gets this in place of its answer. */
  fail(method: CalledMethod, ...failures: readonly Failure[]): void {
    this.failures.set(method, [...(this.failures.get(method) ?? []), ...failures])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #handler<Request, Response>(name: CalledMethod, method: Method<Request, Response>, work: (request: Request) => Response) {
    return answering(method, async request => {
      this.calls.push({ method: name, request })
      await this.meanwhile(name, 'before')
      const failure = this.failures.get(name)?.shift()
      if (failure !== undefined && failure.isDone !== true) throw new CallRefused(failure.code, failure.details)
      const answer = work(request)
      await this.meanwhile(name, 'after')
      if (failure !== undefined) throw new CallRefused(failure.code, failure.details)
      return answer
    })
  }

  #create(request: {
    readonly name: string
    readonly capacityRange: { readonly requiredBytes: bigint } | undefined
    readonly parameters: ReadonlyMap<string, string>
    readonly mutableParameters: ReadonlyMap<string, string>
    readonly contentSource: ContentSource | undefined
  }): Volume {
    const { name, capacityRange, parameters, mutableParameters: attributes, contentSource } = request
    const refusal = this.refuses(name)
    if (refusal !== undefined) throw new CallRefused(refusal.code, refusal.details)
    const bytes = capacityRange?.requiredBytes ?? 0n
    const known = this.volumes.get(name)
    if (known !== undefined && known.bytes !== bytes)
      throw new CallRefused(status.ALREADY_EXISTS, `${name} is there in another size`)
    const volume = known ?? { id: `nas#export#${name}##`, bytes, parameters, attributes, contentSource }
    if (known === undefined) this.done.push(`create ${name}`)
    this.volumes.set(name, volume)
    return {
      volumeId: volume.id,
      capacityBytes: this.capacityBytes,
      volumeContext: new Map([...parameters, ['subDir', name]]),
      contentSource: this.saysSource ? contentSource : undefined,
    }
  }

  #delete(id: string): object {
    for (const [name, volume] of this.volumes)
      if (volume.id === id) {
        this.volumes.delete(name)
        this.done.push(`delete ${name}`)
      }
    return {}
  }

  #snapshot(name: string, source: string) {
    const id = `nas#export#${name}#${name}#source`
    if (!this.snapshots.has(name)) this.done.push(`snapshot ${name}`)
    this.snapshots.set(name, { id, source })
    return { snapshot: this.#told(id, source) }
  }

  #unsnapshot(name: string): void {
    this.snapshots.delete(name)
    this.done.push(`delete snapshot ${name}`)
  }

  #told(snapshotId: string, sourceVolumeId: string) {
    const creationTime = { seconds: 1_767_225_600, nanos: 500_000_000 }
    return {
      snapshotId,
      sourceVolumeId,
      sizeBytes: 4_096n,
      creationTime,
      isReadyToUse: this.snapshotsAreReady,
      groupSnapshotId: '',
    }
  }
}
