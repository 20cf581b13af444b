// The add-on's interceptor and scaler as values: their environment, and controller-runtime's flags of logs.

import { durationMs } from '#kube/time/duration.ts'
import type { Parsed } from '#process/drop-ins/parsed-settings.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { klogForms, type ZapSettings, zapForms, zapSettings } from '#process/drop-ins/zap.ts'
import { type GatewayConfig, gatewayConfiguration } from '../config.ts'
import { AddOnEnvironment } from './add-on-environment.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface Common {
  readonly log: ZapSettings
  readonly client: { readonly kubeconfig: string }
  /** 0: no metrics. */
  readonly metricsPort: number
}

export interface InterceptorSettings extends Common {
  readonly gateway: GatewayConfig
  /** Requests of a route that may wait, where it says nothing; 0: what is standard. */
  readonly mostPending: number
  /** Undefined: all. */
  readonly namespace: string | undefined
}

export interface ScalerSettings extends Common {
  readonly port: number
  /** Whose pods are asked, and at which port. */
  readonly namespace: string
  readonly service: string
  readonly adminPort: number
  readonly tickMs: number
  readonly streamMs: number
}

const forms: Readonly<Record<string, FlagForm>> = { ...zapForms, kubeconfig: 'text' }
const mostPendingRequests = 1_000_000
const longestStreamMs = 3_600_000

const isOff = (value: string): boolean => /^(0|f|false)$/i.test(value)

/** @returns what the words and the environment of `program` come to, by `settingsOf` */
function parse<Settings>(
  program: string,
  { words, environment }: { readonly words: readonly string[]; readonly environment: Environment },
  settingsOf: (given: AddOnEnvironment, common: Common) => Settings,
): Parsed<Settings> {
  const { values, unused, problems } = readFlags(words, {
    program,
    forms,
    unused: klogForms,
    letters: { v: 'v' },
    words: 'ignored',
  })
  const log = zapSettings(values)
  if (problems.length + log.problems.length > 0) return { ok: false, problems: [...problems, ...log.problems] }
  const given = new AddOnEnvironment(environment)
  given.unused('OTEL_EXPORTER_OTLP_METRICS_ENABLED', 'metrics are read from /metrics', isOff)
  given.unused('OTEL_EXPORTER_OTLP_TRACES_ENABLED', 'traces are passed on, and none is begun', isOff)
  given.unused('PROFILING_BIND_ADDRESS', 'there are no profiles')
  const isCounted = given.flag('OTEL_PROM_EXPORTER_ENABLED', true)
  const port = given.whole('OTEL_PROM_EXPORTER_PORT', 2223)
  const kubeconfig = String(values.get('kubeconfig') ?? '')
  const settings = settingsOf(given, { log: log.settings, client: { kubeconfig }, metricsPort: isCounted ? port : 0 })
  return { ok: true, settings, warnings: [...unused, ...given.warnings], refused: given.problems }
}

/** The interceptor's, by what follows the program's name. */
export function parseInterceptor(words: readonly string[], environment: Environment): Parsed<InterceptorSettings> {
  return parse('interceptor', { words, environment }, (given, common) => {
    const direct = 'requests go to pods, whichever Service they are of'
    given.unused('KEDA_HTTP_DIRECT_POD_ROUTING', direct, value => /^(1|t|true)$/i.test(value))
    given.unused('KEDA_HTTP_PROXY_TLS_CURVE_PREFERENCES', 'curves are those of OpenSSL')
    given.unused('KEDA_HTTP_TLS_CURVE_PREFERENCES', 'curves are those of OpenSSL')
    given.unused('KEDA_HTTP_PROXY_TLS_CIPHER_SUITES', 'ciphers are those of OpenSSL')
    given.unused('KEDA_HTTP_TLS_CIPHER_SUITES', 'ciphers are those of OpenSSL')
    const newest = 'every version from the least one on is taken'
    given.unused('KEDA_HTTP_PROXY_TLS_MAX_VERSION', newest)
    given.unused('KEDA_HTTP_TLS_MAX_VERSION', newest)
    given.unused('KEDA_HTTP_FORCE_HTTP2', 'a target that speaks HTTP/2 says so by appProtocol of its Service', isOff)
    given.unused('KEDA_HTTP_TLS_CA_DIRS', 'authorities are those of the system, and the certificates that are served')
    const isTls = given.flag('KEDA_HTTP_PROXY_TLS_ENABLED', false)
    const version = given.text('KEDA_HTTP_TLS_MIN_VERSION', 'KEDA_HTTP_PROXY_TLS_MIN_VERSION')
    const stores = (given.text('KEDA_HTTP_PROXY_TLS_CERT_STORE_PATHS') ?? '').split(',').filter(path => path !== '')
    const gateway = gatewayConfiguration.safeParse({
      ports: {
        traffic: given.whole('KEDA_HTTP_PROXY_PORT', undefined),
        admin: given.whole('KEDA_HTTP_ADMIN_PORT', undefined),
        tls: given.whole('KEDA_HTTP_PROXY_TLS_PORT', 8443),
      },
      timeouts: {
        request: given.duration('KEDA_HTTP_REQUEST_TIMEOUT', '0s'),
        responseHeader: given.renamed('KEDA_HTTP_RESPONSE_HEADER_TIMEOUT', 'KEDA_RESPONSE_HEADER_TIMEOUT', '300s'),
        readiness: given.renamed('KEDA_HTTP_READINESS_TIMEOUT', 'KEDA_CONDITION_WAIT_TIMEOUT', '0s'),
        connect: given.duration('KEDA_HTTP_CONNECT_TIMEOUT', '500ms'),
      },
      drain: {
        delay: given.duration('KEDA_HTTP_SHUTDOWN_DELAY', '5s'),
        timeout: given.duration('KEDA_HTTP_DRAIN_TIMEOUT', '30s'),
      },
      coldStartHeader: given.flag('KEDA_HTTP_ENABLE_COLD_START_HEADER', true),
      accessLog: given.flag('KEDA_HTTP_LOG_REQUESTS', false),
      tls: {
        enabled: isTls,
        certificateFile: given.text('KEDA_HTTP_PROXY_TLS_CERT_PATH') ?? '/certs/tls.crt',
        keyFile: given.text('KEDA_HTTP_PROXY_TLS_KEY_PATH') ?? '/certs/tls.key',
        stores,
        ...(version === undefined ? {} : { minVersion: version }),
        skipVerify: given.flag('KEDA_HTTP_PROXY_TLS_SKIP_VERIFY', false) || given.flag('KEDA_HTTP_TLS_SKIP_VERIFY', false),
        toTargets: isTls,
      },
    })
    if (!gateway.success)
      for (const { path, message } of gateway.error.issues)
        given.problems.push({ message: `${path.join('.')} cannot be used`, error: message })
    return {
      ...common,
      gateway: gateway.success ? gateway.data : gatewayConfiguration.parse({}),
      mostPending: given.whole('KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS', 0, mostPendingRequests),
      namespace: given.text('KEDA_HTTP_WATCH_NAMESPACE'),
    }
  })
}

/** The scaler's, by what follows the program's name. */
export function parseScaler(words: readonly string[], environment: Environment): Parsed<ScalerSettings> {
  return parse('scaler', { words, environment }, (given, common) => {
    // Upstream demands it, and reads it nowhere.
    given.required('KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT')
    return {
      ...common,
      port: given.whole('KEDA_HTTP_SCALER_PORT', 8080),
      namespace: given.required('KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE'),
      service: given.required('KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE'),
      adminPort: given.whole('KEDA_HTTP_SCALER_TARGET_ADMIN_PORT', undefined),
      tickMs: durationMs(given.duration('KEDA_HTTP_QUEUE_TICK_DURATION', '500ms')),
      streamMs: given.whole('KEDA_HTTP_SCALER_STREAM_INTERVAL_MS', 200, longestStreamMs),
    }
  })
}
