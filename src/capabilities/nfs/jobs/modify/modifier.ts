// A claim that asks for another VolumeAttributesClass gets it: the claim says which, the driver changes the volume, then the volume's object says so, then the
// claim. Killed between any two of these and begun anew, the same is asked for again, which drivers answer alike.

import { status } from '@grpc/grpc-js'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { formatTime } from '#kube/time/time.ts'
import { controllerMethods } from '../../csi/methods.ts'
import { type Credentials, credentialsOf } from '../credentials.ts'
import { DriverError, goCode, mayStillRunOrLack } from '../driver/driver-error.ts'
import { again, type DriverContext, done, type Tell, teller, type Worked } from '../job.ts'
import { namesOfVolume } from '../provision/class-parameters.ts'
import { SlowKeys } from '../retries.ts'
import {
  type AttributesClass,
  annotations,
  type BoundClaim,
  type Claim,
  claims,
  type StoredVolume,
  volumes,
} from '../storage-kinds.ts'
import { decideModify, isInProgress, isStillAsked, modifyStates } from './modify-decision.ts'
import { awaited, cancelled, type ModifyPatch, modified, modifyFailed, modifying } from './modify-status.ts'

interface ModifySettings {
  readonly timeoutMs: number
  readonly retryLastMs: number
  /** The driver is told the names of claim and volume. */
  readonly tellsNames: boolean
}

interface ModifyStores {
  readonly claims: Informer<Claim>
  readonly volumes: Informer<StoredVolume>
  readonly classes: Informer<AttributesClass>
}

export class Modifier {
  readonly #context: DriverContext
  readonly #settings: ModifySettings
  readonly #stores: ModifyStores
  readonly #tell: Tell
  readonly #slow: SlowKeys<string>
  /** Claims whose change may be under way in the driver: their target does not change until it says how it ended. */
  readonly #uncertain = new Set<string>()

  /** The stores are synced: what is in progress there may be under way. */
  constructor(context: DriverContext, settings: ModifySettings, stores: ModifyStores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#tell = teller(context, `external-resizer ${context.driver.name}`)
    this.#slow = new SlowKeys(context.clock, settings.retryLastMs)
    for (const claim of stores.claims.store.list())
      if (isInProgress(claim)) this.#uncertain.add(`${claim.metadata.namespace}/${claim.metadata.name}`)
  }

  /** `key`: `namespace/name` of the claim. */
  async work(key: string, { claim, volume }: BoundClaim, signal: AbortSignal): Promise<Worked> {
    const heldMs = this.#heldMs(key, claim)
    if (heldMs > 0) return { kind: 'after', delayMs: heldMs }
    const decision = decideModify(claim, volume, {
      driver: this.#context.driver.name,
      isUncertain: this.#uncertain.has(key),
    })
    switch (decision.kind) {
      case 'leave':
        return done
      case 'cancel':
        this.#tell(claim, 'Normal', 'VolumeModifyCanceled', 'Cancelled modify.')
        await this.#patch(claim, cancelled(claim), signal)
        return done
      default:
        return await this.#modify(key, { claim, volume, target: decision.target, isNew: decision.kind === 'begin' }, signal)
    }
  }

  /** The claim is gone. */
  forget(key: string): void {
    this.#uncertain.delete(key)
    this.#slow.delete(key)
  }

  /** What can never be had is tried rarely, as long as it is asked for. */
  #heldMs(key: string, claim: Claim): number {
    if (!isStillAsked(claim)) {
      this.#slow.delete(key)
      return 0
    }
    const leftMs = this.#slow.leftMs(key)
    if (claim.status?.modifyVolumeStatus?.status === modifyStates.infeasible) this.#slow.add(key)
    return leftMs
  }

  async #modify(key: string, { claim: before, volume, target, isNew }: Change, signal: AbortSignal): Promise<Worked> {
    const found = this.#stores.classes.store.get(undefined, target)
    if (found === undefined) {
      this.#tell(before, 'Warning', 'VolumeModifyFailed', `VAC "${target}" does not exist.`)
      if (!isNew) return again(`VolumeAttributesClass "${target}" not found`)
      // It is looked at again when a class comes.
      await this.#patch(before, awaited(before), signal)
      return done
    }
    const { name } = before.metadata
    const claim = isNew ? await this.#patch(before, modifying(before, target, this.#time()), signal) : before
    if (isNew) this.#tell(claim, 'Normal', 'VolumeModify', `external resizer is modifying volume ${name} with vac ${target}`)
    try {
      const lack = await this.#ask(claim, volume, found, signal)
      if (lack !== undefined) return again(`modifying volume ${volume.metadata.name} failed: ${lack}`)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      return await this.#refusedBy(key, claim, { target, error }, signal)
    }
    await this.#write(claim, volume, target, signal)
    this.forget(key)
    this.#tell(
      claim,
      'Normal',
      'VolumeModifySuccessful',
      `external resizer modified volume ${name} with vac ${target} successfully`,
    )
    return done
  }

  /** Undefined: it is done; else why the driver could not be asked. @throws DriverError */
  async #ask(claim: Claim, volume: StoredVolume, found: AttributesClass, signal: AbortSignal): Promise<string | undefined> {
    const { link, api, assertLeading } = this.#context
    const { timeoutMs, tellsNames } = this.#settings
    const { csi } = volume.spec
    const volumeId = csi?.volumeHandle ?? ''
    if (volumeId === '') return 'empty volume handle'
    const noted = volume.metadata.annotations ?? {}
    const [name, namespace] = [noted[annotations.modifySecretName] ?? '', noted[annotations.modifySecretNamespace] ?? '']
    let secrets: Credentials
    try {
      const reference = name === '' || namespace === '' ? csi?.controllerExpandSecretRef : { name, namespace }
      secrets = await credentialsOf(api, reference, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return messageOf(error)
    }
    const names = tellsNames ? namesOfVolume({ claim, volumeName: volume.metadata.name }) : []
    const mutableParameters = new Map([...Object.entries(found.parameters ?? {}), ...names])
    await link.ready(signal)
    const request = { volumeId, secrets, mutableParameters }
    await link.call(controllerMethods.controllerModifyVolume, request, { limitMs: timeoutMs, signal, guard: assertLeading })
    return undefined
  }

  async #write(claim: Claim, volume: StoredVolume, target: string, signal: AbortSignal): Promise<void> {
    const body = { spec: { volumeAttributesClassName: target } }
    const ofVolumes = this.#context.api.resource<StoredVolume>(volumes)
    this.#stores.volumes.observe(await ofVolumes.patch(volume.metadata.name, { type: 'merge', body }, { signal }))
    await this.#patch(claim, modified(claim, target), signal)
  }

  async #refusedBy(key: string, claim: Claim, { target, error }: Refusal, signal: AbortSignal): Promise<Worked> {
    const isUncertain = mayStillRunOrLack(error)
    if (isUncertain) this.#uncertain.add(key)
    else this.#uncertain.delete(key)
    // NOT_FOUND and OUT_OF_RANGE may end by themselves here, otherwise than where a volume grows.
    const isInfeasible = error.code === status.INVALID_ARGUMENT
    const code = goCode(error.code)
    const why = error.said
    await this.#patch(claim, modifyFailed(claim, { target, code, why, isUncertain, isInfeasible, time: this.#time() }), signal)
    if (isInfeasible) this.#slow.add(key)
    const told = isUncertain ? `${error.message}. Still modifying to VAC ${target}` : error.message
    this.#tell(claim, 'Warning', 'VolumeModifyFailed', told)
    return again(`modifying claim ${key} failed: ${told}`)
  }

  async #patch(claim: Claim, body: ModifyPatch, signal: AbortSignal): Promise<Claim> {
    const { name, namespace } = claim.metadata
    const options = { namespace, signal, subresource: 'status' }
    const patched = await this.#context.api.resource<Claim>(claims).patch(name, { type: 'strategic', body }, options)
    this.#stores.claims.observe(patched)
    return patched
  }

  #time(): string {
    return formatTime(this.#context.clock.now())
  }
}

interface Change extends BoundClaim {
  readonly target: string
  /** The claim does not say yet that it is being done. */
  readonly isNew: boolean
}

interface Refusal {
  readonly target: string
  readonly error: DriverError
}
