// What a text of a connection to PostgreSQL says, as libpq writes them (`host=db user=me`) and as an address (`postgres://me@db/jobs`): servers
// that are tried in turn, who we are, and how TLS is wanted. Nothing is read from files or variables of this process.
import { NotInBallast, TriggerProblem } from '../../triggers/parameters.ts'
import { hostNamed, type SocketPlace, type SocketTls } from '../guarded-socket.ts'

export interface PostgresPlaces {
  /** Tried in turn; `tls` undefined: none. */
  readonly attempts: readonly (SocketPlace & { readonly tls: SocketTls | undefined })[]
  readonly user: string
  readonly password: string
  readonly database: string
  readonly applicationName: string | undefined
  /** As the server takes them at the start: `-c search_path=jobs`. */
  readonly options: string | undefined
  /** A query is sent as it is, for poolers that know no prepared statements. */
  readonly isSimple: boolean
}

const standardPort = '5432'
/** Servers that one text names. */
const mostHosts = 16

const sslModes: Readonly<Record<string, readonly (SocketTls | undefined)[]>> = {
  disable: [undefined],
  allow: [undefined, { isInsecure: true }],
  prefer: [{ isInsecure: true }, undefined],
  require: [{ isInsecure: true }],
  'verify-ca': [{ isNameUnchecked: true }],
  'verify-full': [{}],
}

/** What names files of this process, or asks for what is not here. */
const refused =
  /^(sslcert|sslkey|sslpassword|sslcrl|passfile|service|servicefile|krbspn|krbsrvname|require_auth|hostaddr|replication)$/
/** What is ours to decide, or changes nothing of one query. */
const ignored =
  /^(connect_timeout|sslsni|statement_cache_capacity|description_cache_capacity|min_protocol_version|max_protocol_version)$/

/** Settings that may say one thing only. */
const onlyThese: Readonly<Record<string, readonly string[]>> = {
  sslrootcert: ['system'],
  sslnegotiation: ['postgres'],
  target_session_attrs: ['any'],
  channel_binding: ['disable', 'prefer'],
  default_query_exec_mode: ['cache_statement', 'cache_describe', 'describe_exec', 'exec', 'simple_protocol'],
}

/** `parameter` has the hosts. @throws TriggerProblem that shows nothing of the text but names of settings */
export function postgresPlaces(text: string, parameter = 'connection'): PostgresPlaces {
  const settings = /^postgres(ql)?:\/\//.test(text) ? addressSettings(text) : pairSettings(text)
  const taken = (name: string) => {
    const value = settings.get(name)
    settings.delete(name)
    return value === '' ? undefined : value
  }
  for (const [name, value] of settings) {
    if (refused.test(name)) throw new NotInBallast(`connection: ${name} is not taken here`)
    if (ignored.test(name)) settings.delete(name)
    const only = Object.hasOwn(onlyThese, name) ? onlyThese[name] : undefined
    if (only !== undefined && !only.includes(value))
      throw new NotInBallast(`connection: ${name} must be one of [${only.join(' ')}]`)
  }
  const isSimple = taken('default_query_exec_mode') === 'simple_protocol'
  for (const name of Object.keys(onlyThese)) settings.delete(name)
  const hosts = placesOf(taken('host') ?? '', taken('port') ?? standardPort, parameter)
  const mode = taken('sslmode') ?? 'prefer'
  const modes = Object.hasOwn(sslModes, mode) ? sslModes[mode] : undefined
  if (modes === undefined) throw new TriggerProblem(`sslmode is invalid: expected one of [${Object.keys(sslModes).join(' ')}]`)
  const user = taken('user')
  if (user === undefined) throw new TriggerProblem('connection: no user given')
  const said = {
    password: taken('password') ?? '',
    database: taken('dbname') ?? user,
    applicationName: taken('application_name'),
  }
  return {
    attempts: hosts.flatMap(host => modes.map(tls => ({ ...host, tls }))),
    ...said,
    ...{ user, isSimple, options: optionsOf(taken('options'), settings) },
  }
}

function placesOf(hosts: string, ports: string, parameter: string): readonly SocketPlace[] {
  const names = hosts.split(',').map(host => host.trim())
  const numbers = ports.split(',').map(port => port.trim())
  if (names.length > mostHosts) throw new TriggerProblem(`connection: ${names.length} hosts, at most ${mostHosts} are tried`)
  return names.map((host, index) => {
    if (host === '') throw new TriggerProblem('connection: no host given')
    if (host.startsWith('/') || host.startsWith('@')) throw new NotInBallast('connection: a socket of this host is not reached')
    const port = Number(numbers.length === 1 ? numbers[0] : (numbers[index] ?? standardPort))
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new TriggerProblem('connection: port is not a number of a port')
    return { host: hostNamed(parameter, host), port }
  })
}

/** Every other setting is one of the server's session. */
function optionsOf(given: string | undefined, settings: ReadonlyMap<string, string>): string | undefined {
  const words = [...settings].map(([name, value]) => {
    if (!/^[a-z_][\w.]*$/i.test(name)) throw new TriggerProblem('connection: the name of a setting cannot be read')
    return `-c ${name}=${value.replaceAll(/[\\\s]/g, found => `\\${found}`)}`
  })
  const all = [...(given === undefined ? [] : [given]), ...words].join(' ')
  return all === '' ? undefined : all
}

function addressSettings(text: string): Map<string, string> {
  // Several hosts are no address of the web: they are taken out first.
  const [, scheme = '', login = '', places = '', rest = ''] = /^(\w+:\/\/)((?:[^@/?#]*@)?)([^/?#]*)(.*)$/s.exec(text) ?? []
  const whole = `${scheme}${login}host${rest}`
  if (scheme === '' || !URL.canParse(whole))
    throw new TriggerProblem('connection: cannot be read; expected one such as postgres://me:password@db:5432/jobs')
  const url = new URL(whole)
  const settings = new Map<string, string>()
  const hosts = places.split(',').map(one => /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(one))
  if (hosts.includes(null)) throw new TriggerProblem('connection: a host cannot be read: expected host:port')
  settings.set('host', hosts.map(found => decoded(found?.[1] ?? found?.[2] ?? '')).join(','))
  if (hosts.some(found => (found?.[3] ?? '') !== ''))
    settings.set('port', hosts.map(found => found?.[3] || standardPort).join(','))
  if (url.username !== '') settings.set('user', decoded(url.username))
  if (url.password !== '') settings.set('password', decoded(url.password))
  const database = decoded(url.pathname.replace(/^\//, ''))
  if (database !== '') settings.set('dbname', database)
  for (const [name, value] of url.searchParams) settings.set(name === 'database' ? 'dbname' : name, value)
  return settings
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Its own words show the text.
    throw new TriggerProblem('connection: a % that no two hexadecimal digits follow')
  }
}

/** `name=value`, values in single quotes where they hold spaces; `\` takes the next character as it is. */
function pairSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>()
  let rest = text.trim()
  while (rest !== '') {
    const found = /^([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(?!')((?:[^\s\\]|\\.)*))(?:\s+|$)/s.exec(rest)
    if (found === null)
      throw new TriggerProblem('connection: cannot be read; expected host=db port=5432 user=me password=… dbname=jobs')
    const [whole, name = '', quoted, plain = ''] = found
    settings.set(name === 'database' ? 'dbname' : name, (quoted ?? plain).replaceAll(/\\(.)/gs, '$1'))
    rest = rest.slice(whole.length)
  }
  return settings
}

/** A value for such a text. */
export function postgresValue(text: string): string {
  return /[\s'\\]/.test(text) ? `'${text.replaceAll(/['\\]/g, found => `\\${found}`)}'` : text
}
