// What a text of a connection to SQL Server says, in the three forms that Go's driver reads: `sqlserver://me:password@db:1433?database=jobs`,
// `server=db;user id=me;password=…` and `odbc:server=db;user id=me;password={…}`.
import { goBoolean, NotInBallast, TriggerProblem } from '../../triggers/parameters.ts'
import { hostNamed, type SocketPlace } from '../guarded-socket.ts'
import { decoded } from '../outgoing.ts'

export interface MssqlPlace extends SocketPlace {
  /** The domain of Windows that knows the user; undefined: SQL Server itself does. */
  readonly domain: string | undefined
  readonly user: string
  readonly password: string
  /** Empty: the user's own. */
  readonly database: string
  /** `offered`: by TLS where the server has it; `strict`: TLS comes first (TDS 8). */
  readonly encryption: 'disabled' | 'offered' | 'required' | 'strict'
  /** Any certificate is believed. */
  readonly isTrusted: boolean
  /** Whom the certificate is to name, where that is not the host. */
  readonly certificateName: string | undefined
  readonly isReadOnly: boolean
  readonly appName: string | undefined
  readonly workstation: string | undefined
}

type Settings = ReadonlyMap<string, string>

const standardPort = 1433
const adminPort = 1434

const problem = (message: string) => new TriggerProblem(`connectionString: ${message}`)

/** Other names of settings in the form of ADO; the other forms have none. */
const synonyms: Readonly<Record<string, string>> = {
  app: 'app name',
  'application name': 'app name',
  'data source': 'server',
  address: 'server',
  'network address': 'server',
  addr: 'server',
  user: 'user id',
  uid: 'user id',
  pwd: 'password',
  'initial catalog': 'database',
  'failover partner': 'failoverpartner',
  'application intent': 'applicationintent',
  'trust server certificate': 'trustservercertificate',
  'host name in certificate': 'hostnameincertificate',
  'server certificate': 'servercertificate',
  wsid: 'workstation id',
}

/** What names files of this process, another server, or changes something there. */
const refused = ['certificate', 'servercertificate', 'failoverpartner', 'change password']

const encryptions: Readonly<Record<string, MssqlPlace['encryption']>> = {
  ...Object.fromEntries(['mandatory', 'yes', '1', 't', 'true'].map(word => [word, 'required'] as const)),
  ...Object.fromEntries(['optional', 'no', '0', 'f', 'false'].map(word => [word, 'offered'] as const)),
  disable: 'disabled',
  strict: 'strict',
}

/** `driver` as the parameter `driverName` says. @throws TriggerProblem that shows nothing of the text but names of settings */
export function mssqlPlace(text: string, driver: 'sqlserver' | 'azuresql'): MssqlPlace {
  const settings = text.startsWith('sqlserver://') ? ofUrl(text) : text.startsWith('odbc:') ? ofOdbc(text.slice(5)) : ofAdo(text)
  if (driver === 'azuresql' && (settings.get('fedauth') ?? '') !== '')
    throw new NotInBallast(
      'connectionString: fedauth (a login by Microsoft Entra ID, once Azure AD) is not in Ballast: logins of SQL and of Windows are',
    )
  return placeBy(settings)
}

/** The same of single parameters. @throws TriggerProblem */
export function singleMssqlPlace(given: {
  readonly host: string
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
}): MssqlPlace {
  const { host, port = 0, username = '', password = '', database = '' } = given
  const settings = [
    ...[['server', hostNamed('host', host)] as const, ['user id', username] as const],
    ...[['password', username === '' ? '' : password] as const, ['database', database] as const],
    ...(port > 0 ? [['port', String(port)] as const] : []),
  ]
  return placeBy(new Map(settings))
}

function placeBy(settings: Settings): MssqlPlace {
  for (const name of refused)
    if ((settings.get(name) ?? '') !== '') throw new NotInBallast(`connectionString: ${name} is not taken here`)
  const tlsmin = settings.get('tlsmin') ?? '1.2'
  if (tlsmin !== '1.2') throw new NotInBallast('connectionString: tlsmin must be 1.2')
  const authenticator = settings.get('authenticator') ?? 'ntlm'
  if (authenticator !== 'ntlm') throw new NotInBallast('connectionString: authenticator must be ntlm')
  const encrypt = settings.get('encrypt')?.toLowerCase()
  const encryption = encrypt === undefined ? 'offered' : Object.hasOwn(encryptions, encrypt) ? encryptions[encrypt] : undefined
  if (encryption === undefined) throw problem('encrypt must be one of [disable false true strict]')
  const trust = settings.get('trustservercertificate')
  const isTrusted = trust === undefined ? encrypt === undefined : goBoolean(trust)
  if (isTrusted === undefined) throw problem('trustServerCertificate must be true or false')
  const database = settings.get('database') ?? ''
  const isReadOnly = settings.get('applicationintent') === 'ReadOnly'
  if (isReadOnly && database === '') throw problem('applicationIntent=ReadOnly needs a database')
  const [, domain, user = ''] = /^(?:([^\\]*)\\)?(.*)$/s.exec(settings.get('user id') ?? '') ?? []
  return {
    ...socketPlaceBy(settings),
    ...{ domain, user, password: settings.get('password') ?? '', database, isReadOnly },
    ...{ encryption, isTrusted: isTrusted && encryption !== 'strict', certificateName: settings.get('hostnameincertificate') },
    ...{ appName: settings.get('app name'), workstation: settings.get('workstation id') },
  }
}

function socketPlaceBy(settings: Settings): SocketPlace {
  const protocol = settings.get('protocol') ?? 'tcp'
  if (protocol !== 'tcp' && protocol !== 'admin') throw problem('protocol must be one of [tcp admin]')
  const [, written = '', instance = ''] = /^([^\\]*)(?:\\(.*))?$/s.exec(settings.get('server') ?? '') ?? []
  const host = ['', '.', '(local)'].includes(written.toLowerCase()) ? 'localhost' : written
  const given = settings.get('port') ?? '0'
  const port = /^\d{1,5}$/.test(given) ? Number(given) : Number.NaN
  if (!(port <= 65_535)) throw new TriggerProblem('port is not a number of a port')
  // Whom to ask for the port of an instance is said by UDP, by whoever answers first.
  if (port === 0 && instance !== '') throw new NotInBallast('names of instances are not looked up: give the port of the instance')
  const otherwise = protocol === 'admin' ? adminPort : standardPort
  return { host: hostNamed('connectionString', host), port: port === 0 ? otherwise : port }
}

function ofUrl(text: string): Settings {
  if (!URL.canParse(text)) throw problem('no address that can be read: expected sqlserver://me:password@host:1433?database=jobs')
  const { username, password, hostname, port, pathname, searchParams } = new URL(text)
  const plain = (part: string) => decoded(part, 'connectionString')
  const instance = pathname.length > 1 ? `\\${plain(pathname.slice(1))}` : ''
  const settings = new Map([['server', `${plain(hostname.replace(/^\[(.*)\]$/, '$1'))}${instance}`]])
  if (username !== '') settings.set('user id', plain(username))
  if (password !== '') settings.set('password', plain(password))
  if (port !== '') settings.set('port', port)
  for (const [key, value] of searchParams) {
    const name = key.toLowerCase()
    if (settings.has(name)) throw problem('a setting is given more than once')
    settings.set(name, value)
  }
  return settings
}

/** A value, or a part of one, between double quotes may have semicolons, and a quote as two. */
function ofAdo(text: string): Settings {
  const settings = new Map<string, string>()
  for (const part of text.match(/(?:"(?:[^"]|"")*(?:"|$)|[^;"])+/g) ?? []) {
    const [, key = '', written = ''] = /^([^=]*)(?:=(.*))?$/s.exec(part) ?? []
    const lower = key.trim().toLowerCase()
    if (lower === '') continue
    const name = Object.hasOwn(synonyms, lower) ? (synonyms[lower] ?? lower) : lower
    const value = written.trim().replace(/^"(.*)"$/s, (_all, inner: string) => inner.replaceAll('""', '"'))
    if (name !== 'server') {
      settings.set(name, value)
      continue
    }
    const [, protocol, place = ''] = /^(?:(tcp|admin):)?(.*)$/s.exec(value) ?? []
    if (protocol !== undefined) settings.set('protocol', protocol)
    const [, host = '', port] = /^([^,]*),([^,]+)$/s.exec(place) ?? []
    settings.set('server', port === undefined ? place : host)
    if (port !== undefined) settings.set('port', port.trim())
  }
  return settings
}

/** A value between braces may have semicolons, and a closing brace as two. */
function ofOdbc(text: string): Settings {
  const settings = new Map<string, string>()
  const pair = /[\s;]*([^=;\s][^=;]*)(?:=\s*(?:\{((?:[^}]|\}\})*)\}\s*|([^{;\s][^;]*)?))?(?=;|$)/sy
  let end = 0
  for (;;) {
    const found = pair.exec(text)
    if (found === null) break
    end = pair.lastIndex
    const [, key = '', braced, bare = ''] = found
    settings.set(key.trimEnd().toLowerCase(), braced === undefined ? bare.trimEnd() : braced.replaceAll('}}', '}'))
  }
  if (!/^[\s;]*$/.test(text.slice(end))) throw problem('cannot be read: expected odbc:server=host;user id=me;password={…}')
  return settings
}
