// The flags by which a server of an API behind the API server is set in programs of Go: what is served, whom it believes, whom it asks. And
// the values of flags as such, with what is wrong about them.
import { InputError, type Problem } from '#kube/problem.ts'
import { tlsSettings } from '#kube/server/serving/tls-settings.ts'
import { formatDurationMs } from '#kube/time/duration.ts'
import type { FlagForm, FlagValues } from './pflags.ts'

/** Durations in milliseconds; of files the paths, empty where none is named. */
export interface ServingSettings {
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

export interface AuthenticationSettings {
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

export interface AuthorizationSettings {
  readonly kubeconfig: string
  readonly allowedMs: number
  readonly refusedMs: number
  readonly alwaysAllowPaths: readonly string[]
}

const goawayTo = 0.02

/** What is served, whom it believes, whom it asks. */
// biome-ignore format: a table
export const aggregatedForms: Readonly<Record<string, FlagForm>> = {
  'secure-port': 'whole', 'bind-address': 'address', 'cert-dir': 'text', 'tls-cert-file': 'text', 'tls-private-key-file': 'text', 'tls-sni-cert-key': 'texts',
  'tls-min-version': 'text', 'tls-cipher-suites': 'list', 'tls-curve-preferences': 'list',
  'authentication-kubeconfig': 'text', 'authentication-skip-lookup': 'bool', 'authentication-tolerate-lookup-failure': 'bool', 'authentication-token-webhook-cache-ttl': 'duration', 'client-ca-file': 'text',
  'requestheader-client-ca-file': 'text', 'requestheader-allowed-names': 'list', 'requestheader-username-headers': 'list', 'requestheader-group-headers': 'list',
  'requestheader-uid-headers': 'list', 'requestheader-extra-headers-prefix': 'list',
  'authorization-kubeconfig': 'text', 'authorization-webhook-cache-authorized-ttl': 'duration', 'authorization-webhook-cache-unauthorized-ttl': 'duration', 'authorization-always-allow-paths': 'list',
  'max-requests-inflight': 'whole', 'request-timeout': 'duration', 'shutdown-delay-duration': 'duration', 'goaway-chance': 'number', 'strict-transport-security-directives': 'list',
}

/** Taken, because upstreams take them, and without effect. */
// biome-ignore format: a table
export const aggregatedUnusedForms: Readonly<Record<string, FlagForm>> = {
  'advertise-address': 'address', 'cors-allowed-origins': 'list', 'emulated-version': 'list', 'emulation-forward-compatible': 'bool', 'external-hostname': 'text', 'feature-gates': 'text',
  'livez-grace-period': 'duration', 'max-mutating-requests-inflight': 'whole', 'min-compatibility-version': 'list', 'min-request-timeout': 'whole', 'runtime-config-emulation-forward-compatible': 'bool',
  'shutdown-send-retry-after': 'bool', 'shutdown-watch-termination-grace-period': 'duration', 'storage-initialization-timeout': 'duration',
  'disable-http2-serving': 'bool', 'http2-max-streams-per-connection': 'whole', 'permit-address-sharing': 'bool', 'permit-port-sharing': 'bool',
  'contention-profiling': 'bool', 'debug-socket-path': 'text', 'enable-priority-and-fairness': 'bool', profiling: 'bool',
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

/** What is served; undefined: nothing. */
export function servingOf(given: GivenFlags): ServingSettings | undefined {
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

export function authenticationOf({ text, number, flag, list }: GivenFlags): AuthenticationSettings {
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

export function authorizationOf(given: GivenFlags): AuthorizationSettings {
  const { text, number } = given
  return {
    kubeconfig: text('authorization-kubeconfig'),
    allowedMs: number('authorization-webhook-cache-authorized-ttl', 10_000),
    refusedMs: number('authorization-webhook-cache-unauthorized-ttl', 10_000),
    alwaysAllowPaths: given.openPaths(),
  }
}

/** The values of flags, with what is wrong about them. */
export class GivenFlags {
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
  readonly flag = (name: string, standard = false): boolean => {
    const value = this.#values.get(name)
    return typeof value === 'boolean' ? value : standard
  }
  /** A gate of `--feature-gates`. */
  readonly gate = (name: string, standard: boolean): boolean => {
    const gates = this.#values.get('feature-gates')
    const value: unknown = gates instanceof Map ? gates.get(name) : undefined
    return typeof value === 'boolean' ? value : standard
  }
  readonly has = (name: string): boolean => this.#values.has(name)
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
