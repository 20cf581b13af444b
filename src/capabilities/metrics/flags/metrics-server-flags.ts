// The command line of upstream's `metrics-server` (v0.9.0) as values: flags as pflag takes them, all that is wrong at once.
import type { Problem } from '#kube/problem.ts'
import { aggregatedForms, aggregatedUnusedForms } from '#process/drop-ins/aggregated-flags.ts'
import { type FlagForm, readFlags } from '#process/drop-ins/pflags.ts'
import { type MetricsServerSettings, metricsServerSettings } from './metrics-server-settings.ts'

// biome-ignore format: a table
const forms: Readonly<Record<string, FlagForm>> = {
  kubeconfig: 'text', 'metric-resolution': 'duration', version: 'bool',
  'kubelet-insecure-tls': 'bool', 'kubelet-use-node-status-port': 'bool', 'kubelet-port': 'whole', 'kubelet-preferred-address-types': 'list', 'kubelet-certificate-authority': 'text',
  'kubelet-client-key': 'text', 'kubelet-client-certificate': 'text', 'kubelet-request-timeout': 'duration', 'node-selector': 'text', 'deprecated-kubelet-completely-insecure': 'bool',
  ...aggregatedForms,
  v: 'level', vmodule: 'text', 'logging-format': 'text',
  // Ours.
  'stale-after': 'duration', compat: 'text', 'expose-swap': 'bool', 'expose-ephemeral-storage': 'bool', 'kubelet-format': 'text', 'kubelet-gzip': 'bool', 'kubelet-tls': 'text', 'allow-fast-resolution': 'bool',
}

/** Taken, because upstream takes them, and without effect. */
// biome-ignore format: a table
const unusedForms: Readonly<Record<string, FlagForm>> = {
  ...aggregatedUnusedForms,
  'log-flush-frequency': 'duration', 'log-json-info-buffer-size': 'text', 'log-json-split-stream': 'bool', 'log-text-info-buffer-size': 'text', 'log-text-split-stream': 'bool',
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
