// What a text of a connection to MongoDB says: `mongodb://me:password@a:27017,b:27017/jobs?replicaSet=rs0`, and `mongodb+srv://`, which names
// servers by DNS.
import { resolveSrv as systemSrv, resolveTxt as systemTxt } from 'node:dns/promises'
import { OutsideError } from '#kube/outside-error.ts'
import { goBoolean, NotInBallast, TriggerProblem } from '../../triggers/parameters.ts'
import { hostNamed, type SocketPlace } from '../guarded-socket.ts'
import { decoded } from '../outgoing.ts'

/** Servers of one deployment. */
export const mostMongoServers = 16
const standardPort = 27_017

const mechanisms = ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN', 'MONGODB-X509'] as const
const readPreferences = ['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'] as const

export interface MongoLogin {
  /** Undefined: the better of those that the server knows for this user. */
  readonly mechanism: (typeof mechanisms)[number] | undefined
  /** The database that knows the user. */
  readonly source: string
  readonly username: string
  readonly password: string
}

export interface MongoPlace {
  /** Asked in turn; with `isSrv` one name, whose records name them. */
  readonly servers: readonly SocketPlace[]
  readonly isSrv: boolean
  readonly login: MongoLogin | undefined
  /** What the text says of TLS; undefined: none. */
  readonly tls: { readonly isInsecure: boolean } | undefined
  readonly replicaSet: string | undefined
  readonly readPreference: (typeof readPreferences)[number]
  /** The server that is named is asked, whatever it is. */
  readonly isDirect: boolean
}

/** Settings that change nothing of one count, or are ours to decide. */
const ignored = new Set(
  'appname compressors connecttimeoutms heartbeatfrequencyms journal loadbalanced localthresholdms maxconnecting maxidletimems maxpoolsize maxstalenessseconds minpoolsize readconcernlevel readpreferencetags retryreads retrywrites servermonitoringmode serverselectiontimeoutms serverselectiontryonce sockettimeoutms srvmaxhosts timeoutms uuidrepresentation w waitqueuemultiple waitqueuetimeoutms wtimeout wtimeoutms zlibcompressionlevel authmechanismproperties'.split(
    ' ',
  ),
)
/** What names files of this process, or a way that we do not go. */
const refused = new Set([
  ...[
    'tlscafile',
    'tlscertificatekeyfile',
    'tlscertificatekeyfilepassword',
    'sslcertificateauthorityfile',
    'sslclientcertificatekeyfile',
  ],
  ...['sslclientcertificatekeypassword', 'proxyhost', 'srvservicename'],
])

type Settings = ReadonlyMap<string, string>

const problem = (message: string) => new TriggerProblem(`connectionString: ${message}`)

/** @throws TriggerProblem that shows nothing of the text but names of settings */
export function mongoPlace(text: string): MongoPlace {
  const [, srv, login, hosts = '', database = '', query = ''] =
    /^mongodb(\+srv)?:\/\/(?:([^@/]*)@)?([^/?@]+)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(text) ?? []
  if (hosts === '' || database.includes('@'))
    throw problem('expected mongodb://me:password@host:27017/database, a / before what follows @ written as %2F')
  const isSrv = srv !== undefined
  const servers = hosts.split(',').map(host => serverOf(host))
  if (servers.length > mostMongoServers) throw problem(`at most ${mostMongoServers} servers`)
  if (isSrv && (servers.length > 1 || /:\d+$/.test(hosts))) throw problem('mongodb+srv:// names one host, without a port')
  return placeBy(servers, isSrv, login, decoded(database, 'connectionString'), settingsOf(query))
}

/** The same of single parameters. @throws TriggerProblem */
export function singleMongoPlace(given: {
  readonly scheme: string
  readonly host: string | undefined
  readonly port: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly dbName: string
}): MongoPlace {
  const { scheme, host, port, username, password, dbName } = given
  const isSrv = scheme === 'mongodb+srv'
  if (!isSrv && scheme !== 'mongodb') throw new TriggerProblem('scheme must be one of [mongodb mongodb+srv]')
  for (const [name, value] of Object.entries({ host, port: isSrv ? '' : port, username, password }))
    if (value === undefined) throw new TriggerProblem(`no ${name} given`)
  const text = [username, password].map(word => encodeURIComponent(word ?? '')).join(':')
  const written = (host ?? '').includes(':') ? `[${host}]` : (host ?? '')
  return placeBy([serverOf(isSrv ? written : `${written}:${port}`)], isSrv, text, dbName, new Map())
}

function serverOf(written: string): SocketPlace {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(written.trim()) ?? []
  const host = hostNamed('host', decoded(bracketed ?? plain, 'host'))
  if (host.endsWith('.sock')) throw new NotInBallast('host: sockets of this machine are not asked')
  const number = port === undefined ? standardPort : Number(port)
  if (number < 1 || number > 65_535) throw new TriggerProblem('port is not a number of a port')
  return { host, port: number }
}

function settingsOf(query: string): Settings {
  const settings = new Map<string, string>()
  for (const one of query.split(/[&;]/)) {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(one) ?? []
    if (name !== '') settings.set(name.toLowerCase(), decoded(value, 'connectionString'))
  }
  return settings
}

function placeBy(
  servers: readonly SocketPlace[],
  isSrv: boolean,
  login: string | undefined,
  database: string,
  settings: Settings,
): MongoPlace {
  const known =
    'authmechanism authsource directconnection readpreference replicaset ssl tls tlsallowinvalidcertificates tlsallowinvalidhostnames tlsinsecure'
  for (const name of settings.keys()) {
    if (refused.has(name)) throw new NotInBallast(`connectionString: ${name} is not taken here`)
    if (!ignored.has(name) && !known.split(' ').includes(name))
      throw problem(`${JSON.stringify(name.slice(0, 40))} is no setting of MongoDB`)
  }
  const isTrue = (name: string, otherwise: boolean) => {
    const said = settings.get(name)
    const value = said === undefined ? otherwise : goBoolean(said)
    if (value === undefined) throw problem(`${name} must be true or false`)
    return value
  }
  const isInsecure = ['tlsinsecure', 'tlsallowinvalidcertificates', 'tlsallowinvalidhostnames'].some(name => isTrue(name, false))
  const hasTls = isTrue('tls', isTrue('ssl', isSrv))
  return {
    ...{ servers, isSrv, login: loginOf(login, database, settings), tls: hasTls ? { isInsecure } : undefined },
    replicaSet: settings.get('replicaset'),
    readPreference: oneOf(readPreferences, settings.get('readpreference'), 'readPreference') ?? 'primary',
    isDirect: isTrue('directconnection', false),
  }
}

function loginOf(text: string | undefined, database: string, settings: Settings): MongoLogin | undefined {
  const written = settings.get('authmechanism')
  if (written !== undefined && /^(MONGODB-AWS|MONGODB-OIDC|GSSAPI|MONGODB-CR)$/.test(written))
    throw new NotInBallast(`connectionString: authMechanism ${written} is not in Ballast: ${mechanisms.join(', ')} are`)
  const mechanism = oneOf(mechanisms, written, 'authMechanism')
  const [, username = '', password = ''] = /^([^:]*)(?::(.*))?$/s.exec(text ?? '') ?? []
  if (username === '' && mechanism !== 'MONGODB-X509') return undefined
  const isOutside = mechanism === 'PLAIN' || mechanism === 'MONGODB-X509'
  return {
    mechanism,
    source: settings.get('authsource') ?? (isOutside ? '$external' : database === '' ? 'admin' : database),
    username: decoded(username, 'connectionString'),
    password: decoded(password, 'connectionString'),
  }
}

function oneOf<const T extends readonly string[]>(words: T, written: string | undefined, name: string): T[number] | undefined {
  const found = words.find(word => word.toLowerCase() === written?.toLowerCase())
  if (written !== undefined && found === undefined) throw problem(`${name} must be one of [${words.join(' ')}]`)
  return found
}

interface Records {
  readonly resolveSrv: (name: string) => Promise<readonly { readonly name: string; readonly port: number }[]>
  readonly resolveTxt: (name: string) => Promise<readonly (readonly string[])[]>
}

/**
 * The place that the records of a name of `mongodb+srv://` say: its servers, and of settings `authSource` and `replicaSet`, where the text has
 * none. Servers of another domain are refused. @throws OutsideError
 */
export async function mongoPlaceByRecords(
  place: MongoPlace,
  { resolveSrv, resolveTxt }: Records = { resolveSrv: systemSrv, resolveTxt: systemTxt },
): Promise<MongoPlace> {
  const [host = ''] = place.servers.map(one => one.host)
  const asked = async <T>(what: string, records: Promise<readonly T[]>): Promise<readonly T[]> => {
    try {
      return await records
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code
      if (what === 'TXT' && (code === 'ENODATA' || code === 'ENOTFOUND')) return []
      throw new OutsideError(`${what} records of ${host}: ${String(code ?? 'no answer')}`)
    }
  }
  const servers = await asked('SRV', resolveSrv(`_mongodb._tcp.${host}`))
  // A short name is the domain itself.
  const domain = (host.split('.').length < 3 ? `.${host}` : host.slice(host.indexOf('.'))).toLowerCase()
  const foreign = servers.find(({ name }) => !name.replace(/\.$/, '').toLowerCase().endsWith(domain))
  if (servers.length === 0) throw new OutsideError(`SRV records of ${host}: none`)
  if (foreign !== undefined) throw new OutsideError(`SRV records of ${host} name a server of another domain`)
  const text = (await asked('TXT', resolveTxt(host))).map(pieces => pieces.join('')).join('&')
  const settings = new Map([...settingsOf(text)].filter(([name]) => name === 'authsource' || name === 'replicaset'))
  const source = settings.get('authsource')
  return {
    ...place,
    servers: servers.slice(0, mostMongoServers).map(({ name, port }) => ({ host: name.replace(/\.$/, ''), port })),
    replicaSet: place.replicaSet ?? settings.get('replicaset'),
    login:
      place.login === undefined || source === undefined || place.login.source !== 'admin'
        ? place.login
        : { ...place.login, source },
  }
}
