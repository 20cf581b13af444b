// The snapshot controller's work: snapshots and contents are bound to each other, for all drivers of a cluster; what a snapshot is of is held until it is made.

import { addFinalizer, removeFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { goQuote } from '#kube/objects/field-error.ts'
import { isAlreadyExists, isNotFound } from '#kube/objects/status.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import { formatTime } from '#kube/time/time.ts'
import { again, done, type JobContext, type Tell, teller, type Worked } from '../job.ts'
import {
  type Claim,
  claims,
  hasFinalizer,
  isBeingDeleted,
  keyOf,
  type SecretReference,
  type StoredVolume,
  volumes,
} from '../storage-kinds.ts'
import { snapshotterSecret } from './class-parameters.ts'
import type { SnapshotControllerSettings } from './settings.ts'
import {
  bindingOf,
  contentFlaw,
  contentNameOf,
  contentSourceFlaw,
  type DeletionDecision,
  decideDeletion,
  decideSnapshot,
  defaultClass,
  type Failure,
  isBehind,
  isOfGroup,
  isSnapshotted,
  missingFinalizers,
  sourceFlaw,
  volumeOf,
} from './snapshot-decision.ts'
import {
  type Content,
  contentNameFor,
  contents,
  type Snapshot,
  type SnapshotClass,
  snapshotAnnotations,
  snapshotFinalizers,
  snapshots,
} from './snapshot-kinds.ts'
import { contentObject, milestones, statusBy } from './snapshot-status.ts'
import { classNotFound } from './snapshotter.ts'

interface SnapshotStores {
  readonly snapshots: Informer<Snapshot>
  readonly contents: Informer<Content>
  readonly classes: Informer<SnapshotClass>
  readonly claims: Informer<Claim>
}

/** A failure that was told already. */
class Told extends OutsideError {
  override readonly name = 'Told'
}

export class SnapshotController {
  readonly #context: JobContext
  readonly #settings: SnapshotControllerSettings
  readonly #stores: SnapshotStores
  readonly #tell: Tell

  constructor(context: JobContext, settings: SnapshotControllerSettings, stores: SnapshotStores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#tell = teller(context, 'snapshot-controller')
  }

  /** Does what there is to do for a snapshot. `key`: `namespace/name`. */
  async workOnSnapshot(key: string, signal: AbortSignal): Promise<Worked> {
    const [namespace = '', name = ''] = key.split('/')
    const stored = this.#stores.snapshots.store.get(namespace, name)
    if (stored === undefined) return done
    if (isBeingDeleted(stored)) return await this.#goes(stored, signal)
    if (isOfGroup(stored)) return done
    try {
      return await this.#follows(stored, signal)
    } catch (error) {
      if (error instanceof Told) return again(error.message)
      throw error
    }
  }

  /** Does what there is to do for the content of that name. `onBehind` is called where its snapshot does not say what it says. */
  async workOnContent(name: string, onBehind: (snapshot: string) => void, signal: AbortSignal): Promise<Worked> {
    const content = this.#stores.contents.store.get(undefined, name)
    if (content === undefined) return done
    const flaw = contentSourceFlaw(content)
    if (flaw !== undefined) {
      this.#tell(content, 'Warning', 'ContentValidationError', flaw)
      return again(flaw)
    }
    // Nobody has taken it yet: that is done from the snapshot's side.
    const { uid = '', namespace, name: snapshotName = '' } = content.spec.volumeSnapshotRef
    if (uid === '') return done
    const held = isBeingDeleted(content) ? content : await this.#hold(content, signal)
    const snapshot = this.#stores.snapshots.store.get(namespace, snapshotName)
    // A content without its snapshot stays: somebody may have copied it here, and the data would go with it.
    if (snapshot === undefined || snapshot.metadata.uid !== uid) return done
    if (isBehind(snapshot, held)) onBehind(keyOf(snapshot))
    const isGoing =
      isBeingDeleted(snapshot) &&
      (hasFinalizer(snapshot, snapshotFinalizers.asSource) || hasFinalizer(snapshot, snapshotFinalizers.bound))
    if (isGoing) await this.#markDeleted(held, signal)
    return done
  }

  async #follows(stored: Snapshot, signal: AbortSignal): Promise<Worked> {
    const classed = await this.#withClass(stored, signal)
    await this.#letClaimGo(classed, undefined, signal)
    const flaw = sourceFlaw(classed)
    if (flaw !== undefined) throw await this.#failed(classed, flaw, signal)
    const snapshot = await this.#held(classed, signal)
    const decision = decideSnapshot(snapshot, name => this.#content(name))
    switch (decision.kind) {
      case 'well':
        return done
      case 'failed': {
        const told = await this.#failed(snapshot, decision.failure, signal)
        if (decision.isTriedAgain) throw told
        return done
      }
      case 'follow':
        await this.#follow(snapshot, await this.#bound(snapshot, decision.content, signal), signal)
        return done
      case 'make':
        await this.#follow(snapshot, await this.#make(snapshot, signal), signal)
        return done
    }
  }

  /** A snapshot of a claim has a class: its own, or the one that is the default for the claim's driver. */
  async #withClass(snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
    const { volumeSnapshotClassName: className, source } = snapshot.spec
    if (className !== undefined) {
      if (this.#stores.classes.store.get(undefined, className) !== undefined) return snapshot
      const note = `Failed to get snapshot class with error ${classNotFound(className)}`
      throw await this.#failed(snapshot, { reason: 'GetSnapshotClassFailed', note, isUnready: false }, signal)
    }
    if (source.volumeSnapshotContentName !== undefined) return snapshot
    const failed = (why: string) =>
      this.#failed(
        snapshot,
        {
          reason: 'SetDefaultSnapshotClassFailed',
          note: `Failed to set default snapshot class with error ${why}`,
          isUnready: false,
        },
        signal,
      )
    if (source.persistentVolumeClaimName === undefined) throw await failed('the snapshot source PVC name is not specified')
    const volume = await this.#volume(snapshot, signal)
    if (!volume.ok) throw await failed(volume.why)
    const { csi } = volume.value.spec
    if (csi === undefined) throw await failed(`snapshotting non-CSI volumes is not supported, snapshot:${keyOf(snapshot)}`)
    const chosen = defaultClass(this.#stores.classes.store.list(), csi.driver)
    if (!chosen.ok) throw await failed(chosen.why)
    const body = { spec: { volumeSnapshotClassName: chosen.value.metadata.name } }
    const { name, namespace } = snapshot.metadata
    return this.#seen(await this.#snapshots.patch(name, { type: 'merge', body }, { namespace, signal }))
  }

  async #held(snapshot: Snapshot, signal: AbortSignal): Promise<Snapshot> {
    const content = this.#content(contentNameOf(snapshot))
    const flaw = content === undefined ? undefined : contentFlaw(snapshot, content)
    let held = snapshot
    try {
      for (const finalizer of missingFinalizers(snapshot, flaw === undefined ? content : undefined))
        held = this.#seen(await addFinalizer(this.#snapshots, held, finalizer, { signal }))
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      this.#tell(snapshot, 'Warning', 'SnapshotFinalizerError', `Failed to check and update snapshot: ${messageOf(error)}`)
      throw new Told(messageOf(error))
    }
    return held
  }

  /** A content that was written beforehand learns whose it is. */
  async #bound(snapshot: Snapshot, content: Content, signal: AbortSignal): Promise<Content> {
    const spec = bindingOf(snapshot, content)
    if (spec === undefined) return content
    try {
      const patched = await this.#contents.patch(content.metadata.name, { type: 'merge', body: { spec } }, { signal })
      this.#stores.contents.observe(patched)
      return patched
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const note = `Snapshot failed to bind VolumeSnapshotContent, ${messageOf(error)}`
      throw await this.#failed(snapshot, { reason: 'SnapshotBindFailed', note, isUnready: true }, signal)
    }
  }

  async #make(snapshot: Snapshot, signal: AbortSignal): Promise<Content> {
    const failed = (why: string) =>
      this.#failed(
        snapshot,
        { reason: 'SnapshotContentCreationFailed', note: `Failed to create snapshot content with error ${why}`, isUnready: true },
        signal,
      )
    const held = await this.#holdClaim(snapshot, signal)
    if (held !== undefined) throw await failed(held)
    const input = (why: string) =>
      failed(`failed to get input parameters to create snapshot ${snapshot.metadata.name}: ${goQuote(why)}`)
    const className = snapshot.spec.volumeSnapshotClassName
    if (className === undefined) throw await input(`failed to take snapshot ${snapshot.metadata.name} without a snapshot class`)
    const snapshotClass = this.#stores.classes.store.get(undefined, className)
    if (snapshotClass === undefined) throw await input(classNotFound(className))
    const volume = await this.#volume(snapshot, signal)
    if (!volume.ok) throw await input(volume.why)
    const secret = snapshotterSecret(snapshotClass.parameters ?? {}, { contentName: contentNameFor(snapshot), snapshot })
    if (!secret.ok) throw await input(secret.why)
    const { csi } = volume.value.spec
    if (csi === undefined) throw await failed(`cannot find CSI PersistentVolumeSource for volume ${volume.value.metadata.name}`)
    const content = await this.#create(
      snapshot,
      { snapshotClass, volume: volume.value, volumeHandle: csi.volumeHandle, secret: secret.value },
      signal,
    )
    this.#tell(
      snapshot,
      'Normal',
      'CreatingSnapshot',
      `Waiting for a snapshot ${keyOf(snapshot)} to be created by the CSI driver.`,
    )
    this.#stores.contents.observe(content)
    return content
  }

  async #create(
    snapshot: Snapshot,
    source: {
      readonly snapshotClass: SnapshotClass
      readonly volume: StoredVolume
      readonly volumeHandle: string
      readonly secret: SecretReference | undefined
    },
    signal: AbortSignal,
  ): Promise<Content> {
    const { keepsVolumeMode } = this.#settings
    const object = contentObject(snapshot, { ...source, keepsVolumeMode })
    try {
      return await this.#contents.create(object, { signal })
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      if (isAlreadyExists(error)) {
        const existing = await this.#contents.get(object.metadata.name, { signal })
        const flaw = contentFlaw(snapshot, existing)
        if (flaw === undefined) return existing
        throw await this.#failed(snapshot, flaw, signal)
      }
      const why = messageOf(error)
      const note = `Error creating volume snapshot content object for snapshot ${keyOf(snapshot)}: ${why}.`
      this.#tell(snapshot, 'Warning', 'CreateSnapshotContentFailed', note)
      const failure = `Failed to create snapshot content with error ${updateFailed(keyOf(snapshot), why)}`
      throw await this.#failed(snapshot, { reason: 'SnapshotContentCreationFailed', note: failure, isUnready: true }, signal)
    }
  }

  /** The snapshot says what its content says. */
  async #follow(snapshot: Snapshot, content: Content, signal: AbortSignal): Promise<void> {
    const { name, namespace } = snapshot.metadata
    try {
      const fresh = await this.#snapshots.get(name, { namespace, signal })
      const status = statusBy(fresh, content)
      if (status === undefined) return
      const written = this.#seen(await this.#snapshots.updateStatus({ ...fresh, status }, { signal }))
      for (const [reason, note] of milestones(fresh, status)) this.#tell(snapshot, 'Normal', reason, note)
      await this.#letClaimGo(written, undefined, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const note = `Snapshot status update failed, ${messageOf(error)}`
      throw await this.#failed(snapshot, { reason: 'SnapshotStatusUpdateFailed', note, isUnready: false }, signal)
    }
  }

  async #goes(snapshot: Snapshot, signal: AbortSignal): Promise<Worked> {
    await this.#letClaimGo(snapshot, undefined, signal)
    const ofNamespace = this.#stores.claims.store.list(snapshot.metadata.namespace)
    const decision = decideDeletion(snapshot, name => this.#content(name), ofNamespace)
    if (decision.kind === 'leave') return done
    if (decision.kind === 'wait') {
      this.#tell(snapshot, 'Warning', 'SnapshotDeletePending', decision.note)
      return again(`snapshot ${keyOf(snapshot)}: ${decision.note}`)
    }
    return await this.#letGo(snapshot, decision, signal)
  }

  async #letGo(
    snapshot: Snapshot,
    { content, takesContent, finalizers }: Extract<DeletionDecision, { kind: 'go' }>,
    signal: AbortSignal,
  ): Promise<Worked> {
    if (content !== undefined) {
      await this.#markDeleted(content, signal)
      if (takesContent && !isBeingDeleted(content)) {
        const why = await this.#deleteContent(content, signal)
        if (why !== undefined) {
          this.#tell(snapshot, 'Warning', 'SnapshotContentObjectDeleteError', 'Failed to delete snapshot content API object')
          return again(`failed to delete VolumeSnapshotContent ${content.metadata.name} from API server: ${why}`)
        }
      }
    }
    // Once the snapshot is gone nothing tells of it any more: the claim is let go before.
    if (finalizers.length > 0) await this.#letClaimGo(snapshot, snapshot, signal)
    for (const finalizer of finalizers) await removeFinalizer(this.#snapshots, snapshot, finalizer, { signal })
    return done
  }

  async #deleteContent({ metadata }: Content, signal: AbortSignal): Promise<string | undefined> {
    const { name, uid } = metadata
    try {
      await this.#contents.delete(name, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return isNotFound(error) ? undefined : messageOf(error)
    }
  }

  /** Nobody deletes the claim until the snapshot is made. Yields why that cannot be. */
  async #holdClaim(snapshot: Snapshot, signal: AbortSignal): Promise<string | undefined> {
    const claim = this.#claimOf(snapshot)
    if (claim === undefined) return updateFailed(snapshot.metadata.name, 'cannot get claim from snapshot')
    if (hasFinalizer(claim, snapshotFinalizers.claim)) return undefined
    if (isBeingDeleted(claim))
      return updateFailed(claim.metadata.name, 'cannot add finalizer on claim because it is being deleted')
    try {
      this.#stores.claims.observe(await addFinalizer(this.#claims, claim, snapshotFinalizers.claim, { signal }))
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return updateFailed(claim.metadata.name, messageOf(error))
    }
  }

  /** The claim is let go where no snapshot of it is under way; `but` does not count. What fails is told and does not hold up the snapshot. */
  async #letClaimGo(snapshot: Snapshot, but: Snapshot | undefined, signal: AbortSignal): Promise<void> {
    const claim = this.#claimOf(snapshot)
    if (claim === undefined || !hasFinalizer(claim, snapshotFinalizers.claim)) return
    if (isSnapshotted(claim, this.#stores.snapshots.store.list(snapshot.metadata.namespace), but)) return
    try {
      await removeFinalizer(this.#claims, claim, snapshotFinalizers.claim, { signal })
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      this.#tell(snapshot, 'Warning', 'ErrorPVCFinalizer', 'Error check and remove PVC Finalizer for VolumeSnapshot')
      if (but !== undefined) throw error
    }
  }

  async #hold(content: Content, signal: AbortSignal): Promise<Content> {
    if (hasFinalizer(content, snapshotFinalizers.content)) return content
    const held = await addFinalizer(this.#contents, content, snapshotFinalizers.content, { signal })
    this.#stores.contents.observe(held)
    return held
  }

  async #markDeleted(content: Content, signal: AbortSignal): Promise<void> {
    if (content.metadata.annotations?.[snapshotAnnotations.beingDeleted] !== undefined) return
    const body = { metadata: { annotations: { [snapshotAnnotations.beingDeleted]: 'yes' } } }
    this.#stores.contents.observe(await this.#contents.patch(content.metadata.name, { type: 'merge', body }, { signal }))
  }

  /** Says on the snapshot what is wrong, once, and yields it as an error. */
  async #failed(snapshot: Snapshot, { reason, note, isUnready }: Failure, signal: AbortSignal): Promise<Told> {
    const told = new Told(`snapshot ${keyOf(snapshot)}: ${note}`)
    if (snapshot.status?.error?.message === note) return told
    this.#tell(snapshot, 'Warning', reason, note)
    const error = { time: formatTime(this.#context.clock.now()), message: note }
    const status = { error, ...(isUnready ? { readyToUse: false } : {}) }
    const { name, namespace } = snapshot.metadata
    try {
      const options = { namespace, signal, subresource: 'status' }
      this.#seen(await this.#snapshots.patch(name, { type: 'merge', body: { status } }, options))
    } catch (failure) {
      signal.throwIfAborted()
      if (!isOutside(failure)) throw failure
      this.#context.log.warn({ snapshot: keyOf(snapshot), why: messageOf(failure) }, 'the snapshot cannot be told what is wrong')
    }
    return told
  }

  async #volume(snapshot: Snapshot, signal: AbortSignal) {
    const claim = this.#claimOf(snapshot)
    const name = claim?.spec.volumeName ?? ''
    if (name === '') return volumeOf(snapshot, claim, undefined)
    try {
      return volumeOf(snapshot, claim, await this.#context.api.resource<StoredVolume>(volumes).get(name, { signal }))
    } catch (error) {
      if (!isNotFound(error)) throw error
      return volumeOf(snapshot, claim, undefined)
    }
  }

  #claimOf({ metadata, spec }: Snapshot): Claim | undefined {
    const { persistentVolumeClaimName } = spec.source
    return persistentVolumeClaimName === undefined
      ? undefined
      : this.#stores.claims.store.get(metadata.namespace, persistentVolumeClaimName)
  }

  #content(name: string): Content | undefined {
    return this.#stores.contents.store.get(undefined, name)
  }

  #seen(snapshot: Snapshot): Snapshot {
    this.#stores.snapshots.observe(snapshot)
    return snapshot
  }

  get #snapshots() {
    return this.#context.api.resource<Snapshot>(snapshots)
  }

  get #contents() {
    return this.#context.api.resource<Content>(contents)
  }

  get #claims() {
    return this.#context.api.resource<Claim>(claims)
  }
}

const updateFailed = (name: string, why: string): string => `snapshot controller failed to update ${name} on API server: ${why}`

/** The snapshot of a content that is gone, which may have waited for that. */
export const snapshotOf = ({ spec }: Content): string => `${spec.volumeSnapshotRef.namespace}/${spec.volumeSnapshotRef.name}`
