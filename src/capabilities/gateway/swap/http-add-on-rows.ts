// What becomes of each key of the chart `keda-add-ons-http`, 0.10 to 0.15: the table of `ballast migrate values --from http-add-on`.
import { type ConvertedValues, convertValues, isOlder } from '#upstreams/convert-values.ts'
import { converted, dropped, isEmpty, lostUnlessEmpty, type Step, same, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'

/** Charts whose keys are recorded; the newest last. */
// biome-ignore format: a list
export const httpAddOnVersions: readonly string[] = ['0.10.0', '0.11.0', '0.11.1', '0.12.0', '0.12.1', '0.12.2', '0.13.0', '0.14.0', '0.14.1', '0.15.0']

const oneImage = 'Ballast is one image of its own'
const ownService =
  'ours is Service ballast-gateway with ports 80, 443 and 9090: whoever names the Service of upstream is to name that'
const ownConnections = 'ours keeps connections to targets by its own bounds'
const inTheGateway = 'the scaler is in the pods of ballast-gateway, which say gateway.*'
const inTheApiserver = "the operator's part is in the pods of ballast-apiserver, which say apiserver.*"
const ownLog = 'lines of logs are ours, in JSON'
const noSelfScaling =
  'nothing of the chart scales ours: a ScaledObject for Deployment ballast-gateway does it, or gateway.replicas'
const section = (key: string) => `capabilities.gateway.${key}`
const mostReplicas = 10
const ownGraceSeconds = 60
const certificates = 'certs'
const certificateFolder = '/certs'

const carried = (to: string, value: unknown): readonly Step[] => [{ kind: 'carried', to, value }]
/** What is empty says nothing. */
const unlessEmpty = (path: string, to: string): ValuesRow => converted(path, value => (isEmpty(value) ? [] : carried(to, value)))
const since = (version: string, row: ValuesRow): ValuesRow => ({ ...row, since: version })

/** Only where TLS is on. */
function ofTls(key: string, to: string, standard?: string): ValuesRow {
  return converted(`interceptor.tls.${key}`, (value, { read }) => {
    if (read('interceptor.tls.enabled') !== true) return [{ kind: 'dropped', why: 'it belongs to interceptor.tls.enabled' }]
    return isEmpty(value) || value === standard ? [{ kind: 'dropped', why: 'ours is so already' }] : carried(section(to), value)
  })
}

/** The Secret's files where upstream has them. */
function ofSecret(key: string): ValuesRow {
  return converted(`interceptor.tls.${key}`, (value, { read }) => {
    if (read('interceptor.tls.enabled') !== true) return [{ kind: 'dropped', why: 'it belongs to interceptor.tls.enabled' }]
    if (key === 'certSecret' && !isEmpty(read('interceptor.tls.cert_secret')))
      return [{ kind: 'dropped', why: 'interceptor.tls.cert_secret counts more' }]
    return certificateSteps(value)
  })
}

const standardSecret = 'keda-tls-certs'

const certificateSteps = (secret: unknown): readonly Step[] => [
  {
    kind: 'carried',
    to: 'gateway.extraVolumes',
    value: { name: certificates, secret: { secretName: secret } },
    isItem: true,
    why: 'a Secret of that name has to be in the namespace of Ballast',
  },
  {
    kind: 'carried',
    to: 'gateway.extraVolumeMounts',
    value: { name: certificates, mountPath: certificateFolder, readOnly: true },
    isItem: true,
  },
]

const times: readonly ValuesRow[] = [
  since('0.14.0', unlessEmpty('interceptor.requestTimeout', section('timeouts.request'))),
  unlessEmpty('interceptor.responseHeaderTimeout', section('timeouts.responseHeader')),
  since('0.14.0', unlessEmpty('interceptor.readinessTimeout', section('timeouts.readiness'))),
  converted('interceptor.replicas.waitTimeout', (value, { read }) => {
    if (isEmpty(value)) return []
    return isEmpty(read('interceptor.readinessTimeout'))
      ? carried(section('timeouts.readiness'), value)
      : [{ kind: 'dropped', why: 'interceptor.readinessTimeout counts more' }]
  }),
  unlessEmpty('interceptor.tcpConnectTimeout', section('timeouts.connect')),
  since('0.14.1', unlessEmpty('interceptor.shutdownDelay', section('drain.delay'))),
  since('0.14.1', unlessEmpty('interceptor.drainTimeout', section('drain.timeout'))),
  since(
    '0.14.1',
    converted('interceptor.terminationGracePeriodSeconds', value =>
      Number(value) <= ownGraceSeconds
        ? [{ kind: 'dropped', why: `ours has ${ownGraceSeconds} s` }]
        : [{ kind: 'lost', why: `ours has ${ownGraceSeconds} s, and our chart has no key for it` }],
    ),
  ),
  since(
    '0.15.0',
    converted('interceptor.coldStart.maxPendingRequests', value =>
      Number(value) > 0
        ? carried(section('hold.requestsPerRoute'), Number(value))
        : [{ kind: 'dropped', why: 'ours always has a bound, 1,000 for each route (hold.requestsPerRoute)' }],
    ),
  ),
  since(
    '0.15.0',
    converted('interceptor.directPodRouting', value =>
      value === false
        ? [{ kind: 'lost', why: 'ours always goes to pods, by the EndpointSlices of the Service' }]
        : [{ kind: 'dropped', why: 'ours is so already' }],
    ),
  ),
  lostUnlessEmpty(
    'interceptor.forceHTTP2',
    'a target that speaks HTTP/2 says so by appProtocol kubernetes.io/h2c of its Service',
  ),
  ...['keepAlive', 'maxIdleConns', 'idleConnTimeout', 'tlsHandshakeTimeout', 'expectContinueTimeout'].map(key =>
    dropped(`interceptor.${key}`, ownConnections),
  ),
  dropped('interceptor.maxIdleConnsPerHost', ownConnections, { since: '0.12.1' }),
  dropped('interceptor.endpointsCachePollingIntervalMS', 'ours watches endpoints'),
]

const tls: readonly ValuesRow[] = [
  converted('interceptor.tls.enabled', (value, { read }) => {
    if (value !== true) return []
    const isNamed = ['cert_secret', 'certSecret'].some(key => !isEmpty(read(`interceptor.tls.${key}`)))
    return [
      ...carried(section('tls.enabled'), true),
      {
        kind: 'carried',
        to: section('tls.toTargets'),
        value: true,
        why: 'what comes by TLS goes on by TLS, as with upstream',
      },
      ...(isNamed ? [] : certificateSteps(standardSecret)),
    ]
  }),
  ofTls('cert_path', 'tls.certificateFile', '/certs/tls.crt'),
  ofTls('key_path', 'tls.keyFile', '/certs/tls.key'),
  ofSecret('cert_secret'),
  since('0.12.1', ofTls('skip_verify', 'tls.skipVerify')),
  since('0.13.0', ofTls('certPath', 'tls.certificateFile', '/certs/tls.crt')),
  since('0.13.0', ofTls('keyPath', 'tls.keyFile', '/certs/tls.key')),
  since('0.13.0', ofSecret('certSecret')),
  since('0.13.0', ofTls('skipVerify', 'tls.skipVerify')),
  since('0.13.0', ofTls('minVersion', 'tls.minVersion')),
  dropped('interceptor.tls.port', ownService),
  ...['cipherSuites', 'curvePreferences'].map(key =>
    lostUnlessEmpty(`interceptor.tls.${key}`, 'ciphers and curves are those of OpenSSL', { since: '0.13.0' }),
  ),
  lostUnlessEmpty('interceptor.tls.maxVersion', 'ours takes every version from the least one on', { since: '0.13.0' }),
  lostUnlessEmpty('interceptor.tls.caDirs', 'authorities are those of the system, and the certificates that are served', {
    since: '0.15.0',
  }),
]

const services: readonly ValuesRow[] = [
  ...['interceptor.admin', 'interceptor.proxy'].flatMap(path => [
    dropped(`${path}.port`, ownService),
    dropped(`${path}.service`, ownService),
  ]),
  lostUnlessEmpty('interceptor.proxy.appProtocol', 'our Service says none', { since: '0.11.1' }),
  lostUnlessEmpty('interceptor.admin.appProtocol', 'our Service says none', { since: '0.13.0' }),
  lostUnlessEmpty('interceptor.tls.appProtocol', 'our Service says none', { since: '0.13.0' }),
  dropped('scaler.grpcPort', ownService),
  dropped('scaler.service', ownService),
]

/** Where a pod of upstream's may go, or what it bears, that ours has by other keys. */
const placing = ['nodeSelector', 'tolerations', 'affinity', 'podAnnotations', 'priorityClassName']

const pods: readonly ValuesRow[] = [
  ...placing.map(key => unlessEmpty(`interceptor.${key}`, `gateway.${key}`)),
  unlessEmpty('interceptor.topologySpreadConstraints', 'gateway.topologySpreadConstraints'),
  ...[...placing, 'replicas'].map(key => dropped(`scaler.${key}`, inTheGateway)),
  ...[...placing, 'replicas'].map(key => dropped(`operator.${key}`, inTheApiserver)),
  dropped('scaler.topologySpreadConstraints', inTheGateway, { since: '0.11.1' }),
  dropped('operator.topologySpreadConstraints', inTheApiserver, { since: '0.11.1' }),
  converted('interceptor.replicas.min', value => {
    const count = Number(value)
    if (count < 1) return [{ kind: 'dropped', why: 'ours runs two unless gateway.replicas says otherwise' }]
    if (count <= mostReplicas) return carried('gateway.replicas', count)
    return [{ kind: 'changed', to: 'gateway.replicas', value: mostReplicas, why: `our chart takes ${mostReplicas} at most` }]
  }),
  converted('interceptor.replicas.max', (value, { read }) =>
    value === read('interceptor.replicas.min')
      ? [{ kind: 'dropped', why: 'nothing was scaled' }]
      : [{ kind: 'lost', why: noSelfScaling }],
  ),
  dropped('interceptor.scaledObject', noSelfScaling),
  dropped('scaler.pendingRequestsInterceptor', noSelfScaling),
  unlessEmpty('interceptor.imagePullSecrets', 'imagePullSecrets'),
  same('interceptor.pullPolicy', 'image.pullPolicy'),
  ...['scaler', 'operator'].flatMap(program =>
    ['imagePullSecrets', 'pullPolicy'].map(key => dropped(`${program}.${key}`, `${oneImage}: the interceptor's counts`)),
  ),
  ...['interceptor', 'scaler', 'operator'].map(program =>
    dropped(`${program}.resources`, 'it was measured for upstream; ours asks for 50m and 160Mi with a limit of 512Mi'),
  ),
  since('0.15.0', unlessEmpty('interceptor.extraVolumes', 'gateway.extraVolumes')),
  since('0.15.0', unlessEmpty('interceptor.extraVolumeMounts', 'gateway.extraVolumeMounts')),
  ...['interceptor', 'scaler', 'operator'].map(program =>
    converted(`${program}.extraEnvs`, value => variables(program, value), { since: '0.11.0' }),
  ),
  same('interceptor.pdb.enabled', 'gateway.podDisruptionBudget.enabled'),
  converted('interceptor.pdb.minAvailable', value =>
    isEmpty(value) || value === 0
      ? [{ kind: 'dropped', why: 'it demands nobody' }]
      : carried('gateway.podDisruptionBudget.minAvailable', value),
  ),
  converted('interceptor.pdb.maxUnavailable', value =>
    isEmpty(value) ? [] : carried('gateway.podDisruptionBudget.maxUnavailable', value),
  ),
  ...['podSecurityContext', 'securityContext'].map(path =>
    dropped(path, `ours holds the standard "restricted", which asks for as much (gateway.${path})`),
  ),
]

const around: readonly ValuesRow[] = [
  unlessEmpty('additionalLabels', 'commonLabels'),
  dropped('crds.install', 'the kinds that are there stay; our chart brings them where they are not'),
  dropped('images', oneImage),
  same('rbac.aggregateToDefaultRoles', 'rbac.aggregate'),
  dropped('logging', ownLog),
  lostUnlessEmpty('operator.watchNamespace', 'ours writes ScaledObjects for HTTPScaledObjects of all namespaces'),
  dropped('operator.port', 'ours serves its metrics on port 8081'),
  dropped(
    'operator.metrics',
    "in the pods of ballast-apiserver metrics are on port 8081, without TLS and tokens; in the add-on's own Deployment ours guards them as upstream",
    { since: '0.11.1' },
  ),
  dropped('operator.kubeRbacProxy', 'ours has no proxy beside it'),
  dropped('scaler.streamInterval', 'ours tells whoever listens as soon as something changes'),
  dropped('scaler.metrics.prometheus', 'ours serves its metrics on port 8081', { since: '0.14.1' }),
  lostUnlessEmpty('scaler.metrics.otlp.enabled', 'metrics are read, and not sent', { since: '0.14.1' }),
  lostUnlessEmpty('scaler.tracing.enabled', 'traces are passed on, and none is begun', { since: '0.14.1' }),
  dropped('scaler.tracing.protocol', 'it belongs to scaler.tracing.enabled', { since: '0.14.1' }),
  ...['interceptor', 'scaler', 'operator'].flatMap(program => [
    lostUnlessEmpty(`profiling.${program}.enabled`, 'there are no profiles'),
    dropped(`profiling.${program}.port`, `it belongs to profiling.${program}.enabled`),
  ]),
]

/** Every key of every supported chart has a row here, by itself or by one above it: held by a test against the recorded lists of keys. */
export const httpAddOnRows: readonly ValuesRow[] = [...times, ...tls, ...services, ...pods, ...around]

const isTrue = (value: unknown) => /^(1|t|true)$/i.test(String(value))

/** Variables of an interceptor that nothing else of the chart says. */
const known: Readonly<Record<string, (value: unknown) => Step>> = {
  KEDA_HTTP_LOG_REQUESTS: value => ({ kind: 'carried', to: section('accessLog'), value: isTrue(value) }),
  KEDA_HTTP_ENABLE_COLD_START_HEADER: value => ({ kind: 'carried', to: section('coldStartHeader'), value: isTrue(value) }),
  KEDA_HTTP_PROXY_TLS_CERT_STORE_PATHS: value => ({
    kind: 'carried',
    to: section('tls.stores'),
    value: String(value).split(',').filter(Boolean),
  }),
  OTEL_PROM_EXPORTER_ENABLED: () => ({ kind: 'dropped', why: 'ours serves its metrics on port 8081' }),
  OTEL_PROM_EXPORTER_PORT: () => ({ kind: 'dropped', why: 'ours serves its metrics on port 8081' }),
}

function variables(program: string, value: unknown): readonly Step[] {
  return Object.entries(isTree(value) ? value : {}).map(([name, said]): Step => {
    const step = program === 'interceptor' ? known[name]?.(said) : undefined
    if (step === undefined) return { kind: 'lost', why: `variable ${name} has no equal` }
    return { ...step, why: name }
  })
}

/** What charts before 0.14 told their interceptors where the values said nothing. */
const olderTimes = { readiness: '20s', responseHeader: '500ms' }

export function convertHttpAddOn(input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}): ConvertedValues {
  const isOld = input.version !== undefined && isOlder(input.version, '0.14.0')
  const gateway = { enabled: true, ...(isOld ? { timeouts: olderTimes } : {}) }
  return convertValues({ ...input, rows: httpAddOnRows, start: { capabilities: { gateway } } })
}
