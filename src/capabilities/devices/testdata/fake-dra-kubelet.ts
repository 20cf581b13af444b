// A kubelet's side of claims, as the real one (1.36) plays it: it finds drivers by their sockets in a folder, asks who they are, keeps them in the order in
// which they came, calls the newest that answers, listens to its health, and forgets a driver when its socket is gone. When it starts it has what is
// published of its node deleted, and finds all sockets anew.

import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Client, type ClientReadableStream, credentials } from '@grpc/grpc-js'
import { systemClock } from '#kube/clock.ts'
import type { Method } from '#kube/grpc/method.ts'
import { registrationMethods } from '#kube/grpc/plugin-registration.ts'
import { draMethods } from '../dra/dra-api.ts'

type ResponseOf<M> = M extends Method<unknown, infer Response> ? Response : never
type Health = ResponseOf<typeof draMethods.healthV1alpha1>['devices'][number]
type Info = ResponseOf<typeof registrationMethods.info>
interface Claim {
  readonly namespace: string
  readonly uid: string
  readonly name: string
}

interface Plugin {
  readonly socket: string
  readonly info: Info
  readonly client: Client
  readonly stream: ClientReadableStream<object>
  health: readonly Health[]
  reports: number
}

const lookMs = 10

export class FakeDraKubelet implements AsyncDisposable {
  /** In the order in which they came. */
  readonly plugins: Plugin[] = []
  /** All that were ever asked. */
  readonly asked: Info[] = []
  /** What drivers are told instead. */
  refusal: string | undefined
  readonly #registry: string
  readonly #onStart: () => Promise<void>
  readonly #tried = new Map<string, number>()
  #stop = new AbortController()
  #looking: Promise<void> | undefined

  constructor(registry: string, onStart: () => Promise<void> = async () => undefined) {
    this.#registry = registry
    this.#onStart = onStart
  }

  async start(): Promise<void> {
    mkdirSync(this.#registry, { recursive: true })
    this.#stop = new AbortController()
    this.#looking = this.#lookUntil(this.#stop.signal)
    await this.#onStart()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#looking
    for (const plugin of this.plugins.splice(0)) forget(plugin)
    this.#tried.clear()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** The newest driver of a name. */
  newest(driver: string): Plugin | undefined {
    return this.plugins.findLast(({ info }) => info.name === driver)
  }

  health(driver: string): readonly Health[] {
    return this.newest(driver)?.health ?? []
  }

  /** @throws what the driver answered, as gRPC has it */
  async prepare(driver: string, claims: readonly Claim[], version: 'v1' | 'v1beta1' = 'v1') {
    return (await this.#call(driver, draMethods[version].prepare, { claims })).claims
  }

  /** @throws what the driver answered, as gRPC has it */
  async unprepare(driver: string, claims: readonly Claim[], version: 'v1' | 'v1beta1' = 'v1') {
    return (await this.#call(driver, draMethods[version].unprepare, { claims })).claims
  }

  #call<Request, Response>(driver: string, method: Method<Request, Response>, request: Partial<Request>): Promise<Response> {
    const plugin = this.newest(driver)
    if (plugin === undefined) throw new Error(`DRA driver ${driver} is not registered`)
    return asked(plugin.client, method, request)
  }

  async #lookUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look()
      await systemClock.after(lookMs)
    }
  }

  async #look(): Promise<void> {
    const present = new Map(
      readdirSync(this.#registry)
        .filter(name => name.endsWith('.sock'))
        .flatMap(name => {
          const stats = statSync(join(this.#registry, name), { throwIfNoEntry: false })
          return stats === undefined ? [] : [[name, stats.ino] as const]
        }),
    )
    for (const plugin of this.plugins.filter(({ socket }) => !present.has(socket))) {
      this.plugins.splice(this.plugins.indexOf(plugin), 1)
      this.#tried.delete(plugin.socket)
      forget(plugin)
    }
    for (const [socket, inode] of present) {
      if (this.#tried.get(socket) === inode) continue
      this.#tried.set(socket, inode)
      try {
        await this.#register(socket)
      } catch {
        // A socket of a process that is gone: the real one tries again and again, and gets no further.
      }
    }
  }

  async #register(socket: string): Promise<void> {
    const registration = clientOf(join(this.#registry, socket))
    try {
      const info = await asked(registration, registrationMethods.info, {})
      this.asked.push(info)
      const taken = this.plugins.some(plugin => plugin.info.endpoint === info.endpoint)
      const error = this.refusal ?? (taken ? `endpoint ${info.endpoint} already registered` : '')
      if (error === '') this.plugins.push(pluginOf(socket, info))
      await asked(registration, registrationMethods.notify, { pluginRegistered: error === '', error })
    } finally {
      registration.close()
    }
  }
}

function pluginOf(socket: string, info: Info): Plugin {
  const client = clientOf(info.endpoint)
  const { path, request, response } = draMethods.healthV1alpha1
  const stream = client.makeServerStreamRequest(
    path,
    (value: object) => request.encode(value),
    bytes => response.decode(bytes),
    {},
  )
  const plugin: Plugin = { socket, info, client, stream, health: [], reports: 0 }
  stream.on('data', ({ devices }: ResponseOf<typeof draMethods.healthV1alpha1>) => {
    plugin.health = devices
    plugin.reports += 1
  })
  // The real one opens it again while the driver is there, and says no more.
  stream.on('error', () => undefined)
  return plugin
}

function forget({ stream, client }: Plugin): void {
  stream.cancel()
  client.close()
}

const clientOf = (path: string) =>
  new Client(`unix://${path}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.use_local_subchannel_pool': 1,
  })

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
    { deadline: systemClock.now() + 5_000 },
    (error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error)),
  )
  return promise
}
