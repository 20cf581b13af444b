// Somebody in KEDA's place before a scaler: asks it for a route's numbers over one connection.
import { Client, credentials } from '@grpc/grpc-js'
import { externalApi, type Method } from '#coordination/external-scaler-api.ts'

const answerMs = 3_000

export interface RouteNumbers {
  readonly isActive: boolean
  readonly value: number
}

export class ScalerClient {
  readonly address: string
  readonly #client: Client

  constructor(address: string, port: number) {
    this.address = address
    this.#client = new Client(`${address}:${port}`, credentials.createInsecure())
  }

  /** What is said of an InterceptorRoute, by the metric that the scaler names first. @throws ServiceError where it does not answer */
  async numbers(namespace: string, route: string): Promise<RouteNumbers> {
    const scaledObjectRef = { name: route, namespace, scalerMetadata: new Map([['interceptorRoute', route]]) }
    const { result } = await this.#call(externalApi.isActive, scaledObjectRef)
    const { metricSpecs } = await this.#call(externalApi.getMetricSpec, scaledObjectRef)
    const metricName = metricSpecs?.[0]?.metricName ?? ''
    const { metricValues } = await this.#call(externalApi.getMetrics, { scaledObjectRef, metricName })
    const [value] = metricValues ?? []
    return { isActive: result === true, value: Number(value?.metricValue ?? 0) || Number(value?.metricValueFloat ?? 0) }
  }

  close(): void {
    this.#client.close()
  }

  #call<Request, Response>({ path, request, response }: Method<Request, Response>, of: Partial<Request>): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.#client.makeUnaryRequest(
      path,
      (value: Partial<Request>) => request.encode(value),
      (bytes: Buffer) => response.decode(bytes),
      of,
      { deadline: Date.now() + answerMs },
      (error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error)),
    )
    return promise
  }
}
