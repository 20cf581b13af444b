// Everything before a driver is asked for a volume: the claim is checked, its source is read and held, its Secrets are found. What is decided is decided by
// pure functions; here are the reads between them, and the finalizers on sources.

import { addFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import type { ContentSource } from '../../csi/messages.ts'
import { type Credentials, credentialsOf } from '../credentials.ts'
import type { DriverContext } from '../job.ts'
import { type Outcome, refused, taken } from '../outcome.ts'
import { type Content, contents, type Snapshot, snapshots } from '../snapshot/snapshot-kinds.ts'
import {
  type AttributesClass,
  attributesClasses,
  type Claim,
  claims,
  cloningFinalizer,
  hasFinalizer,
  type StoredVolume,
  snapshotSourceFinalizer,
  type VolumeClass,
} from '../storage-kinds.ts'
import { driverParameters, type SecretsOfClass, secretsOfClass } from './class-parameters.ts'
import { cloneSource, type DataSource, dataSourceOf, restoreSource } from './data-source.ts'
import type { ProvisionSettings } from './settings.ts'
import { attributesFor, draftOf, type VolumeDraft } from './volume-request.ts'

/** All that the driver is told, and what is kept of it for the volume. */
interface Prepared {
  readonly kind: 'prepared'
  readonly draft: VolumeDraft
  readonly source: DataSource
  readonly contentSource: ContentSource | undefined
  readonly parameters: ReadonlyMap<string, string>
  /** The parameters of its VolumeAttributesClass. */
  readonly mutableParameters: ReadonlyMap<string, string>
  readonly secrets: SecretsOfClass
  readonly credentials: Credentials
}

export type Preparation =
  | Prepared
  /** Somebody else fills it. */
  | { readonly kind: 'populator'; readonly of: string }
  /** `isSettled`: nothing of the claim can be under way in the driver; else that is as it was. */
  | { readonly kind: 'failed'; readonly why: string; readonly isSettled: boolean }

type Mutable =
  | { readonly ok: true; readonly value: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly why: string; readonly isSettled: boolean }

interface Stores {
  readonly claims: Informer<Claim>
  readonly volumes: Informer<StoredVolume>
}

const failed = (why: string, isSettled: boolean): Preparation => ({ kind: 'failed', why, isSettled })

export class Preparing {
  readonly #context: DriverContext
  readonly #settings: ProvisionSettings
  readonly #stores: Stores

  constructor(context: DriverContext, settings: ProvisionSettings, stores: Stores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
  }

  /** @throws OutsideError where the API server does not answer as it should; `signal.reason` */
  async of(claim: Claim, volumeClass: VolumeClass, signal: AbortSignal): Promise<Preparation> {
    const { driver, api } = this.#context
    const settings = this.#settings
    const source = dataSourceOf(claim)
    if (!source.ok) return failed(source.why, true)
    if (source.value.kind === 'populator') return { kind: 'populator', of: source.value.of }
    const draft = draftOf({ claim, volumeClass, source: source.value, driver, settings })
    if (!draft.ok) return failed(draft.why, true)
    const content = await this.#contentSource(claim, volumeClass, source.value, signal)
    if (!content.ok) return failed(content.why, false)
    const names = { claim, volumeName: draft.value.name }
    const { parameters = {} } = volumeClass
    const secrets = secretsOfClass(parameters, names)
    if (!secrets.ok) return failed(secrets.why, false)
    const told = driverParameters(parameters, settings.tellsNames ? names : undefined)
    let credentials: Credentials
    try {
      credentials = await credentialsOf(api, secrets.value.provisioner, signal)
    } catch (error) {
      signal.throwIfAborted()
      return failed(messageOf(error), false)
    }
    if (!told.ok) return failed(told.why, true)
    const mutable = await this.#mutableParameters(claim, signal)
    if (!mutable.ok) return failed(mutable.why, mutable.isSettled)
    return {
      kind: 'prepared',
      draft: draft.value,
      source: source.value,
      contentSource: content.value,
      parameters: told.value,
      mutableParameters: mutable.value,
      secrets: secrets.value,
      credentials,
    }
  }

  /** Read at once and not watched: few claims name one. */
  async #mutableParameters(claim: Claim, signal: AbortSignal): Promise<Mutable> {
    const name = attributesFor(claim, this.#settings)
    if (name === '') return { ok: true, value: new Map() }
    const { api, driver } = this.#context
    let found: AttributesClass
    try {
      found = await api.resource<AttributesClass>(attributesClasses).get(name, { signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      return { ok: false, why: messageOf(error), isSettled: false }
    }
    if (found.driverName === driver.name) return { ok: true, value: new Map(Object.entries(found.parameters ?? {})) }
    const why = `VAC ${name} referenced in PVC is for driver ${found.driverName} which does not match driver name ${driver.name}`
    return { ok: false, why, isSettled: true }
  }

  async #contentSource(
    claim: Claim,
    volumeClass: VolumeClass,
    source: DataSource,
    signal: AbortSignal,
  ): Promise<Outcome<ContentSource | undefined>> {
    if (source.kind !== 'snapshot' && source.kind !== 'claim') return taken(undefined)
    const found = await (source.kind === 'snapshot'
      ? this.#restored(claim, volumeClass, source.name, signal)
      : this.#cloned(claim, source.name, signal))
    if (found.ok) return found
    const kind = source.kind === 'snapshot' ? 'VolumeSnapshot' : 'PersistentVolumeClaim'
    return refused(`error getting handle for DataSource Type ${kind} by Name ${source.name}: ${found.why}`)
  }

  async #cloned(claim: Claim, name: string, signal: AbortSignal): Promise<Outcome<ContentSource>> {
    const { api, driver } = this.#context
    const { namespace = '' } = claim.metadata
    const source = this.#stores.claims.store.get(namespace, name)
    if (source === undefined)
      return refused(
        `error getting PVC ${name} (namespace "${namespace}") from api server: persistentvolumeclaim "${name}" not found`,
      )
    const volume = this.#stores.volumes.store.get(undefined, source.spec.volumeName ?? '')
    const content = cloneSource({ claim, source, volume, driver: driver.name })
    if (!content.ok || hasFinalizer(source, cloningFinalizer)) return content
    // The source stays until no copy of it is being made.
    this.#stores.claims.observe(await addFinalizer(api.resource<Claim>(claims), source, cloningFinalizer, { signal }))
    return content
  }

  async #restored(claim: Claim, volumeClass: VolumeClass, name: string, signal: AbortSignal): Promise<Outcome<ContentSource>> {
    const { api, driver, log } = this.#context
    const { namespace } = claim.metadata
    const ofSnapshots = api.resource<Snapshot>(snapshots)
    let snapshot: Snapshot
    try {
      snapshot = await ofSnapshots.get(name, { namespace, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      return refused(`error getting snapshot ${name} from api server: ${messageOf(error)}`)
    }
    const content = await this.#contentOf(snapshot, signal)
    const source = restoreSource({
      claim,
      snapshot,
      content,
      driver: driver.name,
      className: volumeClass.metadata.name,
      keepsVolumeMode: this.#settings.keepsVolumeMode,
    })
    if (!source.ok || hasFinalizer(snapshot, snapshotSourceFinalizer)) return source
    try {
      await addFinalizer(ofSnapshots, snapshot, snapshotSourceFinalizer, { signal })
    } catch (error) {
      // Older roles of upstream have no such right, and it restores without.
      if (!isForbidden(error)) throw error
      log.debug({ snapshot: `${namespace}/${name}`, why: messageOf(error) }, 'the snapshot may not be held while it is restored')
    }
    return source
  }

  async #contentOf({ status }: Snapshot, signal: AbortSignal): Promise<Content | undefined> {
    const name = status?.boundVolumeSnapshotContentName ?? ''
    if (name === '') return undefined
    try {
      return await this.#context.api.resource<Content>(contents).get(name, { signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      return undefined
    }
  }
}
