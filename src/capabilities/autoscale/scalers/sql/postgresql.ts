// The number that a query of PostgreSQL answers with.
import type { Client, Query } from 'pg'
import { messageOf } from '#kube/log.ts'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import {
  defaulted,
  float,
  here,
  optional,
  readParameters,
  required,
  secretOrEnv,
  secretOrHere,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { GuardedStream, guardedSocket, judgedSocket, type SocketPlace, type SocketTls, securedSocket } from '../guarded-socket.ts'
import { KeptConnection, type OpenConnection } from '../kept-connection.ts'
import type { Outgoing } from '../outgoing.ts'
import { oneMetric, type ScalerKind, type ScalerWorld } from '../scaler.ts'
import { PostgresMessages } from './postgresql-messages.ts'
import { type PostgresPlaces, postgresPlaces, postgresValue } from './postgresql-places.ts'
import { numberInRow } from './sql-number.ts'

const parameters = {
  query: required(text, here('one row of one column, a number')),
  targetQueryValue: defaulted(float, '0', here('amount aimed at; must be given')),
  activationTargetQueryValue: defaulted(float, '0', here('active above it')),
  connection: optional(text, secretOrEnv('host=db port=5432 user=me password=… dbname=jobs, or postgres://me:…@db/jobs')),
  host: optional(text, secretOrHere('of the server, where no connection is given')),
  port: optional(text, secretOrHere('of the server')),
  userName: optional(text, secretOrHere('who we are')),
  dbName: optional(text, secretOrHere('the database')),
  sslmode: optional(text, secretOrHere('disable, allow, prefer, require, verify-ca or verify-full')),
  password: optional(text, secretOrEnv('of the user')),
}

/** The server's answer holds for all ways to reach it: a wrong password, no such database, no right to it. What upstream's driver ends at. */
const finalCodes = new Set(['28P01', '3D000', '42501'])

export const postgresql: ScalerKind = {
  types: ['postgresql'],
  about: 'the number that a query of PostgreSQL answers with',
  parameters,
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, 'postgresql')
    const places = given.connection === undefined ? postgresPlaces(connectionOf(given), 'host') : postgresPlaces(given.connection)
    if (given.targetQueryValue === 0) throw new TriggerProblem('no targetQueryValue given')
    const kept = new KeptConnection({ ...world, who: 'PostgreSQL', open: signal => opened(places, world, signal) })
    return oneMetric(trigger, {
      ...{ tail: 'postgresql', target: given.targetQueryValue, activation: given.activationTargetQueryValue },
      read: signal => kept.ask(session => session.number(given.query, places), signal),
      close: async () => kept[Symbol.dispose](),
    })
  },
}

function connectionOf(given: ReturnType<typeof readParameters<typeof parameters>>): string {
  const named = { host: given.host, port: given.port, userName: given.userName, dbName: given.dbName, sslmode: given.sslmode }
  const missing = Object.entries(named).find(([, value]) => value === undefined)?.[0]
  if (missing !== undefined) throw new TriggerProblem(`no ${missing} given`)
  const settings = { host: given.host, port: given.port, user: given.userName, dbname: given.dbName, sslmode: given.sslmode }
  return Object.entries({ ...settings, password: given.password ?? '' })
    .map(([name, value]) => `${name}=${postgresValue(value ?? '')}`)
    .join(' ')
}

/** @throws what the last of the servers threw, or the first that holds for all */
async function opened(places: PostgresPlaces, { clock, outgoing }: ScalerWorld, signal: AbortSignal): Promise<PostgresSession> {
  const startMs = clock.elapsed()
  const servers = [...Map.groupBy(places.attempts, ({ host, port }) => `${host}:${port}`)]
  let failure: unknown
  for (const [index, [shown, ways]] of servers.entries()) {
    // One that says nothing leaves the others their share. The last has what is left.
    const shareMs = (outgoing.timeoutMs - (clock.elapsed() - startMs)) / (servers.length - index)
    const share = new AbortController()
    const late = () => share.abort(new OutsideError(`PostgreSQL: ${shown}: no connection in ${Math.round(shareMs) / 1_000} s`))
    const cancel = index === servers.length - 1 ? () => undefined : clock.schedule(Math.max(0, shareMs), late)
    try {
      return await openedAt(ways, places, outgoing, AbortSignal.any([signal, share.signal]))
    } catch (error) {
      signal.throwIfAborted()
      failure = error
      if (finalCodes.has(codeOf(error) ?? '')) break
    } finally {
      cancel()
    }
  }
  throw plainError(failure, places.password)
}

/** @throws what the last of the ways threw, or the first that holds for all; `signal.reason` */
async function openedAt(
  ways: PostgresPlaces['attempts'],
  places: PostgresPlaces,
  outgoing: Outgoing,
  signal: AbortSignal,
): Promise<PostgresSession> {
  let failure: unknown
  for (const place of ways) {
    try {
      return await PostgresSession.open(place, places, outgoing, signal)
    } catch (error) {
      signal.throwIfAborted()
      failure = error
      if (finalCodes.has(codeOf(error) ?? '')) break
    }
  }
  throw failure
}

/** SQLSTATE, where the server itself said what is wrong. */
function codeOf(error: unknown): string | undefined {
  if (!isOfServer(error) || !('code' in error)) return undefined
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined
}

function isOfServer(error: unknown): error is Error & { readonly severity: unknown } {
  return error instanceof Error && 'severity' in error
}

/** A server's own words hold parts of queries and data, in any language and any quotes: only its code is told, and how grave it is. */
function plainError(error: unknown, password: string): Error {
  if (error instanceof OutsideError) return error
  if (isOfServer(error)) {
    const severity = ['FATAL', 'PANIC'].find(known => known === error.severity) ?? 'ERROR'
    return new AnswerError(`PostgreSQL: ${severity} ${codeOf(error) ?? 'without a code'}`)
  }
  const said = messageOf(error)
    .replaceAll(/".*"|'.*'/gs, '"…"')
    .slice(0, 300)
  // A server may have been told the password as it is.
  return new OutsideError(
    `PostgreSQL: ${password !== '' && messageOf(error).includes(password) ? 'it says no more that may be shown' : said}`,
  )
}

class PostgresSession implements OpenConnection {
  readonly #client: Client
  readonly #stream: GuardedStream
  readonly #Query: typeof Query
  readonly #cancel: () => void
  #isBusy = false

  static async open(
    place: SocketPlace & { readonly tls: SocketTls | undefined },
    { user, password, database, applicationName, options }: PostgresPlaces,
    outgoing: Outgoing,
    signal: AbortSignal,
  ): Promise<PostgresSession> {
    const { Client, Query } = (await import('pg')).default
    const { host, port, tls } = place
    const socket = await guardedSocket(place, outgoing, signal)
    const readable = tls === undefined ? socket : await secured(socket, host, tls, signal)
    const messages = new PostgresMessages()
    const stream = new GuardedStream(readable, `${host}:${port}`, piece => messages.whole(piece))
    const client = new Client({
      // An empty text would be looked for in this process's own variables and files.
      ...{ host, port, user, database, password: () => password, ssl: false, stream: () => stream as never },
      ...{ application_name: applicationName ?? 'ballast', client_encoding: 'UTF8' },
    })
    // Where nothing is given it looked into this process's own variables. What is not asked for is not sent: poolers refuse settings.
    const { connectionParameters } = client as Client & { readonly connectionParameters: object }
    Object.assign(connectionParameters, { options, replication: undefined })
    client.on('error', () => stream.destroy()) // whoever asks next finds it closed
    const onAbort = () => stream.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await client.connect()
    } catch (error) {
      stream.destroy()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    const { remoteAddress } = socket
    return new PostgresSession(
      client,
      stream,
      Query,
      () => void cancelled({ ...place, address: remoteAddress }, client, outgoing),
    )
  }

  private constructor(client: Client, stream: GuardedStream, query: typeof Query, cancel: () => void) {
    this.#client = client
    this.#stream = stream
    this.#Query = query
    this.#cancel = cancel
  }

  get isOpen(): boolean {
    return !this.#stream.destroyed
  }

  /** @throws AnswerError where there is none; OutsideError */
  async number(sql: string, { isSimple, password }: PostgresPlaces): Promise<number> {
    this.#stream.again()
    const ended = Promise.withResolvers<void>()
    let first: readonly unknown[] | undefined
    const query = new this.#Query({
      ...{ text: sql, rowMode: 'array', types: { getTypeParser: () => (written: string) => written } as never },
      // One statement only, as upstream's driver has it.
      ...(isSimple ? {} : { queryMode: 'extended' }),
    })
    query.on('row', (row: unknown) => {
      first ??= Array.isArray(row) ? row : [] // rowMode says so
    })
    query.on('error', error => ended.reject(this.#stream.errored ?? error))
    query.on('end', () => ended.resolve())
    this.#isBusy = true
    this.#client.query(query)
    try {
      await ended.promise
    } catch (error) {
      throw plainError(error, password)
    } finally {
      this.#isBusy = false
    }
    return numberInRow(first, 'PostgreSQL')
  }

  [Symbol.dispose](): void {
    // A server goes on with a query whose connection is gone.
    if (this.#isBusy && this.isOpen) this.#cancel()
    this.#stream.destroy()
  }
}

/** The server is asked in PostgreSQL's own words whether it speaks TLS. @throws OutsideError where it does not */
async function secured(socket: Awaited<ReturnType<typeof guardedSocket>>, host: string, tls: SocketTls, signal: AbortSignal) {
  const answered = Promise.withResolvers<number | undefined>()
  const onAbort = () => answered.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  socket.once('close', () => answered.resolve(undefined))
  socket.once('readable', () => answered.resolve((socket.read(1) as Buffer | null)?.[0]))
  socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
  try {
    const answer = await answered.promise
    // More than one byte before the handshake would be somebody else's.
    if (answer === 0x53 && socket.readableLength === 0) return await securedSocket(socket, host, tls, signal)
    throw new OutsideError(answer === 0x4e ? 'PostgreSQL: the server refused TLS' : 'what answers there is no PostgreSQL')
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** At the address that has the session, as it was reached: who reads the secret key could end what we ask. Best effort: the query ends by itself otherwise. */
async function cancelled(
  place: {
    readonly host: string
    readonly port: number
    readonly tls: SocketTls | undefined
    readonly address: string | undefined
  },
  client: Client,
  outgoing: Outgoing,
): Promise<void> {
  const { processID, secretKey } = client as Client & { readonly processID?: number; readonly secretKey?: number }
  const { host, port, tls, address } = place
  if (typeof processID !== 'number' || typeof secretKey !== 'number' || address === undefined) return
  const message = Buffer.alloc(16)
  message.writeInt32BE(16, 0)
  message.writeInt32BE(80_877_102, 4)
  message.writeInt32BE(processID, 8)
  message.writeInt32BE(secretKey, 12)
  try {
    const signal = AbortSignal.timeout(outgoing.timeoutMs)
    const socket = await judgedSocket({ host: address, port }, signal)
    const readable = tls === undefined ? socket : await secured(socket, host, tls, signal)
    readable.end(message)
    readable.resume()
    readable.setTimeout(outgoing.timeoutMs, () => readable.destroy())
  } catch {
    // It is told to whom the query was for.
  }
}
