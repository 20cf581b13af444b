// Who we are to an API server: headers for each request, and material for TLS that may change while we run.
import { readFile, stat } from 'node:fs/promises'
import { type Clock, systemClock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import { expiryWarning } from './certificate-expiry.ts'
import type { ClusterConfig, Material } from './cluster-config.ts'
import { ExecPlugin } from './exec-plugin.ts'
import { TokenFile } from './token-file.ts'

export interface TlsMaterial {
  readonly authority: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

interface CredentialsOptions {
  readonly clock: Clock
  readonly log: Log
  /** For exec plugins. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly isTerminal: boolean
  /** Whether it is said of certificates that end soon; false where another has the same and says it. */
  readonly warnsOfExpiry?: boolean
}

/** How often files of certificates are looked at. */
const fileCheckMs = 60_000

export class Credentials {
  readonly #config: ClusterConfig
  readonly #tokenFile: TokenFile | undefined
  readonly #plugin: ExecPlugin | undefined
  readonly #files: TlsFiles
  readonly #isBearerRefused: boolean

  constructor(config: ClusterConfig, options: CredentialsOptions) {
    const { auth } = config
    this.#config = config
    this.#files = new TlsFiles(config, options)
    this.#tokenFile = auth.kind === 'tokenFile' ? new TokenFile({ ...auth, ...options }) : undefined
    this.#plugin =
      auth.kind === 'exec' ? new ExecPlugin({ exec: auth.exec, cluster: clusterInformation(config), ...options }) : undefined
    this.#isBearerRefused = !isSecret(config.server)
    if (this.#isBearerRefused && auth.kind !== 'none') {
      options.log.warn({ server: config.server }, 'no token is sent: the address is plain http and not loopback')
    }
  }

  /** Headers that say who asks. @throws Error when a token file or a plugin never gave any. */
  async headers(): Promise<Readonly<Record<string, string | string[]>>> {
    const authorization = await this.#authorization()
    const { impersonate } = this.#config
    return {
      ...(authorization === undefined || this.#isBearerRefused ? {} : { authorization }),
      ...(impersonate === undefined ? {} : impersonationHeaders(impersonate)),
    }
  }

  /** The material for TLS as it is now: the same object until something changed. */
  async tls(): Promise<TlsMaterial> {
    const files = await this.#files.current()
    if (this.#plugin === undefined) return files
    const { certificate, key } = await this.#plugin.credential()
    return certificate === undefined ? files : this.#files.with(certificate, key)
  }

  /** A request begun at `sinceMs` (of the clock's `elapsed()`) was answered 401. True when it is worth asking again once. */
  invalidate(sinceMs: number): boolean {
    return this.#tokenFile?.invalidate(sinceMs) ?? this.#plugin?.invalidate(sinceMs) ?? false
  }

  /** A certificate was not accepted: files are looked at again with the next request. */
  doubtTls(): void {
    this.#files.doubt()
  }

  async #authorization(): Promise<string | undefined> {
    const { auth } = this.#config
    switch (auth.kind) {
      case 'none':
        return undefined
      case 'token':
        return `Bearer ${auth.token}`
      case 'basic':
        return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`
      case 'tokenFile':
        return this.#tokenFile === undefined ? undefined : `Bearer ${await this.#tokenFile.token()}`
      case 'exec': {
        const token = (await this.#plugin?.credential())?.token
        return token === undefined ? undefined : `Bearer ${token}`
      }
    }
  }
}

/** Whether what is sent there can be read by nobody else: TLS, or not leaving this machine. */
function isSecret(server: string): boolean {
  const { protocol, hostname } = new URL(server)
  return protocol === 'https:' || hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname)
}

function impersonationHeaders(who: NonNullable<ClusterConfig['impersonate']>): Record<string, string | string[]> {
  const extra = Object.entries(who.extra).map(
    ([key, values]) => [`impersonate-extra-${encodeURIComponent(key.toLowerCase())}`, [...values]] as const,
  )
  return {
    'impersonate-user': who.user,
    ...(who.uid === undefined ? {} : { 'impersonate-uid': who.uid }),
    ...(who.groups.length === 0 ? {} : { 'impersonate-group': [...who.groups] }),
    ...Object.fromEntries(extra),
  }
}

function clusterInformation(config: ClusterConfig): Record<string, unknown> {
  const { tls, auth } = config
  return {
    server: config.server,
    ...(tls.serverName === undefined ? {} : { 'tls-server-name': tls.serverName }),
    ...(tls.isInsecure ? { 'insecure-skip-tls-verify': true } : {}),
    ...(tls.authority?.kind === 'data'
      ? { 'certificate-authority-data': Buffer.from(tls.authority.data).toString('base64') }
      : {}),
    ...(config.proxyUrl === undefined ? {} : { 'proxy-url': config.proxyUrl }),
    ...(config.disableCompression ? { 'disable-compression': true } : {}),
    ...(auth.kind === 'exec' && auth.exec.clusterConfig !== undefined ? { config: auth.exec.clusterConfig } : {}),
  }
}

/** Certificates from files, read again when they changed. */
class TlsFiles {
  readonly #materials: ClusterConfig['tls']
  readonly #clock: Clock
  readonly #log: Log
  readonly #warnsOfExpiry: boolean
  #checkedMs = Number.NEGATIVE_INFINITY
  #marks = ''
  #current: TlsMaterial | undefined
  #reading: Promise<TlsMaterial> | undefined
  #withPlugin: TlsMaterial | undefined

  constructor(config: ClusterConfig, options: Pick<CredentialsOptions, 'clock' | 'log' | 'warnsOfExpiry'>) {
    this.#materials = config.tls
    this.#clock = options.clock
    this.#log = options.log
    this.#warnsOfExpiry = options.warnsOfExpiry ?? true
  }

  async current(): Promise<TlsMaterial> {
    if (this.#current !== undefined && this.#clock.elapsed() - this.#checkedMs < fileCheckMs) return this.#current
    this.#reading ??= this.#check().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  with(certificate: string, key: string | undefined): TlsMaterial {
    const known = this.#withPlugin
    const authority = this.#current?.authority
    if (known?.certificate === certificate && known.key === key && known.authority === authority) return known
    this.#withPlugin = { authority, certificate, key }
    return this.#withPlugin
  }

  doubt(): void {
    this.#checkedMs = Number.NEGATIVE_INFINITY
  }

  #warnOfExpiry(pem: string | undefined, where: string): void {
    const warning = pem === undefined ? undefined : expiryWarning(pem, where, systemClock.now())
    if (warning !== undefined && this.#warnsOfExpiry) this.#log.warn({}, warning)
  }

  async #check(): Promise<TlsMaterial> {
    const { authority, clientCertificate, clientKey } = this.#materials
    const all = [authority, clientCertificate, clientKey]
    try {
      const marks = (await Promise.all(all.map(markOf))).join(' ')
      if (this.#current === undefined || marks !== this.#marks) {
        const [ca, certificate, key] = await Promise.all(all.map(textOf))
        this.#warnOfExpiry(ca, wordsOf(authority, 'certificate-authority'))
        this.#warnOfExpiry(certificate, wordsOf(clientCertificate, 'client-certificate'))
        this.#current = { authority: ca, certificate, key }
        this.#marks = marks
      }
    } catch (error) {
      if (this.#current === undefined) throw error
      this.#log.warn({ why: messageOf(error) }, 'certificate files not read, the previous ones are used')
    }
    this.#checkedMs = this.#clock.elapsed()
    return this.#current
  }
}

/** How a message names the material: its file, or the key that holds it. */
function wordsOf(material: Material | undefined, key: string): string {
  return material?.kind === 'file' ? `${key} ${material.path}` : `${key}-data`
}

async function markOf(material: Material | undefined): Promise<string> {
  if (material?.kind !== 'file') return '-'
  const { mtimeMs, ino } = await stat(material.path)
  return `${mtimeMs}:${ino}`
}

async function textOf(material: Material | undefined): Promise<string | undefined> {
  if (material === undefined) return undefined
  return material.kind === 'data' ? Buffer.from(material.data).toString('utf8') : readFile(material.path, 'utf8')
}

/** The bearer token of now; undefined where another proof is shown. @throws Error when a token file or a plugin never gave any */
export async function bearerOf(credentials: Pick<Credentials, 'headers'>): Promise<string | undefined> {
  const { authorization } = await credentials.headers()
  return typeof authorization === 'string' && authorization.startsWith('Bearer ')
    ? authorization.slice('Bearer '.length)
    : undefined
}
