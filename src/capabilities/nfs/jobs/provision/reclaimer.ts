// Volumes that no claim has any more are deleted in the driver, and then in the API server. The finalizer stays until both are done.

import { addFinalizer, removeFinalizer } from '#kube/client/finalizers.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { controllerCapabilities, pluginServices } from '../../csi/messages.ts'
import { controllerMethods } from '../../csi/methods.ts'
import { type Credentials, credentialsOf, noCredentials } from '../credentials.ts'
import { again, type DriverContext, done, type Tell, teller, type Worked } from '../job.ts'
import { type Outcome, refused, taken } from '../outcome.ts'
import { annotations, classOf, type SecretReference, type StoredVolume, volumeFinalizer, volumes } from '../storage-kinds.ts'
import { provisionerSecret } from './class-parameters.ts'
import type { VolumeStores } from './provisioner.ts'
import type { ProvisionSettings } from './settings.ts'
import { decideVolume } from './volume-decision.ts'

interface Attachment extends KubeObject {
  readonly spec: { readonly nodeName: string; readonly source: { readonly persistentVolumeName?: string } }
}

export class Reclaimer {
  readonly #context: DriverContext
  readonly #settings: ProvisionSettings
  readonly #stores: VolumeStores
  readonly #tell: Tell

  constructor(context: DriverContext, settings: ProvisionSettings, stores: VolumeStores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#tell = teller(context, `${context.driver.name}_${context.instance}`)
  }

  /** Does what there is to do for the volume of that name. */
  async work(name: string, signal: AbortSignal): Promise<Worked> {
    const { api, driver } = this.#context
    const volume = this.#stores.volumes.store.get(undefined, name)
    if (volume === undefined) return done
    const { finalizer, isDeleted } = decideVolume(volume, driver.name)
    const ofVolumes = api.resource<StoredVolume>(volumes)
    if (finalizer === 'add') this.#stores.volumes.observe(await addFinalizer(ofVolumes, volume, volumeFinalizer, { signal }))
    if (finalizer === 'remove') await removeFinalizer(ofVolumes, volume, volumeFinalizer, { signal })
    if (!isDeleted) return done
    const why = await this.#deleteInDriver(volume, signal)
    if (why !== undefined) {
      this.#tell(volume, 'Warning', 'VolumeFailedDelete', why)
      return again(why)
    }
    const { uid } = volume.metadata
    try {
      await ofVolumes.delete(name, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    } catch (error) {
      if (isNotFound(error)) return done
      // Another one may have its name: whichever is known by then is looked at.
      if (isConflict(error)) return again(`persistentvolume ${name} is not deleted: ${messageOf(error)}`)
      throw error
    }
    await removeFinalizer(ofVolumes, volume, volumeFinalizer, { signal })
    return done
  }

  /** Why the volume is still there in the driver. @throws `signal.reason`; OutsideError where nobody knows whether it may be deleted */
  async #deleteInDriver(volume: StoredVolume, signal: AbortSignal): Promise<string | undefined> {
    const { link, driver, assertLeading } = this.#context
    const { csi } = volume.spec
    if (csi === undefined) return 'invalid CSI PV'
    const dynamic = 'CSI driver does not support dynamic provisioning:'
    if (!driver.services.has(pluginServices.CONTROLLER_SERVICE))
      return `${dynamic} plugin CONTROLLER_SERVICE capability is not reported`
    if (!driver.can.has(controllerCapabilities.CREATE_DELETE_VOLUME))
      return `${dynamic} controller CREATE_DELETE_VOLUME capability is not reported`
    const reference = this.#secretOf(volume)
    if (!reference.ok) return reference.why
    const secrets = await this.#credentials(volume, reference.value, signal)
    const attached = await this.#attachedTo(volume, signal)
    if (attached !== undefined) return `persistentvolume ${volume.metadata.name} is still attached to node ${attached}`
    try {
      await link.ready(signal)
      const options = { limitMs: this.#settings.timeoutMs, signal, guard: assertLeading }
      await link.call(controllerMethods.deleteVolume, { volumeId: csi.volumeHandle, secrets }, options)
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return messageOf(error)
    }
  }

  /** The volume itself names the Secret; one that was made before volumes did is asked by its class. */
  #secretOf(volume: StoredVolume): Outcome<SecretReference | undefined> {
    const { metadata, spec } = volume
    const name = metadata.annotations?.[annotations.deletionSecretName]
    const namespace = metadata.annotations?.[annotations.deletionSecretNamespace]
    if (name !== undefined && namespace !== undefined)
      return taken(name === '' || namespace === '' ? undefined : { name, namespace })
    const volumeClass = this.#stores.classes.store.get(undefined, classOf(volume))
    const { claimRef } = spec
    if (volumeClass === undefined || claimRef === undefined) {
      this.#context.log.debug(
        { volume: metadata.name },
        'no class and no claim say which Secret deletes the volume: it is deleted without',
      )
      return taken(undefined)
    }
    const claim = { metadata: { name: claimRef.name ?? '', namespace: claimRef.namespace ?? '' } }
    const reference = provisionerSecret(volumeClass.parameters ?? {}, { claim, volumeName: metadata.name })
    return reference.ok ? reference : refused(`failed to get secretreference for volume ${metadata.name}: ${reference.why}`)
  }

  /** A Secret that is gone keeps no volume. */
  async #credentials(
    { metadata }: StoredVolume,
    reference: SecretReference | undefined,
    signal: AbortSignal,
  ): Promise<Credentials> {
    try {
      return await credentialsOf(this.#context.api, reference, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      this.#context.log.warn({ volume: metadata.name, why: messageOf(error) }, 'the volume is deleted without its Secret')
      return noCredentials
    }
  }

  /** The node that the volume is attached to, as far as the driver attaches volumes at all. */
  async #attachedTo({ metadata }: StoredVolume, signal: AbortSignal): Promise<string | undefined> {
    if (!this.#context.driver.can.has(controllerCapabilities.PUBLISH_UNPUBLISH_VOLUME)) return undefined
    for await (const { items } of this.#context.api.resource<Attachment>(builtIn.volumeattachments).pages({ signal })) {
      const found = items.find(({ spec }) => spec.source.persistentVolumeName === metadata.name)
      if (found !== undefined) return found.spec.nodeName
    }
    return undefined
  }
}
