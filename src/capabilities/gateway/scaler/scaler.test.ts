import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { externalApi, type Method } from '#coordination/external-scaler-api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { routeTo } from '#test/loopback-gateway.ts'
import { RequestCounts } from '../counts/request-counts.ts'
import { SharedCounts } from '../counts/shared-counts.ts'
import type { Route } from '../routing/route.ts'
import { Consents, type Said } from './consent.ts'
import { httpMetricName } from './scaler-answers.ts'
import { healthCheck, startScaler } from './scaler-server.ts'

interface Ref {
  readonly name: string
  readonly namespace: string
  readonly scalerMetadata: ReadonlyMap<string, string>
}

const ref = (metadata: Record<string, string>, name = 'so'): Ref => ({
  ...{ name, namespace: 'default' },
  scalerMetadata: new Map(Object.entries(metadata)),
})

async function scaler(
  routes: readonly Route[],
  consents?: { readonly ask?: () => Promise<Said>; readonly isServing?: () => boolean },
) {
  const clock = new VirtualClock(0)
  const own = new RequestCounts(clock)
  own.keep(new Set(routes.map(({ key }) => key)))
  const shared = new SharedCounts({ clock, own, log: silentLog, peers: () => [], ask: () => Promise.reject(new Error('nobody')) })
  const turned: string[] = []
  const server = await startScaler({
    ...{ clock, own, shared, log: silentLog },
    consents: new Consents({
      ...{ clock, log: silentLog },
      endpointsOf: () => [{ host: 'pod', port: 1 }],
      ask: consents?.ask ?? (() => Promise.reject(new Error('nobody'))),
      onChange: key => void turned.push(key),
    }),
    routeOf: (key, kind) => routes.find(route => route.key === key && route.kind === kind),
    ...(consents?.isServing === undefined ? {} : { isServing: consents.isServing }),
    host: '127.0.0.1',
    port: 0,
  })
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure())
  const ask = <Request, Response>({ path, request, response }: Method<Request, Response>, of: Partial<Request>) =>
    new Promise<Response>((resolve, reject) =>
      client.makeUnaryRequest(
        path,
        (value: Partial<Request>) => request.encode(value),
        (bytes: Buffer) => response.decode(bytes),
        of,
        (error: ServiceError | null, answer?: Response) =>
          error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error('empty')),
      ),
    )
  const stream = (of: Partial<Ref>) => {
    const { path, request, response } = externalApi.streamIsActive
    return client.makeServerStreamRequest(
      path,
      (value: Partial<Ref>) => request.encode(value),
      (bytes: Buffer) => response.decode(bytes),
      of,
    )
  }
  return {
    ...{ clock, own, ask, stream, server, turned },
    async [Symbol.asyncDispose]() {
      client.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** One whose requests at once count for nothing. */
function withoutConcurrency({ concurrency: _, ...route }: Route): Route {
  return route
}

const rate = { target: 5, windowMs: 5_000, granularityMs: 1_000 }

describe('the scaler', () => {
  it.each<[string, Route, object[], object[]]>([
    [
      'one number of an InterceptorRoute',
      routeTo('app', { concurrency: 4 }),
      [{ metricName: 'http_app_concurrency', targetSize: 0, targetSizeFloat: 4 }],
      [{ metricName: 'http_app_concurrency', metricValue: 0, metricValueFloat: 2 }],
    ],
    [
      'both numbers',
      routeTo('app', { concurrency: 4, rate }),
      [
        { metricName: 'http_app_concurrency', targetSize: 0, targetSizeFloat: 4 },
        { metricName: 'http_app_rate', targetSize: 0, targetSizeFloat: 5 },
      ],
      [
        { metricName: 'http_app_concurrency', metricValue: 0, metricValueFloat: 2 },
        { metricName: 'http_app_rate', metricValue: 0, metricValueFloat: 3 },
      ],
    ],
    [
      'requests of an HTTPScaledObject',
      routeTo('app', { kind: 'HTTPScaledObject', concurrency: 100 }),
      [{ metricName: 'http-default_002Fapp', targetSize: 100, targetSizeFloat: 0 }],
      [{ metricName: 'http-default_002Fapp', metricValue: 2, metricValueFloat: 0 }],
    ],
  ])('tells %s', async (_name, route, specs, values) => {
    await using site = await scaler([route])
    const of = ref(route.kind === 'HTTPScaledObject' ? { httpScaledObject: 'app' } : { interceptorRoute: 'app' })
    await site.ask(externalApi.getMetrics, { scaledObjectRef: of, metricName: '' })
    site.own.arrive('default/app').leave()
    for (let count = 0; count < 2; count++) site.own.arrive('default/app')
    expect((await site.ask(externalApi.getMetricSpec, of)).metricSpecs).toEqual(specs)
    expect((await site.ask(externalApi.getMetrics, { scaledObjectRef: of, metricName: '' })).metricValues).toEqual(values)
    expect((await site.ask(externalApi.isActive, of)).result).toBe(true)
  })

  it('rounds the rate of an HTTPScaledObject up', async () => {
    await using site = await scaler([withoutConcurrency(routeTo('app', { kind: 'HTTPScaledObject', rate }))])
    const asked = { scaledObjectRef: ref({ httpScaledObject: 'app' }), metricName: '' }
    await site.ask(externalApi.getMetrics, asked)
    await site.clock.advance(1_000)
    site.own.arrive('default/app').leave()
    expect((await site.ask(externalApi.getMetrics, asked)).metricValues).toMatchObject([{ metricValue: 1 }])
  })

  it('tells only the metric that is asked for, and the gateway itself', async () => {
    await using site = await scaler([routeTo('app', { concurrency: 4, rate })])
    const of = ref({ interceptorRoute: 'app' })
    const values = async (metricName: string) =>
      (await site.ask(externalApi.getMetrics, { scaledObjectRef: of, metricName })).metricValues
    expect(await values('http_app_rate')).toMatchObject([{ metricName: 'http_app_rate' }])
    expect(await values('else')).toEqual([])
    site.own.arrive('default/app')
    const gateway = ref({ interceptorTargetPendingRequests: '200' }, 'keda-add-ons-http-interceptor')
    const name = httpMetricName('default', 'keda-add-ons-http-interceptor')
    expect((await site.ask(externalApi.getMetricSpec, gateway)).metricSpecs).toEqual([
      { metricName: name, targetSize: 200, targetSizeFloat: 0 },
    ])
    expect((await site.ask(externalApi.getMetrics, { scaledObjectRef: gateway, metricName: '' })).metricValues).toEqual([
      { metricName: name, metricValue: 1, metricValueFloat: 0 },
    ])
  })

  it.each([
    [{}, 3, /the trigger names nothing: expected metadata interceptorRoute/],
    [{ interceptorRoute: 'gone' }, 5, /there is no InterceptorRoute default\/gone that is a route/],
    [{ httpScaledObject: 'app' }, 5, /there is no HTTPScaledObject default\/app that is a route/],
    [{ interceptorTargetPendingRequests: 'many' }, 3, /found "many", expected a whole number/],
  ])('says what is wrong about %j', async (metadata, code, words) => {
    await using site = await scaler([routeTo('app')])
    await expect(site.ask(externalApi.isActive, ref(metadata))).rejects.toMatchObject({
      code,
      details: expect.stringMatching(words),
    })
  })

  it.each([
    ['', true, { status: 1 }],
    ['liveness', false, { status: 1 }],
    ['readiness', true, { status: 1 }],
    ['readiness', false, { status: 2 }],
  ])("answers a kubelet's probe of %j where it reaches interceptors: %s", async (service, reaches, answer) => {
    await using site = await scaler([], { isServing: () => reaches })
    expect(await site.ask(healthCheck, { service })).toEqual(answer)
  })

  it('knows no other service by its health', async () => {
    await using site = await scaler([])
    await expect(site.ask(healthCheck, { service: 'other' })).rejects.toMatchObject({ code: 5 })
  })

  it('tells an HTTPScaledObject whose name an InterceptorRoute bears', async () => {
    await using site = await scaler([routeTo('app'), routeTo('app', { kind: 'HTTPScaledObject', concurrency: 7 })])
    site.own.arrive('default/app')
    expect((await site.ask(externalApi.getMetricSpec, ref({ httpScaledObject: 'app' }))).metricSpecs).toMatchObject([
      { metricName: 'http-default_002Fapp', targetSize: 7 },
    ])
    expect((await site.ask(externalApi.isActive, ref({ httpScaledObject: 'app' }))).result).toBe(true)
  })

  it('says at once that a route is wanted, and when it is no more', async () => {
    await using site = await scaler([routeTo('app')])
    const stream = site.stream(ref({ interceptorRoute: 'app' }))
    const said: boolean[] = []
    let more = Promise.withResolvers<void>()
    stream.on('data', ({ result }: { result: boolean }) => {
      said.push(result)
      more.resolve()
      more = Promise.withResolvers()
    })
    stream.on('error', () => undefined)
    await more.promise
    expect(said).toEqual([false])
    // No time passes: the arrival itself is what is said.
    const request = site.own.arrive('default/app')
    await more.promise
    expect(said).toEqual([false, true])
    request.leave()
    const next = more.promise
    await site.clock.advance(1_000)
    await next
    expect(said.at(-1)).toBe(false)
    stream.cancel()
  })

  it('keeps a target with a rate awake while a connection moves bytes', async () => {
    await using site = await scaler([withoutConcurrency(routeTo('app', { rate }))])
    const of = ref({ interceptorRoute: 'app' })
    await site.ask(externalApi.isActive, of)
    const socket = site.own.arrive('default/app')
    const active = async () => (await site.ask(externalApi.isActive, of)).result
    for (let minute = 0; minute < 3; minute++) {
      await site.clock.advance(59_000)
      expect(await active()).toBe(true)
      socket.moved()
    }
    await site.clock.advance(60_000)
    expect(await active()).toBe(false)
  })

  it('asks the pod before it may sleep', async () => {
    const answers: Said[] = [
      { status: 503, retryAfter: undefined },
      { status: 200, retryAfter: 120 },
      { status: 200, retryAfter: undefined },
    ]
    const askedAtMs: number[] = []
    const route = routeTo('app')
    const asked: { clock?: VirtualClock } = {}
    await using site = await scaler([{ ...route, hints: { ...route.hints, beforeZero: '/may-stop' } }], {
      ask: async () => {
        askedAtMs.push(asked.clock?.elapsed() ?? -1)
        const said = answers.shift()
        if (said === undefined) throw new Error('asked once more than expected')
        return said
      },
    })
    asked.clock = site.clock
    const of = ref({ interceptorRoute: 'app' })
    const active = async () => (await site.ask(externalApi.isActive, of)).result
    expect(await active()).toBe(true)
    await site.clock.advance(30_000)
    expect(await active()).toBe(true)
    await site.clock.advance(120_000)
    expect(await active()).toBe(false)
    expect(askedAtMs).toEqual([0, 30_000, 150_000])
    expect(site.turned).toEqual(['default/app', 'default/app'])
    // Wanted again: it is asked anew the next time.
    site.own.arrive('default/app').leave()
    answers.push({ status: 200, retryAfter: undefined })
    const request = site.own.arrive('default/app')
    expect(await active()).toBe(true)
    request.leave()
    expect(await active()).toBe(true)
    await site.clock.advance(0)
    expect(await active()).toBe(false)
  })

  it('lets a pod that says nothing sleep after five minutes', async () => {
    const route = routeTo('app')
    await using site = await scaler([{ ...route, hints: { ...route.hints, beforeZero: '/may-stop' } }])
    const active = async () => (await site.ask(externalApi.isActive, ref({ interceptorRoute: 'app' }))).result
    expect(await active()).toBe(true)
    await site.clock.advance(299_000)
    expect(await active()).toBe(true)
    await site.clock.advance(31_000)
    expect(await active()).toBe(false)
  })
})
