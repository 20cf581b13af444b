// The flags of upstream's `reloader`, those of its unreleased second version, and two of ours for its timing, as one table: what each is,
// and which key of the configuration it sets.
import { InvalidArgumentError, Option } from 'commander'
import { parseStringSlice } from '#process/drop-ins/string-slice.ts'

/** How a value is read. `only-true`: a text of which only exactly `true` enables. */
type Form = 'bool' | 'only-true' | 'text' | 'list' | 'selector' | 'strategy'

interface ReloaderFlag {
  readonly flag: string
  readonly form: Form
  readonly standard: string | boolean
  readonly help: string
  /** Below `capabilities.reload`, unless it begins with `process`. Absent: taken by the command itself. */
  readonly key?: readonly string[]
}

const prefix = 'reloader.stakater.com'

// biome-ignore format: a table
export const reloaderFlags: readonly ReloaderFlag[] = [
  { flag: 'auto-reload-all', form: 'bool', standard: false, key: ['autoReloadAll'], help: 'every workload counts as `auto` unless it says otherwise' },
  { flag: 'reload-strategy', form: 'strategy', standard: 'env-vars', key: ['reloadStrategy'], help: 'env-vars or annotations' },
  { flag: 'reload-on-create', form: 'only-true', standard: 'false', key: ['reloadOnCreate'], help: 'objects that are created reload, too' },
  { flag: 'reload-on-delete', form: 'only-true', standard: 'false', key: ['reloadOnDelete'], help: 'objects that are deleted reload, too' },
  { flag: 'sync-after-restart', form: 'bool', standard: false, key: ['syncAfterRestart'], help: 'with --reload-on-create: what was never seen counts as created at the start' },
  { flag: 'is-Argo-Rollouts', form: 'only-true', standard: 'false', key: ['argoRollouts'], help: 'Argo Rollouts, too; also --is-argo-rollouts' },
  { flag: 'is-argo-rollouts', form: 'only-true', standard: 'false', key: ['argoRollouts'], help: '' },
  { flag: 'enable-csi-integration', form: 'bool', standard: false, key: ['csiIntegration'], help: 'rotations by the Secrets Store CSI driver, too' },
  { flag: 'resources-to-ignore', form: 'list', standard: '', key: ['resourcesToIgnore'], help: 'configmaps or secrets: not watched' },
  { flag: 'ignored-workload-types', form: 'list', standard: '', key: ['ignoredWorkloadTypes'], help: 'jobs, cronjobs: never reloaded' },
  { flag: 'namespaces', form: 'list', standard: '', key: ['namespaces'], help: 'exactly these; else KUBERNETES_NAMESPACE, else all' },
  { flag: 'namespaces-to-ignore', form: 'list', standard: '', key: ['namespacesToIgnore'], help: 'not these, where all are watched' },
  { flag: 'namespace-selector', form: 'selector', standard: '', key: ['namespaceSelector'], help: 'labels of namespaces, where all are watched' },
  { flag: 'resource-label-selector', form: 'selector', standard: '', key: ['resourceLabelSelector'], help: 'labels of ConfigMaps and Secrets' },
  { flag: 'webhook-url', form: 'text', standard: '', key: ['webhookUrl'], help: 'send a POST to this address instead of reloading' },
  { flag: 'enable-ha', form: 'bool', standard: false, help: 'several replicas, one leads; needs POD_NAME and POD_NAMESPACE' },
  { flag: 'log-format', form: 'text', standard: '', help: 'json, or nothing for text' },
  { flag: 'log-level', form: 'text', standard: 'info', help: 'trace, debug, info, warning, error, fatal or panic' },
  { flag: 'enable-pprof', form: 'bool', standard: false, help: 'accepted without effect: there are no profiles over the network' },
  { flag: 'pprof-addr', form: 'text', standard: ':6060', help: 'as --enable-pprof' },
  { flag: 'auto-annotation', form: 'text', standard: `${prefix}/auto`, key: ['annotations', 'auto'], help: 'key of this annotation' },
  { flag: 'configmap-auto-annotation', form: 'text', standard: `configmap.${prefix}/auto`, key: ['annotations', 'configmapAuto'], help: 'key of this annotation' },
  { flag: 'secret-auto-annotation', form: 'text', standard: `secret.${prefix}/auto`, key: ['annotations', 'secretAuto'], help: 'key of this annotation' },
  { flag: 'configmap-annotation', form: 'text', standard: `configmap.${prefix}/reload`, key: ['annotations', 'configmap'], help: 'key of this annotation' },
  { flag: 'secret-annotation', form: 'text', standard: `secret.${prefix}/reload`, key: ['annotations', 'secret'], help: 'key of this annotation' },
  { flag: 'auto-search-annotation', form: 'text', standard: `${prefix}/search`, key: ['annotations', 'search'], help: 'key of this annotation' },
  { flag: 'search-match-annotation', form: 'text', standard: `${prefix}/match`, key: ['annotations', 'match'], help: 'key of this annotation' },
  { flag: 'ignore-annotation', form: 'text', standard: `${prefix}/ignore`, key: ['annotations', 'ignore'], help: 'key of this annotation' },
  { flag: 'pause-deployment-annotation', form: 'text', standard: `deployment.${prefix}/pause-period`, key: ['annotations', 'pausePeriod'], help: 'key of this annotation' },
  { flag: 'pause-deployment-time-annotation', form: 'text', standard: `deployment.${prefix}/paused-at`, key: ['annotations', 'pauseTime'], help: 'key of this annotation' },
  { flag: 'metrics-addr', form: 'text', standard: ':9090', help: 'HOST:PORT of /metrics, /live, /healthz and /readyz' },
  { flag: 'health-addr', form: 'text', standard: '', help: 'the same once more on another HOST:PORT' },
  { flag: 'watch-namespace', form: 'text', standard: '', help: 'as KUBERNETES_NAMESPACE' },
  { flag: 'is-openshift', form: 'text', standard: 'auto', help: 'accepted without effect: DeploymentConfigs are not reloaded' },
  { flag: 'leader-election-id', form: 'text', standard: 'stakater-reloader-lock', help: 'name of the Lease that keeps Reloader away' },
  { flag: 'leader-election-namespace', form: 'text', standard: '', help: 'where the Leases lie; else POD_NAMESPACE' },
  { flag: 'leader-election-lease-duration', form: 'text', standard: '15s', key: ['process', 'leaderElectLeaseDuration'], help: 'how long a Lease holds' },
  { flag: 'leader-election-renew-deadline', form: 'text', standard: '10s', key: ['process', 'leaderElectRenewDeadline'], help: 'how long renewing is tried' },
  { flag: 'leader-election-retry-period', form: 'text', standard: '2s', key: ['process', 'leaderElectRetryPeriod'], help: 'how often' },
  { flag: 'leader-election-release-on-cancel', form: 'bool', standard: true, help: 'taken: Leases are always given back at the end' },
  { flag: 'alert-on-reload', form: 'bool', standard: false, key: ['alerts', 'enabled'], help: 'alerts after reloads' },
  { flag: 'alert-webhook-url', form: 'text', standard: '', key: ['alerts', 'webhookUrl'], help: 'where they are sent' },
  { flag: 'alert-sink', form: 'text', standard: '', key: ['alerts', 'sink'], help: 'slack, teams, gchat; anything else: plain text' },
  { flag: 'alert-proxy', form: 'text', standard: '', key: ['alerts', 'proxy'], help: 'proxy on the way there' },
  { flag: 'alert-additional-info', form: 'text', standard: '', key: ['alerts', 'additionalInfo'], help: 'text before each alert' },
  { flag: 'alert-structured', form: 'bool', standard: false, help: 'accepted without effect: plain text is sent as text' },
  { flag: 'debounce', form: 'text', standard: '2s', key: ['debounce'], help: 'ours: how long a change waits for further ones; 0s rolls out at once, as Reloader does' },
  { flag: 'rate-guard', form: 'bool', standard: true, key: ['rateGuard', 'enabled'], help: 'ours: 10 s between roll-outs of one workload, longer while they go on; false as Reloader' },
]

/** Values as the command has them, by flag; lists are in order of their flags. */
export type FlagValue = string | boolean | readonly string[]

/** The flag as the command line library takes it; what is wrong with a value is told with flag and value, in one line. */
export function commandOption({ flag, form, standard, help }: ReloaderFlag): Option {
  switch (form) {
    case 'bool':
      // With a value only after `=`, as pflag; here it may be a word of its own, too.
      return new Option(`--${flag} [value]`, help).default(standard).argParser(boolOf)
    case 'list':
    case 'selector':
      return new Option(`--${flag} <list>`, help).argParser(listOf)
    case 'strategy':
      return new Option(`--${flag} <name>`, help).choices(['env-vars', 'annotations']).default(standard)
    case 'only-true':
    case 'text': {
      const option = new Option(`--${flag} <${form === 'text' ? 'value' : 'true|false'}>`, help)
      if (help === '') option.hideHelp()
      return standard === '' ? option : option.default(standard)
    }
  }
}

const bools: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'TRUE', 'true', 'True'].map(text => [text, true] as const)),
  ...Object.fromEntries(['0', 'f', 'F', 'FALSE', 'false', 'False'].map(text => [text, false] as const)),
}

function boolOf(text: string): boolean {
  const value = Object.hasOwn(bools, text) ? bools[text] : undefined
  if (value === undefined) throw new InvalidArgumentError('It must be true or false.')
  return value
}

function listOf(text: string, before: unknown): readonly string[] {
  const fields = parseStringSlice(text)
  if (fields === undefined) throw new InvalidArgumentError('It must be one CSV record: a quote stands in the wrong place.')
  return [...(Array.isArray(before) ? before.map(String) : []), ...fields]
}

/** The value of `flag` as the configuration's key takes it. */
export function settingOf({ form }: ReloaderFlag, value: FlagValue): unknown {
  switch (form) {
    case 'only-true':
      return value === 'true'
    case 'selector':
      return Array.isArray(value) ? value.join(',') : value
    default:
      return value
  }
}
