// A claim that asks for more gets it: the driver grows the volume, then the volume's object says so, then the claim. Killed between any two of these and
// begun anew, the same size is asked for again, which drivers answer alike.

import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { formatTime } from '#kube/time/time.ts'
import { canonicalText, formatQuantity, wholeQuantity, wholeValue } from '#kube/values/quantity.ts'
import { controllerCapabilities } from '../../csi/messages.ts'
import { controllerMethods } from '../../csi/methods.ts'
import { type Credentials, credentialsOf } from '../credentials.ts'
import { DriverError, isInfeasibleSize, isInUse, mayStillRunOrLack } from '../driver/driver-error.ts'
import { csiAccessMode, volumeCapability } from '../driver/volume-access.ts'
import { again, type DriverContext, done, type Tell, teller, type Worked } from '../job.ts'
import { SlowKeys } from '../retries.ts'
import { type BoundClaim, type Claim, claims, type StoredVolume, volumes } from '../storage-kinds.ts'
import { type ClaimPatch, growing, growingFailed, grown, nodeIsNext } from './claim-status.ts'
import type { ClaimsInUse } from './claims-in-use.ts'
import { decideResize, type ResizeDecision, resizeStates } from './resize-decision.ts'
import type { ResizeSettings } from './settings.ts'

interface ResizeStores {
  readonly claims: Informer<Claim>
  readonly volumes: Informer<StoredVolume>
  /** Undefined: it is not heeded whether a volume is in use. */
  readonly inUse: ClaimsInUse | undefined
}

interface Growing extends BoundClaim {
  readonly decision: Extract<ResizeDecision, { kind: 'grow' }>
}

/** What the driver answered. */
interface Grown {
  readonly bytes: bigint
  readonly isNodeNext: boolean
}

export class Resizer {
  readonly #context: DriverContext
  readonly #settings: ResizeSettings
  readonly #stores: ResizeStores
  readonly #tell: Tell
  readonly #slow: SlowKeys<string>
  /** Claims whose last call ended with an error for good. */
  readonly #failedForGood = new Set<string>()
  /** UIDs of claims whose volume the driver did not grow while it was in use. */
  readonly #refusedInUse = new Set<string>()

  constructor(context: DriverContext, settings: ResizeSettings, stores: ResizeStores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#tell = teller(context, `external-resizer ${context.driver.name}`)
    this.#slow = new SlowKeys(context.clock, settings.retryLastMs)
  }

  /** `key`: `namespace/name` of the claim. */
  async work(key: string, { claim, volume }: BoundClaim, signal: AbortSignal): Promise<Worked> {
    const { driver } = this.#context
    const decision = decideResize(claim, volume, {
      driver: driver.name,
      failedForGood: this.#failedForGood.has(key),
      isByController: this.#isByController,
    })
    if (decision.kind === 'leave') return done
    const heldMs = this.#slow.leftMs(key)
    if (claim.status?.allocatedResourceStatuses?.['storage'] === resizeStates.controllerInfeasible) this.#slow.add(key)
    if (!decision.isNew && heldMs > 0) return { kind: 'after', delayMs: heldMs }
    return await this.#grow(key, { claim, volume, decision }, signal)
  }

  /** The claim is gone. */
  forget(key: string): void {
    this.#failedForGood.delete(key)
    this.#slow.delete(key)
  }

  get #isByController(): boolean {
    return this.#context.driver.can.has(controllerCapabilities.EXPAND_VOLUME)
  }

  async #grow(key: string, { volume, decision, claim: before }: Growing, signal: AbortSignal): Promise<Worked> {
    const { size, isNew } = decision
    const { uid = '' } = before.metadata
    const claim = await this.#patch(before, growing(before, { size: formatQuantity(size), isNew, time: this.#time() }), signal)
    if (this.#refusedInUse.has(uid) && this.#stores.inUse?.has(key) === true) {
      const why = `Unable to expand ${key} because CSI driver ${this.#context.driver.name} only supports offline expansion and volume is currently in-use`
      this.#tell(claim, 'Warning', 'VolumeResizeFailed', why)
      return again(why)
    }
    this.#tell(claim, 'Normal', 'Resizing', `External resizer is resizing volume ${volume.metadata.name}`)
    this.#refusedInUse.delete(uid)
    let answer: Grown | string
    try {
      answer = await this.#ask(volume, wholeValue(size), signal)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      await this.#refusedBy(key, claim, error, signal)
      answer = error.message
    }
    if (typeof answer === 'string') {
      const why = `resize volume "${volume.metadata.name}" by resizer "${this.#context.driver.name}" failed: ${answer}`
      this.#tell(claim, 'Warning', 'VolumeResizeFailed', why)
      return again(why)
    }
    this.forget(key)
    await this.#write(claim, volume, answer, signal)
    return done
  }

  async #write(claim: Claim, volume: StoredVolume, { bytes, isNodeNext }: Grown, signal: AbortSignal): Promise<void> {
    const storage = canonicalText(wholeQuantity(bytes, 'BinarySI'))
    const body = { spec: { capacity: { storage } } }
    const ofVolumes = this.#context.api.resource<StoredVolume>(volumes)
    this.#stores.volumes.observe(await ofVolumes.patch(volume.metadata.name, { type: 'merge', body }, { signal }))
    if (isNodeNext) {
      await this.#patch(claim, nodeIsNext(claim, this.#time()), signal)
      this.#tell(claim, 'Normal', 'FileSystemResizeRequired', 'Require file system resize of volume on node')
      return
    }
    await this.#patch(claim, grown(claim, storage), signal)
    this.#tell(claim, 'Normal', 'VolumeResizeSuccessful', 'Resize volume succeeded')
  }

  /** What the driver answered, or why it could not be asked. @throws DriverError */
  async #ask({ metadata, spec }: StoredVolume, bytes: bigint, signal: AbortSignal): Promise<Grown | string> {
    const { link, driver, api, assertLeading } = this.#context
    // A driver whose kubelets alone grow volumes has nothing to do here.
    if (!this.#isByController) return { bytes, isNodeNext: true }
    const volumeId = spec.csi?.volumeHandle ?? ''
    if (volumeId === '') return 'empty volume handle'
    const mode = csiAccessMode(spec.accessModes ?? [], driver.can.has(controllerCapabilities.SINGLE_NODE_MULTI_WRITER))
    if (!mode.ok) return `failed to get capabilities of volume ${metadata.name} with ${mode.why}`
    const { volumeMode, mountOptions = [] } = spec
    let secrets: Credentials
    try {
      secrets = await credentialsOf(api, spec.csi?.controllerExpandSecretRef, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return messageOf(error)
    }
    await link.ready(signal)
    const { capacityBytes, isNodeExpansionRequired } = await link.call(
      controllerMethods.controllerExpandVolume,
      {
        volumeId,
        capacityRange: { requiredBytes: bytes, limitBytes: 0n },
        secrets,
        volumeCapability: volumeCapability(mode.value, { volumeMode, fsType: spec.csi?.fsType ?? '', mountOptions }),
      },
      { limitMs: this.#settings.timeoutMs, signal, guard: assertLeading },
    )
    return { bytes: capacityBytes, isNodeNext: isNodeExpansionRequired }
  }

  async #refusedBy(key: string, claim: Claim, error: DriverError, signal: AbortSignal): Promise<void> {
    if (isInUse(error)) this.#refusedInUse.add(claim.metadata.uid ?? '')
    if (mayStillRunOrLack(error)) {
      this.#slow.delete(key)
      this.#failedForGood.delete(key)
      return
    }
    this.#failedForGood.add(key)
    const isInfeasible = isInfeasibleSize(error)
    if (isInfeasible) this.#slow.add(key)
    else this.#slow.delete(key)
    await this.#patch(claim, growingFailed(claim, { why: error.message, isInfeasible, time: this.#time() }), signal)
  }

  async #patch(claim: Claim, body: ClaimPatch, signal: AbortSignal): Promise<Claim> {
    const { name, namespace } = claim.metadata
    const options = { namespace, signal, subresource: 'status' }
    const patched = await this.#context.api.resource<Claim>(claims).patch(name, { type: 'merge', body }, options)
    this.#stores.claims.observe(patched)
    return patched
  }

  #time(): string {
    return formatTime(this.#context.clock.now())
  }
}
