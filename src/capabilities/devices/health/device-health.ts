// How devices are, by everybody whom the configuration has asked: the kernel's files, the compute driver, sidecars. Who cannot be heard says nothing: no device
// is lost by it, and no look waits for longer than a question has.

import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { HostTree } from '#machines/host-tree.ts'
import type { DevicesConfig } from '../config.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import type { Machine } from '../discovery/offers.ts'
import { AmdExporter } from './amd-exporter.ts'
import { type Complaint, complaintOf, computeComplaint, Steadied } from './card-health.ts'
import { LevelZero } from './level-zero.ts'
import { Xpumd } from './xpumd.ts'

const unknownComplaint: Complaint = { why: 'it was not well before', about: ['driver'] }

export class DeviceHealth implements AsyncDisposable {
  readonly #tree: HostTree
  readonly #context: { readonly clock: Clock; readonly log: Log }
  readonly #steadied = new Steadied()
  readonly #exporter: AmdExporter
  #xpumd: Xpumd | undefined
  #indices: readonly number[] = []
  #toldIll: ReadonlyMap<string, Complaint> = new Map()

  constructor(tree: HostTree, context: { readonly clock: Clock; readonly log: Log }) {
    this.#tree = tree
    this.#context = context
    this.#exporter = new AmdExporter(context)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#xpumd?.[Symbol.asyncDispose]()
  }

  /** GPUs of Windows below Linux by their numbers; those that were said last while nobody says any. */
  async windowsGpus({ gpu }: DevicesConfig, signal: AbortSignal): Promise<readonly number[]> {
    if (!gpu.wsl) return []
    using sidecar = new LevelZero(gpu.levelZeroSocket, this.#context)
    this.#indices = (await sidecar.indices(signal)) ?? this.#indices
    return this.#indices
  }

  /** What is wrong with devices, by their ids; those that are well are not among them. */
  async look(machine: Machine, config: DevicesConfig, signal: AbortSignal): Promise<ReadonlyMap<string, Complaint>> {
    const { gpu, amd } = config
    const complaints = new Map<string, Complaint | undefined>()
    const asked = new Map<string, Complaint>()
    const compute = amd.health === 'none' ? undefined : computeComplaint(machine.compute)
    const { tempLimit, gpuTempLimit, memoryTempLimit } = gpu
    const limits = {
      intel: { other: tempLimit, gpu: gpuTempLimit, memory: memoryTempLimit },
      amd: { other: amd.tempLimit, gpu: amd.tempLimit, memory: amd.tempLimit },
    }
    const xpumd = await this.#listening(gpu)
    const exported = amd.exporter.enabled ? await this.#exporter.look(amd.exporter.socket, signal) : undefined
    using sidecar = gpu.health === 'level-zero' ? new LevelZero(gpu.levelZeroSocket, this.#context) : undefined
    const look = async (device: FoundDevice) => {
      const { id, vendor, address } = device
      const way = vendor === 'amd' ? amd.health : gpu.health
      if (way === 'sysfs') complaints.set(id, complaintOf(this.#tree, device, limits[vendor]))
      // What upstream's plugins go by counts at once, as it does there.
      const why =
        vendor === 'amd'
          ? exported?.has(id) === true
            ? exported.get(id)
            : compute
          : address === undefined
            ? undefined
            : (xpumd?.complaintOf(address) ?? (await sidecar?.complaintOf(address, gpu, signal)))
      if (why !== undefined) asked.set(id, why)
    }
    // Side by side: a sidecar that does not answer holds up a look for one card's time, not for that of all.
    await Promise.all(machine.devices.filter(({ kind }) => kind === 'gpu').map(look))
    const ids = new Set([...asked.keys(), ...this.#steadied.look(complaints)])
    // Who is well again at this look, and not yet for long enough, has the complaint of before.
    const said = (id: string) => asked.get(id) ?? complaints.get(id) ?? this.#toldIll.get(id) ?? unknownComplaint
    const ill = new Map(Array.from(ids, id => [id, said(id)]))
    this.#tellIll(ill)
    return ill
  }

  /** The daemon that the configuration names now is listened to, and no other. */
  async #listening({ xpumd: { enabled, socket } }: DevicesConfig['gpu']): Promise<Xpumd | undefined> {
    if (this.#xpumd !== undefined && (!enabled || this.#xpumd.socket !== socket)) {
      await this.#xpumd[Symbol.asyncDispose]()
      this.#xpumd = undefined
    }
    if (enabled) this.#xpumd ??= new Xpumd(socket, this.#context)
    return this.#xpumd
  }

  #tellIll(ill: ReadonlyMap<string, Complaint>): void {
    const { log } = this.#context
    for (const [id, { why }] of ill) if (!this.#toldIll.has(id)) log.warn({ id, why }, 'a device is unhealthy')
    for (const id of this.#toldIll.keys()) if (!ill.has(id)) log.info({ id }, 'a device is healthy again')
    this.#toldIll = ill
  }
}
