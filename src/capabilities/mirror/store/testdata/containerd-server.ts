// A gRPC server on a socket of its own that answers as containerd does: by what was recorded, or out of a small store in memory.
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MethodDefinition, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js'
import * as api from '../containerd-api.ts'
import type { Message } from '#kube/protobuf-message.ts'

type RawCall = ServerWritableStream<Buffer, Buffer>
/** Answers of one call, as bytes; throws {@link Refusal}. */
export type Handler = (request: Buffer, namespace: string, call: RawCall) => Iterable<Buffer> | Promise<Iterable<Buffer>>

export class Refusal extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

const methods = [
  api.getImage,
  api.listImages,
  api.contentInfo,
  api.listContent,
  api.readContent,
  api.listStatuses,
  api.listPlugins,
  api.version,
  api.criStatus,
]

/** Listens; calls can be made to hang, and it can be stopped and started on the same socket. */
export class ContainerdServer implements AsyncDisposable {
  readonly directory: string
  readonly socket: string
  /** Calls wait for ever. */
  hangs = false
  /** Subscriptions so far. */
  subscriptions = 0
  readonly #handle: (path: string) => Handler
  readonly #subscribers = new Set<RawCall>()
  #server: Server | undefined

  private constructor(directory: string, handle: (path: string) => Handler) {
    this.directory = directory
    this.socket = join(directory, 'c.sock')
    this.#handle = handle
  }

  static async start(handle: (path: string) => Handler): Promise<ContainerdServer> {
    const server = new ContainerdServer(await mkdtemp(join(tmpdir(), 'bc-')), handle)
    await server.listen()
    return server
  }

  async listen(): Promise<void> {
    const server = new Server()
    const definition = Object.fromEntries([...methods, api.subscribe].map(({ path }) => [path, rawMethod(path)]))
    const handlers = Object.fromEntries(methods.map(({ path }) => [path, (call: RawCall) => this.#answer(path, call)]))
    server.addService(definition, {
      ...handlers,
      [api.subscribe.path]: (call: RawCall) => {
        this.subscriptions++
        this.#subscribers.add(call)
        call.on('cancelled', () => {
          this.#subscribers.delete(call)
          call.end()
        })
      },
    })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.bindAsync(`unix://${this.socket}`, ServerCredentials.createInsecure(), error => (error ? reject(error) : resolve()))
    await promise
    this.#server = server
  }

  /** As a containerd that is killed. */
  stop(): void {
    this.#server?.forceShutdown()
    this.#server = undefined
    this.#subscribers.clear()
    rmSync(this.socket, { force: true })
  }

  emit(envelope: Buffer): void {
    for (const call of this.#subscribers) call.write(envelope)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  #answer(path: string, call: RawCall): void {
    if (this.hangs) return
    const answered = async () => {
      const [namespace = ''] = call.metadata.get('containerd-namespace')
      for (const answer of await this.#handle(path)(call.request, String(namespace), call)) call.write(answer)
      call.end()
    }
    answered().catch((error: unknown) => {
      const code = error instanceof Refusal ? error.code : status.INTERNAL
      call.emit('error', { code, details: error instanceof Error ? error.message : String(error) })
    })
  }
}

/** On the wire a single answer is a stream of one. */
function rawMethod(path: string): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes
  return {
    path,
    requestStream: false,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
}

/** An event as containerd wraps it. */
export function envelopeOf(namespace: string, topic: string, type: string, event: Buffer): Buffer {
  return api.subscribe.response.encode({ namespace, topic, event: { typeUrl: type, value: event } })
}

export const answerOf = <T>(type: Message<T>, value: Partial<T>): readonly Buffer[] => [type.encode(value)]
