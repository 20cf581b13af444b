// What the flags of metrics-server come to: defaults, and what goes together and what does not.
import { nothing, parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import type { Problem } from '#kube/problem.ts'
import { formatDurationMs } from '#kube/time/duration.ts'
import {
  type AuthenticationSettings,
  type AuthorizationSettings,
  authenticationOf,
  authorizationOf,
  GivenFlags,
  type ServingSettings,
  servingOf,
} from '#process/drop-ins/aggregated-flags.ts'
import type { FlagValues } from '#process/drop-ins/pflags.ts'
import type { KubeletSettings } from '../scrape/kubelet-access.ts'
import type { Exposed } from '../served/metrics-objects.ts'

/** Durations in milliseconds; of files the paths, empty where none is named. */
export interface MetricsServerSettings {
  /** Empty: the service account of the pod. */
  readonly kubeconfig: string
  readonly resolutionMs: number
  readonly staleAfterMs: number
  /** Upstream's rules to the letter. */
  readonly isStrict: boolean
  readonly exposed: Exposed
  readonly nodeSelector: Selector
  readonly kubelet: KubeletSettings & {
    readonly isPinned: boolean
    readonly addressTypes: readonly string[]
    readonly useNodeStatusPort: boolean
    readonly port: number
  }
  /** Absent: nothing is served. */
  readonly serving?: ServingSettings
  readonly authentication: AuthenticationSettings
  readonly authorization: AuthorizationSettings
  /** klog's level. */
  readonly verbosity: number
  readonly vmodule: string
  readonly loggingFormat: 'text' | 'json'
}

interface Outcome {
  readonly settings: MetricsServerSettings
  readonly warnings: readonly string[]
  readonly problems: readonly Problem[]
}

const shortestResolutionMs = 10_000
/** Kubelets measure every ten to fifteen seconds; what is faster mostly hears the same again. */
const shortestFastMs = 5_000
const staleResolutions = 2.5
const formats = ['text', 'protobuf'] as const

/** What may not be said together: client-side names of the flags, in upstream's order. */
const exclusive = [
  ['kubelet-certificate-authority', 'kubelet-insecure-tls'],
  ['kubelet-client-key', 'deprecated-kubelet-completely-insecure'],
  ['kubelet-client-certificate', 'deprecated-kubelet-completely-insecure'],
  ['kubelet-insecure-tls', 'deprecated-kubelet-completely-insecure'],
  ['kubelet-certificate-authority', 'deprecated-kubelet-completely-insecure'],
] as const

/** The settings that `values` come to, and what is wrong with them. */
export function metricsServerSettings(values: FlagValues): Outcome {
  const given = new GivenFlags(values)
  const { text, number, flag, list } = given
  const resolutionMs = number('metric-resolution', 60_000)
  checkKubelet(given, resolutionMs)
  const nodeSelector = parseLabelSelector(text('node-selector'))
  if (!nodeSelector.ok)
    given.refuse('--node-selector', text('node-selector'), nodeSelector.problem.expected, nodeSelector.problem.message)
  const kubeletFormat = given.oneOf('kubelet-format', formats, 'text')
  const isPinned = given.oneOf('kubelet-tls', ['verify', 'pin'] as const, 'verify') === 'pin'
  for (const other of ['kubelet-insecure-tls', 'kubelet-certificate-authority', 'deprecated-kubelet-completely-insecure'])
    if (isPinned && (flag(other) || text(other) !== ''))
      given.refuse('--kubelet-tls', 'pin', `not with --${other}`, `cannot use both --kubelet-tls=pin and --${other}`)
  const compat = given.oneOf('compat', ['ours', 'strict'] as const, 'ours')
  const staleAfterMs = number('stale-after', resolutionMs * staleResolutions)
  if (staleAfterMs < resolutionMs) given.refuse('--stale-after', formatDurationMs(staleAfterMs), 'at least --metric-resolution')
  const serving = servingOf(given)
  return {
    settings: {
      kubeconfig: text('kubeconfig'),
      resolutionMs,
      staleAfterMs,
      isStrict: compat === 'strict',
      exposed: { swap: flag('expose-swap'), storage: flag('expose-ephemeral-storage') },
      nodeSelector: nodeSelector.ok ? nodeSelector.value : nothing,
      kubelet: {
        requestTimeoutMs: number('kubelet-request-timeout', 10_000),
        addressTypes: list('kubelet-preferred-address-types', [
          'Hostname',
          'InternalDNS',
          'InternalIP',
          'ExternalDNS',
          'ExternalIP',
        ]),
        useNodeStatusPort: flag('kubelet-use-node-status-port'),
        port: given.port('kubelet-port', 10_250, 1),
        isInsecure: flag('kubelet-insecure-tls'),
        isPlain: flag('deprecated-kubelet-completely-insecure'),
        authorityFile: text('kubelet-certificate-authority'),
        certificateFile: text('kubelet-client-certificate'),
        keyFile: text('kubelet-client-key'),
        format: kubeletFormat,
        gzip: flag('kubelet-gzip'),
        isPinned,
      },
      ...(serving !== undefined && { serving }),
      authentication: authenticationOf(given),
      authorization: authorizationOf(given),
      verbosity: number('v', 0),
      vmodule: text('vmodule'),
      loggingFormat: given.loggingFormat(),
    },
    warnings: given.warnings,
    problems: given.problems,
  }
}

function checkKubelet(given: GivenFlags, resolutionMs: number): void {
  const { text, number, flag } = given
  const isGiven = (name: string) => flag(name) || text(name) !== ''
  for (const [one, other] of exclusive)
    if (isGiven(one) && isGiven(other))
      given.refuse(`--${one}`, text(one) || 'true', `not with --${other}`, `cannot use both --${one} and --${other}`)
  if ((text('kubelet-client-key') !== '') !== (text('kubelet-client-certificate') !== ''))
    given.refuse(
      text('kubelet-client-key') === '' ? '--kubelet-client-key' : '--kubelet-client-certificate',
      '',
      'a file, as the other of the pair is given',
      'need both --kubelet-client-key and --kubelet-client-certificate',
    )
  const timeoutMs = number('kubelet-request-timeout', 10_000)
  if (timeoutMs <= 0)
    given.refuse(
      '--kubelet-request-timeout',
      formatDurationMs(timeoutMs),
      'more than 0',
      'kubelet-request-timeout should be positive',
    )
  const shown = formatDurationMs(resolutionMs)
  const leastMs = flag('allow-fast-resolution') ? shortestFastMs : shortestResolutionMs
  if (resolutionMs < leastMs) {
    const message = `metric-resolution should be a time duration at least ${formatDurationMs(leastMs)}, but value ${shown} provided`
    given.refuse('--metric-resolution', shown, `at least ${formatDurationMs(leastMs)}`, message)
  } else if (resolutionMs < shortestResolutionMs)
    given.warnings.push(
      `--metric-resolution ${shown}: kubelets measure every 10 to 15 seconds, so that most answers repeat the one before`,
    )
  if (resolutionMs * 0.9 < timeoutMs) {
    const message = `metric-resolution should be larger than kubelet-request-timeout, but metric-resolution value ${shown} kubelet-request-timeout value ${formatDurationMs(timeoutMs)} provided`
    const expected = `at most nine tenths of --metric-resolution (${shown} × 0.9 = ${formatDurationMs(resolutionMs * 0.9)})`
    given.refuse('--kubelet-request-timeout', formatDurationMs(timeoutMs), expected, message)
  }
}
