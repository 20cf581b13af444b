// The sidecar's work on contents: the driver makes, looks up and deletes snapshots. Before it is asked to make one the content says so, and until it has said
// how that ended nobody lets the content go: so a snapshot is never left behind that nobody knows of.

import { removeFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import { goQuote } from '#kube/objects/field-error.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import { formatTime } from '#kube/time/time.ts'
import { controllerCapabilities } from '../../csi/messages.ts'
import { controllerMethods } from '../../csi/methods.ts'
import { type Credentials, credentialsOf, noCredentials } from '../credentials.ts'
import { DriverError, mayStillRunOrLack } from '../driver/driver-error.ts'
import { again, type DriverContext, done, type Tell, teller, type Worked } from '../job.ts'
import { driverParameters, listSecret } from './class-parameters.ts'
import { decideContent, type SnapshotFacts, snapshotName, statusChange } from './content-decision.ts'
import type { SnapshotSettings } from './settings.ts'
import { type Content, contents, isReady, type SnapshotClass, snapshotAnnotations, snapshotFinalizers } from './snapshot-kinds.ts'

interface ContentStores {
  readonly contents: Informer<Content>
  readonly classes: Informer<SnapshotClass>
}

/** How a failure is told. */
interface Failure {
  readonly reason: string
  readonly prefix: string
}
const firstFailure: Failure = { reason: 'SnapshotCreationFailed', prefix: 'Failed to create snapshot' }
const laterFailure: Failure = {
  reason: 'SnapshotContentCheckandUpdateFailed',
  prefix: 'Failed to check and update snapshot content',
}

export class Snapshotter {
  readonly #context: DriverContext
  readonly #settings: SnapshotSettings
  readonly #stores: ContentStores
  readonly #tell: Tell

  constructor(context: DriverContext, settings: SnapshotSettings, stores: ContentStores) {
    this.#context = context
    this.#settings = settings
    this.#stores = stores
    this.#tell = teller(context, `csi-snapshotter ${context.driver.name}`)
  }

  /** Does what there is to do for the content of that name. */
  async work(name: string, signal: AbortSignal): Promise<Worked> {
    const content = this.#stores.contents.store.get(undefined, name)
    if (content === undefined) return done
    const decision = decideContent(content, this.#context.driver.name, className =>
      this.#stores.classes.store.get(undefined, className),
    )
    switch (decision.kind) {
      case 'leave':
        return done
      case 'ready':
        await this.#unmark(content, signal)
        return done
      case 'release':
        return await this.#release(content, decision.handle, signal)
      case 'make':
        return await this.#told(content, decision.isFirst ? firstFailure : laterFailure, signal, () =>
          this.#make(content, signal),
        )
      case 'look-up':
        return await this.#told(content, laterFailure, signal, () => this.#lookUp(content, decision.handle, signal))
    }
  }

  /** Does `work`, and says on the content why it failed. */
  async #told(content: Content, { reason, prefix }: Failure, signal: AbortSignal, work: () => Promise<Content>): Promise<Worked> {
    try {
      const now = await work()
      return isReady(now) ? done : again(`the snapshot of ${content.metadata.name} is not ready yet`)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const note = `${prefix}: ${messageOf(error)}`
      await this.#sayError(content, reason, note, signal)
      return again(note)
    }
  }

  async #make(before: Content, signal: AbortSignal): Promise<Content> {
    const { name } = before.metadata
    const { volumeHandle = '' } = before.spec.source
    const input = await this.#inputFor(before, signal)
    const content = await this.#mark(before, signal)
    const parameters = driverParameters(input.snapshotClass.parameters ?? {}, this.#settings.tellsNames ? content : undefined)
    if (!parameters.ok) throw new OutsideError(parameters.why)
    const { uid = '' } = content.spec.volumeSnapshotRef
    if (uid === '')
      throw new OutsideError(
        failedToTake(volumeHandle, `cannot create snapshot. Snapshot content ${name} not bound to a snapshot`),
      )
    const { link } = this.#context
    await link.ready(signal)
    try {
      const request = {
        sourceVolumeId: volumeHandle,
        name: snapshotName(uid, this.#settings),
        secrets: input.credentials,
        parameters: parameters.value,
      }
      const { snapshot } = await link.call(controllerMethods.createSnapshot, request, this.#calling(signal))
      if (snapshot === undefined) throw new OutsideError(failedToTake(volumeHandle, 'the driver answered without a snapshot'))
      const { snapshotId, isReadyToUse, sizeBytes, creationTime } = snapshot
      const created =
        creationTime === undefined ? undefined : BigInt(creationTime.seconds) * 1_000_000_000n + BigInt(creationTime.nanos)
      const facts = { handle: snapshotId, isReady: isReadyToUse, createdNanos: created ?? this.#nowNanos(), bytes: sizeBytes }
      return await this.#unmark(await this.#sayFacts(content, facts, signal), signal)
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      // The driver has answered: nothing is under way any more.
      if (!mayStillRunOrLack(error)) await this.#unmark(content, signal)
      throw new OutsideError(failedToTake(volumeHandle, error.message))
    }
  }

  async #inputFor(
    content: Content,
    signal: AbortSignal,
  ): Promise<{ readonly snapshotClass: SnapshotClass; readonly credentials: Credentials }> {
    const failed = (why: string) =>
      new OutsideError(`failed to get input parameters to create snapshot for content ${content.metadata.name}: ${goQuote(why)}`)
    const { volumeSnapshotClassName: className } = content.spec
    if (className === undefined) throw failed(`failed to take snapshot ${content.metadata.name} without a snapshot class`)
    const snapshotClass = this.#stores.classes.store.get(undefined, className)
    if (snapshotClass === undefined) throw failed(classNotFound(className))
    const credentials = await this.#credentials(content, signal)
    if (typeof credentials === 'string') throw failed(credentials)
    return { snapshotClass, credentials }
  }

  async #lookUp(content: Content, handle: string, signal: AbortSignal): Promise<Content> {
    const { name } = content.metadata
    const { driver, link, api } = this.#context
    let credentials = noCredentials
    const { volumeSnapshotClassName: className } = content.spec
    if (className !== undefined) {
      const snapshotClass = this.#stores.classes.store.get(undefined, className)
      if (snapshotClass === undefined)
        throw new OutsideError(
          `failed to get snapshot class ${className} for snapshot content ${name}: ${classNotFound(className)}`,
        )
      const reference = listSecret(snapshotClass.parameters ?? {}, name)
      if (!reference.ok) throw new OutsideError(`failed to get secret reference for snapshot content ${name}: ${reference.why}`)
      try {
        credentials = await credentialsOf(api, reference.value, signal)
      } catch (error) {
        signal.throwIfAborted()
        throw new OutsideError(`failed to get credentials for snapshot content ${name}: ${messageOf(error)}`)
      }
    }
    // A driver that lists no snapshots cannot be asked: it counts as there and ready.
    const unasked = { handle, isReady: true, createdNanos: this.#nowNanos(), bytes: 0n }
    if (!driver.can.has(controllerCapabilities.LIST_SNAPSHOTS)) return await this.#sayFacts(content, unasked, signal)
    await link.ready(signal)
    const notListed = (why: string) => new OutsideError(`failed to list snapshot for content ${name}: ${goQuote(why)}`)
    try {
      const { entries } = await link.call(
        controllerMethods.listSnapshots,
        { snapshotId: handle, secrets: credentials },
        this.#calling(signal),
      )
      const snapshot = entries[0]?.snapshot
      if (snapshot === undefined) throw notListed(`can not find snapshot for snapshotID ${handle}`)
      const { creationTime, sizeBytes, isReadyToUse } = snapshot
      const created =
        creationTime === undefined ? undefined : BigInt(creationTime.seconds) * 1_000_000_000n + BigInt(creationTime.nanos)
      const facts = { handle, isReady: isReadyToUse, createdNanos: created ?? this.#nowNanos(), bytes: sizeBytes }
      return await this.#sayFacts(content, facts, signal)
    } catch (error) {
      if (error instanceof DriverError) throw notListed(error.message)
      throw error
    }
  }

  async #release(content: Content, handle: string | undefined, signal: AbortSignal): Promise<Worked> {
    if (handle !== undefined) {
      const why = await this.#deleteInDriver(content, handle, signal)
      if (why !== undefined) return again(why)
    }
    await removeFinalizer(this.#api, content, snapshotFinalizers.content, { signal })
    return done
  }

  /** Why the snapshot is still there, or the content still says so. */
  async #deleteInDriver(content: Content, handle: string, signal: AbortSignal): Promise<string | undefined> {
    const { link } = this.#context
    const failed = (note: string, why: string): string => {
      this.#tell(content, 'Warning', 'SnapshotDeleteError', note)
      return why
    }
    const credentials = await this.#credentials(content, signal)
    if (typeof credentials === 'string') return failed('Failed to get snapshot credentials', credentials)
    await link.ready(signal)
    try {
      await link.call(controllerMethods.deleteSnapshot, { snapshotId: handle, secrets: credentials }, this.#calling(signal))
    } catch (error) {
      if (!(error instanceof DriverError)) throw error
      return failed('Failed to delete snapshot', `failed to delete snapshot content ${content.metadata.name}: ${error.message}`)
    }
    try {
      const status = { snapshotHandle: null, readyToUse: null, creationTime: null, restoreSize: null }
      await this.#patch(content, { status }, signal, 'status')
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return failed('Failed to clear content status', messageOf(error))
    }
  }

  /** What the content's Secret holds, or why that is not known. */
  async #credentials({ metadata }: Content, signal: AbortSignal): Promise<Credentials | string> {
    const { [snapshotAnnotations.deletionSecretName]: name, [snapshotAnnotations.deletionSecretNamespace]: namespace } =
      metadata.annotations ?? {}
    if (name === undefined || namespace === undefined) return noCredentials
    if (name === '' || namespace === '')
      return `cannot retrieve secrets for snapshot content "${metadata.name}", err: secret name or namespace not specified`
    try {
      return await credentialsOf(this.#context.api, { name, namespace }, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      this.#context.log.warn({ content: metadata.name, why: messageOf(error) }, 'the Secret of a snapshot cannot be read')
      return `cannot get credentials for snapshot content "${metadata.name}"`
    }
  }

  async #mark(content: Content, signal: AbortSignal): Promise<Content> {
    if (content.metadata.annotations?.[snapshotAnnotations.beingCreated] !== undefined) return content
    return await this.#patch(content, { metadata: { annotations: { [snapshotAnnotations.beingCreated]: 'yes' } } }, signal)
  }

  async #unmark(content: Content, signal: AbortSignal): Promise<Content> {
    if (content.metadata.annotations?.[snapshotAnnotations.beingCreated] === undefined) return content
    return await this.#patch(content, { metadata: { annotations: { [snapshotAnnotations.beingCreated]: null } } }, signal)
  }

  async #sayFacts(content: Content, facts: SnapshotFacts, signal: AbortSignal): Promise<Content> {
    const fresh = await this.#api.get(content.metadata.name, { signal })
    const status = statusChange(fresh, facts)
    return status === undefined ? fresh : await this.#patch(fresh, { status }, signal, 'status')
  }

  /** Says it once: what is said already stays as it is. */
  async #sayError(content: Content, reason: string, message: string, signal: AbortSignal): Promise<void> {
    const known = this.#stores.contents.store.get(undefined, content.metadata.name) ?? content
    if (known.status?.error?.message === message) return
    this.#tell(content, 'Warning', reason, message)
    try {
      await this.#patch(
        content,
        { status: { readyToUse: false, error: { time: formatTime(this.#context.clock.now()), message } } },
        signal,
        'status',
      )
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      this.#context.log.warn(
        { content: content.metadata.name, why: messageOf(error) },
        'the content cannot be told what is wrong',
      )
    }
  }

  async #patch(content: Content, body: object, signal: AbortSignal, subresource?: 'status'): Promise<Content> {
    const options = { signal, ...(subresource === undefined ? {} : { subresource }) }
    const patched = await this.#api.patch(content.metadata.name, { type: 'merge', body }, options)
    this.#stores.contents.observe(patched)
    return patched
  }

  get #api() {
    return this.#context.api.resource<Content>(contents)
  }

  #calling(signal: AbortSignal) {
    return { limitMs: this.#settings.timeoutMs, signal, guard: this.#context.assertLeading }
  }

  #nowNanos(): bigint {
    return BigInt(Math.floor(this.#context.clock.now())) * 1_000_000n
  }
}

const failedToTake = (volume: string, why: string): string => `failed to take snapshot of the volume ${volume}: ${goQuote(why)}`

/** As an informer of client-go says it. */
export const classNotFound = (name: string): string => `volumesnapshotclass.snapshot.storage.k8s.io "${name}" not found`
