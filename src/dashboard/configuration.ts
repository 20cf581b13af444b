// The section `dashboard` of Ballast's configuration: where it listens, whom it lets in, how much it serves. What a schema cannot say
// field by field, such as a door that stands open to everybody, is told by `dashboardProblems`.

import { isIPv6 } from 'node:net'
import * as z from 'zod'
import type { Problem } from '#kube/problem.ts'
import { duration } from '#kube/schema/crd-fields.ts'
import { durationMs } from '#kube/time/duration.ts'
import { timeZone } from '#kube/time/time-zone.ts'

/** What the text of `listen` says. */
export interface ListenAddress {
  /** Without brackets; undefined: every address of this machine. */
  readonly host: string | undefined
  /** 0 takes any free port. */
  readonly port: number
}

const loopbackHosts = ['localhost', '127.0.0.1', '::1'] as const
const headerName = /^[A-Za-z0-9-]{1,64}$/
/** A name as in a `Host` header, without the port. */
const hostName = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i

const path = () => z.string().min(1).max(4096)

const proxySchema = z.strictObject({
  /** The authority of the proxy's client certificate. */
  caFile: path().optional(),
  /** Common names that may speak for others; empty: every certificate of the authority. */
  allowedNames: z.array(z.string().min(1).max(256)).max(100).default([]),
  userHeader: z.string().regex(headerName, 'not the name of a header').default('X-Remote-User'),
  groupHeader: z.string().regex(headerName, 'not the name of a header').default('X-Remote-Group'),
  /** A peer of this machine needs no certificate: whatever listens there is trusted to say who it is. */
  trustLoopback: z.boolean().default(false),
})

/** The section `dashboard`. Check what it yields with `dashboardProblems` before anything listens. */
export const dashboardSchema = z.strictObject({
  enabled: z.boolean().default(true),
  listen: z
    .string()
    .max(256)
    .refine(text => parseListen(text) !== undefined, 'not HOST:PORT, [HOST]:PORT or :PORT')
    .default('127.0.0.1:8080'),
  basePath: z
    .string()
    .max(256)
    .refine(isBasePath, 'not a path that begins and ends with "/", of letters, digits, ".", "_", "~" and "-"')
    .default('/'),
  auth: z
    .strictObject({
      mode: z.enum(['loopback', 'token', 'proxy']).default('loopback'),
      /** Audiences of TokenReview; empty: the API server's own. */
      tokenAudiences: z.array(z.string().min(1).max(256)).max(16).default([]),
      proxy: proxySchema.optional(),
    })
    .prefault({}),
  tls: z.strictObject({ certFile: path(), keyFile: path() }).optional(),
  /** What `Host` may say, without ports; left out: this machine's own names. */
  allowedHosts: z
    .array(
      z
        .string()
        .max(253)
        .refine(name => hostName.test(name) || isIPv6(name), 'not a host name without port'),
    )
    .min(1)
    .max(100)
    .optional(),
  /** Left out: true where a twin is shown, else false. */
  actions: z.boolean().optional(),
  /** Left out: that of the browser. */
  timeZone: z
    .string()
    .max(64)
    .refine(name => name !== '' && name !== 'Local' && timeZone(name) !== undefined, 'not a time zone such as "Europe/Berlin"')
    .optional(),
  limits: z
    .strictObject({
      streams: z.int().min(1).max(10_000).default(200),
      streamsPerViewer: z.int().min(1).max(1_000).default(8),
      rows: z.int().min(1).max(10_000).default(500),
      ring: z
        .strictObject({
          events: z.int().min(1).max(1_000_000).default(10_000),
          bytes: z.int().min(65_536).max(1_073_741_824).default(8_388_608),
          age: duration().default('5m'),
        })
        .prefault({}),
    })
    .prefault({}),
})

export type DashboardConfiguration = z.output<typeof dashboardSchema>

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`, `:8080`; undefined for anything else. */
export function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) return undefined
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? undefined : host, port }
}

function isBasePath(text: string): boolean {
  return /^\/(?:[A-Za-z0-9._~-]+\/)*$/.test(text) && !/\/\.{1,2}\//.test(text)
}

/** Whether only this machine reaches what listens on `host`, or calls from `host`. */
export function isLoopback(host: string | undefined): boolean {
  if (host === undefined) return false
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

/** What `Host` may say: what the configuration names, else this machine's own names. */
export function hostsOf(configuration: DashboardConfiguration): readonly string[] {
  return (configuration.allowedHosts ?? loopbackHosts).map(host => host.toLowerCase())
}

/** Milliseconds that an event can be replayed for. */
export function ringAgeMs(configuration: DashboardConfiguration): number {
  return durationMs(configuration.limits.ring.age)
}

/**
 * What must not be started: reachable from outside without proof of who asks, or without TLS; a proxy that nobody could tell from
 * others. `where` names the section: `ballast.yaml: dashboard`.
 */
export function dashboardProblems(configuration: DashboardConfiguration, where = 'dashboard'): readonly Problem[] {
  const { auth, tls, listen } = configuration
  const isExposed = !isLoopback(parseListen(listen)?.host)
  const problems: Problem[] = []
  const refuse = (code: string, key: string, found: string, expected: string) =>
    problems.push({ code, where: `${where}.${key}`, found, expected })

  if (isExposed && auth.mode === 'loopback')
    refuse(
      'dashboard-exposed-without-auth',
      'listen',
      `${listen} with auth.mode loopback`,
      'a loopback address, or auth.mode token or proxy',
    )
  else if (isExposed && auth.mode === 'token' && tls === undefined)
    refuse(
      'dashboard-exposed-without-auth',
      'tls',
      `${listen} without TLS`,
      'tls.certFile and tls.keyFile, a loopback address, or auth.mode proxy',
    )
  if (isExposed && auth.mode !== 'loopback' && configuration.allowedHosts === undefined)
    refuse(
      'dashboard-hosts-missing',
      'allowedHosts',
      'nothing',
      'the names under which browsers reach it, such as ["ballast.example.org"]',
    )
  if (auth.mode === 'proxy' && (auth.proxy === undefined || (auth.proxy.caFile === undefined && !auth.proxy.trustLoopback)))
    refuse(
      'dashboard-proxy-unknown',
      'auth.proxy.caFile',
      'nothing',
      "the authority of the proxy's client certificate, or trustLoopback",
    )
  if (auth.mode !== 'proxy' && auth.proxy !== undefined)
    refuse('dashboard-proxy-unused', 'auth.proxy', `auth.mode ${auth.mode}`, 'auth.mode proxy beside it')
  return problems
}
