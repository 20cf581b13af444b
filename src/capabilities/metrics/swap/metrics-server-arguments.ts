// What becomes of each flag of metrics-server: a key of our section, nothing without loss, or a loss by name. What no flag says is taken as
// upstream's program takes it, which differs from ours.
import { formatDurationMs } from '#kube/time/duration.ts'
import type { FlagValues } from '#process/drop-ins/pflags.ts'
import type { Step } from '#upstreams/values-row.ts'
import { kubeletAddressTypes, longestResolutionMs, shortestTimeoutMs } from '../config.ts'
import { readMetricsServerFlags } from '../flags/metrics-server-flags.ts'

type Value = FlagValues extends ReadonlyMap<string, infer Item> ? Item : never
type Judge = (value: Value) => readonly Step[]

const section = (key: string) => `capabilities.metrics.${key}`
const addressTypes: readonly string[] = kubeletAddressTypes

const carried =
  (key: string): Judge =>
  value => [{ kind: 'carried', to: section(key), value }]
const dropped =
  (why: string): Judge =>
  () => [{ kind: 'dropped', why }]
/** Lost where it says something else than upstream's program takes without it. */
const lostUnless =
  (standard: Value, why: string): Judge =>
  value =>
    JSON.stringify(value) === JSON.stringify(standard)
      ? [{ kind: 'dropped', why: "it is upstream's default" }]
      : [{ kind: 'lost', why }]

const resolution: Judge = value =>
  Number(value) > longestResolutionMs
    ? [{ kind: 'lost', why: `found ${formatDurationMs(Number(value))}, ours measures at least each 10m` }]
    : [{ kind: 'carried', to: section('resolution'), value: formatDurationMs(Number(value)) }]

const requestTimeout: Judge = value => {
  const to = section('kubelet.requestTimeout')
  if (Number(value) >= shortestTimeoutMs) return [{ kind: 'carried', to, value: formatDurationMs(Number(value)) }]
  return [{ kind: 'changed', to, value: '1s', why: `found ${formatDurationMs(Number(value))}, ours gives a kubelet 1s at least` }]
}

const preferredTypes: Judge = value => {
  const types = Array.isArray(value) ? value.map(String) : []
  const known = [...new Set(types.filter(type => addressTypes.includes(type)))]
  const odd = types.filter(type => !addressTypes.includes(type))
  return [
    ...(odd.length === 0 ? [] : [{ kind: 'lost', why: `no node has addresses of type ${odd.join(', ')}` } as const]),
    ...(known.length === 0 ? [] : [{ kind: 'carried', to: section('kubelet.preferredAddressTypes'), value: known } as const]),
  ]
}

const ownListener = 'ours listens on port 6443 behind its Service, with a certificate of its own that is renewed'
const ownAccount = 'ours calls the API server of its cluster as its own account'
const ownLookup = 'ours reads from the cluster who may call for others, and goes on with what it read before'
const fromCluster = 'ours takes it from ConfigMap kube-system/extension-apiserver-authentication only'
const tls13 = 'only the API server calls, and both speak TLS 1.3'
const cached = 'ours keeps reviews for 10s'
const log = 'process.logLevel is that of ours, which writes JSON'
const ofLibrary = "it is about Go's library of API servers; ours has none"
const noAudit = "ours writes no audit log; the API server's own has every request"

// biome-ignore format: a table
const judges: Readonly<Record<string, Judge>> = {
  'metric-resolution': resolution,
  'kubelet-request-timeout': requestTimeout,
  'kubelet-preferred-address-types': preferredTypes,
  'kubelet-use-node-status-port': carried('kubelet.useNodeStatusPort'),
  'kubelet-port': carried('kubelet.port'),
  'kubelet-insecure-tls': carried('kubelet.insecureTls'),
  'kubelet-certificate-authority': carried('kubelet.certificateAuthority'),
  'kubelet-client-certificate': carried('kubelet.clientCertificate'),
  'kubelet-client-key': carried('kubelet.clientKey'),
  'node-selector': carried('nodeSelector'),
  'stale-after': value => [{ kind: 'carried', to: section('staleAfter'), value: formatDurationMs(Number(value)) }],
  compat: carried('compatibility'),
  'expose-swap': carried('exposeSwap'), 'expose-ephemeral-storage': carried('exposeEphemeralStorage'),
  'kubelet-format': carried('kubelet.format'), 'kubelet-gzip': carried('kubelet.gzip'), 'kubelet-tls': carried('kubelet.tls'),
  'allow-fast-resolution': dropped('ours measures each 5s where it is told to'),
  'deprecated-kubelet-completely-insecure': value => value === true ? [{ kind: 'lost', why: 'ours asks kubelets over TLS only; kubelet.insecureTls leaves their certificates unchecked' }] : [],
  kubeconfig: lostUnless('', ownAccount), 'authentication-kubeconfig': lostUnless('', ownAccount), 'authorization-kubeconfig': lostUnless('', ownAccount),
  'secure-port': dropped(ownListener), 'bind-address': dropped(ownListener), 'cert-dir': dropped(ownListener), 'advertise-address': dropped(ownListener), 'external-hostname': dropped(ownListener),
  'tls-cert-file': dropped(ownListener), 'tls-private-key-file': dropped(ownListener), 'tls-sni-cert-key': dropped(ownListener),
  'tls-min-version': value => value === 'VersionTLS13' ? [{ kind: 'lost', why: 'ours takes TLS 1.2 as well' }] : [{ kind: 'dropped', why: 'ours takes TLS 1.2 and 1.3' }],
  'tls-cipher-suites': dropped(tls13), 'tls-curve-preferences': dropped(tls13),
  'disable-http2-serving': dropped(ownListener), 'http2-max-streams-per-connection': dropped(ownListener), 'permit-address-sharing': dropped(ownListener), 'permit-port-sharing': dropped(ownListener),
  'authentication-skip-lookup': dropped(ownLookup), 'authentication-tolerate-lookup-failure': dropped(ownLookup),
  'authentication-token-webhook-cache-ttl': lostUnless(10_000, cached), 'authorization-webhook-cache-authorized-ttl': lostUnless(10_000, cached), 'authorization-webhook-cache-unauthorized-ttl': lostUnless(10_000, cached),
  'authorization-always-allow-paths': dropped('health and metrics of ours are on port 8081, for everybody whom networkPolicy.from lets in'),
  'client-ca-file': lostUnless('', fromCluster), 'requestheader-client-ca-file': lostUnless('', fromCluster), 'requestheader-allowed-names': lostUnless([], fromCluster),
  'requestheader-username-headers': lostUnless(['x-remote-user'], fromCluster), 'requestheader-group-headers': lostUnless(['x-remote-group'], fromCluster),
  'requestheader-uid-headers': lostUnless([], fromCluster), 'requestheader-extra-headers-prefix': lostUnless(['x-remote-extra-'], fromCluster),
  'max-requests-inflight': lostUnless(400, 'ours takes 400 requests at a time'), 'request-timeout': lostUnless(60_000, 'ours gives a request 60s'),
  'shutdown-delay-duration': lostUnless(0, 'ours ends within the grace of its pod'), 'goaway-chance': lostUnless(0, 'ours sends GOAWAY when it ends only'),
  'strict-transport-security-directives': lostUnless([], 'no browser calls ours'), 'cors-allowed-origins': lostUnless([], 'no browser calls ours'),
  v: dropped(log), vmodule: dropped(log), 'logging-format': dropped(log), 'log-flush-frequency': dropped(log),
  'log-json-info-buffer-size': dropped(log), 'log-json-split-stream': dropped(log), 'log-text-info-buffer-size': dropped(log), 'log-text-split-stream': dropped(log),
  version: dropped('nothing is served with it'), help: dropped('nothing is served with it'),
  'audit-log-path': lostUnless('', noAudit), 'audit-policy-file': lostUnless('', noAudit), 'audit-webhook-config-file': lostUnless('', noAudit),
  'min-request-timeout': dropped(ofLibrary), 'max-mutating-requests-inflight': dropped(ofLibrary), 'feature-gates': dropped(ofLibrary), 'enable-priority-and-fairness': dropped(ofLibrary),
  'emulated-version': dropped(ofLibrary), 'emulation-forward-compatible': dropped(ofLibrary), 'min-compatibility-version': dropped(ofLibrary), 'runtime-config-emulation-forward-compatible': dropped(ofLibrary),
  'livez-grace-period': dropped(ofLibrary), 'shutdown-send-retry-after': dropped(ofLibrary), 'shutdown-watch-termination-grace-period': dropped(ofLibrary), 'storage-initialization-timeout': dropped(ofLibrary),
  profiling: dropped(ofLibrary), 'contention-profiling': dropped(ofLibrary), 'debug-socket-path': dropped(ofLibrary),
}

/** What a flag of this name becomes; `undefined`: upstream has no such flag. */
export function judgeOf(flag: string): Judge | undefined {
  const judge = Object.hasOwn(judges, flag) ? judges[flag] : undefined
  return judge ?? (flag.startsWith('audit-') ? dropped('it belongs to the audit log') : undefined)
}

/** What upstream's program takes where no flag says otherwise, as far as ours takes something else. */
const programDefaults: readonly (readonly [flag: string, value: Value])[] = [
  ['metric-resolution', 60_000],
  ['kubelet-preferred-address-types', addressTypes],
  ['kubelet-use-node-status-port', false],
]

/** Keys whose empty text says nothing. */
const isSilent = (value: Value): boolean => value === ''

interface FlagLine {
  readonly flag: string
  /** By a word; else it is one of upstream's defaults that ours does not share. */
  readonly isGiven: boolean
  readonly steps: readonly Step[]
}

/** What becomes of each flag of `words`, of those that are not there as far as ours takes something else then, and of what is no flag. */
export function flagSteps(words: readonly string[]): readonly FlagLine[] {
  const { values, problems } = readMetricsServerFlags(words)
  const said = Array.from(values, ([name, value]) => ({
    flag: `--${name}`,
    isGiven: true,
    steps: isSilent(value) ? [{ kind: 'dropped', why: 'it says nothing' } as const] : (judgeOf(name)?.(value) ?? []),
  }))
  const unsaid = programDefaults
    .filter(([name]) => !values.has(name))
    .map(([name, value]) => ({
      flag: `--${name}`,
      isGiven: false,
      steps: (judgeOf(name)?.(value) ?? []).map(step => ({ ...step, why: `--${name} is not given, which is ${shown(value)}` })),
    }))
  const wrong = problems.map(({ where, message, found }) => ({
    flag: where.startsWith('-') ? where : found,
    isGiven: true,
    steps: [{ kind: 'lost', why: message ?? `found ${found}` } as const],
  }))
  return [...said, ...unsaid, ...wrong]
}

const shown = (value: Value): string => (typeof value === 'number' ? formatDurationMs(value) : String(value))
