// The agent's role: looks at the machine again and again, and has a plugin before the kubelet for each resource that it finds.

import { existsSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Check, NodeContext, Running } from '#coordination/capability.ts'
import { Wake } from '#kube/controllers/wake.ts'
import { PluginDirectory } from '#kube/grpc/plugin-directory.ts'
import { messageOf } from '#kube/log.ts'
import { durationMs } from '#kube/time/duration.ts'
import { HostTree } from '#machines/host-tree.ts'
import { type Allocation, allocate } from './allocation/allocate.ts'
import { kinshipOf, linkedShares } from './allocation/linked.ts'
import { type PreferredQuestion, preferredShares } from './allocation/preferred.ts'
import { CdiFiles } from './cdi/cdi-files.ts'
import { isPluginFile, pluginCdi } from './cdi/cdi-spec.ts'
import type { DevicesConfig } from './config.ts'
import type { FoundDevice } from './discovery/found-device.ts'
import { lookAt, type Machine, type Offer, offersOf } from './discovery/offers.ts'
import type { DraDrivers } from './dra/dra-drivers.ts'
import { DeviceHealth } from './health/device-health.ts'
import { DeviceUses } from './health/device-use.ts'
import { type DeviceMetrics, deviceMetrics } from './metrics.ts'
import { cdiDirectory, draDirectory, draRegistry, pluginDirectory } from './names.ts'
import { FolderTeller, folderTrouble } from './plugin/folder-trouble.ts'
import type { PluginAnswers } from './plugin/plugin-server.ts'
import { ResourcePlugin } from './plugin/resource-plugin.ts'

/** Where a pod has the host's directories. */
const podPrefix = '/host-'

/** Where the machine and the kubelet are. */
interface DevicesSurroundings {
  readonly tree: HostTree
  readonly pluginDirectory: string
  readonly cdiDirectory: string
  readonly draDirectory: string
  readonly draRegistry: string
  /** An agent on the same node comes first: this is a program in a DaemonSet. */
  readonly isStandIn?: boolean
}

/** This machine; with `prefix` what lies below it in its place. */
export function thisMachine(prefix = ''): DevicesSurroundings {
  const found = existsSync(`${podPrefix}sys`) ? podPrefix : '/'
  const tree = new HostTree({ hostPrefix: prefix === '' ? found : `${prefix}/`, ownRoot: '/' })
  return { tree, pluginDirectory, cdiDirectory, draDirectory, draRegistry }
}

/** Serves what is there until it is disposed of. What containers have they keep. */
export async function startDevices(
  context: NodeContext,
  config: DevicesConfig,
  outer: AbortSignal,
  surroundings: DevicesSurroundings = thisMachine(),
): Promise<Running<DevicesConfig>> {
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  if (config.dra.enabled && context.api === undefined) throw new Error('devices by claims (dra.enabled) need the API server')
  const agent = new DevicesAgent(context, config, surroundings)
  const running = agent.run(signal)
  return {
    health: () => agent.health(),
    reconfigure: async next => {
      // Claims bring sockets and watches of their own.
      if (next.dra.enabled !== config.dra.enabled) return 'restart-part'
      agent.reconfigure(next)
      return 'applied'
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('the plugins are stopped', 'AbortError'))
      await running
    },
  }
}

class DevicesAgent {
  readonly #context: NodeContext
  readonly #surroundings: DevicesSurroundings
  readonly #metrics: DeviceMetrics | undefined
  readonly #plugins = new Map<string, ResourcePlugin>()
  readonly #health: DeviceHealth
  readonly #uses = new DeviceUses()
  readonly #wake: Wake
  readonly #folder: FolderTeller
  #config: DevicesConfig
  #machine: Machine = { devices: [], passedOver: [], compute: [], firmware: new Map() }
  #cdi: CdiFiles
  #hasLooked = false
  #drivers: DraDrivers | undefined

  constructor(context: NodeContext, config: DevicesConfig, surroundings: DevicesSurroundings) {
    this.#context = context
    this.#config = config
    this.#surroundings = surroundings
    this.#metrics = context.metrics === undefined ? undefined : deviceMetrics(context.metrics)
    this.#health = new DeviceHealth(surroundings.tree, context)
    this.#wake = new Wake(context.clock)
    this.#folder = new FolderTeller(context)
    this.#cdi = this.#cdiFiles()
  }

  reconfigure(config: DevicesConfig): void {
    this.#config = config
    this.#cdi = this.#cdiFiles()
    this.#wake.wake()
  }

  health(): readonly Check[] {
    const checks = [...this.#plugins.values()].map(({ resource, isWell, state }) => ({
      name: `device-plugin-${resource}`,
      ok: isWell,
      state,
    }))
    const count = this.#machine.devices.length
    return [
      { name: 'devices', ok: this.#hasLooked, state: this.#hasLooked ? `${count} devices` : 'it has not looked yet' },
      ...checks,
      ...(this.#drivers?.health() ?? []),
    ]
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    using directory = new PluginDirectory({ path: this.#surroundings.pluginDirectory, clock, log })
    try {
      if (this.#config.dra.enabled) {
        const { DraDrivers } = await import('./dra/dra-drivers.ts')
        this.#drivers = new DraDrivers(this.#context, this.#surroundings, this.#metrics)
      }
      while (!signal.aborted) {
        await this.#look(directory, signal)
        await this.#wake.wait(durationMs(this.#config.scanInterval), signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      await Promise.all([...this.#plugins.values()].map(plugin => plugin[Symbol.asyncDispose]()))
      this.#plugins.clear()
      await this.#drivers?.[Symbol.asyncDispose]()
      await this.#health[Symbol.asyncDispose]()
    }
  }

  async #look(directory: PluginDirectory, signal: AbortSignal): Promise<void> {
    const config = this.#config
    const windows = await this.#health.windowsGpus(config, signal)
    const machine = lookAt(this.#surroundings.tree, config, windows)
    this.#tellChanges(machine)
    this.#machine = machine
    const complaints = await this.#health.look(machine, config, signal)
    if (config.cdi.enabled)
      this.#cdi.bring(
        machine.devices.flatMap(device => {
          const name = pluginCdi(device)
          return name === undefined ? [] : [{ ...name, device }]
        }),
      )
    this.#drivers?.bring({ devices: machine.devices, complaints, config })
    const offers = offersOf(machine, config, new Set(complaints.keys()))
    const { pluginDirectory: folder } = this.#surroundings
    const trouble = offers.size === 0 ? undefined : folderTrouble(folder)
    if (trouble !== undefined) await this.#folder.tell(folder, trouble)
    this.#metrics?.offered(offers)
    this.#metrics?.used(this.#uses.look(this.#surroundings.tree, machine.devices, this.#context.clock.elapsed()))
    for (const [resource, offer] of offers) {
      const plugin = this.#plugins.get(resource)
      if (plugin !== undefined) plugin.offer(offer)
      else this.#plugins.set(resource, this.#plugin(offer, directory))
    }
    const gone = [...this.#plugins].filter(([resource]) => !offers.has(resource))
    await Promise.all(
      gone.map(async ([resource, plugin]) => {
        this.#plugins.delete(resource)
        this.#context.log.info({ resource }, 'the last device of a resource is gone')
        await plugin[Symbol.asyncDispose]()
      }),
    )
    this.#hasLooked = true
  }

  #plugin(offer: Offer, directory: PluginDirectory): ResourcePlugin {
    const { clock, log, random } = this.#context
    return new ResourcePlugin(offer, current => this.#answers(current), {
      directory,
      clock,
      log,
      random,
      metrics: this.#metrics,
      isStandIn: this.#surroundings.isStandIn,
    })
  }

  #answers(current: () => Offer): PluginAnswers {
    return {
      shares: () => current().shares.values(),
      preferred: question => this.#preferred(current(), question),
      allocate: ids => this.#allocate(current(), ids),
    }
  }

  #preferred({ policy, shares }: Offer, question: PreferredQuestion): readonly string[] {
    const { onePhysicalPerContainer } = this.#config
    if (policy !== 'links') return preferredShares(question, policy, onePhysicalPerContainer)
    return linkedShares(question, shares, kinshipOf(this.#machine.devices, this.#machine.compute), onePhysicalPerContainer)
  }

  #allocate(offer: Offer, ids: readonly string[]): Allocation {
    const { resource } = offer
    const end = this.#metrics?.allocateSeconds.startTimer({ resource })
    try {
      const allocation = allocate(offer, ids)
      const cdi = allocation.cdi.filter(name => this.#cdi.has(name))
      this.#context.log.debug({ resource, ids, cdi }, 'a container gets devices')
      return { ...allocation, cdi }
    } catch (error) {
      this.#metrics?.refusals.inc({ resource })
      this.#context.log.warn({ resource, ids, why: messageOf(error) }, 'the kubelet asked for devices that it cannot have')
      throw error
    } finally {
      end?.()
    }
  }

  #cdiFiles(): CdiFiles {
    return new CdiFiles({
      directory: this.#surroundings.cdiDirectory,
      groups: this.#config.cdi.groups,
      log: this.#context.log,
      isOwn: isPluginFile,
      without: 'containers get devices without',
    })
  }

  #tellChanges({ devices, passedOver }: Machine): void {
    const { log } = this.#context
    const before = new Map(this.#machine.devices.map(device => [device.id, device]))
    for (const device of devices) {
      if (!isDeepStrictEqual(before.get(device.id), device)) log.info(about(device), 'a device is there')
      before.delete(device.id)
    }
    for (const device of before.values()) log.info(about(device), 'a device is gone')
    const known = new Set(this.#machine.passedOver.map(({ id, reason }) => `${id} ${reason}`))
    for (const { id, reason } of passedOver)
      if (!known.has(`${id} ${reason}`)) log.info({ id, reason }, 'a device is not offered')
  }
}

function about({ id, resource, pciId, shares, nodes }: FoundDevice) {
  return { id, resource, pciId, shares, files: nodes.map(({ path }) => path) }
}
