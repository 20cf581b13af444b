// A route as requests see it, whichever kind it was written as.

/** A Service of the route's namespace, and which of its ports. */
export interface ServicePort {
  readonly service: string
  /** Exactly one of both is given. */
  readonly port?: number
  readonly portName?: string
}

export interface HeaderRule {
  /** In lower case. */
  readonly name: string
  /** Absent: any. */
  readonly value?: string
}

export interface RouteRule {
  /** `a.example`, `*.example` or `*`, without ports and in lower case; none means any. */
  readonly hosts: readonly string[]
  /** Prefixes on segment borders; none means all. */
  readonly paths: readonly string[]
  readonly headers: readonly HeaderRule[]
}

/** An answer that comes from us. */
export interface StaticAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** A ConfigMap of the route's namespace; without `key` the request's path names it. */
  readonly bodyFrom?: { readonly name: string; readonly key?: string }
}

export interface StaticRoute {
  readonly rules: readonly RouteRule[]
  readonly answer: StaticAnswer
  readonly mode: 'WhenUnavailable' | 'Always'
}

/** What annotations of ours say. */
export interface RouteHints {
  readonly llm: boolean
  /** Milliseconds; absent: nothing is sent before the target answers. */
  readonly heartbeatMs?: number
  readonly heartbeatJson: boolean
  readonly warmModel?: string
  /** First match counts; `*` is any model. */
  readonly modelTiers: readonly { readonly model: string; readonly route: string }[]
  readonly overflowToFallback: boolean
  readonly waiting: 'page' | 'hold'
  readonly beforeZero?: string
  /** The gateway is what the target's Service leads to while nothing of it is ready. */
  readonly ownEndpoints: boolean
}

export interface Route {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly kind: 'InterceptorRoute' | 'HTTPScaledObject'
  /** Milliseconds since 1970. */
  readonly createdMs: number
  readonly rules: readonly RouteRule[]
  readonly target: ServicePort
  readonly fallback?: ServicePort
  readonly placeholder?: StaticAnswer
  /** How many requests may wait in one replica; absent: what the process allows. */
  readonly mostPending?: number
  readonly overflow: 'Reject' | 'Placeholder'
  /** Milliseconds; 0 means none, absent what the process is told. */
  readonly timeouts: { readonly readinessMs?: number; readonly requestMs?: number; readonly responseHeaderMs?: number }
  readonly staticRoutes: readonly StaticRoute[]
  /** Requests at once that one replica of the target is to have. */
  readonly concurrency?: number
  readonly rate?: { readonly target: number; readonly windowMs: number; readonly granularityMs: number }
  readonly hints: RouteHints
}
