// The number that a query of MySQL or MariaDB answers with.
import type { Connection } from 'mysql2'
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import {
  defaulted,
  float,
  here,
  hereOrSecret,
  hereSecretOrEnv,
  optional,
  readParameters,
  required,
  secretOrEnv,
  text,
} from '../../triggers/parameters.ts'
import { GuardedStream, guardedSocket } from '../guarded-socket.ts'
import { answerMs, KeptConnection, type OpenConnection } from '../kept-connection.ts'
import type { Outgoing } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { type MysqlPlace, mysqlPlace, singleMysqlPlace } from './mysql-place.ts'
import { numberInRow } from './sql-number.ts'

const parameters = {
  query: required(text, here('one row of one column, a number')),
  queryValue: required(float, here('amount aimed at')),
  activationQueryValue: defaulted(float, '0', here('active above it')),
  connectionString: optional(text, secretOrEnv('me:password@tcp(db:3306)/jobs')),
  username: optional(text, hereSecretOrEnv('who we are, where no connectionString is given')),
  password: optional(text, secretOrEnv('of the user')),
  host: optional(text, hereOrSecret('of the server')),
  port: optional(text, hereOrSecret('of the server')),
  dbName: optional(text, hereOrSecret('the database')),
  metricName: optional(text, here('is not used any more')),
}

export const mysql: ScalerKind = {
  types: ['mysql'],
  about: 'the number that a query of MySQL or MariaDB answers with',
  parameters,
  async open(trigger, { clock, outgoing }) {
    const given = readParameters(parameters, trigger.given, 'mysql')
    const { connectionString, dbName = '', query } = given
    const place = connectionString === undefined ? singleMysqlPlace(given) : mysqlPlace(connectionString)
    // The metric is named by all that follows the last slash, as upstream names it.
    const name = connectionString === undefined ? dbName : connectionString.slice(connectionString.lastIndexOf('/') + 1)
    const kept = new KeptConnection({ clock, outgoing, who: 'MySQL', open: signal => opened(place, outgoing, signal) })
    return oneMetric(trigger, {
      ...{ tail: `mysql-${name}`, target: given.queryValue, activation: given.activationQueryValue },
      read: signal => kept.ask(session => session.number(query), signal),
      close: async () => kept[Symbol.dispose](),
    })
  },
}

async function opened(place: MysqlPlace, outgoing: Outgoing, signal: AbortSignal): Promise<MysqlSession> {
  if (place.tls !== 'preferred') return await MysqlSession.open(place, place.tls, outgoing, signal)
  try {
    return await MysqlSession.open(place, 'skip-verify', outgoing, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof WithoutTls)) throw error
    return await MysqlSession.open(place, 'false', outgoing, signal)
  }
}

class WithoutTls extends OutsideError {}

/** The code that MySQL has for an error: its words show parts of queries and data. */
function plainError(error: unknown, stream: GuardedStream): Error {
  if (stream.errored instanceof OutsideError) return stream.errored
  if (error instanceof OutsideError) return error
  const { code, errno, sqlState } = (error ?? {}) as {
    readonly code?: unknown
    readonly errno?: unknown
    readonly sqlState?: unknown
  }
  const named = typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : 'error'
  if (typeof sqlState === 'string' || typeof errno === 'number')
    return new AnswerError(`MySQL: ${named}${typeof errno === 'number' && errno > 0 ? ` (${errno})` : ''}`)
  if (named === 'HANDSHAKE_NO_SSL_SUPPORT') return new WithoutTls('MySQL: the server speaks no TLS')
  return new OutsideError(
    named === 'error' ? 'MySQL: the connection failed, or what answers there is no MySQL' : `MySQL: ${named}`,
  )
}

class MysqlSession implements OpenConnection {
  readonly #connection: Connection
  readonly #stream: GuardedStream

  static async open(place: MysqlPlace, tls: string, outgoing: Outgoing, signal: AbortSignal): Promise<MysqlSession> {
    const { createConnection } = await import('mysql2')
    const { host, port, user, password, database } = place
    const stream = new GuardedStream(await guardedSocket(place, outgoing, signal), `${host}:${port}`)
    const connection = createConnection({
      ...{ host, port, user, password, database, stream: () => stream, connectTimeout: 0 },
      ...(tls === 'false' ? {} : { ssl: { rejectUnauthorized: tls === 'true', verifyIdentity: tls === 'true' } }),
      // Parsers are not built as source text out of names that a server chose, and it gets no file.
      ...{
        disableEval: true,
        flags: ['-LOCAL_FILES'],
        rowsAsArray: true,
        typeCast: (field: { string(): string | null }) => field.string(),
      },
      enableCleartextPlugin: place.allowsClearText,
    })
    const session = new MysqlSession(connection, stream, tls === 'false')
    const onAbort = () => stream.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await session.#connected()
      await session.#limit(answerMs(outgoing))
      const variables = place.variables.map(([name, value]) => `${name}=${value}`)
      if (variables.length > 0) await session.#rows(`SET ${variables.join(',')}`)
      return session
    } catch (error) {
      session[Symbol.dispose]()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  private constructor(connection: Connection, stream: GuardedStream, isClear: boolean) {
    this.#connection = connection
    this.#stream = stream
    // The next question finds it closed; what is not in order is no MySQL.
    connection.on('error', () => stream.destroy())
    connection.on('warn', () => {
      const error = new AnswerError('what answers there does not keep to the protocol of MySQL')
      stream.destroy(error)
      // The library would go on and write to stderr. By TLS it reads in a listener of its own, where nobody could catch it.
      if (isClear) throw error
    })
  }

  get isOpen(): boolean {
    return !this.#stream.destroyed
  }

  /** @throws AnswerError where there is none; OutsideError */
  async number(query: string): Promise<number> {
    this.#stream.again()
    return numberInRow((await this.#rows(query))[0], 'MySQL')
  }

  [Symbol.dispose](): void {
    this.#connection.destroy()
    this.#stream.destroy()
  }

  /**
   * A server goes on with a query whose connection is gone: it ends those itself that we gave up. `KILL` would need a second connection, and by
   * way of a balancer it would end what another server does. MariaDB and MySQL each read their own comment; settings of the trigger come later.
   */
  async #limit(ms: number): Promise<void> {
    const [mariadb, plain] = [
      `/*M!100101 ,max_statement_time=${ms / 1_000} */`,
      `/*!50708 ,max_execution_time=${Math.ceil(ms)} */`,
    ]
    try {
      await this.#rows(`SET @most_seconds=${ms / 1_000} ${mariadb} ${plain}`)
    } catch (error) {
      // Those that speak as MySQL does and have no such limit are asked all the same.
      if (!(error instanceof AnswerError) || !this.isOpen) throw error
    }
  }

  async #connected(): Promise<void> {
    await this.#settled<void>((resolve, reject) =>
      this.#connection.connect(error => (error === null ? resolve() : reject(error))),
    )
  }

  async #rows(sql: string): Promise<readonly (readonly unknown[])[]> {
    return await this.#settled((resolve, reject) =>
      this.#connection.query({ sql, rowsAsArray: true }, (error, rows) =>
        error === null ? resolve(Array.isArray(rows) ? rows.filter(row => Array.isArray(row)) : []) : reject(error),
      ),
    )
  }

  /** A stream that ends under the library may leave it without a word. */
  async #settled<T>(work: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> {
    const done = Promise.withResolvers<T>()
    const onClose = () => done.reject(this.#stream.errored ?? new OutsideError('MySQL: the connection was closed'))
    this.#stream.once('close', onClose)
    if (this.#stream.destroyed) onClose()
    try {
      work(done.resolve, done.reject)
      return await done.promise
    } catch (error) {
      throw plainError(error, this.#stream)
    } finally {
      this.#stream.off('close', onClose)
    }
  }
}
