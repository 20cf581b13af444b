import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { installationValues } from '#deployment/installation.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { httpAddOn } from './http-add-on.ts'
import { convertHttpAddOn, httpAddOnRows, httpAddOnVersions } from './http-add-on-rows.ts'
import { convertHttpAddOnWorkload } from './http-add-on-workload.ts'

const folder = new URL('../../../../test/fixtures/charts/http-add-on/', import.meta.url)

function recorded(version: string): readonly string[] {
  const { values, templates } = JSON.parse(readFileSync(new URL(`${version}.keys.json`, folder), 'utf8'))
  const all: readonly string[] = [...values, ...templates]
  // A path that others go on from is none of its own.
  return all.filter(path => !all.some(other => other.startsWith(`${path}.`)))
}

const rowsOf = (path: string) => httpAddOnRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder).sort()).toEqual(httpAddOnVersions.map(version => `${version}.keys.json`).sort())
  })

  test.each(httpAddOnVersions)('chart %s', version => {
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(100)
    expect(paths.filter(path => rowsOf(path).length !== 1)).toEqual([])
  })

  test.each(httpAddOnRows.flatMap(row => (row.since === undefined ? [] : [[row.path, row.since] as const])))(
    '%s is known since %s',
    (path, since) => {
      const knows = (version: string) => recorded(version).some(known => known === path || known.startsWith(`${path}.`))
      expect(httpAddOnVersions.find(knows)).toBe(since)
    },
  )

  test('no row names a key that no chart has', () => {
    const all = httpAddOnVersions.flatMap(recorded)
    const idle = httpAddOnRows.filter(({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const convert = (values: ValuesTree, version = '0.15.0') => convertHttpAddOn({ values, version, namespace: 'keda' })
const sectionOf = ({ values }: { readonly values: ValuesTree }) => valueAt(values, ['capabilities', 'gateway'])
const takes = ({ values }: { readonly values: ValuesTree }) =>
  expect(() => installationValues({ values: { file: 'v', text: JSON.stringify(values) } }, enabledCapabilities)).not.toThrow()

// biome-ignore format: a table
test.each<[name: string, values: string, section: object, pods: object]>([
  ['nothing', '{}', {}, {}],
  ['times', 'interceptor: {requestTimeout: 1m, responseHeaderTimeout: 9s, readinessTimeout: 25s, tcpConnectTimeout: 1s, shutdownDelay: 3s, drainTimeout: 20s}',
    { timeouts: { request: '1m', responseHeader: '9s', readiness: '25s', connect: '1s' }, drain: { delay: '3s', timeout: '20s' } }, {}],
  ['an older time for readiness', 'interceptor: {replicas: {waitTimeout: 31s}}', { timeouts: { readiness: '31s' } }, {}],
  ['the newer of both counts', 'interceptor: {readinessTimeout: 25s, replicas: {waitTimeout: 31s}}', { timeouts: { readiness: '25s' } }, {}],
  ['a bound of what waits', 'interceptor: {coldStart: {maxPendingRequests: 50}}', { hold: { requestsPerRoute: 50 } }, {}],
  ['pods', 'interceptor: {replicas: {min: 3}, nodeSelector: {edge: "yes"}, pdb: {enabled: true, minAvailable: 0, maxUnavailable: 1}}', {},
    { replicas: 3, nodeSelector: { edge: 'yes' }, podDisruptionBudget: { enabled: true, maxUnavailable: 1 } }],
  ['TLS with the Secret of its default', 'interceptor: {tls: {enabled: true}}', { tls: { enabled: true, toTargets: true } },
    { extraVolumes: [{ name: 'certs', secret: { secretName: 'keda-tls-certs' } }], extraVolumeMounts: [{ name: 'certs', mountPath: '/certs', readOnly: true }] }],
  ['TLS with more', 'interceptor: {tls: {enabled: true, certSecret: own, certPath: /certs/a.crt, minVersion: "1.3", skipVerify: true}}',
    { tls: { enabled: true, toTargets: true, certificateFile: '/certs/a.crt', minVersion: '1.3', skipVerify: true } },
    { extraVolumes: [{ name: 'certs', secret: { secretName: 'own' } }], extraVolumeMounts: [{ name: 'certs', mountPath: '/certs', readOnly: true }] }],
  ['variables', 'interceptor: {extraEnvs: {KEDA_HTTP_LOG_REQUESTS: "true"}}', { accessLog: true }, {}],
])('%s', (_name, values, section, pods) => {
  const found = convert(parse(values))
  expect(sectionOf(found)).toEqual({ enabled: true, ...section })
  expect(found.values['gateway'] ?? {}).toEqual(pods)
  takes(found)
})

test('a chart before 0.14 had times of its own where nobody said any', () => {
  expect(sectionOf(convert({}, '0.13.0'))).toEqual({
    enabled: true,
    timeouts: { readiness: '20s', responseHeader: '500ms' },
  })
  expect(sectionOf(convert({ interceptor: { responseHeaderTimeout: '5s' } }, '0.12.2'))).toEqual({
    enabled: true,
    timeouts: { readiness: '20s', responseHeader: '5s' },
  })
})

// biome-ignore format: a table
test.each<[values: string, lines: readonly string[]]>([
  ['interceptor: {replicas: {min: 3, max: 50}}', ['interceptor.replicas.max: lost']],
  ['interceptor: {replicas: {min: 3, max: 3}}', []],
  ['interceptor: {replicas: {min: 20}}', ['interceptor.replicas.min: changed']],
  ['interceptor: {directPodRouting: false}', ['interceptor.directPodRouting: lost']],
  ['interceptor: {tls: {cipherSuites: TLS_A, maxVersion: "1.2"}}', ['interceptor.tls.cipherSuites: lost', 'interceptor.tls.maxVersion: lost']],
  ['operator: {watchNamespace: media}', ['operator.watchNamespace: lost']],
  ['scaler: {extraEnvs: {FOO: bar}}', ['scaler.extraEnvs: lost']],
  ['profiling: {scaler: {enabled: true, port: 8087}}', ['profiling.scaler.enabled: lost']],
  ['interceptor: {reponseHeaderTimeout: 1s}', ['interceptor.reponseHeaderTimeout: unknown']],
])('%s loses %j', (values, lines) => {
  const { report } = convert(parse(values))
  const found = report.filter(({ kind }) => kind !== 'carried' && kind !== 'dropped').map(({ from, kind }) => `${from}: ${kind}`)
  expect(found).toEqual(lines)
})

/** What the chart 0.15 tells its programs where its values say nothing. */
const chartWords = ['--zap-log-level=info', '--zap-time-encoding=rfc3339', '--zap-encoder=console']
// biome-ignore format: a table
const chartTold: Readonly<Record<string, readonly [words: readonly string[], environment: Readonly<Record<string, string>>]>> = {
  interceptor: [chartWords, {
    KEDA_HTTP_PROXY_PORT: '8080', KEDA_HTTP_ADMIN_PORT: '9090', KEDA_HTTP_MAX_IDLE_CONNS: '1000', KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST: '200',
    KEDA_HTTP_DIRECT_POD_ROUTING: 'true', KEDA_HTTP_COLD_START_MAX_PENDING_REQUESTS: '0', KEDA_HTTP_SHUTDOWN_DELAY: '5s',
    KEDA_HTTP_DRAIN_TIMEOUT: '30s', KEDA_HTTP_TLS_SKIP_VERIFY: 'false',
  }],
  scaler: [chartWords, {
    KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT: 'keda-add-ons-http-interceptor', KEDA_HTTP_SCALER_PORT: '9090', KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE: 'keda',
    KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE: 'keda-add-ons-http-interceptor-admin', KEDA_HTTP_SCALER_TARGET_ADMIN_PORT: '9090',
    KEDA_HTTP_SCALER_STREAM_INTERVAL_MS: '200', OTEL_PROM_EXPORTER_ENABLED: 'true', OTEL_PROM_EXPORTER_PORT: '2223',
    OTEL_EXPORTER_OTLP_METRICS_ENABLED: 'false', OTEL_EXPORTER_OTLP_TRACES_ENABLED: 'false', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'console',
  }],
  'http-operator': [['--metrics-bind-address=:8443', '--metrics-secure=true', '--metrics-auth=true', '--leader-elect', ...chartWords], {
    KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_SERVICE: 'keda-add-ons-http-external-scaler', KEDA_HTTP_OPERATOR_EXTERNAL_SCALER_PORT: '9090',
    KEDA_HTTP_OPERATOR_NAMESPACE: 'keda', KEDA_HTTP_OPERATOR_WATCH_NAMESPACE: '',
  }],
}

const programs = (() => {
  const { part } = httpAddOn.replaced?.swap ?? {}
  if (part?.kind !== 'in-place') throw new Error('the add-on is swapped in place')
  return new Map(part.programs.map(program => [program.command, program] as const))
})()

test.each(Object.entries(chartTold))(
  '%s takes all that the chart tells upstream by its defaults',
  (command, [words, environment]) => {
    expect(programs.get(command)?.told(words, environment)).toEqual({ refused: [], unused: [] })
  },
)

// biome-ignore format: a table
test.each<[command: string, words: readonly string[], environment: Readonly<Record<string, string>>, unused: RegExp]>([
  ['http-operator', ['--profiling-bind-address=127.0.0.1:8084'], {}, /--profiling-bind-address has no effect/],
  ['interceptor', [], { KEDA_HTTP_TLS_MAX_VERSION: '1.2' }, /KEDA_HTTP_TLS_MAX_VERSION has no effect/],
  ['interceptor', [], { KEDA_HTTP_PROXY_TLS_MAX_VERSION: '1.2' }, /KEDA_HTTP_PROXY_TLS_MAX_VERSION has no effect/],
  ['interceptor', [], { KEDA_HTTP_FORCE_HTTP2: 'true' }, /KEDA_HTTP_FORCE_HTTP2 has no effect/],
  ['interceptor', [], { KEDA_HTTP_DIRECT_POD_ROUTING: 'false' }, /KEDA_HTTP_DIRECT_POD_ROUTING has no effect/],
  ['scaler', [], { OTEL_EXPORTER_OTLP_TRACES_ENABLED: 'true' }, /OTEL_EXPORTER_OTLP_TRACES_ENABLED has no effect/],
])('%s with %j %j loses what it says', (command, words, environment, unused) => {
  const [chartSays = [], chartSets = {}] = chartTold[command] ?? []
  const taken = programs.get(command)?.told([...chartSays, ...words], { ...chartSets, ...environment })
  expect(taken).toEqual({ refused: [], unused: [expect.stringMatching(unused)] })
})

const deployment = (image: string, env: Readonly<Record<string, string>>, pod: object = {}): ValuesTree => ({
  kind: 'Deployment',
  metadata: { name: image, namespace: 'keda' },
  spec: {
    template: {
      spec: {
        ...pod,
        containers: [
          {
            name: 'it',
            image: `ghcr.io/kedacore/${image}:0.15.0`,
            env: Object.entries(env).map(([name, value]) => ({ name, value })),
          },
        ],
      },
    },
  },
})

test('a running add-on: what its programs are told, older names first', () => {
  const interceptor = deployment(
    'http-add-on-interceptor',
    {
      KEDA_HTTP_PROXY_PORT: '8080',
      KEDA_HTTP_ADMIN_PORT: '9090',
      KEDA_CONDITION_WAIT_TIMEOUT: '31s',
      KEDA_HTTP_READINESS_TIMEOUT: '25s',
      KEDA_RESPONSE_HEADER_TIMEOUT: '',
      KEDA_HTTP_RESPONSE_HEADER_TIMEOUT: '9s',
      KEDA_HTTP_DIRECT_POD_ROUTING: 'true',
      KEDA_HTTP_LOG_REQUESTS: 'true',
      SOMETHING: 'else',
    },
    { nodeSelector: { 'kubernetes.io/os': 'linux', edge: 'yes' } },
  )
  const operator = deployment('http-add-on-operator', { KEDA_HTTP_OPERATOR_WATCH_NAMESPACE: 'media' })
  const found = convertHttpAddOnWorkload(interceptor, { beside: [operator], namespace: undefined })
  expect(sectionOf(found)).toEqual({ enabled: true, timeouts: { readiness: '31s', responseHeader: '9s' }, accessLog: true })
  expect(found.values['gateway']).toEqual({ nodeSelector: { edge: 'yes' } })
  expect(found.report.filter(({ kind }) => kind === 'lost').map(({ why }) => why)).toEqual([
    'variable SOMETHING has no equal',
    'ours writes ScaledObjects for HTTPScaledObjects of all namespaces',
  ])
  takes(found)
})
