// The driver's socket: the services of CSI that a process has, each call written down without what is secret.

import { rmSync, statSync } from 'node:fs'
import { Server, ServerCredentials, status, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { Method } from '#kube/grpc/method.ts'
import { answering, CallRefused, definition, listenAt, serverLimits } from '#kube/grpc/served-method.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { pluginServices, volumeExpansion } from '../csi/messages.ts'
import { attachMethods, controllerMethods, groupMethods, identityMethods, nodeMethods } from '../csi/methods.ts'
import type { AttachService } from './attach/attach-service.ts'
import type { ControllerService } from './controller-service.ts'
import type { GroupService } from './groups/group-service.ts'
import type { Listing } from './listing.ts'
import type { NodeService } from './node-service.ts'

interface CsiServerOptions {
  readonly driver: { readonly name: string; readonly version: string }
  readonly controller?: ControllerService | undefined
  /** Absent: nobody may ask what is on the shares. */
  readonly listing?: Listing | undefined
  readonly node?: NodeService | undefined
  /** Absent: volumes are not published by the controller. */
  readonly attach?: AttachService | undefined
  /** Absent: nothing is snapshotted in groups. */
  readonly groups?: GroupService | undefined
  readonly log: Log
}

/** Calls that come every few seconds. */
const frequent = new Set<string>([
  identityMethods.probe.path,
  nodeMethods.nodeGetCapabilities.path,
  nodeMethods.nodeGetVolumeStats.path,
])

export class CsiServer {
  readonly #server = new Server(serverLimits)
  readonly #options: CsiServerOptions

  constructor(options: CsiServerOptions) {
    this.#options = options
    const { controller, listing, node, attach, groups } = options
    this.#serve([
      this.#answer(identityMethods.getPluginInfo, () => ({
        name: options.driver.name,
        vendorVersion: options.driver.version,
        manifest: new Map(),
      })),
      this.#answer(identityMethods.getPluginCapabilities, () => ({
        capabilities: [
          { service: { type: pluginServices.CONTROLLER_SERVICE }, volumeExpansion: undefined },
          ...(groups === undefined
            ? []
            : [{ service: { type: pluginServices.GROUP_CONTROLLER_SERVICE }, volumeExpansion: undefined }]),
          { service: undefined, volumeExpansion: { type: volumeExpansion.ONLINE } },
        ],
      })),
      this.#answer(identityMethods.probe, () => ({ ready: { value: true } })),
    ])
    if (controller !== undefined) this.#serve(this.#ofController(controller))
    if (listing !== undefined) this.#serve(this.#ofListing(listing))
    if (node !== undefined) this.#serve(this.#ofNode(node))
    if (node?.stages === true) this.#serve(this.#ofStaging(node))
    if (node?.expands === true) this.#serve([this.#answer(nodeMethods.nodeExpandVolume, request => node.expand(request))])
    if (attach !== undefined) this.#serve(this.#ofAttach(attach))
    if (groups !== undefined) this.#serve(this.#ofGroups(groups))
  }

  /**
   * Listens at an endpoint, `unix:///path` or `tcp://host:port`. A socket that an earlier process left is removed first.
   * @throws OutsideError where nobody can; RangeError for another endpoint
   */
  async listen(endpoint: string): Promise<void> {
    const place = readEndpoint(endpoint)
    if ('address' in place) {
      await bound(this.#server, place.address)
      return
    }
    removeSocket(place.path)
    await listenAt(this.#server, place.path)
  }

  /** Lets calls that run have their answer, and stops listening; after `limit` they are cut. */
  async close(limit: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.tryShutdown(() => resolve())
    await Promise.race([promise, limit])
    this.#server.forceShutdown()
  }

  #ofController(controller: ControllerService): readonly Served[] {
    const m = controllerMethods
    return [
      this.#answer(m.controllerGetCapabilities, () => controller.capabilities()),
      this.#answer(m.createVolume, async request => ({ volume: await controller.createVolume(request) })),
      this.#answer(m.deleteVolume, async request => {
        await controller.deleteVolume(request)
        return {}
      }),
      this.#answer(m.validateVolumeCapabilities, request => controller.validateCapabilities(request)),
      this.#answer(m.createSnapshot, request => controller.createSnapshot(request)),
      this.#answer(m.deleteSnapshot, async request => {
        await controller.deleteSnapshot(request)
        return {}
      }),
      this.#answer(m.controllerExpandVolume, request => controller.expandVolume(request)),
      ...(controller.modifies
        ? [
            this.#answer(m.controllerModifyVolume, async request => {
              await controller.modifyVolume(request)
              return {}
            }),
          ]
        : []),
    ]
  }

  #ofListing(listing: Listing): readonly Served[] {
    const m = controllerMethods
    return [
      this.#answer(m.listVolumes, request => listing.volumes(request)),
      this.#answer(m.listSnapshots, request => listing.snapshots(request)),
      this.#answer(m.getSnapshot, request => listing.snapshot(request)),
      this.#answer(m.getCapacity, request => listing.capacity(request)),
    ]
  }

  #ofNode(node: NodeService): readonly Served[] {
    const m = nodeMethods
    return [
      this.#answer(m.nodeGetInfo, () => node.info()),
      this.#answer(m.nodeGetCapabilities, () => node.capabilities()),
      this.#answer(m.nodeGetVolumeStats, request => node.stats(request)),
      this.#answer(m.nodePublishVolume, async request => {
        await node.publish(request)
        return {}
      }),
      this.#answer(m.nodeUnpublishVolume, async request => {
        await node.unpublish(request)
        return {}
      }),
    ]
  }

  #ofStaging(node: NodeService): readonly Served[] {
    const m = nodeMethods
    return [
      this.#answer(m.nodeStageVolume, async request => {
        await node.stage(request)
        return {}
      }),
      this.#answer(m.nodeUnstageVolume, async request => {
        await node.unstage(request)
        return {}
      }),
    ]
  }

  #ofAttach(attach: AttachService): readonly Served[] {
    const m = attachMethods
    return [
      this.#answer(m.controllerPublishVolume, request => attach.attach(request)),
      this.#answer(m.controllerUnpublishVolume, async request => {
        await attach.detach(request)
        return {}
      }),
    ]
  }

  #ofGroups(groups: GroupService): readonly Served[] {
    const m = groupMethods
    return [
      this.#answer(m.getCapabilities, () => groups.capabilities()),
      this.#answer(m.create, async request => ({ groupSnapshot: await groups.create(request) })),
      this.#answer(m.delete, async request => {
        await groups.delete(request)
        return {}
      }),
      this.#answer(m.get, async request => ({ groupSnapshot: await groups.get(request) })),
    ]
  }

  #answer<Request, Response>(
    method: Method<Request, Response>,
    answer: (request: Request) => Response | Promise<Response>,
  ): Served {
    const { log } = this.#options
    const level = frequent.has(method.path) ? 'debug' : 'info'
    const told = async (request: Request): Promise<Response> => {
      log[level]({ method: method.path, request: withoutSecrets(request) }, 'CSI call')
      try {
        const response = await answer(request)
        log[level]({ method: method.path, response: withoutSecrets(response) }, 'CSI answer')
        return response
      } catch (error) {
        const code = error instanceof CallRefused ? error.code : undefined
        const why = withoutValues(messageOf(error), secretsOf(request))
        log.error({ method: method.path, code, why }, 'CSI call failed')
        if (why === messageOf(error)) throw error
        throw new CallRefused(code ?? status.INTERNAL, why, { cause: error })
      }
    }
    return { definition: definition(method), implementation: answering(method, told) }
  }

  #serve(served: readonly Served[]): void {
    const named = served.map(one => [one.definition.path, one] as const)
    this.#server.addService(
      Object.fromEntries(named.map(([path, one]) => [path, one.definition])),
      Object.fromEntries(named.map(([path, one]) => [path, one.implementation])),
    )
  }
}

interface Served {
  readonly definition: Parameters<Server['addService']>[0][string]
  readonly implementation: UntypedServiceImplementation[string]
}

const stripped = '***stripped***'

function secretsOf(request: unknown): ReadonlyMap<unknown, unknown> {
  const secrets: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, 'secrets') : undefined
  return secrets instanceof Map ? secrets : new Map()
}

/** What a program says of its arguments is told in errors, and those become Events: options of a Secret stand there whole, one by one, or quoted. */
function withoutValues(text: string, secrets: ReadonlyMap<unknown, unknown>): string {
  const values = [...secrets.values()].flatMap(value => (typeof value === 'string' ? [value, ...value.split(',')] : []))
  return values
    .flatMap(value => [value, JSON.stringify(value).slice(1, -1)])
    .filter(value => value.trim() !== '')
    .toSorted((one, other) => other.length - one.length)
    .reduce((told, value) => told.replaceAll(whole(value), stripped), text)
}

/** A value that stands alone: `ro` is not in every "error". */
const whole = (value: string): RegExp => new RegExp(`(?<!\\w)${value.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')}(?!\\w)`, 'g')

/** As logs have it: values of secrets are never written. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  if (value instanceof Map) return Object.fromEntries(value)
  if (Array.isArray(value)) return value.map(withoutSecrets)
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      key === 'secrets' && one instanceof Map
        ? Object.fromEntries(Array.from(one.keys(), name => [name, stripped]))
        : withoutSecrets(one),
    ]),
  )
}

/** @throws RangeError for what is no endpoint */
export function readEndpoint(endpoint: string): { readonly path: string } | { readonly address: string } {
  const [, scheme = '', rest = ''] = /^(unix|tcp):\/\/(.+)$/i.exec(endpoint) ?? []
  if (rest === '') throw new RangeError(`endpoint ${JSON.stringify(endpoint)}: expected unix:///PATH or tcp://HOST:PORT`)
  return scheme.toLowerCase() === 'tcp' ? { address: rest } : { path: `/${rest.replace(/^\/+/, '')}` }
}

/** Anything else that has the name is somebody's. */
function removeSocket(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new OutsideError(`nobody can listen at ${path}: something that is no socket is there`)
  rmSync(path)
}

function bound(server: Server, address: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.bindAsync(address, ServerCredentials.createInsecure(), error => {
    if (error === null) resolve()
    else reject(new OutsideError(`nobody can listen at ${address}: ${error.message}`, { cause: error }))
  })
  return promise
}
