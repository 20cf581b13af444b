// The command lines and environments of KEDA's three programs, as its chart and its manifests start them, and what is wrong with others.
import { describe, expect, test } from 'vitest'
import { parseAdapterFlags } from './adapter-flags.ts'
import { parseOperatorFlags } from './keda-flags.ts'
import { parseWebhooksFlags } from './webhooks-flags.ts'

const environment = { WATCH_NAMESPACE: '', POD_NAMESPACE: 'keda' }

/** As chart 2.20.2 renders them without values. */
// biome-ignore format: a table
const chart = {
  operator: [
    '--leader-elect', '--disable-compression=true', '--zap-log-level=info', '--zap-encoder=console', '--zap-time-encoding=rfc3339', '--enable-webhook-patching=true', '--cert-dir=/certs',
    '--enable-cert-rotation=true', '--cert-secret-name=kedaorg-certs', '--operator-service-name=keda-operator', '--metrics-server-service-name=keda-operator-metrics-apiserver',
    '--webhooks-service-name=keda-admission-webhooks', '--k8s-cluster-name=kubernetes-default', '--k8s-cluster-domain=cluster.local', '--enable-prometheus-metrics=false',
    '--http-max-idle-conns=0', '--http-max-idle-conns-per-host=1000', '--http-idle-conn-timeout=90s',
  ],
  adapter: [
    '--port=8080', '--secure-port=6443', '--logtostderr=true', '--stderrthreshold=ERROR', '--disable-compression=true', '--metrics-service-address=keda-operator.keda.svc.cluster.local:9666',
    '--client-ca-file=/certs/ca.crt', '--tls-cert-file=/certs/tls.crt', '--tls-private-key-file=/certs/tls.key', '--cert-dir=/certs', '--v=0', '--zap-log-level=info', '--zap-encoder=console',
    '--zap-time-encoding=rfc3339',
  ],
  webhooks: [
    '--zap-log-level=info', '--zap-encoder=console', '--zap-time-encoding=rfc3339', '--cert-dir=/certs', '--health-probe-bind-address=:8081', '--metrics-bind-address=:8080',
  ],
} as const

const variables = {
  ...environment,
  WATCH_LABEL_SELECTOR: '',
  KEDA_HTTP_DEFAULT_TIMEOUT: '3000',
  KEDA_HTTP_MIN_TLS_VERSION: 'TLS12',
  KEDA_HTTP_TLS_CIPHER_LIST: '',
  KEDA_SERVICE_MIN_TLS_VERSION: 'TLS13',
  KEDA_SERVICE_TLS_CIPHER_LIST: '',
}

type Parse = (words: readonly string[], environment: Readonly<Record<string, string>>) => ReturnType<typeof parseOperatorFlags>

/** The settings, with nothing refused. */
function settingsOf<Settings>(
  parsed: ReturnType<typeof parseOperatorFlags> | { readonly ok: true; readonly settings: Settings },
) {
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems))
  return parsed.settings
}

describe('what the chart says to everybody is taken without a word', () => {
  test('by the operator', () => {
    const parsed = parseOperatorFlags(chart.operator, variables)
    expect(parsed).toMatchObject({ ok: true, warnings: [], refused: [] })
    expect(settingsOf(parsed)).toMatchObject({
      metricsAddress: '0',
      probeAddress: ':8081',
      serviceAddress: ':9666',
      election: { name: 'operator.keda.sh', times: {} },
      rotation: { secret: 'kedaorg-certs', webhookConfiguration: 'keda-admission', patchesApiService: true },
      client: { kubeconfig: '', bucket: undefined },
      log: { encoder: 'console', level: 'info', time: 'rfc3339' },
      namespace: 'keda',
      namespaces: [],
      httpWire: { minVersion: 'TLSv1.2' },
      serviceWire: { minVersion: 'TLSv1.3' },
      autoscale: { httpTimeout: '3000ms', restrictSecretAccess: false },
    })
  })
  test('by the adapter', () => {
    const parsed = parseAdapterFlags(chart.adapter, variables)
    expect(parsed).toMatchObject({ ok: true, warnings: [], refused: [] })
    expect(parsed.ok && parsed.settings).toMatchObject({
      metricsPort: 8080,
      service: {
        address: 'keda-operator.keda.svc.cluster.local:9666',
        authority: '',
        directory: '/certs',
        wire: { minVersion: 'TLSv1.3' },
      },
      serving: { port: 6443, certificateFile: '/certs/tls.crt', keyFile: '/certs/tls.key' },
      authentication: { clientAuthorityFile: '/certs/ca.crt', lookup: 'required' },
      authorization: { alwaysAllowPaths: ['/healthz', '/readyz', '/livez'] },
      log: { encoder: 'console', level: 'info' },
    })
  })
  test('by the webhooks', () => {
    const parsed = parseWebhooksFlags(chart.webhooks, variables)
    expect(parsed).toMatchObject({ ok: true, warnings: [], refused: [] })
    expect(parsed.ok && parsed.settings).toMatchObject({ port: 9443, certificateDirectory: '/certs', probeAddress: ':8081' })
  })
})

test('without flags: upstream’s defaults', () => {
  const operator = settingsOf(parseOperatorFlags([], environment))
  expect(operator).toMatchObject({
    ...{ metricsAddress: ':8080', election: undefined, rotation: undefined, certificateDirectory: '/certs' },
    ...{ authorityDirectories: ['/custom/ca'], httpWire: { minVersion: 'TLSv1.2' }, serviceWire: { minVersion: 'TLSv1.2' } },
    log: { encoder: 'json', level: 'info' },
  })
  const rotated = settingsOf(parseOperatorFlags(['--enable-cert-rotation'], { WATCH_NAMESPACE: '' })).rotation
  expect(rotated?.dnsNames.slice(3, 5)).toEqual(['keda-operator.keda.svc.cluster.local', 'keda-metrics-apiserver'])
  const adapter = parseAdapterFlags([], { WATCH_NAMESPACE: '', POD_NAMESPACE: 'scaling' })
  expect(adapter.ok && adapter.settings.service.address).toBe('keda-operator.scaling.svc.cluster.local:9666')
})

describe('each says what it does', () => {
  test.each<[readonly string[], Readonly<Record<string, string>>, object]>([
    [['--kube-api-qps=50'], {}, { client: { bucket: { perSecond: 50, burst: 30 } } }],
    [['--ca-dir=/a', '--ca-dir', '/b'], {}, { authorityDirectories: ['/a', '/b'] }],
    [['--filepath-auth-root-path=/auth'], {}, { autoscale: { filePathRoot: '/auth' } }],
    [
      ['--enable-cert-rotation', '--enable-webhook-patching=false', '--enable-apiservice-patching=false'],
      {},
      { rotation: { webhookConfiguration: undefined, patchesApiService: false } },
    ],
    [
      ['--token-audience', 'media/queue=vault'],
      {},
      { autoscale: { tokenNamespaces: ['media'], tokenAudiences: { 'media/queue': 'vault' } } },
    ],
    [['--allow-address=127.0.0.0/8,10.0.0.1'], {}, { autoscale: { addresses: { allow: ['127.0.0.0/8', '10.0.0.1'] } } }],
    [[], { WATCH_NAMESPACE: 'media, web,' }, { namespaces: ['media', 'web'] }],
    [
      [],
      { WATCH_LABEL_SELECTOR: 'tier in (gold)', WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH: '!canary' },
      { selectors: { objects: 'tier in (gold)', authentications: '!canary' } },
    ],
    [
      [],
      { KEDA_RESTRICT_SECRET_ACCESS: 'True', KEDA_CLUSTER_OBJECT_NAMESPACE: 'shared' },
      { autoscale: { restrictSecretAccess: true, clusterObjectNamespace: 'shared' } },
    ],
    [
      [],
      { KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY: '2h', KEDA_HTTP_DEFAULT_TIMEOUT: '500' },
      { autoscale: { tokenExpiry: '7200000ms', httpTimeout: '500ms' } },
    ],
    [
      ['--leader-elect', '--leader-election-id=mine'],
      { KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION: '30s', KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD: '3s' },
      { election: { name: 'mine', times: { leaseDurationMs: 30_000, retryPeriodMs: 3_000 } } },
    ],
    [
      [],
      { KEDA_HTTP_MIN_TLS_VERSION: 'TLS13', KEDA_HTTP_TLS_CIPHER_LIST: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256' },
      {
        httpWire: { minVersion: 'TLSv1.3', ciphers: expect.stringContaining('ECDHE-RSA-AES128-GCM-SHA256') },
        serviceWire: { minVersion: 'TLSv1.3' },
      },
    ],
  ])('%j %j', (words, given, settings) => {
    expect(settingsOf(parseOperatorFlags(words, { ...environment, ...given }))).toMatchObject(settings)
  })

  test.each<[readonly string[], Readonly<Record<string, string>>, RegExp]>([
    [['--profiling-bind-address=:8082'], {}, /--profiling-bind-address/],
    [['--enable-opentelemetry-metrics'], {}, /--enable-opentelemetry-metrics/],
    [['--disable-compression=false'], {}, /--disable-compression/],
    [['--http-max-idle-conns=7'], {}, /--http-max-idle-conns /],
    [[], { RAW_METRICS_GRPC_PROTOCOL: 'enabled' }, /RAW_METRICS_GRPC_PROTOCOL/],
    [[], { KEDA_HTTP_DISABLE_KEEP_ALIVE: 'true' }, /KEDA_HTTP_DISABLE_KEEP_ALIVE/],
    [[], { KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES: '9' }, /KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES/],
    [[], { KEDA_HTTP_MIN_TLS_VERSION: 'TLS9' }, /KEDA_HTTP_MIN_TLS_VERSION: found "TLS9".*it is TLS12/],
    [[], { KEDA_HTTP_TLS_CIPHER_LIST: 'NONE' }, /KEDA_HTTP_TLS_CIPHER_LIST: .*NONE/],
  ])('%j %j has no effect, and that is said by name', (words, given, warning) => {
    const parsed = parseOperatorFlags(words, { ...environment, ...given })
    expect(parsed.ok && parsed.warnings.join('\n')).toMatch(warning)
  })
})

describe('what is wrong', () => {
  test.each<[Parse, readonly string[], RegExp]>([
    [parseOperatorFlags, ['--no-such-flag'], /unknown flag: --no-such-flag/],
    [parseOperatorFlags, ['--leader-elect=maybe'], /--leader-elect.{1,2} flag: strconv.ParseBool/],
    [parseOperatorFlags, ['--zap-encoder=xml'], /--zap-encoder.{1,2} flag: expected json, console/],
    [parseOperatorFlags, ['--token-audience=queue'], /NAMESPACE\/SERVICEACCOUNT=AUDIENCE/],
    [parseOperatorFlags, ['--allow-address=nowhere'], /--allow-address/],
    [parseAdapterFlags as never, ['--secure-port=0'], /--secure-port/],
    [parseAdapterFlags as never, ['--port=70000'], /--port 70000/],
    [parseWebhooksFlags as never, ['--port=-1'], /--port -1/],
  ])('%o %j: exit code 2', (parse, words, message) => {
    const parsed = parse(words, environment)
    expect(parsed.ok).toBe(false)
    expect(JSON.stringify(parsed)).toMatch(message)
  })

  test.each<[readonly string[], Readonly<Record<string, string>>, string, RegExp]>([
    [[], { POD_NAMESPACE: 'keda' }, 'failed to get watch namespace', /^WATCH_NAMESPACE must be set$/],
    [[], { ...environment, KEDA_HTTP_DEFAULT_TIMEOUT: 'soon' }, 'invalid KEDA_HTTP_DEFAULT_TIMEOUT', /strconv.Atoi/],
    [[], { ...environment, KEDA_HTTP_DEFAULT_TIMEOUT: '1' }, 'invalid KEDA_HTTP_DEFAULT_TIMEOUT', /./],
    [
      [],
      { ...environment, KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY: '7h' },
      'invalid KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY',
      /./,
    ],
    [
      [],
      { ...environment, KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD: 'x' },
      'invalid KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD',
      /./,
    ],
    [[], { ...environment, WATCH_LABEL_SELECTOR: 'a in' }, 'failed to parse WATCH_LABEL_SELECTOR', /./],
    [['--http-idle-conn-timeout=0s'], environment, 'invalid HTTP transport configuration', /greater than zero/],
  ])('%j %j: exit code 1 with upstream’s sentence', (words, given, message, error) => {
    const parsed = parseOperatorFlags(words, given)
    expect(parsed.ok && parsed.refused).toEqual([{ message, error: expect.stringMatching(error) }])
  })
})
