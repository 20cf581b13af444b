// A gRPC server on a socket of its own that answers as a kubelet does: with what a test says, with bytes that it makes up, or not at all.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MethodDefinition, type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js'
import { type Allocatable, type HeldByPod, listAllocatable, listPods } from '../pod-resources-api.ts'

type Answer = Buffer | 'hangs' | 'breaks' | 'refuses'
type Call = ServerUnaryCall<Buffer, Buffer>

export class FakeKubelet implements AsyncDisposable {
  readonly socket: string
  readonly #directory: string
  /** Questions so far, by their names. */
  readonly asked: string[] = []
  answers: Readonly<Record<string, Answer>> = {}
  #server: Server | undefined

  private constructor(below: string) {
    this.#directory = mkdtempSync(join(below, 'bk-'))
    this.socket = join(this.#directory, 'k.sock')
  }

  static async start(below = tmpdir()): Promise<FakeKubelet> {
    const kubelet = new FakeKubelet(below)
    await kubelet.listen()
    return kubelet
  }

  /** What it says from now on. */
  says({ pods, allocatable }: { readonly pods?: readonly HeldByPod[]; readonly allocatable?: Allocatable }): void {
    this.answers = {
      ...this.answers,
      ...(pods === undefined ? {} : { [listPods.path]: listPods.response.encode({ pods }) }),
      ...(allocatable === undefined ? {} : { [listAllocatable.path]: listAllocatable.response.encode(allocatable) }),
    }
  }

  async listen(): Promise<void> {
    const server = new Server()
    const paths = [listPods.path, listAllocatable.path]
    server.addService(
      Object.fromEntries(paths.map(path => [path, rawMethod(path)])),
      Object.fromEntries(paths.map(path => [path, (_call: Call, done: sendUnaryData<Buffer>) => this.#answer(path, done)])),
    )
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.bindAsync(`unix://${this.socket}`, ServerCredentials.createInsecure(), error => (error ? reject(error) : resolve()))
    await promise
    this.#server = server
  }

  /** As a kubelet that is killed. */
  stop(): void {
    this.#server?.forceShutdown()
    this.#server = undefined
    rmSync(this.socket, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #answer(path: string, done: sendUnaryData<Buffer>): void {
    this.asked.push(path.slice(path.lastIndexOf('/') + 1))
    const answer = this.answers[path] ?? 'refuses'
    if (answer === 'hangs') return
    if (answer === 'breaks') this.stop()
    else if (answer === 'refuses') done({ code: status.UNAVAILABLE, details: 'the kubelet is starting' })
    else done(null, answer)
  }
}

function rawMethod(path: string): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
}
