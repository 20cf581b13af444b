// Publishes the slices of one driver on this node, and holds them against whoever changes or deletes them: a kubelet that starts deletes all of its node.

import { createHash } from 'node:crypto'
import type { Device, ResourceSlice } from '#cluster/devices/device-shapes.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Wake } from '#kube/controllers/wake.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { DraDevice } from './dra-devices.ts'
import { type SliceSettings, type SliceWrites, slicedDevices, sliceWrites } from './slices.ts'

const times = {
  /** What others did is undone after so long, doubled while they go on. */
  firstForeignMs: 1_000,
  lastForeignMs: 30_000,
  /** Others that did nothing for so long have stopped. */
  quietMs: 60_000,
  firstRetryMs: 1_000,
  lastRetryMs: 30_000,
  /** It is looked at besides, for changes that nobody told of. */
  checkMs: 600_000,
} as const

const fieldManager = 'ballast-devices'

interface PublisherOptions {
  readonly driver: string
  readonly node: string
  readonly api: Api
  readonly slices: Informer<ResourceSlice>
  readonly clock: Clock
  readonly log: Log
}

/** What is to be published. */
interface Wanted {
  readonly devices: readonly DraDevice[]
  readonly taintEffect: SliceSettings['taintEffect']
}

interface Sent {
  readonly resourceVersion: string
  readonly hash: string
}

export class SlicePublisher {
  readonly #options: PublisherOptions
  readonly #wake: Wake
  /** What the server made of what it was sent, by name: it may have kept less. */
  readonly #sent = new Map<string, Sent>()
  readonly #told = new Set<string>()
  #wanted: Wanted | undefined
  #isAllowed = false
  #isDue = true
  #foreignAtMs: number | undefined
  #foreignMs: number = times.firstForeignMs
  #undoneAtMs = Number.NEGATIVE_INFINITY
  #keepsTaints = true
  #state = 'it waits for the kubelet'
  #isPublished = false

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#wake = new Wake(options.clock)
  }

  get isPublished(): boolean {
    return this.#isPublished
  }

  get state(): string {
    return this.#state
  }

  /** From now on this is to be published. */
  want(wanted: Wanted): void {
    this.#wanted = wanted
    this.#isDue = true
    this.#wake.wake()
  }

  /** Nothing is written before the kubelet knows the driver: pods would come that nobody prepares. A call means that all is to be looked at anew. */
  allow(): void {
    this.#isAllowed = true
    this.#isDue = true
    this.#wake.wake()
  }

  /** Until `signal` is aborted. What is published stays: another agent takes it over, or the kubelet deletes it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, slices, driver } = this.#options
    const stop = slices.onChange(({ object, type }) => {
      const { spec, metadata } = object
      if (spec.driver !== driver) return
      const isOurs = type !== 'DELETED' && this.#sent.get(metadata.name)?.resourceVersion === metadata.resourceVersion
      if (!isOurs) this.#changed()
    })
    try {
      let failures = 0
      while (!signal.aborted) {
        const dueMs = this.#dueMs()
        const nowMs = clock.elapsed()
        if (dueMs > nowMs) {
          await this.#wake.wait(Math.max(1, Math.ceil(Math.min(dueMs - nowMs, times.checkMs))), signal)
          if (this.#dueMs() === Number.POSITIVE_INFINITY && clock.elapsed() - nowMs >= times.checkMs) this.#isDue = true
          continue
        }
        failures = (await this.#bring(signal)) ? 0 : failures + 1
        if (failures > 0)
          await clock.after(Math.min(times.lastRetryMs, times.firstRetryMs * 2 ** Math.min(failures - 1, 10)), signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      stop()
    }
  }

  /** When there is something to look at. */
  #dueMs(): number {
    if (!this.#isAllowed || this.#wanted === undefined) return Number.POSITIVE_INFINITY
    if (this.#isDue) return 0
    return this.#foreignAtMs === undefined ? Number.POSITIVE_INFINITY : this.#foreignAtMs + this.#foreignMs
  }

  #changed(): void {
    if (this.#foreignAtMs !== undefined) return
    this.#foreignAtMs = this.#options.clock.elapsed()
    this.#wake.wake()
  }

  /** @returns whether all is as it should be now */
  async #bring(signal: AbortSignal): Promise<boolean> {
    const { clock, log, driver } = this.#options
    const wanted = this.#wanted
    const isForeign = this.#foreignAtMs !== undefined && !this.#isDue
    this.#isDue = false
    this.#foreignAtMs = undefined
    if (wanted === undefined) return true
    try {
      const written = await this.#write(wanted, signal)
      if (written > 0)
        log.info({ driver, slices: written, devices: wanted.devices.length }, 'the devices of the node are published')
      if (isForeign && written > 0) this.#undone(clock.elapsed())
      this.#isPublished = true
      this.#state = `${wanted.devices.length} devices are published`
      return true
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const why = messageOf(error)
      const state = `the devices are not published, tried again: ${why}`
      if (state !== this.#state) log.warn({ driver, why }, 'the devices of the node are not published, tried again')
      this.#state = state
      this.#isDue = true
      return false
    }
  }

  /** Two that undo each other's work get slower and slower. */
  #undone(nowMs: number): void {
    const isFight = nowMs - this.#undoneAtMs < times.quietMs
    this.#foreignMs = isFight ? Math.min(times.lastForeignMs, this.#foreignMs * 2) : times.firstForeignMs
    this.#undoneAtMs = nowMs
  }

  /** @returns how many slices were written or deleted. @throws StatusError, ConnectionError */
  async #write({ devices, taintEffect }: Wanted, signal: AbortSignal): Promise<number> {
    const { api, driver, node, slices } = this.#options
    const resource = api.resource<ResourceSlice>(builtIn.resourceslices)
    const list = await resource.list({ fieldSelector: `spec.nodeName=${node},spec.driver=${driver}`, signal })
    const settings = { driver, node, taintEffect, keepsTaints: this.#keepsTaints }
    const wanted = slicedDevices(devices, settings)
    if (list.items.length === 0 && wanted.length === 0) return 0
    const owner = await this.#owner(signal)
    const isAsSent = ({ metadata }: ResourceSlice, sent: readonly Device[]) => {
      const known = this.#sent.get(metadata.name)
      return known !== undefined && known.resourceVersion === metadata.resourceVersion && known.hash === hashOf(sent)
    }
    const writes = sliceWrites(list.items, { ...settings, devices: wanted, owner, isAsSent })
    if (writes === undefined) return 0
    await this.#deleteAll(writes.deletes, signal)
    for (const slice of writes.puts) {
      const isThere = slice.metadata.resourceVersion !== undefined
      const made = await resource[isThere ? 'update' : 'create'](slice, { fieldManager, signal })
      const { name, resourceVersion = '' } = made.metadata
      this.#sent.set(name, { resourceVersion, hash: hashOf(withoutTimes(slice.spec.devices ?? [])) })
      slices.observe(made)
      this.#compare(slice, made)
    }
    return writes.deletes.length + writes.puts.length
  }

  async #deleteAll(deletes: SliceWrites['deletes'], signal: AbortSignal): Promise<void> {
    const resource = this.#options.api.resource<ResourceSlice>(builtIn.resourceslices)
    for (const { metadata } of deletes) {
      const { name, uid } = metadata
      this.#sent.delete(name)
      try {
        await resource.delete(name, { signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
      } catch (error) {
        // Somebody else was faster.
        if (!isNotFound(error)) throw error
      }
    }
  }

  /** Servers leave out what a gate of theirs switches off, without a word. */
  #compare({ spec: { devices: sent = [] } }: ResourceSlice, { spec: { devices: kept = [] } }: ResourceSlice): void {
    const lacks = (field: 'taints' | 'allowMultipleAllocations') =>
      sent.some((device, at) => device[field] !== undefined && kept[at]?.[field] === undefined)
    if (lacks('allowMultipleAllocations'))
      this.#tellOnce('the API server does not know shared devices (gate DRAConsumableCapacity): one claim gets all of a device')
    if (!lacks('taints')) return
    this.#tellOnce('the API server does not know taints of devices (gate DRADeviceTaints): unhealthy ones are not published')
    this.#keepsTaints = false
    this.#isDue = true
  }

  #tellOnce(what: string): void {
    if (this.#told.has(what)) return
    this.#told.add(what)
    this.#options.log.warn({ driver: this.#options.driver }, what)
  }

  /** The slices go with their node. It is asked anew, since a node of the same name may be another one. */
  async #owner(signal: AbortSignal): Promise<OwnerReference> {
    const { api, node } = this.#options
    const { metadata } = await api.resource<KubeObject>(builtIn.nodes).get(node, { signal })
    return { apiVersion: 'v1', kind: 'Node', name: node, uid: metadata.uid ?? '', controller: true }
  }
}

function withoutTimes(devices: readonly Device[]): readonly Device[] {
  return devices.map(device =>
    device.taints === undefined
      ? device
      : {
          ...device,
          taints: device.taints.map(({ key, value, effect }) => ({ key, effect, ...(value === undefined ? {} : { value }) })),
        },
  )
}

const hashOf = (devices: readonly Device[]): string => createHash('sha256').update(JSON.stringify(devices)).digest('hex')
