// One driver before the kubelet: its sockets, what it prepared, and the slices that it publishes. Sockets have names of their own each time, so that an
// older agent may serve until it ends, and the kubelet takes the newest.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ResourceSlice } from '#cluster/devices/device-shapes.ts'
import type { Check } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Wake } from '#kube/controllers/wake.ts'
import { longestSocketPath, PluginDirectory } from '#kube/grpc/plugin-directory.ts'
import { liveAgain } from '#kube/grpc/plugin-lives.ts'
import { Registrar } from '#kube/grpc/plugin-registration.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Random } from '#kube/random.ts'
import type { DeviceMetrics } from '../metrics.ts'
import { ClaimService } from './claim-service.ts'
import { draServices, pluginType } from './dra-api.ts'
import type { DraDevice, DraDriverName } from './dra-devices.ts'
import { DraServer, type HealthReport } from './dra-server.ts'
import { PreparedClaims } from './prepared-claims.ts'
import { SlicePublisher } from './slice-publisher.ts'
import type { SliceSettings } from './slices.ts'

const times = {
  /** Calls that run when the driver ends have so long. */
  closeMs: 2_000,
  /** The sockets are looked at so often where nothing tells of them. */
  checkMs: 5_000,
} as const

/** What the driver takes of its surroundings. */
interface DriverOptions {
  readonly name: DraDriverName
  readonly cdiKind: string
  readonly node: string
  readonly api: Api
  readonly slices: Informer<ResourceSlice>
  /** With a folder for each driver. */
  readonly directory: string
  readonly registry: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: DeviceMetrics | undefined
  /** Whether runtimes know a device by its name for CDI. */
  readonly isKnown: (cdiName: string) => boolean
}

/** What a look at the machine found of a driver's devices. */
interface DriverDevices {
  readonly devices: readonly DraDevice[]
  readonly taintEffect: SliceSettings['taintEffect']
  /** How long it holds how devices are. */
  readonly holdsSeconds: number
}

export class DraDriver implements AsyncDisposable {
  readonly #options: DriverOptions
  readonly #stop = new AbortController()
  readonly #wake: Wake
  readonly #store: PreparedClaims
  readonly #claims: ClaimService
  readonly #publisher: SlicePublisher
  readonly #running: Promise<unknown>
  #found: DriverDevices
  #byName: ReadonlyMap<string, DraDevice> = new Map()
  #server: DraServer | undefined
  #isRegistered = false
  #why = ''

  constructor(found: DriverDevices, options: DriverOptions) {
    const { name, node, cdiKind, api, clock, log, directory, isKnown, slices, metrics } = options
    this.#options = options
    this.#found = found
    this.#wake = new Wake(clock)
    this.#store = new PreparedClaims({ directory: preparedIn(directory, name), log })
    this.#claims = new ClaimService({
      driver: name,
      node,
      cdiKind,
      api,
      store: this.#store,
      clock,
      log,
      devices: () => this.#byName,
      isKnown,
      onRefused: () => metrics?.claimsRefused.inc({ driver: name }),
    })
    this.#publisher = new SlicePublisher({ driver: name, node, api, slices, clock, log })
    this.bring(found)
    const { signal } = this.#stop
    this.#running = Promise.all([this.#run(signal), this.#publisher.run(signal)])
  }

  /** From now on these are its devices. */
  bring(found: DriverDevices): void {
    const { name, metrics } = this.#options
    this.#found = found
    this.#byName = new Map(found.devices.map(device => [device.name, device]))
    this.#publisher.want(found)
    this.#server?.say()
    metrics?.claimsPrepared.set({ driver: name }, this.#store.count())
  }

  health(): readonly Check[] {
    const { name } = this.#options
    const registered = this.#why === '' ? 'it waits for the kubelet' : `it waits for the kubelet: ${this.#why}`
    return [
      { name: `claims-${name}`, ok: this.#isRegistered, state: this.#isRegistered ? 'registered' : registered },
      { name: `claims-${name}-devices`, ok: this.#publisher.isPublished, state: this.#publisher.state },
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException('the driver is stopped', 'AbortError'))
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log, random, name } = this.#options
    const wake = this.#wake
    const onEnd = (end: { readonly why: string } | { readonly error: unknown }) => {
      this.#isRegistered = false
      if ('why' in end) log.info({ driver: name, why: end.why }, 'the driver registers again')
      else this.#tell(messageOf(end.error))
    }
    await liveAgain(life => this.#life(life), { clock, random, wake, onEnd }, signal)
    this.#isRegistered = false
  }

  /** From two sockets to what is wrong with them, in words. @throws OutsideError */
  async #life(signal: AbortSignal): Promise<string> {
    const { name: driver, directory, registry, clock, log, random } = this.#options
    const own = join(directory, driver)
    mkdirSync(own, { recursive: true, mode: 0o750 })
    mkdirSync(registry, { recursive: true })
    using sockets = new PluginDirectory({ path: own, clock, log })
    using registrations = new PluginDirectory({ path: registry, clock, log })
    const number = Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')
    const names = { service: `dra-${number}.sock`, registration: `${driver}-${number}-reg.sock` }
    for (const path of [join(own, names.service), join(registry, names.registration)])
      if (Buffer.byteLength(path) > longestSocketPath)
        throw new OutsideError(`${path} has more than the ${longestSocketPath} bytes that the path of a socket may have`)
    await sockets.sweep('dra-', signal)
    await registrations.sweep(`${driver}-`, signal)
    let refusal: string | undefined
    const server = new DraServer(this.#claims, () => this.#health(), signal)
    const registrar = new Registrar({
      type: pluginType,
      name: driver,
      endpoint: join(own, names.service),
      supportedVersions: draServices,
      onStatus: error => {
        refusal = error
        if (error === undefined) this.#registered()
        this.#wake.wake()
      },
    })
    try {
      // The kubelet calls as soon as it finds the second one.
      await server.listen(join(own, names.service))
      await registrar.listen(join(registry, names.registration))
      this.#server = server
      const stamps = { service: sockets.stamp(names.service), registration: registrations.stamp(names.registration) }
      using _service = sockets.onChange(() => this.#wake.wake())
      using _registration = registrations.onChange(() => this.#wake.wake())
      for (;;) {
        signal.throwIfAborted()
        if (refusal !== undefined) throw new OutsideError(`the kubelet does not take the driver: ${refusal}`)
        const isWhole =
          sockets.stamp(names.service) === stamps.service && registrations.stamp(names.registration) === stamps.registration
        if (!isWhole) return 'a socket is gone'
        await this.#wake.wait(times.checkMs, signal)
      }
    } finally {
      this.#server = undefined
      // The kubelet forgets the driver first, and calls that run have their answer.
      registrar.close()
      await server.close(clock.after(times.closeMs))
    }
  }

  /** A kubelet that asks again has started anew, and deletes what is published of its node. */
  #registered(): void {
    const { log, name, metrics } = this.#options
    log.info({ driver: name, devices: this.#byName.size }, 'the kubelet knows the driver')
    metrics?.draRegistrations.inc({ driver: name })
    this.#isRegistered = true
    this.#why = ''
    this.#publisher.allow()
  }

  #health(): HealthReport {
    const { clock, node } = this.#options
    const { devices, holdsSeconds } = this.#found
    return {
      pool: node,
      atSeconds: Math.floor(clock.now() / 1_000),
      holdsSeconds,
      devices: devices.map(({ name, complaint, isWatched }) => ({
        device: name,
        state: complaint !== undefined ? 'unhealthy' : isWatched ? 'healthy' : 'unknown',
        message: complaint?.why ?? '',
      })),
    }
  }

  #tell(why: string): void {
    if (why !== this.#why)
      this.#options.log.warn({ driver: this.#options.name, why }, 'the driver is not registered: it tries again')
    this.#why = why
  }
}

/** Where a driver keeps what it prepared. */
export const preparedIn = (directory: string, driver: string): string => join(directory, driver, 'prepared')
