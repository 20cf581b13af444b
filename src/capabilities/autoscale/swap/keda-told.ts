// What KEDA's three programs are told beside their chart's values: each flag and each variable becomes a key of our section, nothing without
// loss, or a loss by name.
import { formatDurationMs, parseDurationMs } from '#kube/time/duration.ts'
import type { Step } from '#upstreams/values-row.ts'

type Judge = (value: string) => readonly Step[]

export const section = (key: string): string => `capabilities.autoscale.${key}`

export const carried = (to: string, value: unknown, why?: string): readonly Step[] => [
  { kind: 'carried', to, value, ...(why === undefined ? {} : { why }) },
]
const droppedFor =
  (why: string): Judge =>
  () => [{ kind: 'dropped', why }]
const lostFor =
  (why: string): Judge =>
  () => [{ kind: 'lost', why }]
/** Lost where it says something else than upstream's program takes without it. */
const lostUnless =
  (standard: string, why: string): Judge =>
  value =>
    value === standard ? [{ kind: 'dropped', why: "it is upstream's default" }] : [{ kind: 'lost', why }]

const shortestTimeoutMs = 100
const longestTimeoutMs = 60_000
const standardTimeoutMs = 3_000

/** Milliseconds, as `http.timeout` and its variable have them. */
export function httpTimeout(value: unknown): readonly Step[] {
  const ms = Number(value)
  if (!Number.isInteger(ms)) return [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected milliseconds` }]
  if (ms === standardTimeoutMs) return [{ kind: 'dropped', why: 'ours is 3s, too' }]
  const within = Math.min(longestTimeoutMs, Math.max(shortestTimeoutMs, ms))
  const to = section('httpTimeout')
  if (within === ms) return carried(to, formatDurationMs(ms))
  return [{ kind: 'changed', to, value: formatDurationMs(within), why: `found ${ms} ms, ours waits 100ms to 1m for a source` }]
}

export function minTlsVersion(value: unknown): readonly Step[] {
  if (value === 'TLS12' || value === '') return [{ kind: 'dropped', why: 'ours speaks TLS 1.2 and 1.3 to sources, too' }]
  return [{ kind: 'lost', why: `found ${String(value)}, ours speaks TLS 1.2 and 1.3 to every source` }]
}

const tokenExpiry: Judge = value => {
  const read = parseDurationMs(value)
  return read.ok
    ? carried(section('tokenExpiry'), formatDurationMs(read.value))
    : [{ kind: 'lost', why: `found ${JSON.stringify(value)}, expected a duration from 1h to 6h` }]
}

/** The Lease by which both know whose turn it is. */
export const kedaLease = 'operator.keda.sh'

export function leaderElectionId(value: unknown): readonly Step[] {
  if (value === kedaLease || value === '') return [{ kind: 'dropped', why: 'ours holds the same Lease while it acts' }]
  return [{ kind: 'lost', why: `ours waits for Lease ${kedaLease}, not for ${String(value)}: both would act together` }]
}

export const oneScope = 'ours takes all ScaledObjects of the cluster, or of rbac.namespaced, which is for all of Ballast'
export const noLabels =
  'ours takes objects whatever their labels are: of several KEDAs that share a cluster it takes the place of all'
export const ownLog = 'process.logLevel is that of ours, which writes JSON'
export const ownCertificate = 'ours has certificates of its own, which are renewed'
export const ownHttp = 'ours bounds and ends its connections by itself'
export const noProfiles = 'ours has no profiles of Go'
export const ownMetrics = 'ours serves its metrics always, on port 8081'
const ownQueue = 'ours has a queue of its own, whose length follows the cluster'

// biome-ignore format: a table
const operatorFlags: Readonly<Record<string, Judge>> = {
  'leader-elect': value => value === 'false' ? [{ kind: 'lost', why: 'ours knows by its Lease alone that this one does not act' }] : [{ kind: 'dropped', why: 'ours elects a leader, too' }],
  'leader-election-id': leaderElectionId,
  'filepath-auth-root-path': value => value === '' ? [] : carried(section('filePathRoot'), value, 'mount its files there: apiserver.extraVolumes'),
  'ca-dir': value => value === '/custom/ca' ? [{ kind: 'dropped', why: "it is upstream's default, where nothing lies unless it is mounted" }] : [{ kind: 'lost', why: 'ours trusts the authorities of Node.js, and those of the file in NODE_EXTRA_CA_CERTS (apiserver.extraEnv)' }],
  'service-account-token-mode': value => value === 'legacy' ? [{ kind: 'lost', why: 'ours asks for tokens with an audience only: tokenAudiences' }] : [{ kind: 'dropped', why: 'ours asks for tokens with an audience only, too: tokenAudiences' }],
  'vault-kubernetes-auth-token-file': lostUnless('', "ours logs in to Vault by the token of an authentication's own account, with an audience"),
  'k8s-cluster-name': value => value === '' ? [] : carried(section('clusterName'), value),
  'k8s-cluster-domain': lostUnless('cluster.local', 'ours calls Services as NAME.NAMESPACE.svc, which a search domain completes'),
  'enable-opentelemetry-metrics': value => value === 'true' ? [{ kind: 'lost', why: 'ours serves Prometheus metrics only' }] : [{ kind: 'dropped', why: "it is upstream's default" }],
  'enable-high-cardinality-metrics-labels': value => value === 'true' ? [{ kind: 'lost', why: 'our histograms have no labels for each object' }] : [{ kind: 'dropped', why: "it is upstream's default" }],
  'metrics-bind-address': droppedFor(ownMetrics), 'enable-prometheus-metrics': droppedFor(ownMetrics), 'health-probe-bind-address': droppedFor('ours has probes of its own, on port 8081'),
  'metrics-service-bind-address': droppedFor('our replicas ask the one that leads, over the API server'),
  'kube-api-qps': droppedFor('process.kubeApiQPS is that of all of Ballast'), 'kube-api-burst': droppedFor('process.kubeApiBurst is that of all of Ballast'), 'disable-compression': droppedFor(ownHttp),
  'cert-dir': droppedFor(ownCertificate), 'cert-secret-name': droppedFor(ownCertificate), 'enable-cert-rotation': droppedFor(ownCertificate),
  'enable-webhook-patching': droppedFor(ownCertificate), 'enable-apiservice-patching': droppedFor(ownCertificate),
  'operator-service-name': droppedFor(ownCertificate), 'metrics-server-service-name': droppedFor(ownCertificate), 'webhooks-service-name': droppedFor(ownCertificate), 'validating-webhook-name': droppedFor(ownCertificate),
  'http-max-idle-conns': droppedFor(ownHttp), 'http-max-idle-conns-per-host': droppedFor(ownHttp), 'http-idle-conn-timeout': droppedFor(ownHttp),
  'profiling-bind-address': lostUnless('', noProfiles),
  v: droppedFor(ownLog), 'zap-devel': droppedFor(ownLog), 'zap-log-level': droppedFor(ownLog), 'zap-encoder': droppedFor(ownLog), 'zap-time-encoding': droppedFor(ownLog), 'zap-stacktrace-level': droppedFor(ownLog),
  logtostderr: droppedFor(ownLog), stderrthreshold: droppedFor(ownLog), vmodule: droppedFor(ownLog),
}

const ofAdapter = 'ours answers by its own process, with a certificate and rights of its own'
// biome-ignore format: a table
const besideFlags: Readonly<Record<string, Judge>> = {
  port: droppedFor(ownMetrics), 'secure-port': droppedFor(ofAdapter), 'metrics-service-address': droppedFor(ofAdapter), 'metrics-service-grpc-authority': droppedFor(ofAdapter), msg: droppedFor(ofAdapter),
  'client-ca-file': droppedFor(ofAdapter), 'tls-cert-file': droppedFor(ofAdapter), 'tls-private-key-file': droppedFor(ofAdapter), 'cert-dir': droppedFor(ofAdapter), 'bind-address': droppedFor(ofAdapter),
  'profiling-bind-address': lostUnless('', noProfiles), 'kube-api-qps': droppedFor('process.kubeApiQPS is that of all of Ballast'), 'kube-api-burst': droppedFor('process.kubeApiBurst is that of all of Ballast'), 'disable-compression': droppedFor(ownHttp),
  'metrics-bind-address': droppedFor(ownMetrics), 'health-probe-bind-address': droppedFor('ours has probes of its own, on port 8081'),
  'cache-miss-to-direct-client': droppedFor('our webhook asks the API server where it does not know an object'),
  v: droppedFor(ownLog), logtostderr: droppedFor(ownLog), stderrthreshold: droppedFor(ownLog), 'zap-log-level': droppedFor(ownLog), 'zap-encoder': droppedFor(ownLog), 'zap-time-encoding': droppedFor(ownLog), 'zap-stacktrace-level': droppedFor(ownLog), 'zap-devel': droppedFor(ownLog),
}

/** Lease times decide how soon another takes over where one dies. */
const ownLease = 'process.leaderElect… is that of all of Ballast: 15s, 10s and 2s, as upstream by default'

// biome-ignore format: a table
const variables: Readonly<Record<string, Judge>> = {
  WATCH_NAMESPACE: lostUnless('', oneScope), WATCH_LABEL_SELECTOR: lostUnless('', noLabels), WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH: lostUnless('', noLabels),
  KEDA_HTTP_DEFAULT_TIMEOUT: httpTimeout, KEDA_HTTP_MIN_TLS_VERSION: minTlsVersion,
  KEDA_HTTP_TLS_CIPHER_LIST: lostUnless('', 'ours takes the ciphers of Node.js'), KEDA_SERVICE_MIN_TLS_VERSION: droppedFor(ownCertificate), KEDA_SERVICE_TLS_CIPHER_LIST: droppedFor(ownCertificate),
  KEDA_HTTP_DISABLE_KEEP_ALIVE: value => value === 'true' ? [{ kind: 'lost', why: 'ours asks a source again on the same connection for a while' }] : [],
  KEDA_RESTRICT_SECRET_ACCESS: value => value === 'true' ? restricted() : [],
  KEDA_CLUSTER_OBJECT_NAMESPACE: value => carried(section('clusterObjectNamespace'), value),
  KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY: tokenExpiry,
  KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES: droppedFor(ownQueue), KEDA_SCALEDJOB_CTRL_MAX_RECONCILES: droppedFor(ownQueue), KEDA_KUBERNETES_API_TIMEOUT: droppedFor('ours bounds every request'),
  KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION: droppedFor(ownLease), KEDA_OPERATOR_LEADER_ELECTION_RENEW_DEADLINE: droppedFor(ownLease), KEDA_OPERATOR_LEADER_ELECTION_RETRY_PERIOD: droppedFor(ownLease),
  KEDA_CHECK_UNEXPECTED_SCALERS_PARAMS: droppedFor('it warns of parameters that nobody reads'),
  RAW_METRICS_GRPC_PROTOCOL: lostFor('ours sends no stream of raw metrics'), RAW_METRICS_MODE: droppedFor('it belongs to RAW_METRICS_GRPC_PROTOCOL'),
  OTEL_EXPORTER_OTLP_ENDPOINT: lostFor('ours serves Prometheus metrics only'), OTEL_EXPORTER_OTLP_PROTOCOL: droppedFor('it belongs to OTEL_EXPORTER_OTLP_ENDPOINT'),
  POD_NAME: droppedFor('ours has its own'), POD_NAMESPACE: droppedFor('ours has its own'), OPERATOR_NAME: droppedFor('ours has its own'),
  HTTP_PROXY: lostFor('ours reaches sources straight'), HTTPS_PROXY: lostFor('ours reaches sources straight'), NO_PROXY: droppedFor('it belongs to a proxy'),
}

export const restricted = (): readonly Step[] => [
  {
    kind: 'changed',
    to: section('restrictSecretAccess'),
    value: true,
    why: "ours reads Secrets of Ballast's namespace alone, as KEDA those of its own: copy there what ClusterTriggerAuthentications name",
  },
]

const of = (table: Readonly<Record<string, Judge>>, key: string): Judge | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

export type Program = 'operator' | 'beside'

/** `name` without its dashes. */
export function flagSteps(program: Program, name: string, value: string): readonly Step[] {
  const judge = of(program === 'operator' ? operatorFlags : besideFlags, name)
  return judge?.(value) ?? [{ kind: 'lost', why: `ours knows no flag --${name}` }]
}

/** Nothing that any variable means. */
const fromElsewhere = '(from elsewhere)'

/** `value` is undefined where the variable says where its value comes from. */
export function variableSteps(name: string, value: string | undefined): readonly Step[] {
  const judge = of(variables, name.startsWith('http') || name.startsWith('no_') ? name.toUpperCase() : name)
  if (judge === undefined) return [{ kind: 'lost', why: `ours reads no variable ${name}` }]
  // As upstream reads its own: the manifests of its releases set several of them to nothing.
  if (value === '') return [{ kind: 'dropped', why: 'it is empty, as if it were not there' }]
  if (value !== undefined) return judge(value)
  const steps = judge(fromElsewhere)
  const isRead = steps.some(step => step.kind === 'carried' || step.kind === 'changed')
  return isRead
    ? [{ kind: 'lost', why: `the value of ${name} comes from elsewhere: write it into capabilities.autoscale` }]
    : steps
}

/** For tests: every one that is judged. */
export const judged = {
  operator: Object.keys(operatorFlags),
  beside: Object.keys(besideFlags),
  variables: Object.keys(variables),
} as const
