// The command line of upstream's `metrics-server` (v0.9.0) as values: flags as pflag takes them, all that is wrong at once.
import type { Problem } from '#kube/problem.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { type MetricsServerSettings, metricsServerSettings } from './metrics-server-settings.ts'

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  kubeconfig: 'text', 'metric-resolution': 'duration', version: 'bool',
  'kubelet-insecure-tls': 'bool', 'kubelet-use-node-status-port': 'bool', 'kubelet-port': 'whole', 'kubelet-preferred-address-types': 'list', 'kubelet-certificate-authority': 'text',
  'kubelet-client-key': 'text', 'kubelet-client-certificate': 'text', 'kubelet-request-timeout': 'duration', 'node-selector': 'text', 'deprecated-kubelet-completely-insecure': 'bool',
  'secure-port': 'whole', 'bind-address': 'address', 'cert-dir': 'text', 'tls-cert-file': 'text', 'tls-private-key-file': 'text', 'tls-sni-cert-key': 'texts',
  'tls-min-version': 'text', 'tls-cipher-suites': 'list', 'tls-curve-preferences': 'list',
  'authentication-kubeconfig': 'text', 'authentication-skip-lookup': 'bool', 'authentication-tolerate-lookup-failure': 'bool', 'authentication-token-webhook-cache-ttl': 'duration', 'client-ca-file': 'text',
  'requestheader-client-ca-file': 'text', 'requestheader-allowed-names': 'list', 'requestheader-username-headers': 'list', 'requestheader-group-headers': 'list',
  'requestheader-uid-headers': 'list', 'requestheader-extra-headers-prefix': 'list',
  'authorization-kubeconfig': 'text', 'authorization-webhook-cache-authorized-ttl': 'duration', 'authorization-webhook-cache-unauthorized-ttl': 'duration', 'authorization-always-allow-paths': 'list',
  'max-requests-inflight': 'whole', 'request-timeout': 'duration', 'shutdown-delay-duration': 'duration', 'goaway-chance': 'number', 'strict-transport-security-directives': 'list',
  v: 'level', vmodule: 'text', 'logging-format': 'text',
  // Ours.
  'stale-after': 'duration', compat: 'text', 'expose-swap': 'bool', 'expose-ephemeral-storage': 'bool', 'kubelet-format': 'text', 'kubelet-gzip': 'bool', 'kubelet-tls': 'text', 'allow-fast-resolution': 'bool',
}

/** Taken, because upstream takes them, and without effect. */
// biome-ignore format: a table
const unusedForms: Readonly<Record<string, FlagForm>> = {
  'advertise-address': 'address', 'cors-allowed-origins': 'list', 'emulated-version': 'list', 'emulation-forward-compatible': 'bool', 'external-hostname': 'text', 'feature-gates': 'text',
  'livez-grace-period': 'duration', 'max-mutating-requests-inflight': 'whole', 'min-compatibility-version': 'list', 'min-request-timeout': 'whole', 'runtime-config-emulation-forward-compatible': 'bool',
  'shutdown-send-retry-after': 'bool', 'shutdown-watch-termination-grace-period': 'duration', 'storage-initialization-timeout': 'duration',
  'disable-http2-serving': 'bool', 'http2-max-streams-per-connection': 'whole', 'permit-address-sharing': 'bool', 'permit-port-sharing': 'bool',
  'contention-profiling': 'bool', 'debug-socket-path': 'text', 'enable-priority-and-fairness': 'bool', profiling: 'bool',
  'log-flush-frequency': 'duration', 'log-json-info-buffer-size': 'text', 'log-json-split-stream': 'bool', 'log-text-info-buffer-size': 'text', 'log-text-split-stream': 'bool',
  ...auditForms(),
}

function auditForms(): Readonly<Record<string, FlagForm>> {
  const batch: Readonly<Record<string, FlagForm>> = {
    'batch-buffer-size': 'whole',
    'batch-max-size': 'whole',
    'batch-max-wait': 'duration',
    'batch-throttle-burst': 'whole',
    'batch-throttle-enable': 'bool',
    'batch-throttle-qps': 'number',
    mode: 'text',
    'truncate-enabled': 'bool',
    'truncate-max-batch-size': 'whole',
    'truncate-max-event-size': 'whole',
    version: 'text',
  }
  const each = Object.entries(batch).flatMap(([name, form]) => [
    [`audit-log-${name}`, form] as const,
    [`audit-webhook-${name}`, form] as const,
  ])
  return {
    ...Object.fromEntries(each),
    'audit-log-compress': 'bool',
    'audit-log-format': 'text',
    'audit-log-maxage': 'whole',
    'audit-log-maxbackup': 'whole',
    'audit-log-maxsize': 'whole',
    'audit-log-path': 'text',
    'audit-policy-file': 'text',
    'audit-webhook-config-file': 'text',
    'audit-webhook-initial-backoff': 'duration',
  }
}

/** What `--version` prints is the caller's to say. */
type MetricsServerFlags =
  | {
      readonly ok: true
      readonly isVersionAsked: boolean
      readonly settings: MetricsServerSettings
      readonly warnings: readonly string[]
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Every flag of `words` that upstream takes, and what is wrong with them; what they come to is another matter. */
export const readMetricsServerFlags = (words: readonly string[]): ReturnType<typeof readFlags> =>
  readFlags(words, {
    program: 'metrics-server',
    forms,
    unused: unusedForms,
    letters: { v: 'v', l: 'node-selector' },
    words: 'ignored',
  })

/** The settings that `words` (what follows the program's name) say; words that are no flags are not looked at, as upstream does. */
export function parseMetricsServerFlags(words: readonly string[]): MetricsServerFlags {
  const { values, unused, problems } = readMetricsServerFlags(words)
  const isVersionAsked = values.get('version') === true
  // What cannot be read has no value: what follows from values would be said of the defaults.
  if (problems.length > 0) return { ok: false, problems }
  const { settings, warnings, problems: further } = metricsServerSettings(values)
  if (further.length > 0 && !isVersionAsked) return { ok: false, problems: further }
  return { ok: true, isVersionAsked, settings, warnings: [...unused, ...warnings] }
}
