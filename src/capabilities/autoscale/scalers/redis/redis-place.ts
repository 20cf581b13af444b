// Where the key of a trigger is: on one server, on a node of a cluster, or on the server that sentinels call the master.
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  type GivenParameters,
  goBoolean,
  here,
  hereEnvOrSecret,
  hereSecretOrEnv,
  integer,
  listOf,
  optional,
  readParameters,
  secret,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import type { StreamPlace } from '../byte-stream.ts'
import { firstOpened } from '../kept-connection.ts'
import type { Outgoing } from '../outgoing.ts'
import { RedisError, RedisSession, type Reply } from './redis-session.ts'

export const placeParameters = {
  address: optional(listOf(text), {
    ...hereSecretOrEnv('host:port of the server, or of several'),
    names: ['address', 'addresses'],
  }),
  host: optional(listOf(text), { ...hereEnvOrSecret('in place of address, with port'), names: ['host', 'hosts'] }),
  port: optional(listOf(text), { ...hereEnvOrSecret('one for each host'), names: ['port', 'ports'] }),
  username: optional(text, hereEnvOrSecret('of an ACL')),
  password: optional(text, hereEnvOrSecret('of the server')),
  sentinelUsername: optional(text, hereSecretOrEnv('of the sentinels')),
  sentinelPassword: optional(text, hereSecretOrEnv('of the sentinels')),
  sentinelMaster: optional(text, hereSecretOrEnv('what the sentinels call the master')),
  databaseIndex: defaulted(integer, '0', here('which database; a cluster has one only')),
  enableTLS: optional(text, here('true or false')),
  tls: optional(text, secret('enable or disable; not together with enableTLS')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  cert: optional(text, { ...secret('PEM'), names: ['Cert', 'cert'] }),
  key: optional(text, secret('PEM')),
  keyPassword: optional(text, secret('of the key')),
  ca: optional(text, secret('whom we trust, PEM')),
} as const

export type RedisKind = 'server' | 'cluster' | 'sentinel'

/** Redirections within one look. */
const mostMoves = 5
const standardPort = 6379
/** Servers that one trigger names. */
const mostServers = 32

export type RedisAsk = (...words: readonly string[]) => Promise<Exclude<Reply, RedisError>>

/** Asks for a key where it is. */
interface RedisPlace {
  /** All of one look on one connection. @throws Error; RedisError; `signal.reason` */
  look<T>(use: (ask: RedisAsk) => Promise<T>, signal: AbortSignal): Promise<T>
}

/** @throws TriggerProblem */
export function redisPlace(
  kind: RedisKind,
  given: GivenParameters,
  type: string,
  { clock, outgoing }: { readonly clock: Clock; readonly outgoing: Outgoing },
): RedisPlace {
  const told = readParameters(placeParameters, given, type)
  const places = addressesOf(told).map(address => placeOf(address, tlsOf(told)))
  const [one] = places
  if (one === undefined)
    throw new TriggerProblem('no addresses or hosts given. address should be a comma separated list of host:port')
  if (places.length > mostServers) throw new TriggerProblem(`address: at most ${mostServers} servers`)
  if (kind === 'sentinel' && told.sentinelMaster === undefined) throw new TriggerProblem('no sentinelMaster given')
  const login = { username: told.username, password: told.password }
  const database = kind === 'cluster' ? 0 : told.databaseIndex
  const open = (place: StreamPlace, signal: AbortSignal) => RedisSession.open(place, { login, database }, outgoing, signal)
  return {
    async look(use, signal) {
      // What a server does is nothing a virtual clock can see.
      using _held = clock.hold()
      const around = {
        clock,
        outgoing,
        who: 'Redis',
        signal,
        what: 'answer',
        isFinal: (error: unknown) => error instanceof RedisError,
      }
      const onOne = async (place: StreamPlace, limited: AbortSignal) => {
        using session = await open(place, limited)
        return await use((...words) => session.ask(...words))
      }
      if (kind === 'cluster') return await firstOpened(places, around, (place, limited) => inCluster(place, use, open, limited))
      if (kind === 'server') return await firstOpened([one], around, onOne)
      // The master as the first sentinel that answers calls it.
      const master = await firstOpened(places, around, async (place, limited) => {
        const sentinel = { username: told.sentinelUsername, password: told.sentinelPassword }
        using session = await RedisSession.open(place, { login: sentinel, database: 0 }, outgoing, limited)
        const found = await session.ask('SENTINEL', 'get-master-addr-by-name', told.sentinelMaster ?? '')
        if (!Array.isArray(found)) throw new OutsideError(`the sentinel knows no master ${told.sentinelMaster}`)
        return { ...place, host: String(found[0]), port: Number(found[1]) }
      })
      return await firstOpened([master], around, onOne)
    },
  }
}

/** All of a look again, where the key is on another node. */
async function inCluster<T>(
  place: StreamPlace,
  use: (ask: RedisAsk) => Promise<T>,
  open: (place: StreamPlace, signal: AbortSignal) => Promise<RedisSession>,
  signal: AbortSignal,
): Promise<T> {
  let at = place
  let isAsking = false
  for (let moves = 0; ; moves++) {
    using session = await open(at, signal)
    try {
      return await use(async (...words) => {
        if (isAsking) await session.ask('ASKING')
        return await session.ask(...words)
      })
    } catch (error) {
      const moved = error instanceof RedisError ? /^(MOVED|ASK) \d+ (\S*):(\d+)$/.exec(error.message) : null
      if (moved === null || moves >= mostMoves) throw error
      const [, how, host = '', port] = moved
      isAsking = how === 'ASK'
      at = { ...at, host: host === '' || host === '?' ? at.host : host, port: Number(port) }
    }
  }
}

type Told = ReturnType<typeof readParameters<typeof placeParameters>>

function addressesOf({ address = [], host = [], port = [] }: Told): readonly string[] {
  if (host.length > 0 && port.length > 0 && host.length !== port.length)
    throw new TriggerProblem('not enough hosts or ports given. number of hosts should be equal to the number of ports')
  const pairs =
    host.length > 0 && port.length > 0 ? host.map((one, index) => `${one.includes(':') ? `[${one}]` : one}:${port[index]}`) : []
  return [...address, ...pairs].filter(one => one !== '')
}

function placeOf(address: string, tls: StreamPlace['tls']): StreamPlace {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(address) ?? []
  const host = bracketed ?? plain
  if (host === '') throw new TriggerProblem('address: expected host:port')
  return { host, port: port === undefined ? standardPort : Number(port), tls }
}

function tlsOf(told: Told): StreamPlace['tls'] {
  if (told.enableTLS !== undefined && told.tls !== undefined)
    throw new TriggerProblem('unable to set `tls` in both ScaledObject and TriggerAuthentication together')
  const isEnabled = told.enableTLS === undefined ? authTls(told.tls) : goBoolean(told.enableTLS)
  if (isEnabled === undefined) throw new TriggerProblem('enableTLS: expected true or false; tls: expected enable or disable')
  if (!isEnabled) return undefined
  const { ca, cert, key, keyPassword, unsafeSsl } = told
  return { authority: ca, certificate: cert, key, passphrase: keyPassword, isInsecure: unsafeSsl }
}

function authTls(said: string | undefined): boolean | undefined {
  return said === undefined || said === 'disable' ? false : said === 'enable' ? true : undefined
}
