// What the flags of metrics-server come to: defaults, and what goes together and what does not.
import { nothing, parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { tlsSettings } from '#kube/server/serving/tls-settings.ts'
import { formatDurationMs } from '#kube/time/duration.ts'
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
  readonly serving?: {
    readonly port: number
    readonly address: string
    readonly certificateDirectory: string
    readonly certificateFile: string
    readonly keyFile: string
    readonly named: readonly { readonly certificateFile: string; readonly keyFile: string; readonly names: readonly string[] }[]
    readonly minVersion: string
    readonly cipherSuites: readonly string[]
    readonly curves: readonly string[]
    readonly headers: Readonly<Record<string, string>>
    /** Infinity: as many as there are connections. */
    readonly inFlight: number
    readonly requestTimeoutMs: number
    readonly shutdownDelayMs: number
  }
  readonly authentication: {
    readonly kubeconfig: string
    readonly lookup: 'required' | 'tolerated' | 'off'
    readonly tokenMs: number
    readonly clientAuthorityFile: string
    readonly frontProxy: {
      readonly authorityFile: string
      readonly allowedNames: readonly string[]
      readonly usernameHeaders: readonly string[]
      readonly groupHeaders: readonly string[]
      readonly uidHeaders: readonly string[]
      readonly extraPrefixes: readonly string[]
    }
  }
  readonly authorization: {
    readonly kubeconfig: string
    readonly allowedMs: number
    readonly refusedMs: number
    readonly alwaysAllowPaths: readonly string[]
  }
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
const goawayTo = 0.02
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
  const given = new Given(values)
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
      authorization: {
        kubeconfig: text('authorization-kubeconfig'),
        allowedMs: number('authorization-webhook-cache-authorized-ttl', 10_000),
        refusedMs: number('authorization-webhook-cache-unauthorized-ttl', 10_000),
        alwaysAllowPaths: given.openPaths(),
      },
      verbosity: number('v', 0),
      vmodule: text('vmodule'),
      loggingFormat: given.loggingFormat(),
    },
    warnings: given.warnings,
    problems: given.problems,
  }
}

function checkKubelet(given: Given, resolutionMs: number): void {
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

function servingOf(given: Given): MetricsServerSettings['serving'] {
  const { text, number, list } = given
  const port = given.port('secure-port', 443, 0)
  const named = list('tls-sni-cert-key', []).flatMap(pair => given.namedPair(pair))
  const goaway = number('goaway-chance', 0)
  if (goaway < 0 || goaway > goawayTo)
    given.refuse('--goaway-chance', goaway, `0 to ${goawayTo}`, '--goaway-chance can not be less than 0 or greater than 0.02')
  else if (goaway > 0) given.warnings.push('--goaway-chance is taken and has no effect')
  const inFlight = number('max-requests-inflight', 400)
  if (inFlight < 0)
    given.refuse('--max-requests-inflight', inFlight, '0 or more', '--max-requests-inflight can not be negative value')
  const requestTimeoutMs = number('request-timeout', 60_000)
  if (requestTimeoutMs <= 0)
    given.refuse(
      '--request-timeout',
      formatDurationMs(requestTimeoutMs),
      'more than 0',
      '--request-timeout can not be negative value',
    )
  const shutdownDelayMs = number('shutdown-delay-duration', 0)
  if (shutdownDelayMs < 0)
    given.refuse(
      '--shutdown-delay-duration',
      formatDurationMs(shutdownDelayMs),
      '0 or more',
      '--shutdown-delay-duration can not be negative value',
    )
  const directives = list('strict-transport-security-directives', [])
  const wire = {
    minVersion: text('tls-min-version'),
    cipherSuites: list('tls-cipher-suites', []),
    curves: list('tls-curve-preferences', []),
  }
  given.checkWire(wire)
  if (port === 0) return undefined
  return {
    port,
    address: text('bind-address', '0.0.0.0'),
    certificateDirectory: text('cert-dir', 'apiserver.local.config/certificates'),
    certificateFile: text('tls-cert-file'),
    keyFile: text('tls-private-key-file'),
    named,
    ...wire,
    headers: directives.length === 0 ? {} : { 'strict-transport-security': directives.join('; ') },
    inFlight: inFlight === 0 ? Number.POSITIVE_INFINITY : inFlight,
    requestTimeoutMs,
    shutdownDelayMs,
  }
}

function authenticationOf({ text, number, flag, list }: Given): MetricsServerSettings['authentication'] {
  return {
    kubeconfig: text('authentication-kubeconfig'),
    lookup: flag('authentication-skip-lookup')
      ? 'off'
      : flag('authentication-tolerate-lookup-failure')
        ? 'tolerated'
        : 'required',
    tokenMs: number('authentication-token-webhook-cache-ttl', 10_000),
    clientAuthorityFile: text('client-ca-file'),
    frontProxy: {
      authorityFile: text('requestheader-client-ca-file'),
      allowedNames: list('requestheader-allowed-names', []),
      usernameHeaders: list('requestheader-username-headers', ['x-remote-user']),
      groupHeaders: list('requestheader-group-headers', ['x-remote-group']),
      uidHeaders: list('requestheader-uid-headers', []),
      extraPrefixes: list('requestheader-extra-headers-prefix', ['x-remote-extra-']),
    },
  }
}

/** The values of flags, with what is wrong about them. */
class Given {
  readonly problems: Problem[] = []
  readonly warnings: string[] = []
  readonly #values: FlagValues

  constructor(values: FlagValues) {
    this.#values = values
  }

  readonly text = (name: string, standard = ''): string => {
    const value = this.#values.get(name)
    return typeof value === 'string' ? value : standard
  }
  readonly number = (name: string, standard: number): number => Number(this.#values.get(name) ?? standard)
  readonly flag = (name: string): boolean => this.#values.get(name) === true
  readonly list = (name: string, standard: readonly string[]): readonly string[] => {
    const value = this.#values.get(name)
    return Array.isArray(value) ? value.map(String) : standard
  }

  refuse(
    where: string,
    found: unknown,
    expected: string,
    message = `${where}: found ${String(found)}, expected ${expected}`,
  ): void {
    this.problems.push({ code: 'flag-value', where, found: String(found), expected, message })
  }

  port(name: string, standard: number, least: 0 | 1): number {
    const port = this.number(name, standard)
    const off = least === 0 ? '. 0 for turning off secure port' : ''
    if (port < least || port > 65_535)
      this.refuse(`--${name}`, port, 'a port', `--${name} ${port} must be between ${least} and 65535, inclusive${off}`)
    return port
  }

  oneOf<Word extends string>(name: string, words: readonly Word[], standard: Word): Word {
    const given = this.text(name, standard)
    const found = words.find(word => word === given)
    if (found === undefined) this.refuse(`--${name}`, given, words.join(' or '))
    return found ?? standard
  }

  loggingFormat(): 'text' | 'json' {
    const format = this.text('logging-format', 'text')
    if (format === 'text' || format === 'json') return format
    this.refuse(
      '--logging-format',
      format,
      'text or json',
      `format: Invalid value: ${JSON.stringify(format)}: Unsupported log format`,
    )
    return 'text'
  }

  /** A star stands at the end or nowhere. */
  openPaths(): readonly string[] {
    const paths = this.list('authorization-always-allow-paths', ['/healthz', '/readyz', '/livez'])
    for (const path of paths)
      if (path.slice(0, -1).includes('*'))
        this.refuse(
          '--authorization-always-allow-paths',
          path,
          'a path, with * at its end or nowhere',
          `only trailing * allowed in ${JSON.stringify(path)}`,
        )
    return paths
  }

  /** `certificate,key[:name,name]`. */
  namedPair(
    text: string,
  ): readonly { readonly certificateFile: string; readonly keyFile: string; readonly names: readonly string[] }[] {
    const colon = text.indexOf(':')
    const files = (colon < 0 ? text : text.slice(0, colon)).split(',').map(file => file.trim())
    const names =
      colon < 0
        ? []
        : text
            .slice(colon + 1)
            .split(',')
            .map(name => name.trim())
    const [certificateFile = '', keyFile = ''] = files
    if (files.length === 2 && certificateFile !== '' && keyFile !== '' && !names.includes(''))
      return [{ certificateFile, keyFile, names }]
    const message = `invalid argument ${JSON.stringify(text)} for "--tls-sni-cert-key" flag: expected comma separated certificate and key file paths`
    this.refuse('--tls-sni-cert-key', text, 'CERTIFICATE,KEY[:NAME,…]', message)
    return []
  }

  checkWire(wire: Parameters<typeof tlsSettings>[0]): void {
    try {
      tlsSettings(wire)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      this.problems.push(...error.problems)
    }
  }
}
