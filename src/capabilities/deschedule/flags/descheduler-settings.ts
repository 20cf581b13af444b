// What the flags of the descheduler come to: defaults, and what goes together and what does not.
import type { Problem } from '#kube/problem.ts'
import type { FlagValues } from '#process/drop-ins/pflags.ts'

/** Durations in milliseconds. */
export interface DeschedulerSettings {
  readonly policyConfigFile: string
  /** 0: one cycle. */
  readonly deschedulingIntervalMs: number
  readonly dryRun: boolean
  /** Empty: the service account of the pod. */
  readonly kubeconfig: string
  /** 0: the client's default. */
  readonly clientQps: number
  readonly clientBurst: number
  /** Absent: none. Not started in a dry run. */
  readonly leaderElection?: {
    readonly leaseDurationMs: number
    readonly renewDeadlineMs: number
    readonly retryPeriodMs: number
    readonly name: string
    readonly namespace: string
  }
  /** Absent: nothing is served. */
  readonly serving?: {
    readonly address: string
    readonly port: number
    readonly certificateDirectory: string
    readonly certificateFile: string
    readonly keyFile: string
    readonly minVersion: string
    readonly cipherSuites: readonly string[]
    readonly http2: boolean
    readonly metrics: boolean
  }
  readonly evictionsInBackground: boolean
  /** klog's level. */
  readonly verbosity: number
  readonly vmodule: string
  readonly loggingFormat: 'text' | 'json'
  readonly logFlushFrequencyMs: number
  readonly tracing: {
    readonly collectorEndpoint: string
    readonly caFile: string
    readonly serviceName: string
    readonly namespace: string
    readonly sampleRate: number
    readonly fallbackToNone: boolean
  }
}

interface Outcome {
  readonly settings: DeschedulerSettings
  readonly warnings: readonly string[]
  readonly problems: readonly Problem[]
}

/** client-go's: how much longer a renewal may be tried than one try takes. */
const jitterFactor = 1.2

/** The settings that `values` come to, and what is wrong with them. */
export function deschedulerSettings(values: FlagValues): Outcome {
  const problems: Problem[] = []
  const warnings: string[] = []
  const refuse = (where: string, found: unknown, expected: string, message: string) =>
    problems.push({ code: 'flag-value', where, found: String(found), expected, message })
  const text = (name: string, standard = '') => String(values.get(name) ?? standard)
  const number = (name: string, standard = 0) => Number(values.get(name) ?? standard)
  const flag = (name: string) => values.get(name) === true

  const deschedulingIntervalMs = number('descheduling-interval')
  const dryRun = flag('dry-run')
  if (text('policy-config-file') === '')
    refuse('--policy-config-file', '', 'the file of a DeschedulerPolicy', 'deschedulerPolicy is nil')
  const loggingFormat = text('logging-format', 'text')
  // Upstream takes no notice of what it does not know here.
  if (loggingFormat !== 'text' && loggingFormat !== 'json')
    warnings.push(`--logging-format ${loggingFormat} is unknown: text it is`)
  const port = number('secure-port', 10_258)
  if (port < 0 || port > 65_535) {
    const message = `--secure-port ${port} must be between 0 and 65535, inclusive. 0 for turning off secure port`
    refuse('--secure-port', port, 'a port, or 0', message)
  }
  const election = {
    leaseDurationMs: number('leader-elect-lease-duration', 137_000),
    renewDeadlineMs: number('leader-elect-renew-deadline', 107_000),
    retryPeriodMs: number('leader-elect-retry-period', 26_000),
    name: text('leader-elect-resource-name', 'descheduler'),
    namespace: text('leader-elect-resource-namespace', 'kube-system'),
  }
  const isElected = flag('leader-elect')
  if (isElected && dryRun) warnings.push('Warning: DryRun is set to True. You need to disable it to use Leader Election.')
  if (isElected) {
    const lock = text('leader-elect-resource-lock', 'leases')
    if (deschedulingIntervalMs === 0) {
      const message = 'leaderElection must be used with deschedulingInterval'
      refuse('--leader-elect', true, '--descheduling-interval of more than 0', message)
    }
    if (lock !== 'leases') refuse('--leader-elect-resource-lock', lock, 'leases', `unrecognized resource lock type: ${lock}`)
    if (election.leaseDurationMs <= election.renewDeadlineMs) {
      const message = 'leaseDuration must be greater than renewDeadline'
      refuse('--leader-elect-lease-duration', election.leaseDurationMs, 'more than --leader-elect-renew-deadline', message)
    }
    if (election.renewDeadlineMs <= election.retryPeriodMs * jitterFactor) {
      const message = 'renewDeadline must be greater than retryPeriod*JitterFactor'
      refuse(
        '--leader-elect-renew-deadline',
        election.renewDeadlineMs,
        'more than 1.2 times --leader-elect-retry-period',
        message,
      )
    }
  }
  const given = values.get('tls-cipher-suites')
  const serving = {
    address: text('bind-address', '0.0.0.0'),
    port,
    certificateDirectory: text('cert-dir', 'apiserver.local.config/certificates'),
    certificateFile: text('tls-cert-file'),
    keyFile: text('tls-private-key-file'),
    minVersion: text('tls-min-version'),
    cipherSuites: Array.isArray(given) ? given.map(String) : [],
    http2: flag('enable-http2'),
    metrics: !flag('disable-metrics'),
  }
  return {
    settings: {
      policyConfigFile: text('policy-config-file'),
      deschedulingIntervalMs,
      dryRun,
      kubeconfig: text('client-connection-kubeconfig'),
      clientQps: number('client-connection-qps'),
      clientBurst: number('client-connection-burst'),
      ...(isElected && !dryRun && { leaderElection: election }),
      ...(port !== 0 && { serving }),
      evictionsInBackground: isInBackground(values, refuse),
      verbosity: number('v'),
      vmodule: text('vmodule'),
      loggingFormat: loggingFormat === 'json' ? 'json' : 'text',
      logFlushFrequencyMs: number('log-flush-frequency', 5_000),
      tracing: {
        collectorEndpoint: text('otel-collector-endpoint'),
        caFile: text('otel-transport-ca-cert'),
        serviceName: text('otel-service-name', 'descheduler'),
        namespace: text('otel-trace-namespace'),
        sampleRate: number('otel-sample-rate', 1),
        fallbackToNone: flag('otel-fallback-no-op-on-error'),
      },
    },
    warnings,
    problems,
  }
}

/** The one gate there is: by its name, else with all that are alpha. */
function isInBackground(
  values: FlagValues,
  refuse: (where: string, found: unknown, expected: string, message: string) => void,
): boolean {
  const given = values.get('feature-gates')
  const gates: ReadonlyMap<unknown, unknown> = given instanceof Map ? given : new Map()
  for (const name of gates.keys()) {
    if (name === 'EvictionsInBackground' || name === 'AllAlpha' || name === 'AllBeta') continue
    refuse('--feature-gates', name, 'EvictionsInBackground, AllAlpha or AllBeta', `unrecognized feature gate: ${String(name)}`)
  }
  return (gates.get('EvictionsInBackground') ?? gates.get('AllAlpha')) === true
}
