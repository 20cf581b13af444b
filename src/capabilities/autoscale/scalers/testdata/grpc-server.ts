// A server of gRPC on this host, by the same table of methods that a scaler asks by.
import { Server, ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import type { Method } from '#coordination/external-scaler-api.ts'

type Handler =
  | ((call: ServerUnaryCall<never, object>, done: sendUnaryData<object>) => void)
  | ((call: ServerDuplexStream<object, object>) => void)

/** `streams` are the methods that are streams both ways. */
export async function grpcServer<Name extends string>(
  api: Readonly<Record<Name, unknown>>,
  handlers: Readonly<Record<Name, Handler>>,
  { secure = ServerCredentials.createInsecure(), streams = [] }: { secure?: ServerCredentials; streams?: readonly Name[] } = {},
): Promise<{ readonly address: string; readonly port: number } & Disposable> {
  const server = new Server()
  for (const [name, method] of Object.entries(api) as [Name, Method<object, object>][]) {
    const { path, request, response } = method
    const isStream = streams.includes(name)
    server.addService(
      {
        [name]: {
          ...{ path, requestStream: isStream, responseStream: isStream },
          requestSerialize: (one: object) => request.encode(one),
          requestDeserialize: (data: Buffer) => request.decode(data),
          responseSerialize: (one: object) => response.encode(one),
          responseDeserialize: (data: Buffer) => response.decode(data),
        },
      },
      { [name]: handlers[name] as never },
    )
  }
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  )
  return { address: `127.0.0.1:${port}`, port, [Symbol.dispose]: () => server.forceShutdown() }
}
