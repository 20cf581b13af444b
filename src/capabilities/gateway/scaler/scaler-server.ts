// The add-on's scaler, by gRPC: for KEDA's operator and for ours. It says at once when a route is wanted.
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { externalApi, type Method } from '#coordination/external-scaler-api.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { integer, message, text } from '#kube/protobuf-message.ts'
import type { RequestCounts } from '../counts/request-counts.ts'
import type { SharedCounts } from '../counts/shared-counts.ts'
import type { Route } from '../routing/route.ts'
import type { Consents } from './consent.ts'
import { type Asked, isWanted, type Subject, specsOf, subjectOf, valuesOf } from './scaler-answers.ts'

const largestMessage = 4 * 1024 * 1024
const mostStreams = 10_000
/** A stream says again that its route is wanted, so that one who missed it acts. */
const againMs = 1_000

interface ScalerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly own: RequestCounts
  readonly shared: SharedCounts
  readonly consents: Consents
  /** The route of `namespace/name` that is written as that kind. */
  readonly routeOf: (key: string, kind: Route['kind']) => Route | undefined
  /** Whether other replicas answer; without it they are not asked. */
  readonly isServing?: () => boolean
  readonly host: string
  readonly port: number
  /** How often a wanted route is said again, in milliseconds. */
  readonly againMs?: number
}

interface ScalerServer extends AsyncDisposable {
  readonly port: number
  /** Streams that are open. */
  readonly streams: number
  /** A route's numbers or consent changed elsewhere. */
  changed(key: string): void
}

/** An error with a code of gRPC. */
interface Refused {
  readonly code: status
  readonly details: string
}

/** `grpc.health.v1.Health`, by which kubelets probe upstream's scaler. */
export const healthCheck: Method<{ service: string }, { status: number }> = {
  path: '/grpc.health.v1.Health/Check',
  request: message({ service: text(1) }),
  response: message({ status: integer(1) }),
}
const servingStatus = 1
const notServingStatus = 2

/** Its services as upstream names them. A scaler that reaches nobody is not ready; to start it anew would mend nothing. */
function healthOf(service: string, isServing: () => boolean): boolean | undefined {
  if (service === 'readiness') return isServing()
  return service === '' || service === 'liveness' ? true : undefined
}

interface Ref {
  readonly name: string
  readonly namespace: string
  readonly scalerMetadata: ReadonlyMap<string, string>
}

interface Stream {
  readonly route: string | undefined
  readonly say: () => void
}

/** @throws Error where the port is taken */
export async function startScaler(options: ScalerOptions): Promise<ScalerServer> {
  const { clock, own, shared, consents, routeOf } = options
  const streams = new Set<Stream>()

  const asked = (ref: Ref | undefined): Asked => ({
    namespace: ref?.namespace ?? '',
    name: ref?.name ?? '',
    metadata: ref?.scalerMetadata ?? new Map(),
  })

  /** @throws Refused for a route that is none */
  const routeFor = (subject: Extract<Subject, { kind: 'route' }>): Route => {
    const route = routeOf(subject.key, subject.written)
    if (route === undefined) throw refused(status.NOT_FOUND, `there is no ${subject.written} ${subject.key} that is a route`)
    return route
  }

  const numbersOf = (route: Route) => ({
    ...shared.of(route.key),
    rate: route.rate === undefined ? 0 : shared.rate(route.key, route.rate),
  })

  const active = (ref: Ref | undefined): boolean => {
    const subject = subjectOf(asked(ref))
    if (subject.kind === 'wrong') throw refused(status.INVALID_ARGUMENT, subject.why)
    if (subject.kind === 'gateway') return shared.all() > 0
    const route = routeFor(subject)
    if (isWanted(route, numbersOf(route))) {
      consents.wanted(route.key)
      return true
    }
    return consents.keepsAwake(route)
  }

  const server = new Server({
    'grpc.max_receive_message_length': largestMessage,
    'grpc.max_concurrent_streams': mostStreams,
    'grpc.keepalive_permit_without_calls': 1,
  })
  server.addService(
    {
      IsActive: definition(externalApi.isActive),
      GetMetricSpec: definition(externalApi.getMetricSpec),
      GetMetrics: definition(externalApi.getMetrics),
      StreamIsActive: definition(externalApi.streamIsActive, true),
    },
    {
      IsActive: answering((ref: Ref) => ({ result: active(ref) })),
      GetMetricSpec: answering((ref: Ref) => {
        const subject = subjectOf(asked(ref))
        if (subject.kind === 'wrong') throw refused(status.INVALID_ARGUMENT, subject.why)
        if (subject.kind === 'gateway')
          return { metricSpecs: [{ metricName: subject.metric, targetSize: subject.target, targetSizeFloat: 0 }] }
        return { metricSpecs: specsOf(routeFor(subject)) }
      }),
      GetMetrics: answering(({ scaledObjectRef, metricName }: { scaledObjectRef: Ref | undefined; metricName: string }) => {
        const subject = subjectOf(asked(scaledObjectRef))
        if (subject.kind === 'wrong') throw refused(status.INVALID_ARGUMENT, subject.why)
        if (subject.kind === 'gateway')
          return { metricValues: [{ metricName: subject.metric, metricValue: shared.all(), metricValueFloat: 0 }] }
        const route = routeFor(subject)
        return { metricValues: valuesOf(route, numbersOf(route), metricName) }
      }),
      StreamIsActive: (call: ServerWritableStream<Ref, { readonly result: boolean }>) => streamed(call),
    },
  )

  server.addService(
    { Check: definition(healthCheck) },
    {
      Check: answering(({ service }: { service: string }) => {
        const isServing = healthOf(service, options.isServing ?? (() => true))
        if (isServing === undefined) throw refused(status.NOT_FOUND, `unknown service ${service}`)
        return { status: isServing ? servingStatus : notServingStatus }
      }),
    },
  )

  function streamed(call: ServerWritableStream<Ref, { readonly result: boolean }>): void {
    const subject = subjectOf(asked(call.request))
    let said: boolean | undefined
    let cancel: Cancel = () => undefined
    let isOver = false
    const end = () => {
      isOver = true
      cancel()
      streams.delete(stream)
    }
    const say = () => {
      if (isOver) return
      cancel()
      let isActive: boolean
      try {
        isActive = active(call.request)
      } catch (error) {
        end()
        call.emit('error', error)
        return
      }
      // What nobody reads is not piled up: only the newest counts.
      if ((isActive || said !== isActive) && !call.writableNeedDrain) call.write({ result: isActive })
      said = isActive
      // What wakes it is told; that a window of requests ended is not.
      if (isActive) cancel = clock.schedule(options.againMs ?? againMs, say)
    }
    const stream: Stream = { route: subject.kind === 'route' ? subject.key : undefined, say }
    if (streams.size >= mostStreams) {
      call.emit('error', refused(status.RESOURCE_EXHAUSTED, `${mostStreams} streams are open`))
      return
    }
    streams.add(stream)
    for (const event of ['cancelled', 'close', 'error', 'finish'] as const) call.on(event, end)
    say()
  }

  const sayOf = (key: string) => {
    for (const stream of streams) if (stream.route === key || stream.route === undefined) stream.say()
  }
  // Within the turn in which the request came.
  const watch = own.watch((key, isActive) => {
    if (isActive) sayOf(key)
  })
  const sharing = shared.watch(keys => {
    for (const key of keys) sayOf(key)
  })

  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync(
    `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`,
    ServerCredentials.createInsecure(),
    (error, port) => (error === null ? resolve(port) : reject(error)),
  )
  const port = await promise
  return {
    port,
    get streams() {
      return streams.size
    },
    changed: sayOf,
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]()
      sharing[Symbol.dispose]()
      server.forceShutdown()
    },
  }
}

function refused(code: status, details: string): Refused & Error {
  return Object.assign(new Error(details), { code, details })
}

function answering<Request, Response>(answer: (request: Request) => Response) {
  return (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>): void => {
    try {
      done(null, answer(call.request))
    } catch (error) {
      done(error as Refused)
    }
  }
}

function definition<Request, Response>({ path, request, response }: Method<Request, Response>, isStream = false) {
  return {
    path,
    requestStream: false,
    responseStream: isStream,
    requestSerialize: (value: Partial<Request>) => request.encode(value),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (value: Partial<Response>) => response.encode(value),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  }
}
