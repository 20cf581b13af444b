// The number that a query of SQL Server answers with.
import type { EventEmitter } from 'node:events'
import type { Connection } from 'tedious'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import {
  defaulted,
  float,
  here,
  hereOrSecret,
  integer,
  oneOf,
  optional,
  readParameters,
  required,
  secretOrEnv,
  secretOrHere,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { GuardedStream, guardedSocket, type SocketPlace } from '../guarded-socket.ts'
import { KeptConnection, type OpenConnection } from '../kept-connection.ts'
import type { Outgoing } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { type MssqlPlace, mssqlPlace, singleMssqlPlace } from './mssql-place.ts'
import { numberInRow } from './sql-number.ts'

const who = 'SQL Server'

const parameters = {
  driverName: defaulted(
    oneOf('sqlserver', 'azuresql'),
    'sqlserver',
    hereOrSecret('azuresql reads fedauth of a connectionString'),
  ),
  connectionString: optional(
    text,
    secretOrEnv('sqlserver://me:password@db:1433?database=jobs, or server=db;user id=me;password=…'),
  ),
  username: optional(text, secretOrHere('who we are, where no connectionString is given')),
  password: optional(text, secretOrEnv('of the user')),
  host: optional(text, secretOrHere('of the server')),
  port: optional(integer, secretOrHere('of the server, 1433 where none is given')),
  database: optional(text, secretOrHere("the database, the user's own where none is given")),
  query: required(text, here('one row of one column, a number; no row is 0')),
  targetValue: required(float, here('amount aimed at')),
  activationTargetValue: defaulted(float, '0', here('active above it')),
}

export const mssql: ScalerKind = {
  types: ['mssql'],
  about: 'the number that a query of SQL Server answers with',
  parameters,
  async open(trigger, { clock, outgoing }) {
    const given = readParameters(parameters, trigger.given, 'mssql')
    const { connectionString, host, query } = given
    if (connectionString === undefined && host === undefined)
      throw new TriggerProblem('must provide either connectionstring or host')
    if (given.targetValue === 0) throw new TriggerProblem('no targetValue given')
    const place =
      connectionString === undefined
        ? singleMssqlPlace({ ...given, host: host ?? '' })
        : mssqlPlace(connectionString, given.driverName)
    const kept = new KeptConnection({ clock, outgoing, who, open: signal => opened(place, outgoing, signal) })
    return oneMetric(trigger, {
      ...{ tail: 'mssql', target: given.targetValue, activation: given.activationTargetValue },
      read: signal => kept.ask(session => session.number(query), signal),
      close: async () => kept[Symbol.dispose](),
    })
  },
}

async function opened(place: MssqlPlace, outgoing: Outgoing, signal: AbortSignal): Promise<MssqlSession> {
  const { encryption } = place
  if (encryption !== 'offered')
    return await MssqlSession.open(place, encryption === 'strict' ? 'strict' : encryption === 'required', outgoing, signal)
  try {
    return await MssqlSession.open(place, true, outgoing, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof WithoutTls)) throw error
    return await MssqlSession.open(place, false, outgoing, signal)
  }
}

class WithoutTls extends OutsideError {}

/** Places that one login may be sent on to. */
const mostRoutes = 4
/** The library ends nothing by its own clock, as far as its timers reach: whoever asks has time limits. */
const endlessMs = 2 ** 31 - 1

class MssqlSession implements OpenConnection {
  readonly #connection: Connection
  /** Undefined: none yet, or the login is sent on to another place. */
  #stream: GuardedStream | undefined
  /** Why there is no connection to the last place. */
  #unreached: unknown
  /** What the server last said was wrong. */
  #said: number | undefined
  #isUsed = false
  readonly #request: typeof import('tedious').Request
  readonly #encrypt: boolean | 'strict'

  /** `encrypt` as the library knows it. @throws WithoutTls; OutsideError; `signal.reason` */
  static async open(
    place: MssqlPlace,
    encrypt: boolean | 'strict',
    outgoing: Outgoing,
    signal: AbortSignal,
  ): Promise<MssqlSession> {
    const { Connection, Request } = await import('tedious')
    let routes = 0
    const connector = async (to: SocketPlace = place) => await session.#connectedTo(to, place, ++routes, outgoing, signal)
    const { host, domain, user, password, database, certificateName, appName, workstation } = place
    const connection = new Connection({
      server: host,
      authentication:
        domain === undefined
          ? { type: 'default', options: { userName: user, password } }
          : { type: 'ntlm', options: { domain, userName: user, password } },
      options: {
        ...{ port: place.port, encrypt, trustServerCertificate: place.isTrusted, readOnlyIntent: place.isReadOnly },
        ...{ connectTimeout: endlessMs, requestTimeout: 0, maxRetriesOnTransientErrors: 0, appName: appName ?? 'ballast' },
        // The login's own hold. The library's types forget that it takes null, and any stream.
        ...({ connector, language: null, dateFormat: null, datefirst: null } as object),
        ...(database === '' ? {} : { database }),
        ...(certificateName === undefined ? {} : { serverName: certificateName }),
        ...(workstation === undefined ? {} : { workstationId: workstation }),
      },
    })
    const session = new MssqlSession(connection, Request, encrypt)
    const onAbort = () => session[Symbol.dispose]()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      await session.#settled(done => connection.connect(done))
      return session
    } catch (error) {
      session[Symbol.dispose]()
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  private constructor(connection: Connection, request: typeof import('tedious').Request, encrypt: boolean | 'strict') {
    this.#connection = connection
    this.#request = request
    this.#encrypt = encrypt
    // The next question finds it closed.
    connection.on('error', () => this.#stream?.destroy())
    connection.on('errorMessage', ({ number }: { readonly number: number }) => {
      this.#said = number
    })
    const events: EventEmitter = connection
    events.on('rerouting', () => {
      this.#stream = undefined
    })
  }

  get isOpen(): boolean {
    return this.#stream?.destroyed === false && !this.#connection.closed
  }

  /** No row is 0, as upstream has it. @throws AnswerError where there is no number; OutsideError */
  async number(query: string): Promise<number> {
    this.#stream?.again()
    // What the last query left behind, such as a transaction or a setting, is gone before the next.
    if (this.#isUsed) await this.#settled(done => this.#connection.reset(done))
    this.#isUsed = true
    const row = await this.#firstRow(query)
    return row === undefined ? 0 : numberInRow(row, who)
  }

  [Symbol.dispose](): void {
    this.#connection.close()
    this.#stream?.destroy()
  }

  async #connectedTo(to: SocketPlace, place: SocketPlace, route: number, outgoing: Outgoing, signal: AbortSignal) {
    const shown = `${place.host}:${place.port}`
    try {
      if (route > mostRoutes) throw new AnswerError(`${shown} sends a login on to more than ${mostRoutes - 1} other places`)
      const stream = new GuardedStream(await guardedSocket(to, outgoing, signal), shown)
      // A stream that ends under the library may leave it without a word.
      stream.once('close', () => {
        if (this.#stream === stream) this.#connection.close()
      })
      this.#stream = stream
      return stream
    } catch (error) {
      this.#unreached = error
      throw error
    }
  }

  /** The first row of the first result that has columns. */
  async #firstRow(query: string): Promise<readonly unknown[] | undefined> {
    let results = 0
    let first: readonly unknown[] | undefined
    await this.#settled(done => {
      const request = new this.#request(query, done)
      request.on('columnMetadata', () => results++)
      request.on('row', (columns: readonly { readonly value: unknown }[]) => {
        if (results === 1) first ??= columns.map(({ value }) => (typeof value === 'number' ? String(value) : value))
      })
      this.#connection.execSqlBatch(request)
    })
    return first
  }

  async #settled(work: (done: (error?: Error | null) => void) => void): Promise<void> {
    const done = Promise.withResolvers<void>()
    this.#said = undefined
    try {
      work(error => (error === undefined || error === null ? done.resolve() : done.reject(error)))
      await done.promise
    } catch (error) {
      throw this.#plain(error)
    }
  }

  /** The number that SQL Server has for an error: its words show parts of queries and data. */
  #plain(error: unknown): unknown {
    if (this.#stream?.errored instanceof OutsideError) return this.#stream.errored
    if (this.#unreached !== undefined) return this.#unreached
    const codes: string[] = []
    for (let one = error; one instanceof Error; one = one.cause) {
      const { code } = one as { readonly code?: unknown }
      if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) codes.push(code)
    }
    if (this.#said !== undefined)
      return new AnswerError(`${who}: ${codes[0] === 'ELOGIN' ? 'the login is refused, ' : ''}error ${this.#said}`)
    if (codes[0] === 'EENCRYPT')
      return this.#encrypt === true
        ? new WithoutTls(`${who}: the server speaks no TLS`)
        : new OutsideError(`${who}: the server speaks by TLS alone, and encrypt forbids it`)
    const code = codes.findLast(one => one !== 'ESOCKET' && one !== 'ECLOSE')
    return new OutsideError(
      code === undefined ? `${who}: the connection failed, or what answers there is no SQL Server` : `${who}: ${code}`,
    )
  }
}
