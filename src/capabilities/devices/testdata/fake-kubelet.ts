// A kubelet's side of device plugins, as the real one (up to 1.36) plays it: it calls a plugin back before it answers, then listens to its list; when it
// starts it deletes every socket in the folder. It knows plugins by their resource alone: where any stream of a resource ends, it ends the connection of
// the newest plugin, counts no device as healthy until a list comes, and gives none away until a plugin registers.

import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Client, credentials, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import type { Method } from '#kube/grpc/method.ts'
import { pluginMethods, registerMethod } from '../plugin/plugin-api.ts'

type RequestOf<M> = M extends Method<infer Request, unknown> ? Request : never
type ResponseOf<M> = M extends Method<unknown, infer Response> ? Response : never
type Registration = RequestOf<typeof registerMethod>
type Device = ResponseOf<typeof pluginMethods.listAndWatch>['devices'][number]

interface Endpoint {
  readonly name: string
  readonly client: Client
  /** The last list; absent while none came. */
  devices: readonly Device[] | undefined
  lists: number
  isOpen: boolean
  /** Ends its stream and its connection. */
  end: () => void
}

/** What it has of a resource. */
interface Counted {
  healthy: readonly string[]
  /** Nothing can be given away. */
  isStopped: boolean
}

export class FakeKubelet implements AsyncDisposable {
  readonly registrations: Registration[] = []
  /** By resource, newest last. */
  readonly endpoints = new Map<string, Endpoint[]>()
  readonly counted = new Map<string, Counted>()
  /** What registration is answered with instead. */
  refusal: string | undefined
  /** It answers, and listens to no list. */
  isDeaf = false
  readonly #directory: string
  readonly #waiting = new Set<() => void>()
  readonly #current = new Map<string, Endpoint>()
  #server: Server | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true })
    for (const name of readdirSync(this.#directory)) rmSync(join(this.#directory, name), { recursive: true, force: true })
    const server = new Server()
    this.#server = server
    server.addService(
      { Register: definition(registerMethod) },
      {
        Register: (call: ServerUnaryCall<Registration, object>, done: sendUnaryData<object>) => {
          this.#register(call.request).then(
            () => done(null, {}),
            (error: unknown) => done({ code: status.UNKNOWN, details: String(error) }),
          )
        },
      },
    )
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.bindAsync(`unix://${join(this.#directory, 'kubelet.sock')}`, ServerCredentials.createInsecure(), error =>
      error === null ? resolve() : reject(error),
    )
    await promise
  }

  /** As its process ends: connections break, files stay. */
  async stop(): Promise<void> {
    for (const endpoint of [...this.endpoints.values()].flat()) endpoint.end()
    this.endpoints.clear()
    this.counted.clear()
    this.#current.clear()
    this.#server?.forceShutdown()
    this.#server = undefined
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Breaks the stream of a resource. */
  cut(resource: string): void {
    for (const endpoint of this.endpoints.get(resource) ?? []) endpoint.end()
  }

  /** The ids of the newest plugin of a resource that it listens to. */
  ids(resource: string): readonly string[] {
    return (this.#newest(resource)?.devices ?? []).map(({ id }) => id)
  }

  devices(resource: string): readonly Device[] {
    return this.#newest(resource)?.devices ?? []
  }

  #newest(resource: string): Endpoint | undefined {
    return this.endpoints.get(resource)?.findLast(({ isOpen }) => isOpen)
  }

  /** Resolves as soon as `done` holds. It looks whenever something happened. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  /** Calls the newest plugin of a resource. @throws what it answered, as gRPC has it */
  call<Request, Response>(resource: string, method: Method<Request, Response>, request: Partial<Request>): Promise<Response> {
    const endpoint = this.#newest(resource)
    if (endpoint === undefined) throw new Error(`no plugin of ${resource}`)
    return asked(endpoint.client, method, request)
  }

  async #register(registration: Registration): Promise<void> {
    this.registrations.push(registration)
    if (this.refusal !== undefined) {
      this.#happened()
      throw this.refusal
    }
    const { endpoint: name, resourceName } = registration
    const client = new Client(`unix://${join(this.#directory, name)}`, credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
      'grpc.use_local_subchannel_pool': 1,
    })
    await asked(client, pluginMethods.options, {})
    const endpoint: Endpoint = { name, client, devices: undefined, lists: 0, isOpen: true, end: () => client.close() }
    this.endpoints.set(resourceName, [...(this.endpoints.get(resourceName) ?? []), endpoint])
    this.#current.set(resourceName, endpoint)
    const before = this.counted.get(resourceName)
    this.counted.set(resourceName, { healthy: before?.healthy ?? [], isStopped: false })
    if (!this.isDeaf) this.#listen(endpoint, resourceName)
    this.#happened()
  }

  #listen(endpoint: Endpoint, resource: string): void {
    const { path, request, response } = pluginMethods.listAndWatch
    const stream = endpoint.client.makeServerStreamRequest(
      path,
      (value: object) => request.encode(value),
      bytes => response.decode(bytes),
      {},
    )
    stream.on('data', ({ devices }: ResponseOf<typeof pluginMethods.listAndWatch>) => {
      endpoint.devices = devices
      endpoint.lists += 1
      const counted = this.counted.get(resource)
      if (counted !== undefined) counted.healthy = devices.filter(({ health }) => health === 'Healthy').map(({ id }) => id)
      this.#happened()
    })
    const end = () => {
      if (!endpoint.isOpen) return
      endpoint.isOpen = false
      const current = this.#current.get(resource)
      if (current !== undefined) {
        this.#current.delete(resource)
        current.end()
        this.counted.set(resource, { healthy: [], isStopped: true })
      }
      this.#happened()
    }
    endpoint.end = () => {
      stream.cancel()
      endpoint.client.close()
    }
    stream.on('error', end)
    stream.on('end', end)
  }

  #happened(): void {
    for (const waiting of [...this.#waiting]) waiting()
  }
}

function asked<Request, Response>(
  client: Client,
  { path, request, response }: Method<Request, Response>,
  value: Partial<Request>,
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  client.makeUnaryRequest(
    path,
    (sent: Partial<Request>) => request.encode(sent),
    bytes => response.decode(bytes),
    value,
    (error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error)),
  )
  return promise
}

function definition<Request, Response>({ path, request, response }: Method<Request, Response>) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: Partial<Request>) => request.encode(value),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (value: Partial<Response>) => response.encode(value),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  }
}
