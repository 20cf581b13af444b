// The command lines of KEDA's three programs (2.20, 2.21) as values: flags as pflag takes them, defaults, and what each comes to here.

import type { Problem } from '#kube/problem.ts'
import { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
import type { Parsed, WireSettings } from '#process/drop-ins/parsed-settings.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { klogForms, type ZapSettings, zapForms, zapSettings } from '#process/drop-ins/zap.ts'
import { type AutoscaleConfig, autoscaleConfiguration } from '../config.ts'
import { KedaEnvironment } from './keda-environment.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What every one of the three has. */
// biome-ignore format: a table
export const clientForms: Readonly<Record<string, FlagForm>> = {
  kubeconfig: 'text', 'kube-api-qps': 'number', 'kube-api-burst': 'whole', 'disable-compression': 'bool', 'profiling-bind-address': 'text', 'cert-dir': 'text', ...zapForms,
}

// biome-ignore format: a table
const operatorForms: Readonly<Record<string, FlagForm>> = {
  ...clientForms,
  'enable-prometheus-metrics': 'bool', 'enable-opentelemetry-metrics': 'bool', 'enable-high-cardinality-metrics-labels': 'bool',
  'metrics-bind-address': 'text', 'health-probe-bind-address': 'text', 'metrics-service-bind-address': 'text',
  'leader-elect': 'bool', 'leader-election-id': 'text',
  'cert-secret-name': 'text', 'operator-service-name': 'text', 'metrics-server-service-name': 'text', 'webhooks-service-name': 'text', 'validating-webhook-name': 'text',
  'k8s-cluster-name': 'text', 'k8s-cluster-domain': 'text', 'enable-cert-rotation': 'bool', 'enable-webhook-patching': 'bool', 'enable-apiservice-patching': 'bool',
  'ca-dir': 'texts', 'filepath-auth-root-path': 'text', 'http-max-idle-conns': 'whole', 'http-max-idle-conns-per-host': 'whole', 'http-idle-conn-timeout': 'duration',
  // Ours.
  'allow-address': 'list', 'deny-address': 'list', 'token-audience': 'texts',
}

/** Requests a second to the API server, where its flags say so. */
export interface ClientSettings {
  /** Empty: KUBECONFIG, the pod's account, the home's file. */
  readonly kubeconfig: string
  readonly bucket: { readonly perSecond: number; readonly burst: number } | undefined
}

export interface OperatorSettings {
  readonly log: ZapSettings
  readonly client: ClientSettings
  /** `0` where it is off. */
  readonly metricsAddress: string
  readonly probeAddress: string
  readonly serviceAddress: string
  /** Absent: it acts at once, whoever else does. */
  readonly election: { readonly name: string; readonly times: LeaseTimes } | undefined
  readonly certificateDirectory: string
  /** Absent: somebody else keeps the files. */
  readonly rotation: RotationSettings | undefined
  /** Folders with authorities that sources are believed by. */
  readonly authorityDirectories: readonly string[]
  readonly autoscale: AutoscaleConfig
  readonly namespace: string
  /** Empty: the cluster. */
  readonly namespaces: readonly string[]
  readonly selectors: { readonly objects: string | undefined; readonly authentications: string | undefined }
  readonly httpWire: WireSettings
  readonly serviceWire: WireSettings
}

interface LeaseTimes {
  readonly leaseDurationMs?: number
  readonly renewDeadlineMs?: number
  readonly retryPeriodMs?: number
}

export interface RotationSettings {
  readonly secret: string
  readonly dnsNames: readonly string[]
  /** Undefined: it is not written to. */
  readonly webhookConfiguration: string | undefined
  readonly patchesApiService: boolean
}

/** `problems` end the start with code 2, `refused` with code 1 and upstream's sentence. */
const standardQps = 20
const standardBurst = 30

/** Ours asks faster than upstream's defaults, where nobody says how fast. */
export function clientSettings({ text, number, has }: GivenFlags): ClientSettings {
  const isSaid = has('kube-api-qps') || has('kube-api-burst')
  return {
    kubeconfig: text('kubeconfig'),
    bucket: isSaid
      ? { perSecond: number('kube-api-qps', standardQps), burst: number('kube-api-burst', standardBurst) }
      : undefined,
  }
}

/** Flags that have no effect here, each by name. */
export function clientWarnings({ text, flag }: GivenFlags): readonly string[] {
  return [
    ...(text('profiling-bind-address') === ''
      ? []
      : ['--profiling-bind-address is taken and has no effect: ours has no profiles']),
    ...(flag('disable-compression', true)
      ? []
      : ['--disable-compression=false is taken and has no effect: answers come as they are']),
  ]
}

/** The operator's, by what follows the program's name. */
export function parseOperatorFlags(words: readonly string[], environment: Environment): Parsed<OperatorSettings> {
  const table = { program: 'keda', forms: operatorForms, unused: klogForms, letters: { v: 'v' }, words: 'ignored' } as const
  const { values, unused, problems } = readFlags(words, table)
  if (problems.length > 0) return { ok: false, problems }
  const log = zapSettings(values)
  if (log.problems.length > 0) return { ok: false, problems: log.problems }
  const flags = new GivenFlags(values)
  const { text, flag, list, number } = flags
  const given = new KedaEnvironment(environment)
  if (number('http-idle-conn-timeout', 90_000) <= 0)
    given.refuse('invalid HTTP transport configuration', '--http-idle-conn-timeout must be greater than zero')
  const namespaces = given.namespaces()
  const config = autoscaleOf(flags, given)
  if (!config.ok) return { ok: false, problems: config.problems }
  const times = leaseTimes(given)
  const settings: OperatorSettings = {
    log: log.settings,
    client: clientSettings(flags),
    metricsAddress: flag('enable-prometheus-metrics', true) ? text('metrics-bind-address', ':8080') : '0',
    probeAddress: text('health-probe-bind-address', ':8081'),
    serviceAddress: text('metrics-service-bind-address', ':9666'),
    election: flag('leader-elect', false) ? { name: text('leader-election-id', 'operator.keda.sh'), times } : undefined,
    certificateDirectory: text('cert-dir', '/certs'),
    rotation: flag('enable-cert-rotation', false) ? rotationOf(flags, given.namespace) : undefined,
    authorityDirectories: list('ca-dir', ['/custom/ca']),
    autoscale: config.value,
    namespace: given.namespace,
    namespaces,
    selectors: {
      objects: given.selector('WATCH_LABEL_SELECTOR'),
      authentications: given.selector('WATCH_LABEL_SELECTOR_FOR_TRIGGERAUTH'),
    },
    httpWire: given.httpWire(),
    serviceWire: given.serviceWire(),
  }
  const warnings = [...unused, ...clientWarnings(flags), ...operatorWarnings(flags, given), ...given.warnings]
  return { ok: true, settings, warnings, refused: given.problems }
}

/** Four names for each of the three Services, as upstream's certificate has them. */
function rotationOf({ text, flag }: GivenFlags, namespace: string): RotationSettings {
  const domain = text('k8s-cluster-domain', 'cluster.local')
  const namesOf = (service: string) => [
    service,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.${domain}`,
  ]
  const isJudging = flag('enable-webhook-patching', true)
  return {
    secret: text('cert-secret-name', 'kedaorg-certs'),
    dnsNames: [
      ...namesOf(text('operator-service-name', 'keda-operator')),
      ...namesOf(text('metrics-server-service-name', 'keda-metrics-apiserver')),
      ...(isJudging ? namesOf(text('webhooks-service-name', 'keda-admission-webhooks')) : []),
    ],
    webhookConfiguration: isJudging ? text('validating-webhook-name', 'keda-admission') : undefined,
    patchesApiService: flag('enable-apiservice-patching', true),
  }
}

function leaseTimes(given: KedaEnvironment): LeaseTimes {
  const ofVariable = (word: string) => given.durationMs(`KEDA_OPERATOR_LEADER_ELECTION_${word}`)
  const [leaseDurationMs, renewDeadlineMs, retryPeriodMs] = ['LEASE_DURATION', 'RENEW_DEADLINE', 'RETRY_PERIOD'].map(ofVariable)
  return {
    ...(leaseDurationMs === undefined ? {} : { leaseDurationMs }),
    ...(renewDeadlineMs === undefined ? {} : { renewDeadlineMs }),
    ...(retryPeriodMs === undefined ? {} : { retryPeriodMs }),
  }
}

type Config =
  | { readonly ok: true; readonly value: AutoscaleConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] }

function autoscaleOf({ text, list }: GivenFlags, given: KedaEnvironment): Config {
  const audiences = list('token-audience', []).map(said => /^([^/=]+)\/([^/=]+)=(.+)$/.exec(said))
  const wrong = list('token-audience', []).filter((_said, at) => audiences[at] === null)
  if (wrong.length > 0) {
    const expected = 'NAMESPACE/SERVICEACCOUNT=AUDIENCE'
    return { ok: false, problems: wrong.map(found => ({ code: 'flag-value', where: '--token-audience', found, expected })) }
  }
  const accounts = audiences.flatMap(found => (found === null ? [] : [found]))
  const deny = list('deny-address', [])
  const expiryMs = given.durationMs('KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY')
  const timeoutMs = given.whole('KEDA_HTTP_DEFAULT_TIMEOUT', 3_000)
  const asked = {
    httpTimeout: `${timeoutMs}ms`,
    // Upstream takes every word but this one as no.
    restrictSecretAccess: given.text('KEDA_RESTRICT_SECRET_ACCESS').toLowerCase() === 'true',
    clusterObjectNamespace: given.text('KEDA_CLUSTER_OBJECT_NAMESPACE'),
    filePathRoot: text('filepath-auth-root-path'),
    clusterName: text('k8s-cluster-name', 'kubernetes-default'),
    addresses: { allow: list('allow-address', []), ...(deny.length === 0 ? {} : { deny }) },
    tokenNamespaces: [...new Set(accounts.map(found => found[1] ?? ''))],
    tokenAudiences: Object.fromEntries(accounts.map(found => [`${found[1]}/${found[2]}`, found[3] ?? ''])),
    ...(expiryMs === undefined ? {} : { tokenExpiry: `${expiryMs}ms` }),
  }
  const parsed = autoscaleConfiguration.safeParse(asked)
  if (parsed.success) return { ok: true, value: parsed.data }
  // What a variable said ends the start as upstream does; what a flag of ours said is a bad flag.
  const ofVariables: Readonly<Record<string, string>> = {
    httpTimeout: 'KEDA_HTTP_DEFAULT_TIMEOUT',
    tokenExpiry: 'KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY',
    clusterObjectNamespace: 'KEDA_CLUSTER_OBJECT_NAMESPACE',
  }
  const ofFlags: Readonly<Record<string, string>> = {
    filePathRoot: '--filepath-auth-root-path',
    clusterName: '--k8s-cluster-name',
    addresses: '--allow-address, --deny-address',
    tokenNamespaces: '--token-audience',
    tokenAudiences: '--token-audience',
  }
  const problems: Problem[] = []
  for (const { path, message } of parsed.error.issues) {
    const key = String(path[0])
    const variable = ofVariables[key]
    if (variable !== undefined) given.refuse(`invalid ${variable}`, message)
    else problems.push({ code: 'flag-value', where: ofFlags[key] ?? key, found: path.join('.'), expected: message })
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: autoscaleConfiguration.parse({}) }
}

const unusedFlags = [
  ['http-max-idle-conns', 'ours keeps up to 8 connections to a source'],
  ['http-max-idle-conns-per-host', 'ours keeps up to 8 connections to a source'],
  ['http-idle-conn-timeout', 'ours keeps a connection that nobody uses for 60 s'],
] as const
/** What the chart says to everybody is no news. */
const chartSays: Readonly<Record<string, string>> = {
  'http-max-idle-conns': '0',
  'http-max-idle-conns-per-host': '1000',
  'http-idle-conn-timeout': '90000',
}

function operatorWarnings({ flag, has, number }: GivenFlags, given: KedaEnvironment): readonly string[] {
  const isTold = (name: string) => has(name) && String(number(name, 0)) !== chartSays[name]
  const variables = [
    ['KEDA_HTTP_DISABLE_KEEP_ALIVE', 'ours asks a source again on the same connection for a while'],
    ['RAW_METRICS_GRPC_PROTOCOL', 'ours sends no stream of raw metrics'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'ours serves Prometheus metrics only'],
    ['HTTP_PROXY', 'ours reaches sources straight'],
    ['HTTPS_PROXY', 'ours reaches sources straight'],
  ] as const
  // Read, so that what is no number ends the start as upstream does.
  for (const name of ['KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES', 'KEDA_SCALEDJOB_CTRL_MAX_RECONCILES'])
    if (given.whole(name, 0) !== 0) given.warnings.push(`${name} is taken and has no effect: ours works on all that is due`)
  return [
    ...unusedFlags.filter(([name]) => isTold(name)).map(([name, why]) => `--${name} is taken and has no effect: ${why}`),
    ...(flag('enable-high-cardinality-metrics-labels', false)
      ? ['--enable-high-cardinality-metrics-labels is taken and has no effect: our histograms have no labels for each object']
      : []),
    ...(flag('enable-opentelemetry-metrics', false)
      ? ['--enable-opentelemetry-metrics is taken and has no effect: ours serves Prometheus metrics only']
      : []),
    ...variables.filter(([name]) => given.text(name) !== '').map(([name, why]) => `${name} is taken and has no effect: ${why}`),
  ]
}
