// The two sockets of a driver: the one that the kubelet calls for claims and for health, and the one by which it finds the driver.

import { Server, type ServerWritableStream, status } from '@grpc/grpc-js'
import { answering, definition, listenAt, serverLimits } from '#kube/grpc/served-method.ts'
import type { Of } from '#kube/protobuf-message.ts'
import { NoAnswer } from '../allocation/preferred.ts'
import { type ClaimService, mostClaims } from './claim-service.ts'
import { draMethods } from './dra-api.ts'
import type { PreparedClaim } from './prepared-claims.ts'

/** One kubelet opens one stream; a second comes while a restarted one knocks. */
const mostStreams = 16

const healthStates = { unknown: 0, healthy: 1, unhealthy: 2 } as const

/** How a device is. */
interface DeviceHealth {
  readonly device: string
  readonly state: keyof typeof healthStates
  readonly message: string
}

/** How all devices were at one time, in seconds since 1970, and how long that holds. */
export interface HealthReport {
  readonly pool: string
  readonly devices: readonly DeviceHealth[]
  readonly atSeconds: number
  readonly holdsSeconds: number
}

type HealthStream = ServerWritableStream<object, Of<(typeof draMethods)['healthV1']['response']>>

/** Claims and health. */
export class DraServer {
  readonly #server = new Server(serverLimits)
  readonly #streams = new Set<HealthStream>()
  readonly #health: () => HealthReport

  constructor(claims: ClaimService, health: () => HealthReport, signal: AbortSignal) {
    this.#health = health
    for (const methods of [draMethods.v1, draMethods.v1beta1])
      this.#server.addService(
        { NodePrepareResources: definition(methods.prepare), NodeUnprepareResources: definition(methods.unprepare) },
        {
          NodePrepareResources: answering(methods.prepare, async request => {
            const prepared = await claims.prepare(bounded(request.claims), signal)
            return {
              claims: new Map(Array.from(prepared, ([uid, { claim, error }]) => [uid, { devices: onWire(claim), error }])),
            }
          }),
          NodeUnprepareResources: answering(methods.unprepare, async request => {
            const unprepared = await claims.unprepare(bounded(request.claims))
            return { claims: new Map(Array.from(unprepared, ([uid, error]) => [uid, { error }])) }
          }),
        },
      )
    for (const method of [draMethods.healthV1, draMethods.healthV1alpha1])
      this.#server.addService(
        { NodeWatchResources: definition(method, true) },
        { NodeWatchResources: (call: HealthStream) => this.#stream(call) },
      )
  }

  /** Listens at a path. @throws Error where nobody can */
  listen(path: string): Promise<void> {
    return listenAt(this.#server, path)
  }

  /** Says to whoever listens how devices are now. */
  say(): void {
    for (const stream of this.#streams) this.#sayTo(stream)
  }

  /** Ends streams, lets calls that run have their answer, and stops listening; after `limit` they are cut. */
  async close(limit: Promise<void>): Promise<void> {
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.tryShutdown(() => resolve())
    await Promise.race([promise, limit])
    this.#server.forceShutdown()
  }

  #stream(call: HealthStream): void {
    if (this.#streams.size >= mostStreams) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `${mostStreams} streams are open` })
      return
    }
    this.#streams.add(call)
    for (const event of ['cancelled', 'close', 'error', 'finish'] as const) call.on(event, () => this.#streams.delete(call))
    this.#sayTo(call)
  }

  #sayTo(stream: HealthStream): void {
    // What nobody reads is not piled up: the next look says all again.
    if (stream.writableNeedDrain) return
    const { pool, devices, atSeconds, holdsSeconds } = this.#health()
    stream.write({
      devices: devices.map(({ device, state, message }) => ({
        device: { poolName: pool, deviceName: device },
        health: healthStates[state],
        lastUpdatedTime: atSeconds,
        healthCheckTimeoutSeconds: holdsSeconds,
        message,
      })),
    })
  }
}

function bounded<T>(claims: readonly T[]): readonly T[] {
  if (claims.length > mostClaims) throw new NoAnswer(`${claims.length} claims in one call, above ${mostClaims}`)
  return claims
}

function onWire(claim: PreparedClaim | undefined) {
  return (claim?.devices ?? []).map(({ requests, device, cdi, shareId }) => ({
    requestNames: requests,
    poolName: claim?.pool ?? '',
    deviceName: device,
    cdiDeviceIds: cdi,
    shareId,
  }))
}
