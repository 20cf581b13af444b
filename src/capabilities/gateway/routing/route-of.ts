// Routes from the objects that users write. One that cannot be a route says why, and stops no other.
import type { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { httpScaledObjectSpec } from '../kinds/http-scaled-object.ts'
import { interceptorRouteSpec } from '../kinds/interceptor-route.ts'
import { annotations } from '../names.ts'
import type { HeaderRule, Route, RouteHints, RouteRule, ServicePort, StaticAnswer } from './route.ts'

/** Upstream's, where an HTTPScaledObject names no target. */
const standardPending = 100
/** Upstream's, where a fallback names no time. */
const standardFailoverSeconds = 30
/** A window is counted in so many pieces at most. */
const mostPieces = 3_600
const shortestPieceMs = 1_000
/** A sign of life more often than that is noise. */
const shortestHeartbeatMs = 1_000

/** An object that is no route, or not wholly one. */
export interface RouteProblem {
  readonly kind: Route['kind']
  readonly namespace: string
  readonly name: string
  /** Each in plain words: `spec.timeouts.request: found "5x", expected a duration such as 30s`. */
  readonly problems: readonly string[]
}

interface Routes {
  readonly routes: readonly Route[]
  /** HTTPScaledObjects whose name an InterceptorRoute bears: no request goes by them, and their ScaledObjects still ask for numbers. */
  readonly shadowed: readonly Route[]
  readonly problems: readonly RouteProblem[]
}

/** All routes; where both kinds have one of a name, the InterceptorRoute counts. */
export function routesOf(interceptorRoutes: Iterable<KubeObject>, httpScaledObjects: Iterable<KubeObject>): Routes {
  const routes = new Map<string, Route>()
  const problems: RouteProblem[] = []
  const shadowed: Route[] = []
  const taken = new Set<string>()
  const take = (object: KubeObject, kind: Route['kind'], of: (object: KubeObject) => Route | readonly string[]) => {
    const { namespace = '', name } = object.metadata
    const key = `${namespace}/${name}`
    const made = of(object)
    if (taken.has(key)) {
      if (isRoute(made)) shadowed.push(made)
      return
    }
    taken.add(key)
    if (isRoute(made)) routes.set(key, made)
    else problems.push({ kind, namespace, name, problems: made })
  }
  for (const object of interceptorRoutes) take(object, 'InterceptorRoute', interceptorRouteRoute)
  for (const object of httpScaledObjects) take(object, 'HTTPScaledObject', httpScaledObjectRoute)
  return { routes: [...routes.values()], shadowed, problems }
}

function isRoute(made: Route | readonly string[]): made is Route {
  return !Array.isArray(made)
}

/** @returns the route, or what keeps the object from being one */
export function interceptorRouteRoute(object: KubeObject): Route | readonly string[] {
  const read = specOf(object, interceptorRouteSpec)
  if (Array.isArray(read)) return read
  const spec = read as z.output<typeof interceptorRouteSpec>
  const problems: string[] = []
  const times = new Times(problems)
  const { target, coldStart, timeouts = {}, scalingMetric } = spec
  const rate = scalingMetric.requestRate
  const route: Route = {
    ...identity(object, 'InterceptorRoute'),
    rules: (spec.rules ?? []).map(ruleOf),
    target: servicePort('spec.target', target.service, target, problems),
    ...given('fallback', coldStart?.fallback, ({ service }) =>
      servicePort('spec.coldStart.fallback.service', service.name, service, problems),
    ),
    ...given('placeholder', coldStart?.placeholder, ({ response }) => answerOf(response)),
    ...given('mostPending', coldStart?.maxPendingRequests, most => most),
    overflow: coldStart?.overflow ?? 'Reject',
    timeouts: {
      ...given('readinessMs', timeouts.readiness, text => times.ms('spec.timeouts.readiness', text)),
      ...given('requestMs', timeouts.request, text => times.ms('spec.timeouts.request', text)),
      ...given('responseHeaderMs', timeouts.responseHeader, text => times.ms('spec.timeouts.responseHeader', text)),
    },
    staticRoutes: (spec.staticRoutes ?? []).map(one => ({
      rules: one.rules === undefined || one.rules.length === 0 ? [anything] : one.rules.map(ruleOf),
      answer: answerOf(one.response),
      mode: one.responseMode,
    })),
    ...given('concurrency', scalingMetric.concurrency, ({ targetValue }) => targetValue),
    ...given('rate', rate, one => rateOf('spec.scalingMetric.requestRate', one, times)),
    hints: hintsOf(object, problems),
  }
  if (scalingMetric.concurrency === undefined && rate === undefined)
    problems.push('spec.scalingMetric: found neither, expected concurrency or requestRate')
  return problems.length === 0 ? route : problems
}

/** @returns the route, or what keeps the object from being one */
export function httpScaledObjectRoute(object: KubeObject): Route | readonly string[] {
  const read = specOf(object, httpScaledObjectSpec)
  if (Array.isArray(read)) return read
  const spec = read as z.output<typeof httpScaledObjectSpec>
  const problems: string[] = []
  const times = new Times(problems)
  const { scaleTargetRef, coldStartTimeoutFailoverRef: failover, timeouts, scalingMetric } = spec
  if (scalingMetric?.concurrency !== undefined && scalingMetric.requestRate !== undefined)
    problems.push('spec.scalingMetric: found concurrency and requestRate, expected one of them')
  const waitMs = timeouts?.conditionWait === undefined ? 0 : times.ms('spec.timeouts.conditionWait', timeouts.conditionWait)
  const headMs = timeouts?.responseHeader === undefined ? 0 : times.ms('spec.timeouts.responseHeader', timeouts.responseHeader)
  const failoverMs = (failover?.timeoutSeconds ?? standardFailoverSeconds) * 1_000
  const readinessMs = failover !== undefined && failoverMs > 0 ? failoverMs : waitMs
  const headers = (spec.headers ?? []).map(headerOf)
  const route: Route = {
    ...identity(object, 'HTTPScaledObject'),
    rules: [{ hosts: (spec.hosts ?? []).map(hostOf), paths: spec.pathPrefixes ?? [], headers }],
    target: servicePort('spec.scaleTargetRef', scaleTargetRef.service, scaleTargetRef, problems),
    ...given('fallback', failover, one => servicePort('spec.coldStartTimeoutFailoverRef', one.service, one, problems)),
    overflow: 'Reject',
    timeouts: { ...(readinessMs > 0 ? { readinessMs } : {}), ...(headMs > 0 ? { responseHeaderMs: headMs } : {}) },
    staticRoutes: [],
    ...(scalingMetric?.requestRate === undefined
      ? { concurrency: scalingMetric?.concurrency?.targetValue ?? spec.targetPendingRequests ?? standardPending }
      : { rate: rateOf('spec.scalingMetric.requestRate', scalingMetric.requestRate, times) }),
    hints: hintsOf(object, problems),
  }
  return problems.length === 0 ? route : problems
}

const anything: RouteRule = { hosts: [], paths: [], headers: [] }

/** The spec by its schema, or what is wrong about it: the server may hold objects that were written before the schema. */
function specOf(object: KubeObject, schema: z.ZodType): unknown {
  const parsed = schema.safeParse((object as { readonly spec?: unknown }).spec ?? {})
  if (parsed.success) return parsed.data
  return parsed.error.issues.slice(0, 8).map(({ path, message }) => `${['spec', ...path.map(String)].join('.')}: ${message}`)
}

function identity(object: KubeObject, kind: Route['kind']): Pick<Route, 'key' | 'namespace' | 'name' | 'kind' | 'createdMs'> {
  const { namespace = '', name, creationTimestamp } = object.metadata
  const createdMs = Date.parse(creationTimestamp ?? '')
  return { key: `${namespace}/${name}`, namespace, name, kind, createdMs: Number.isNaN(createdMs) ? 0 : createdMs }
}

function given<Key extends string, From, To>(
  key: Key,
  value: From | undefined,
  of: (value: From) => To,
): { readonly [K in Key]?: To } {
  return value === undefined ? {} : ({ [key]: of(value) } as { readonly [K in Key]?: To })
}

function ruleOf(rule: {
  readonly hosts?: readonly string[] | undefined
  readonly paths?: readonly { readonly value: string }[] | undefined
  readonly headers?: readonly { readonly name: string; readonly value?: string | undefined }[] | undefined
}): RouteRule {
  return {
    hosts: (rule.hosts ?? []).map(hostOf),
    paths: (rule.paths ?? []).map(({ value }) => value),
    headers: (rule.headers ?? []).map(headerOf),
  }
}

/** As requests are compared: in lower case, without port; nothing is everything. */
function hostOf(host: string): string {
  const bare = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d*$/, '')
  return bare === '' ? '*' : bare.toLowerCase()
}

function headerOf({ name, value }: { readonly name: string; readonly value?: string | undefined }): HeaderRule {
  return { name: name.toLowerCase(), ...(value === undefined ? {} : { value }) }
}

function servicePort(
  where: string,
  service: string,
  { port, portName }: { readonly port?: number | undefined; readonly portName?: string | undefined },
  problems: string[],
): ServicePort {
  const hasPort = port !== undefined && port !== 0
  const hasName = portName !== undefined && portName !== ''
  if (hasPort === hasName)
    problems.push(`${where}: found ${hasPort ? 'port and portName' : 'no port'}, expected one of port and portName`)
  return hasPort ? { service, port } : { service, portName: portName ?? '' }
}

function answerOf(response: {
  readonly statusCode: number
  readonly body?: string | undefined
  readonly bodyFromConfigMap?: { readonly name: string; readonly key?: string | undefined } | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}): StaticAnswer {
  const { statusCode, body, bodyFromConfigMap: from, headers = {} } = response
  return {
    status: statusCode,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(from === undefined ? {} : { bodyFrom: { name: from.name, ...(from.key ? { key: from.key } : {}) } }),
  }
}

function rateOf(
  where: string,
  { targetValue, window, granularity }: { readonly targetValue: number; readonly window: string; readonly granularity: string },
  times: Times,
): NonNullable<Route['rate']> {
  const granularityMs = times.ms(`${where}.granularity`, granularity, shortestPieceMs)
  const windowMs = times.ms(`${where}.window`, window, granularityMs)
  if (windowMs / granularityMs > mostPieces)
    times.problems.push(`${where}: found ${window} in pieces of ${granularity}, expected at most ${mostPieces} pieces`)
  return { target: targetValue, windowMs, granularityMs }
}

/** Durations, with what is wrong about them. */
class Times {
  readonly problems: string[]

  constructor(problems: string[]) {
    this.problems = problems
  }

  /** Milliseconds; `leastMs` where it is no duration, or a shorter one. */
  ms(where: string, text: string, leastMs = 0): number {
    const parsed = parseDurationMs(text)
    const least = leastMs === 0 ? '' : ` of at least ${leastMs / 1_000}s`
    if (parsed.ok && parsed.value >= leastMs) return parsed.value
    this.problems.push(`${where}: found ${JSON.stringify(text)}, expected a duration${least}, such as 30s`)
    return Math.max(1, leastMs)
  }
}

function hintsOf({ metadata }: KubeObject, problems: string[]): RouteHints {
  const of = (key: string): string | undefined => {
    const value = metadata.annotations?.[key]
    return value === undefined || value === '' ? undefined : value
  }
  const times = new Times(problems)
  const choice = <Value extends string>(key: string, values: readonly Value[], otherwise: Value): Value => {
    const value = of(key)
    const found = values.find(one => one === value)
    if (value !== undefined && found === undefined)
      problems.push(`annotation ${key}: found ${JSON.stringify(value)}, expected ${values.join(' or ')}`)
    return found ?? otherwise
  }
  const path = of(annotations.beforeZero)
  if (path !== undefined && !/^\/[\x21-\x7e]*$/.test(path))
    problems.push(`annotation ${annotations.beforeZero}: found ${JSON.stringify(path)}, expected a path such as /may-stop`)
  return {
    llm: choice(annotations.llm, ['true', 'false'], 'false') === 'true',
    ...given('heartbeatMs', of(annotations.heartbeat), text =>
      times.ms(`annotation ${annotations.heartbeat}`, text, shortestHeartbeatMs),
    ),
    heartbeatJson: choice(annotations.heartbeatJson, ['whitespace', 'off'], 'off') === 'whitespace',
    ...given('warmModel', of(annotations.warmModel), model => model),
    modelTiers: tiersOf(of(annotations.modelTiers), problems),
    overflowToFallback: choice(annotations.overflow, ['fallback', 'reject'], 'reject') === 'fallback',
    waiting: choice(annotations.waiting, ['page', 'hold'], 'page'),
    ownEndpoints: choice(annotations.ownEndpoints, ['true', 'false'], 'false') === 'true',
    ...given('beforeZero', path, one => one),
  }
}

function tiersOf(text: string | undefined, problems: string[]): RouteHints['modelTiers'] {
  if (text === undefined) return []
  return text.split(',').flatMap(part => {
    const at = part.lastIndexOf('=')
    const [model, route] = [part.slice(0, at).trim(), part.slice(at + 1).trim()]
    if (at > 0 && model !== '' && route !== '') return [{ model, route }]
    problems.push(`annotation ${annotations.modelTiers}: found ${JSON.stringify(part)}, expected model=route`)
    return []
  })
}
