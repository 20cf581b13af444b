// The section `capabilities.gateway` of the configuration.
import * as z from 'zod'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { ProxySettings } from './proxy/settings.ts'

const dayMs = 86_400_000
const mostHeld = 100_000
const mebibyte = 1024 * 1024
const mostHeldMebibytes = 65_536
const longestDrainMs = 3_600_000
const mostStores = 16

const port = (standard: number) => z.int().min(0).max(65_535).default(standard)

export const gatewayConfiguration = z.strictObject({
  ports: z
    .strictObject({ traffic: port(8080), tls: port(8443), admin: port(9090), scaler: port(9091) })
    .prefault({})
    .describe('where the gateway answers; 0 takes a free one'),
  bind: z.string().max(253).default('').describe('the address that it answers at; empty: all'),
  timeouts: z
    .strictObject({
      request: durationBetween(0, dayMs).default('0s').describe('for the whole of a request; 0s: none'),
      responseHeader: durationBetween(0, dayMs).default('300s').describe("until the head of a target's answer; 0s: none"),
      readiness: durationBetween(0, dayMs).default('0s').describe('for a target to be ready; 0s: as long as the client waits'),
      connect: durationBetween(10, 60_000).default('500ms').describe('for one connection to a target'),
    })
    .prefault({})
    .describe('where a route says nothing'),
  hold: z
    .strictObject({
      requestsPerRoute: z.int().min(1).max(mostHeld).default(1_000),
      requests: z.int().min(1).max(mostHeld).default(10_000),
      mebibytesPerRoute: z.int().min(1).max(mostHeldMebibytes).default(64),
      mebibytes: z.int().min(1).max(mostHeldMebibytes).default(128),
    })
    .prefault({})
    .describe('how much may wait for targets in one replica; more is answered with 503'),
  drain: z
    .strictObject({
      delay: durationBetween(0, longestDrainMs).default('5s').describe('it goes on as before, while others learn that it ends'),
      timeout: durationBetween(0, longestDrainMs).default('30s').describe('for what is under way then'),
    })
    .prefault({}),
  dataPlane: z
    .enum(['auto', 'builtin', 'haproxy'])
    .default('builtin')
    .describe(
      'who carries requests to targets that are ready: the gateway itself, or HAProxy, which the image has (auto: where there is one)',
    ),
  coldStartHeader: z.boolean().default(true).describe('answers say whether they waited: X-Keda-Http-Cold-Start'),
  accessLog: z.boolean().default(false).describe('a line for each request'),
  proxyProtocol: z.boolean().default(false).describe('connections begin with a header of the PROXY protocol'),
  tls: z
    .strictObject({
      enabled: z.boolean().default(false),
      certificateFile: z.string().max(4096).default('/certs/tls.crt'),
      keyFile: z.string().max(4096).default('/certs/tls.key'),
      stores: z
        .array(z.string().min(1).max(4096))
        .max(mostStores)
        .default([])
        .describe('folders of further pairs, NAME.crt and NAME.key or NAME.pem and NAME-key.pem, each for the names it bears'),
      minVersion: z.enum(['1.2', '1.3']).default('1.2'),
      skipVerify: z.boolean().default(false).describe('certificates of targets are not looked at'),
      toTargets: z.boolean().default(false).describe('what comes by TLS goes on by TLS, as the add-on does it'),
    })
    .prefault({}),
  clusterDomain: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'expected a domain in lower case, such as cluster.local')
    .default('cluster.local')
    .describe('what ends the names of Services: hosts of routes with ballast.dev/own-endpoints'),
  scalerAddress: z
    .string()
    .max(512)
    .default('')
    .describe(
      'where ScaledObjects of HTTPScaledObjects find the scaler; default: ballast-gateway of our own namespace, port 9090',
    ),
})

export type GatewayConfig = z.output<typeof gatewayConfiguration>

export function proxySettings(config: GatewayConfig): ProxySettings {
  const { timeouts, hold } = config
  return {
    requestMs: durationMs(timeouts.request),
    responseHeaderMs: durationMs(timeouts.responseHeader),
    readinessMs: durationMs(timeouts.readiness),
    connectMs: durationMs(timeouts.connect),
    coldStartHeader: config.coldStartHeader,
    accessLog: config.accessLog,
    mostPending: 0,
    bounds: {
      perRoute: hold.requestsPerRoute,
      all: hold.requests,
      bytesPerRoute: hold.mebibytesPerRoute * mebibyte,
      bytes: hold.mebibytes * mebibyte,
    },
    tlsToTargets: config.tls.toTargets,
  }
}
