// Devices by claims: a driver before the kubelet for each kind of device that there is, or that claims still hold.

import type { ResourceSlice } from '#cluster/devices/device-shapes.ts'
import type { Check, NodeContext } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { HostTree } from '#machines/host-tree.ts'
import { CdiFiles } from '../cdi/cdi-files.ts'
import { draCdiFile, isDraFile } from '../cdi/cdi-spec.ts'
import type { DevicesConfig } from '../config.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import type { Complaint } from '../health/card-health.ts'
import type { DeviceMetrics } from '../metrics.ts'
import { draDrivers } from '../names.ts'
import { type DraDevice, type DraDriverName, draDevices } from './dra-devices.ts'
import { DraDriver, preparedIn } from './dra-driver.ts'
import { PreparedClaims } from './prepared-claims.ts'

/** The kubelet's own measure; looks that are rarer hold longer. */
const leastHoldsSeconds = 30

interface DraSurroundings {
  readonly tree: HostTree
  readonly cdiDirectory: string
  readonly draDirectory: string
  readonly draRegistry: string
}

/** What a look at the machine found. */
interface Look {
  readonly devices: readonly FoundDevice[]
  readonly complaints: ReadonlyMap<string, Complaint>
  readonly config: DevicesConfig
}

export class DraDrivers implements AsyncDisposable {
  readonly #context: NodeContext
  readonly #api: Api
  readonly #surroundings: DraSurroundings
  readonly #metrics: DeviceMetrics | undefined
  readonly #stop = new AbortController()
  readonly #informers: Informers
  readonly #drivers = new Map<DraDriverName, DraDriver>()
  #cdi: { readonly files: CdiFiles; readonly groups: boolean } | undefined

  /** @throws Error where the process has no API server */
  constructor(context: NodeContext, surroundings: DraSurroundings, metrics: DeviceMetrics | undefined) {
    const { api, clock, random, log } = context
    if (api === undefined) throw new Error('devices by claims need the API server')
    this.#context = context
    this.#api = api
    this.#surroundings = surroundings
    this.#metrics = metrics
    this.#informers = new Informers(api, { clock, random, log, signal: this.#stop.signal })
  }

  /** Has each driver know its devices, and begins those that are needed now. */
  bring({ devices, complaints, config }: Look): void {
    const { tree } = this.#surroundings
    const found = draDevices(tree, devices, { complaints, config })
    this.#files(config.cdi.groups).bring(
      found.map(({ name, driver, found: device }) => {
        const kind = kindOf(driver)
        return { kind, name, file: draCdiFile({ kind, name }), device }
      }),
    )
    const holdsSeconds = Math.max(leastHoldsSeconds, Math.ceil((3 * durationMs(config.scanInterval)) / 1_000))
    for (const { name, cdiKind } of Object.values(draDrivers)) {
      const own = found.filter(({ driver }) => driver === name)
      const news = { devices: own, taintEffect: config.dra.taintEffect, holdsSeconds }
      const driver = this.#drivers.get(name)
      if (driver !== undefined) driver.bring(news)
      else if (own.length > 0 || this.#hasPrepared(name)) this.#drivers.set(name, this.#begun(news, name, cdiKind))
    }
  }

  health(): readonly Check[] {
    return [...this.#drivers.values()].flatMap(driver => driver.health())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#drivers.values()].map(driver => driver[Symbol.asyncDispose]()))
    this.#drivers.clear()
    this.#stop.abort(new DOMException('the drivers are stopped', 'AbortError'))
    await this.#informers[Symbol.asyncDispose]()
  }

  #begun(
    news: { readonly devices: readonly DraDevice[] } & Parameters<DraDriver['bring']>[0],
    name: DraDriverName,
    cdiKind: string,
  ) {
    const { node, clock, random, log } = this.#context
    const { draDirectory, draRegistry } = this.#surroundings
    return new DraDriver(news, {
      name,
      cdiKind,
      node,
      api: this.#api,
      slices: this.#informers.of<ResourceSlice>(builtIn.resourceslices, { fieldSelector: `spec.nodeName=${node}` }),
      directory: draDirectory,
      registry: draRegistry,
      clock,
      random,
      log,
      metrics: this.#metrics,
      isKnown: cdiName => this.#cdi?.files.has(cdiName) === true,
    })
  }

  /** What an earlier agent prepared is to be taken back, also where the device is gone. */
  #hasPrepared(name: DraDriverName): boolean {
    const { log } = this.#context
    return new PreparedClaims({ directory: preparedIn(this.#surroundings.draDirectory, name), log }).count() > 0
  }

  #files(groups: boolean): CdiFiles {
    if (this.#cdi?.groups !== groups)
      this.#cdi = {
        groups,
        files: new CdiFiles({
          directory: this.#surroundings.cdiDirectory,
          groups,
          log: this.#context.log,
          isOwn: isDraFile,
          without: 'claims cannot be prepared',
        }),
      }
    return this.#cdi.files
  }
}

const kinds = new Map<string, string>(Object.values(draDrivers).map(({ name, cdiKind }) => [name, cdiKind]))
const kindOf = (driver: DraDriverName): string => kinds.get(driver) ?? driver
