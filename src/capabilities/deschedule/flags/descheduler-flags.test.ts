import { expect, test } from 'vitest'
import { parseDeschedulerFlags } from './descheduler-flags.ts'

const policy = '--policy-config-file=policy.yaml'

function settings(...words: readonly string[]) {
  const parsed = parseDeschedulerFlags([policy, ...words])
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('\n'))
  return parsed.settings
}

function messages(...words: readonly string[]): readonly (string | undefined)[] {
  const parsed = parseDeschedulerFlags(words)
  return parsed.ok ? [] : parsed.problems.map(({ message }) => message)
}

test("without flags but the policy, upstream's defaults hold", () => {
  expect(settings()).toEqual({
    policyConfigFile: 'policy.yaml',
    deschedulingIntervalMs: 0,
    dryRun: false,
    kubeconfig: '',
    clientQps: 0,
    clientBurst: 0,
    serving: {
      address: '0.0.0.0',
      port: 10_258,
      certificateDirectory: 'apiserver.local.config/certificates',
      certificateFile: '',
      keyFile: '',
      minVersion: '',
      cipherSuites: [],
      http2: false,
      metrics: true,
    },
    evictionsInBackground: false,
    verbosity: 0,
    vmodule: '',
    loggingFormat: 'text',
    logFlushFrequencyMs: 5_000,
    tracing: {
      collectorEndpoint: '',
      caFile: '',
      serviceName: 'descheduler',
      namespace: '',
      sampleRate: 1,
      fallbackToNone: false,
    },
  })
})

test.each<[readonly string[], object]>([
  [['--descheduling-interval=5m'], { deschedulingIntervalMs: 300_000 }],
  [['--descheduling-interval', '1.5s'], { deschedulingIntervalMs: 1_500 }],
  [['--dry-run'], { dryRun: true }],
  [['--dry-run=false'], { dryRun: false }],
  [['--dry-run=T', '--v=4'], { dryRun: true, verbosity: 4 }],
  [['-v', '3'], { verbosity: 3 }],
  [['-v4'], { verbosity: 4 }],
  [['-v=5'], { verbosity: 5 }],
  [['--kubeconfig=a', '--client-connection-kubeconfig=b'], { kubeconfig: 'b' }],
  [['--client-connection-kubeconfig=b', '--kubeconfig=a'], { kubeconfig: 'a' }],
  [['--client-connection-qps=2.5', '--client-connection-burst=7'], { clientQps: 2.5, clientBurst: 7 }],
  [['--feature-gates=EvictionsInBackground=true'], { evictionsInBackground: true }],
  [['--feature-gates=AllAlpha=true'], { evictionsInBackground: true }],
  [['--feature-gates=AllAlpha=true,EvictionsInBackground=false'], { evictionsInBackground: false }],
  [['--feature-gates=AllBeta=true'], { evictionsInBackground: false }],
  [
    ['--logging-format', 'json', '--vmodule=a=1', '--log-flush-frequency=1s'],
    { loggingFormat: 'json', vmodule: 'a=1', logFlushFrequencyMs: 1_000 },
  ],
  [
    ['--secure-port=8443', '--bind-address=::1', '--tls-cipher-suites=A,B', '--tls-cipher-suites=C'],
    { serving: { port: 8_443, address: '::1', cipherSuites: ['A', 'B', 'C'] } },
  ],
  [['--disable-metrics', '--enable-http2'], { serving: { metrics: false, http2: true } }],
  [
    ['--otel-collector-endpoint=c:4317', '--otel-sample-rate=.5', '--otel-fallback-no-op-on-error'],
    { tracing: { collectorEndpoint: 'c:4317', sampleRate: 0.5, fallbackToNone: true } },
  ],
  [
    ['--leader-elect', '--descheduling-interval=5m'],
    {
      leaderElection: {
        leaseDurationMs: 137_000,
        renewDeadlineMs: 107_000,
        retryPeriodMs: 26_000,
        name: 'descheduler',
        namespace: 'kube-system',
      },
    },
  ],
])('%j', (words, expected) => {
  expect(settings(...words)).toMatchObject(expected)
})

test('a format of logs that nobody knows is text, with a warning', () => {
  const parsed = parseDeschedulerFlags([policy, '--logging-format=xml'])
  expect(parsed).toMatchObject({
    ok: true,
    settings: { loggingFormat: 'text' },
    warnings: ['--logging-format xml is unknown: text it is'],
  })
})

test('port 0 serves nothing', () => {
  expect(settings('--secure-port=0')).not.toHaveProperty('serving')
})

test('a dry run elects no leader, with a warning; flags without effect are named', () => {
  const parsed = parseDeschedulerFlags([
    policy,
    '--leader-elect',
    '--dry-run',
    '--descheduling-interval=5m',
    '--permit-port-sharing',
  ])
  expect(parsed).toMatchObject({
    ok: true,
    warnings: [
      '--permit-port-sharing is taken and has no effect',
      'Warning: DryRun is set to True. You need to disable it to use Leader Election.',
    ],
  })
  expect(parsed.ok && parsed.settings).not.toHaveProperty('leaderElection')
})

test.each<[readonly string[], readonly string[]]>([
  [[], ['deschedulerPolicy is nil']],
  [[policy, '--leader-elect'], ['leaderElection must be used with deschedulingInterval']],
  [[policy, '--nothing=1'], ['unknown flag: --nothing']],
  [[policy, '-x'], ["unknown shorthand flag: 'x' in -x"]],
  [[policy, 'now'], ['unknown command "now" for "descheduler"']],
  [[policy, '--descheduling-interval'], ['flag needs an argument: --descheduling-interval']],
  [
    [policy, '--descheduling-interval=soon'],
    ['invalid argument "soon" for "--descheduling-interval" flag: time: invalid duration "soon"'],
  ],
  [
    [policy, '--dry-run=maybe'],
    ['invalid argument "maybe" for "--dry-run" flag: strconv.ParseBool: parsing "maybe": invalid syntax'],
  ],
  [[policy, '--v=x'], ['invalid argument "x" for "-v, --v" flag: strconv.ParseUint: parsing "x": invalid syntax']],
  [
    [policy, '--client-connection-qps=x'],
    ['invalid argument "x" for "--client-connection-qps" flag: strconv.ParseFloat: parsing "x": invalid syntax'],
  ],
  [[policy, '--feature-gates=Speed=true'], ['unrecognized feature gate: Speed']],
  [
    [policy, '--feature-gates=EvictionsInBackground'],
    ['invalid argument "EvictionsInBackground" for "--feature-gates" flag: malformed pair, expect string=bool'],
  ],
  [
    [policy, '--secure-port=65536'],
    ['--secure-port 65536 must be between 0 and 65535, inclusive. 0 for turning off secure port'],
  ],
  [
    [
      policy,
      '--leader-elect',
      '--descheduling-interval=1m',
      '--leader-elect-lease-duration=10s',
      '--leader-elect-renew-deadline=10s',
      '--leader-elect-retry-period=9s',
    ],
    ['leaseDuration must be greater than renewDeadline', 'renewDeadline must be greater than retryPeriod*JitterFactor'],
  ],
  [
    ['--a', '--dry-run=x'],
    [
      'unknown flag: --a',
      'invalid argument "x" for "--dry-run" flag: strconv.ParseBool: parsing "x": invalid syntax',
      'deschedulerPolicy is nil',
    ],
  ],
])('%j is refused', (words, expected) => {
  expect(messages(...words)).toEqual(expected)
})
