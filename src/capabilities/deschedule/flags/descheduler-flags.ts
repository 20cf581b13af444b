// The command line of upstream's `descheduler` (v0.36.0) as values: flags as pflag takes them, all that is wrong at once.

import type { Problem } from '#kube/problem.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { type DeschedulerSettings, deschedulerSettings } from './descheduler-settings.ts'

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  'policy-config-file': 'text', 'descheduling-interval': 'duration', 'dry-run': 'bool',
  kubeconfig: 'text', 'client-connection-kubeconfig': 'text', 'client-connection-qps': 'number', 'client-connection-burst': 'whole',
  'leader-elect': 'bool', 'leader-elect-lease-duration': 'duration', 'leader-elect-renew-deadline': 'duration', 'leader-elect-retry-period': 'duration',
  'leader-elect-resource-lock': 'text', 'leader-elect-resource-name': 'text', 'leader-elect-resource-namespace': 'text',
  'secure-port': 'whole', 'bind-address': 'text', 'cert-dir': 'text', 'tls-cert-file': 'text', 'tls-private-key-file': 'text', 'tls-min-version': 'text', 'tls-cipher-suites': 'list',
  'disable-metrics': 'bool', 'enable-http2': 'bool', 'feature-gates': 'gates',
  v: 'level', vmodule: 'text', 'logging-format': 'text', 'log-flush-frequency': 'duration',
  'otel-collector-endpoint': 'text', 'otel-transport-ca-cert': 'text', 'otel-service-name': 'text', 'otel-trace-namespace': 'text', 'otel-sample-rate': 'number', 'otel-fallback-no-op-on-error': 'bool',
}

/** Taken, because upstream takes them, and without effect. */
// biome-ignore format: a table
const unusedForms: Readonly<Record<string, FlagForm>> = {
  'disable-http2-serving': 'bool', 'http2-max-streams-per-connection': 'whole', 'permit-address-sharing': 'bool', 'permit-port-sharing': 'bool', 'tls-curve-preferences': 'list',
  'tls-sni-cert-key': 'text', 'log-json-info-buffer-size': 'text', 'log-json-split-stream': 'bool', 'log-text-info-buffer-size': 'text', 'log-text-split-stream': 'bool',
}

type DeschedulerFlags =
  | { readonly ok: true; readonly settings: DeschedulerSettings; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The settings that `words` (what follows the program's name) say. */
export function parseDeschedulerFlags(words: readonly string[]): DeschedulerFlags {
  const {
    values: given,
    unused,
    problems,
  } = readFlags(words, {
    program: 'descheduler',
    forms,
    unused: unusedForms,
    letters: { v: 'v' },
    words: 'refused',
  })
  // Both name the same file: the last one counts.
  const file = [...given].findLast(([name]) => name === 'kubeconfig' || name === 'client-connection-kubeconfig')?.[1]
  const values = file === undefined ? given : new Map([...given, ['client-connection-kubeconfig', file] as const])
  const { settings, warnings, problems: further } = deschedulerSettings(values)
  const all = [...problems, ...further]
  return all.length > 0 ? { ok: false, problems: all } : { ok: true, settings, warnings: [...unused, ...warnings] }
}
