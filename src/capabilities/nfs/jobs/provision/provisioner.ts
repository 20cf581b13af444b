// Claims get their volumes. What is asked and written has the name of the claim's UID: killed anywhere and begun anew, the same is asked and written again,
// and there is one volume.

import { removeFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isAlreadyExists, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { Volume } from '../../csi/messages.ts'
import { controllerMethods } from '../../csi/methods.ts'
import type { Credentials } from '../credentials.ts'
import { DriverError, isInfeasibleVolume, mayStillRun } from '../driver/driver-error.ts'
import { again, type DriverContext, done, type Tell, teller, type Worked } from '../job.ts'
import { SlowKeys } from '../retries.ts'
import { type Snapshot, snapshots } from '../snapshot/snapshot-kinds.ts'
import { type Claim, classOf, type StoredVolume, snapshotSourceFinalizer, type VolumeClass, volumes } from '../storage-kinds.ts'
import { decideClaim, provisioningNote } from './claim-decision.ts'
import { type Preparation, Preparing } from './preparation.ts'
import type { ProvisionSettings } from './settings.ts'
import { flawOf, volumeNameFor, volumeObject } from './volume-request.ts'

export interface VolumeStores {
  readonly claims: Informer<Claim>
  readonly volumes: Informer<StoredVolume>
  readonly classes: Informer<VolumeClass>
}

type Prepared = Extract<Preparation, { kind: 'prepared' }>

/** A volume that the driver did not make as it was asked for is deleted again, with so many tries. */
const cleanUpTries = 5

export class Provisioner {
  readonly #context: DriverContext
  readonly #settings: ProvisionSettings
  readonly #stores: VolumeStores
  readonly #preparing: Preparing
  readonly #tell: Tell
  readonly #tellOfPopulators: Tell
  /** Says in each volume which process made it. */
  readonly #identity: string
  /** Claims of which something may be under way in the driver: it is asked on even where the claim is gone, so that nothing is left behind. */
  readonly #underWay = new Map<string, Claim>()
  /** Volumes that the driver made and the API server does not have yet. */
  readonly #unsaved = new Map<string, StoredVolume>()
  /** Those of them that it was seen to have, though the answer to their writing was lost: they may be gone again by the next try. */
  readonly #seen = new Set<string>()
  readonly #slow: SlowKeys<string>
  /** By the UID of a claim that is tried rarely, that of the class it failed with. */
  readonly #slowClass = new Map<string, string>()

  constructor(context: DriverContext, settings: ProvisionSettings, stores: VolumeStores) {
    const { clock, random, driver, instance } = context
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#preparing = new Preparing(context, settings, stores)
    this.#tell = teller(context, `${driver.name}_${instance}`)
    this.#tellOfPopulators = teller(context, 'external-provisioner')
    this.#identity = `${Math.floor(clock.now())}-${Math.floor(random() * 10_000)}-${driver.name}`
    this.#slow = new SlowKeys(clock, settings.retryLastMs)
  }

  /** The API server has this volume, or had it. */
  seen({ metadata, spec }: StoredVolume): void {
    const uid = spec.claimRef?.uid ?? ''
    if (this.#unsaved.get(uid)?.metadata.name === metadata.name) this.#seen.add(uid)
  }

  /** Does what there is to do for the claim of that UID. */
  async work(uid: string, signal: AbortSignal): Promise<Worked> {
    const claim = this.#stores.claims.store.byUid(uid) ?? this.#underWay.get(uid)
    if (claim === undefined) {
      this.#settled(uid)
      return done
    }
    const unsaved = this.#unsaved.get(uid)
    if (unsaved !== undefined) return await this.#save(claim, unsaved, signal)
    const decision = decideClaim(claim, {
      driver: this.#context.driver.name,
      classNamed: name => this.#stores.classes.store.get(undefined, name),
    })
    if (decision.kind === 'later') return again(decision.why)
    if (decision.kind === 'leave') {
      this.#settled(uid)
      return done
    }
    const heldMs = this.#heldBackMs(uid, decision.volumeClass)
    if (heldMs > 0) return { kind: 'after', delayMs: heldMs }
    return await this.#provision(claim, decision.volumeClass, signal)
  }

  async #provision(claim: Claim, volumeClass: VolumeClass, signal: AbortSignal): Promise<Worked> {
    const { uid = '' } = claim.metadata
    const existing = this.#stores.volumes.store.get(undefined, volumeNameFor(claim, this.#settings))
    if (existing !== undefined)
      return existing.spec.claimRef?.uid === uid ? this.#done(uid) : this.#failed(claim, ofAnother(existing))
    this.#tell(claim, 'Normal', 'Provisioning', provisioningNote(claim))
    const prepared = await this.#preparing.of(claim, volumeClass, signal)
    if (prepared.kind === 'populator') {
      this.#tellOfPopulators(claim, 'Normal', 'Provisioning', 'Assuming an external populator will provision the volume')
      return this.#done(uid)
    }
    if (prepared.kind === 'failed') {
      if (prepared.isSettled) this.#underWay.delete(uid)
      return this.#failed(claim, prepared.why)
    }
    return await this.#make(claim, volumeClass, prepared, signal)
  }

  async #make(claim: Claim, volumeClass: VolumeClass, prepared: Prepared, signal: AbortSignal): Promise<Worked> {
    const { uid = '' } = claim.metadata
    const { draft, secrets, credentials } = prepared
    let volume: Volume | undefined
    try {
      volume = await this.#create(prepared, signal)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      return this.#refusedBy(claim, volumeClass, error)
    }
    const flaw = volume === undefined ? 'the driver answered without a volume' : flawOf(volume, { claim, draft })
    if (volume === undefined || flaw !== undefined) {
      this.#underWay.set(uid, claim)
      const left = volume === undefined ? undefined : await this.#cleanUp(volume.volumeId, credentials, signal)
      const orphaned = left === undefined ? '' : `. Cleanup of volume ${draft.name} failed, volume is orphaned: ${left}`
      return this.#failed(claim, `${flaw}${orphaned}`)
    }
    const { driver } = this.#context
    const settings = this.#settings
    const identity = this.#identity
    const object = volumeObject({ claim, volumeClass, draft, secrets, volume, driver: driver.name, identity, settings })
    return await this.#save(claim, object, signal)
  }

  async #create(prepared: Prepared, signal: AbortSignal): Promise<Volume | undefined> {
    const { draft, parameters, mutableParameters, credentials, contentSource } = prepared
    const { link, assertLeading } = this.#context
    await link.ready(signal)
    const request = {
      name: draft.name,
      capacityRange: { requiredBytes: draft.requestedBytes, limitBytes: 0n },
      volumeCapabilities: draft.capabilities,
      parameters,
      mutableParameters,
      secrets: credentials,
      ...(contentSource === undefined ? {} : { contentSource }),
    }
    const options = { limitMs: this.#settings.timeoutMs, signal, guard: assertLeading }
    const { volume } = await link.call(controllerMethods.createVolume, request, options)
    return volume
  }

  #refusedBy(claim: Claim, volumeClass: VolumeClass, error: DriverError): Worked {
    const { uid = '' } = claim.metadata
    if (mayStillRun(error)) this.#underWay.set(uid, claim)
    else this.#underWay.delete(uid)
    if (!isInfeasibleVolume(error)) return this.#failed(claim, error.message)
    this.#slow.add(uid)
    this.#slowClass.set(uid, volumeClass.metadata.uid ?? '')
    return this.#failed(claim, `Volume provisioning failed with infeasible error. Retries will be delayed. ${error.message}`)
  }

  /** What is wrong, where the volume could not be deleted. */
  async #cleanUp(volumeId: string, secrets: Credentials, signal: AbortSignal): Promise<string | undefined> {
    const { link, assertLeading } = this.#context
    const options = { limitMs: this.#settings.timeoutMs, signal, guard: assertLeading }
    let why = ''
    for (let attempt = 0; attempt < cleanUpTries; attempt++) {
      try {
        await link.call(controllerMethods.deleteVolume, { volumeId, secrets }, options)
        return undefined
      } catch (error) {
        if (!(error instanceof DriverError)) throw error
        why = error.message
      }
    }
    return why
  }

  /** The volume is there in the driver: from here on it is written, whatever becomes of the claim. */
  async #save(claim: Claim, object: StoredVolume, signal: AbortSignal): Promise<Worked> {
    const { uid = '' } = claim.metadata
    const { name } = object.metadata
    this.#unsaved.set(uid, object)
    this.#underWay.set(uid, claim)
    if (!this.#seen.has(uid)) {
      const written = await this.#written(object, signal)
      if (typeof written === 'string') return this.#failed(claim, `error saving volume ${name}: ${written}`)
      this.#stores.volumes.observe(written)
    }
    await this.#letGo(claim, signal)
    if (this.#stores.claims.store.byUid(uid) !== undefined)
      this.#tell(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
    return this.#done(uid)
  }

  /** The volume as the API server has it, or why it has it not. */
  async #written(object: StoredVolume, signal: AbortSignal): Promise<StoredVolume | string> {
    const api = this.#context.api.resource<StoredVolume>(volumes)
    try {
      return await api.create(object, { signal })
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      if (!isAlreadyExists(error)) return messageOf(error)
    }
    const existing = await api.get(object.metadata.name, { signal })
    return existing.spec.claimRef?.uid === object.spec.claimRef?.uid ? existing : ofAnother(existing)
  }

  /** The snapshot that was restored need not be held any more. What fails here is done by the sweep. */
  async #letGo({ metadata, spec }: Claim, signal: AbortSignal): Promise<void> {
    const source = spec.dataSource ?? spec.dataSourceRef
    if (source?.kind !== 'VolumeSnapshot') return
    const { api, log } = this.#context
    const ofSnapshots = api.resource<Snapshot>(snapshots)
    try {
      const snapshot = await ofSnapshots.get(source.name, { namespace: metadata.namespace, signal })
      await removeFinalizer(ofSnapshots, snapshot, snapshotSourceFinalizer, { signal })
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      if (isNotFound(error)) return
      const facts = { snapshot: `${metadata.namespace}/${source.name}`, why: messageOf(error) }
      if (isForbidden(error)) log.debug(facts, 'a snapshot may not be let go')
      else log.warn(facts, 'a snapshot that was restored is still held: it is let go later')
    }
  }

  #heldBackMs(uid: string, volumeClass: VolumeClass): number {
    const leftMs = this.#slow.leftMs(uid)
    if (leftMs <= 0) return 0
    // Another class may say what this one did not.
    if (this.#slowClass.get(uid) === (volumeClass.metadata.uid ?? '')) return leftMs
    this.#slow.delete(uid)
    return 0
  }

  #failed(claim: Claim, why: string): Worked {
    this.#tell(claim, 'Warning', 'ProvisioningFailed', why)
    return again(`claim ${claim.metadata.namespace}/${claim.metadata.name} of class ${classOf(claim)}: ${why}`)
  }

  #done(uid: string): Worked {
    this.#settled(uid)
    return done
  }

  #settled(uid: string): void {
    this.#underWay.delete(uid)
    this.#unsaved.delete(uid)
    this.#seen.delete(uid)
    this.#slow.delete(uid)
    this.#slowClass.delete(uid)
  }
}

const ofAnother = ({ metadata, spec }: StoredVolume): string =>
  `the PersistentVolume ${metadata.name} is there for another claim, ${spec.claimRef?.namespace}/${spec.claimRef?.name}`
