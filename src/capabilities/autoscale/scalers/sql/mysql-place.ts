// What a text of a connection to MySQL says, as Go's driver writes them: `me:password@tcp(db:3306)/jobs?tls=true`.
import { NotInBallast, TriggerProblem } from '../../triggers/parameters.ts'
import { hostNamed, type SocketPlace } from '../guarded-socket.ts'

type MysqlTls = 'true' | 'false' | 'skip-verify' | 'preferred'

export interface MysqlPlace extends SocketPlace {
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: MysqlTls
  /** The password may be sent as it is, where the server asks for that. */
  readonly allowsClearText: boolean
  /** Variables of the session, as SQL writes their values. */
  readonly variables: readonly (readonly [string, string])[]
}

const standardPort = 3306
const tlsModes: readonly MysqlTls[] = ['true', 'false', 'skip-verify', 'preferred']

/** Settings of Go's driver that change nothing of one number, or are ours to decide. */
const ignored = new Set(
  'allowFallbackToPlaintext allowNativePasswords allowOldPasswords checkConnLiveness clientFoundRows columnsWithAlias collation charset compress connectionAttributes interpolateParams loc maxAllowedPacket multiStatements parseTime readTimeout rejectReadOnly strict timeTruncate timeout writeTimeout'.split(
    ' ',
  ),
)
/** What names files of this process, or a key that nobody registered. */
const refused = new Set(['allowAllFiles', 'serverPubKey'])

/** @throws TriggerProblem that shows nothing of the text but names of settings */
export function mysqlPlace(text: string): MysqlPlace {
  const slash = text.lastIndexOf('/')
  if (slash < 0) throw new TriggerProblem('connectionString: no / before the database; expected me:password@tcp(db:3306)/jobs')
  const [database = '', ...query] = text.slice(slash + 1).split('?')
  const before = text.slice(0, slash)
  const at = before.lastIndexOf('@')
  const login = at < 0 ? '' : before.slice(0, at)
  const [, user = '', password = ''] = /^([^:]*)(?::(.*))?$/s.exec(login) ?? []
  const found = /^([^()]*)(?:\((.*)\))?$/s.exec(before.slice(at + 1))
  const [, net = '', address = ''] = found ?? []
  if (found === null || !['', 'tcp', 'tcp4', 'tcp6'].includes(net))
    throw new TriggerProblem('connectionString: expected tcp(host:port) after the @')
  // An address that ends with a host keeps the usual port.
  const place = address === '' ? { host: '127.0.0.1', port: standardPort } : placeOf(address)
  return { ...place, user, password, database: decoded(database), ...settingsOf(query.join('?')) }
}

function placeOf(address: string): SocketPlace {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(address) ?? []
  const host = bracketed ?? plain
  if (host === '') throw new TriggerProblem('connectionString: expected host:port in tcp(…)')
  return portOf({ host: hostNamed('connectionString', host), port: port === undefined ? standardPort : Number(port) })
}

function portOf(place: SocketPlace): SocketPlace {
  if (!Number.isInteger(place.port) || place.port < 1 || place.port > 65_535)
    throw new TriggerProblem('port is not a number of a port')
  return place
}

function settingsOf(query: string): Pick<MysqlPlace, 'tls' | 'allowsClearText' | 'variables'> {
  const variables: [string, string][] = []
  let tls: MysqlTls = 'false'
  let allowsClearText = false
  for (const one of query.split('&')) {
    const [, name = '', value] = /^([^=]*)=(.*)$/s.exec(one) ?? []
    if (value === undefined) continue
    if (refused.has(name)) throw new NotInBallast(`connectionString: ${name} is not taken here`)
    if (name === 'tls') {
      const mode = tlsModes.find(known => known === value.toLowerCase())
      if (mode === undefined) throw new TriggerProblem(`connectionString: tls must be one of [${tlsModes.join(' ')}]`)
      tls = mode
    } else if (name === 'allowCleartextPasswords') allowsClearText = value === 'true' || value === '1'
    else if (ignored.has(name)) continue
    else if (!/^[\w.@]+$/.test(name)) throw new TriggerProblem('connectionString: the name of a setting cannot be read')
    else variables.push([name, decoded(value.replaceAll('+', ' '))])
  }
  return { tls, allowsClearText, variables }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Its own words show the text.
    throw new TriggerProblem('connectionString: a % that no two hexadecimal digits follow')
  }
}

/** The same of single parameters. @throws TriggerProblem */
export function singleMysqlPlace(given: {
  readonly host: string | undefined
  readonly port: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly dbName: string | undefined
}): MysqlPlace {
  const { host, port, username: user = '', password = '', dbName: database = '' } = given
  if (host === undefined) throw new TriggerProblem('no host given')
  if (port === undefined) throw new TriggerProblem('no port given')
  return {
    ...portOf({ host: hostNamed('host', host), port: Number(port) }),
    user,
    password,
    database,
    tls: 'false',
    allowsClearText: false,
    variables: [],
  }
}
