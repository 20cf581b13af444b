// VolumeAttachments are carried out: what Kubernetes wants attached is published by the driver, and what is to go is unpublished before its attachment goes. Each call may
// come twice: a process that was killed between the call and its record does both again.

import { addFinalizer, removeFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import { formatTime } from '#kube/time/time.ts'
import { controllerCapabilities } from '../../csi/messages.ts'
import { attachMethods } from '../../csi/methods.ts'
import { credentialsOf } from '../credentials.ts'
import { csiAccessMode, volumeCapability } from '../driver/volume-access.ts'
import { again, type DriverContext, done, type Worked } from '../job.ts'
import { type CsiNode, type CsiSource, hasFinalizer, isBeingDeleted, type StoredVolume, volumes } from '../storage-kinds.ts'
import { type Attachment, attacherFinalizer, attachments, decideAttachment, nodeIdAnnotation } from './attachment-decision.ts'
import type { AttachJobSettings } from './settings.ts'

interface AttachStores {
  readonly attachments: Informer<Attachment>
  readonly volumes: Informer<StoredVolume>
}

interface Attachable {
  readonly volume: StoredVolume
  readonly csi: CsiSource
}

export class Attacher {
  readonly #context: DriverContext
  readonly #settings: AttachJobSettings
  readonly #stores: AttachStores
  readonly #finalizer: string

  constructor(context: DriverContext, settings: AttachJobSettings, stores: AttachStores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#finalizer = attacherFinalizer(context.driver.name)
  }

  /** Does what there is to do for the attachment of that name. */
  async work(name: string, signal: AbortSignal): Promise<Worked> {
    const attachment = this.#stores.attachments.store.get(undefined, name)
    if (attachment === undefined) return done
    const decision = decideAttachment(attachment, this.#context.driver.name)
    if (decision === 'leave') return done
    try {
      if (decision === 'attach') await this.#attach(attachment, signal)
      else await this.#detach(attachment, signal)
      return done
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const why = messageOf(error)
      const failure = { time: formatTime(this.#context.clock.now()), message: why }
      const attached = attachment.status?.attached ?? false
      await this.#tell(
        attachment,
        { attached, ...(decision === 'attach' ? { attachError: failure } : { detachError: failure }) },
        signal,
      )
      return again(why)
    }
  }

  /** Lets a volume go that is deleted and attached nowhere. */
  async release(name: string, signal: AbortSignal): Promise<Worked> {
    const volume = this.#stores.volumes.store.get(undefined, name)
    if (volume === undefined || !isBeingDeleted(volume) || !hasFinalizer(volume, this.#finalizer)) return done
    const holder = [...this.#stores.attachments.store.list()].find(({ spec }) => spec.source.persistentVolumeName === name)
    if (holder !== undefined) return again(`persistentvolume ${name} is attached to node ${holder.spec.nodeName}`)
    await removeFinalizer(this.#context.api.resource<StoredVolume>(volumes), volume, this.#finalizer, { signal })
    return done
  }

  async #attach(found: Attachment, signal: AbortSignal): Promise<void> {
    const { api, link, driver, assertLeading } = this.#context
    const { volume, csi } = this.#volumeOf(found)
    if (isBeingDeleted(volume)) throw new OutsideError(`PersistentVolume "${volume.metadata.name}" is marked for deletion`)
    const { volumeMode, mountOptions = [], accessModes = [] } = volume.spec
    const mode = csiAccessMode(accessModes, driver.can.has(controllerCapabilities.SINGLE_NODE_MULTI_WRITER))
    if (!mode.ok) throw new OutsideError(mode.why)
    const nodeId = await this.#nodeId(found, signal)
    const secrets = await credentialsOf(api, csi.controllerPublishSecretRef, signal)
    await addFinalizer(api.resource<StoredVolume>(volumes), volume, this.#finalizer, { signal })
    const attachment = await this.#hold(found, nodeId, signal)
    await link.ready(signal)
    const { publishContext } = await link.call(
      attachMethods.controllerPublishVolume,
      {
        volumeId: csi.volumeHandle,
        nodeId,
        volumeCapability: volumeCapability(mode.value, { volumeMode, fsType: csi.fsType ?? '', mountOptions }),
        isReadonly: driver.can.has(controllerCapabilities.PUBLISH_READONLY) && csi.readOnly === true,
        secrets,
        volumeContext: new Map(Object.entries(csi.volumeAttributes ?? {})),
      },
      { limitMs: this.#settings.timeoutMs, signal, guard: assertLeading },
    )
    await this.#tell(
      attachment,
      { attached: true, attachmentMetadata: Object.fromEntries(publishContext), attachError: null },
      signal,
    )
  }

  async #detach(attachment: Attachment, signal: AbortSignal): Promise<void> {
    const { api, link, assertLeading } = this.#context
    const { csi } = this.#volumeOf(attachment)
    const nodeId = attachment.metadata.annotations?.[nodeIdAnnotation] ?? (await this.#nodeId(attachment, signal))
    const secrets = await credentialsOf(api, csi.controllerPublishSecretRef, signal)
    await link.ready(signal)
    const options = { limitMs: this.#settings.timeoutMs, signal, guard: assertLeading }
    await link.call(attachMethods.controllerUnpublishVolume, { volumeId: csi.volumeHandle, nodeId, secrets }, options)
    await removeFinalizer(api.resource<Attachment>(attachments), attachment, this.#finalizer, { signal })
  }

  /** @throws OutsideError where the volume is none that the driver attaches */
  #volumeOf({ spec }: Attachment): Attachable {
    const name = spec.source.persistentVolumeName
    if (name === undefined)
      throw new OutsideError('the attachment names no PersistentVolume, and inline volumes are not attached')
    const volume = this.#stores.volumes.store.get(undefined, name)
    if (volume === undefined) throw new OutsideError(`persistentvolume "${name}" not found`)
    const { csi } = volume.spec
    if (csi?.driver !== this.#context.driver.name)
      throw new OutsideError(`persistentvolume "${name}" is none of driver ${this.#context.driver.name}`)
    return { volume, csi }
  }

  /** By which name the driver knows the node. @throws OutsideError where its kubelet has not told it yet */
  async #nodeId({ spec }: Attachment, signal: AbortSignal): Promise<string> {
    const { api, driver } = this.#context
    try {
      const { spec: said } = await api.resource<CsiNode>(builtIn.csinodes).get(spec.nodeName, { signal })
      const id = said?.drivers?.find(({ name }) => name === driver.name)?.nodeID
      if (id !== undefined) return id
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
    throw new OutsideError(`CSINode ${spec.nodeName} does not contain driver ${driver.name}`)
  }

  /** Has the attachment wait for its end in the driver from now on. */
  async #hold(attachment: Attachment, nodeId: string, signal: AbortSignal): Promise<Attachment> {
    const resource = this.#context.api.resource<Attachment>(attachments)
    const held = await addFinalizer(resource, attachment, this.#finalizer, { signal })
    if (held.metadata.annotations?.[nodeIdAnnotation] === nodeId) return held
    const body = { metadata: { annotations: { [nodeIdAnnotation]: nodeId } } }
    return await resource.patch(held.metadata.name, { type: 'merge', body }, { signal })
  }

  /** Nothing is told of an attachment that is gone. */
  async #tell({ metadata }: Attachment, status: object, signal: AbortSignal): Promise<void> {
    const resource = this.#context.api.resource<Attachment>(attachments)
    try {
      const body = { metadata: { uid: metadata.uid }, status }
      const told = await resource.patch(metadata.name, { type: 'merge', body }, { signal, subresource: 'status' })
      this.#stores.attachments.observe(told)
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}
