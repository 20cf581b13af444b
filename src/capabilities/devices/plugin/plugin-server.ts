// A resource's server, which the kubelet calls: one socket, for as long as nothing is wrong with it. It answers from what is offered now.

import { Server, type ServerWritableStream, status } from '@grpc/grpc-js'
import { answering, definition, listenAt, serverLimits } from '#kube/grpc/served-method.ts'
import type { Of } from '#kube/protobuf-message.ts'
import type { Allocation } from '../allocation/allocate.ts'
import type { PreferredQuestion } from '../allocation/preferred.ts'
import type { Share } from '../discovery/offers.ts'
import { pluginMethods } from './plugin-api.ts'

/** One kubelet opens one stream; a second comes while a restarted one knocks. */
const mostStreams = 16

/** What a server asks before it answers. */
export interface PluginAnswers {
  /** All ids, with health and NUMA nodes. */
  shares(): Iterable<Share>
  /** @throws NoAnswer */
  preferred(question: PreferredQuestion): readonly string[]
  /** @throws NoAnswer */
  allocate(ids: readonly string[]): Allocation
}

type DeviceList = Of<(typeof pluginMethods)['listAndWatch']['response']>

export class PluginServer {
  readonly #server: Server
  readonly #answers: PluginAnswers
  readonly #streams = new Set<ServerWritableStream<object, DeviceList>>()
  readonly #onStreams: () => void

  /** `onStreams` is called when the kubelet opened a stream, or ended one. */
  constructor(answers: PluginAnswers, onStreams: () => void) {
    this.#answers = answers
    this.#onStreams = onStreams
    this.#server = new Server(serverLimits)
    this.#server.addService(
      {
        GetDevicePluginOptions: definition(pluginMethods.options),
        ListAndWatch: definition(pluginMethods.listAndWatch, true),
        GetPreferredAllocation: definition(pluginMethods.preferred),
        Allocate: definition(pluginMethods.allocate),
        PreStartContainer: definition(pluginMethods.preStart),
      },
      {
        GetDevicePluginOptions: answering(pluginMethods.options, () => serverOptions),
        ListAndWatch: (call: ServerWritableStream<object, DeviceList>) => this.#stream(call),
        GetPreferredAllocation: answering(pluginMethods.preferred, ({ containerRequests }) => ({
          containerResponses: containerRequests.map(({ availableDeviceIds, mustIncludeDeviceIds, allocationSize }) => ({
            deviceIds: answers.preferred({
              available: availableDeviceIds,
              mustInclude: mustIncludeDeviceIds,
              size: allocationSize,
            }),
          })),
        })),
        Allocate: answering(pluginMethods.allocate, ({ containerRequests }) => ({
          containerResponses: containerRequests.map(({ deviceIds }) => onWire(answers.allocate(deviceIds))),
        })),
        PreStartContainer: answering(pluginMethods.preStart, () => ({})),
      },
    )
  }

  /** How many streams the kubelet has open. */
  get streams(): number {
    return this.#streams.size
  }

  /** Listens at a path. @throws OutsideError where nobody can: the folder is gone or read-only */
  listen(path: string): Promise<void> {
    return listenAt(this.#server, path)
  }

  /** Says the list again to whoever listens: it replaces what was said before. */
  say(): void {
    for (const stream of this.#streams) this.#sayTo(stream)
  }

  /** Ends every stream and stops listening; the socket is gone then. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
    this.#server.forceShutdown()
    await Promise.resolve()
  }

  #stream(call: ServerWritableStream<object, DeviceList>): void {
    if (this.#streams.size >= mostStreams) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `${mostStreams} streams are open` })
      return
    }
    this.#streams.add(call)
    const end = () => {
      if (this.#streams.delete(call)) this.#onStreams()
    }
    for (const event of ['cancelled', 'close', 'error', 'finish'] as const) call.on(event, end)
    this.#sayTo(call)
    this.#onStreams()
  }

  #sayTo(stream: ServerWritableStream<object, DeviceList>): void {
    // What nobody reads is not piled up: only the newest list counts.
    if (stream.writableNeedDrain) {
      if (stream.listenerCount('drain') === 0) stream.once('drain', () => this.#sayTo(stream))
      return
    }
    const devices = Array.from(this.#answers.shares(), ({ id, isHealthy, numaNodes }) => ({
      id,
      health: isHealthy ? 'Healthy' : 'Unhealthy',
      topology: numaNodes.length === 0 ? undefined : { nodes: numaNodes.map(node => ({ id: node })) },
    }))
    stream.write({ devices })
  }
}

export const serverOptions = { preStartRequired: false, getPreferredAllocationAvailable: true } as const

function onWire({ nodes, mounts, environment, cdi }: Allocation) {
  return {
    envs: new Map(Object.entries(environment)),
    mounts: mounts.map(path => ({ containerPath: path, hostPath: path, readOnly: true })),
    devices: nodes.map(({ path }) => ({ containerPath: path, hostPath: path, permissions: 'rw' })),
    annotations: new Map<string, string>(),
    cdiDevices: cdi.map(name => ({ name })),
  }
}
