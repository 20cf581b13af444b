// What KEDA's programs read of their environment, by upstream's rules: empty is not set, and what cannot be read ends the start, by name.

import { parseLabelSelector } from '#kube/objects/selector.ts'
import { tlsSettings } from '#kube/server/serving/tls-settings.ts'
import { parseDuration } from '#kube/time/duration.ts'
import type { EnvironmentProblem, WireSettings } from '#process/drop-ins/parsed-settings.ts'

type Environment = Readonly<Record<string, string | undefined>>

const nanosecondsOfMs = 1_000_000
/** Upstream's word for a version to Go's; an unknown one counts as the default and is told. */
const tlsVersions: Readonly<Record<string, string>> = {
  TLS10: 'VersionTLS10',
  TLS11: 'VersionTLS11',
  TLS12: 'VersionTLS12',
  TLS13: 'VersionTLS13',
}

/** Reads variables, and keeps what is wrong about them. */
export class KedaEnvironment {
  readonly problems: EnvironmentProblem[] = []
  readonly warnings: string[] = []
  readonly #given: Environment

  constructor(given: Environment) {
    this.#given = given
  }

  text(name: string): string {
    return this.#given[name] ?? ''
  }

  /** Where we run; upstream's default is a name, not the account's namespace. */
  get namespace(): string {
    return this.#given['POD_NAMESPACE'] ?? 'keda'
  }

  /** Namespaces that are looked at; none: the cluster. */
  namespaces(): readonly string[] {
    const given = this.#given['WATCH_NAMESPACE']
    if (given === undefined) this.refuse('failed to get watch namespace', 'WATCH_NAMESPACE must be set')
    if (given === undefined || given === '' || given === '""') return []
    return given
      .split(',')
      .map(name => name.trim())
      .filter(name => name !== '')
  }

  /** A label selector; undefined: all. */
  selector(name: string): string | undefined {
    const given = this.text(name)
    if (given === '' || given === '""') return undefined
    const parsed = parseLabelSelector(given, name)
    if (!parsed.ok) this.refuse(`failed to parse ${name}`, parsed.problem.message ?? parsed.problem.expected)
    return given
  }

  whole(name: string, standard: number): number {
    const given = this.text(name)
    if (given === '') return standard
    if (/^[+-]?\d{1,15}$/.test(given)) return Number(given)
    this.refuse(`invalid ${name}`, `strconv.Atoi: parsing ${JSON.stringify(given)}: invalid syntax`)
    return standard
  }

  flag(name: string): boolean {
    const given = this.text(name)
    if (/^(1|t|T|TRUE|true|True)$/.test(given)) return true
    if (!/^(|0|f|F|FALSE|false|False)$/.test(given))
      this.refuse(`invalid ${name}`, `strconv.ParseBool: parsing ${JSON.stringify(given)}: invalid syntax`)
    return false
  }

  /** In milliseconds; undefined: not set. */
  durationMs(name: string): number | undefined {
    const given = this.text(name)
    if (given === '') return undefined
    const parsed = parseDuration(given)
    if (parsed.ok) return Number(parsed.value) / nanosecondsOfMs
    this.refuse(`invalid ${name}`, parsed.problem.message ?? parsed.problem.expected)
    return undefined
  }

  /** What connections to sources have. */
  httpWire(): WireSettings {
    return this.#wire('KEDA_HTTP_MIN_TLS_VERSION', 'KEDA_HTTP_TLS_CIPHER_LIST', 'TLS12')
  }

  /** What is served has this; by the variables of sources where its own are not there, as older charts have it. */
  serviceWire(): WireSettings {
    const [version, ciphers] = ['KEDA_SERVICE_MIN_TLS_VERSION', 'KEDA_SERVICE_TLS_CIPHER_LIST']
    const hasOwn = this.#given[version] !== undefined
    return this.#wire(
      hasOwn ? version : 'KEDA_HTTP_MIN_TLS_VERSION',
      this.#given[ciphers] === undefined ? 'KEDA_HTTP_TLS_CIPHER_LIST' : ciphers,
      hasOwn ? 'TLS13' : 'TLS12',
    )
  }

  refuse(message: string, error: string): void {
    this.problems.push({ message, error })
  }

  /** As upstream, a word that is none of theirs is told and counts as not said. */
  #wire(versionName: string, cipherName: string, standard: string): WireSettings {
    const version = this.text(versionName)
    const known = tlsVersions[version === '' ? standard : version]
    if (known === undefined)
      this.warnings.push(
        `${versionName}: found ${JSON.stringify(version)}, expected ${Object.keys(tlsVersions).join(', ')}: it is ${standard}`,
      )
    const names = this.text(cipherName)
      .split(/[:,]/)
      .map(name => name.trim())
      .filter(name => name !== '')
    const [usable, others] = [names.filter(isCipher), names.filter(name => !isCipher(name))]
    if (others.length > 0) this.warnings.push(`${cipherName}: ciphers that nobody has are left out: ${others.join(', ')}`)
    const minVersion = known ?? tlsVersions[standard] ?? ''
    const { unavailable: _, ...wire } = tlsSettings({ minVersion, cipherSuites: usable })
    return wire
  }
}

function isCipher(name: string): boolean {
  try {
    return tlsSettings({ minVersion: '', cipherSuites: [name] }).ciphers !== undefined
  } catch {
    // Its refusal is the answer.
    return false
  }
}
