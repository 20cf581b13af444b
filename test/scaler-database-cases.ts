// What scalers read from real databases (test/real/scalers/database-servers.ts), and from what those answered when it was recorded.
import type { ScalerCase } from './scaler-cases.ts'

/** A user of the servers has it; it needs every kind of quoting. */
export const databasePassword = 'it\'s a \\ "pass"=word&'
/** Nobody is asked for one with this name. */
export const trustedUser = 'reader'

type Case = Omit<ScalerCase, 'type' | 'metadata' | 'metric'> & { readonly query: string }

const heavy = 'SELECT sum(weight) FROM job'
/** One row of one column, and what is none, in both dialects. */
const questions: readonly Case[] = [
  { name: 'a decimal', query: heavy, expected: 7.5 },
  { name: 'a count', query: 'SELECT count(*) FROM job WHERE id > 1', expected: 4 },
  { name: 'a text of a number', query: "SELECT '12.5'", expected: 12.5 },
  { name: 'a number beyond all whole ones', query: 'SELECT 1e300', expected: 1e300 },
  { name: 'the first of several rows', query: 'SELECT id FROM job ORDER BY id DESC', expected: 5 },
  { name: 'less than nothing', query: 'SELECT -2.5', expected: -2.5 },
  { name: 'NULL', query: 'SELECT max(id) FROM job WHERE id > 9', expected: /NULL/ },
  { name: 'no row', query: 'SELECT id FROM job WHERE id > 9', expected: /without a row/ },
  { name: 'two columns', query: 'SELECT id, weight FROM job', expected: /2 columns/ },
  { name: 'a word', query: "SELECT 'many'", expected: /no number/ },
  {
    name: 'no such table',
    query: 'SELECT secret FROM nowhere',
    expected: /ERROR 42P01$|ER_NO_SUCH_TABLE \(1146\)/,
  },
  { name: 'what is no query', query: 'SELCT 1', expected: /ERROR 42601$|ER_PARSE_ERROR \(1064\)/ },
  { name: 'two statements', query: 'SELECT 1; SELECT 2', expected: /42601|ER_PARSE_ERROR/ },
]

const hostOf = (address: string) => address.replace(/:.*/, '')
const portOf = (address: string) => address.replace(/.*:/, '')

const postgres = (one: Case, user = trustedUser, more: Readonly<Record<string, string>> = {}): ScalerCase => {
  const { query, ...rest } = one
  return {
    ...{ ...rest, type: 'postgresql', metric: 's0-postgresql' },
    metadata: address => ({
      ...{ query, targetQueryValue: '5', host: hostOf(address), port: portOf(address) },
      ...{ userName: user, dbName: 'postgres', sslmode: 'disable', ...more },
    }),
  }
}

export const postgresCases: readonly ScalerCase[] = questions.map(one => postgres(one))

/** Logins and TLS have chance in them: they are tried on real servers only. */
export const postgresLoginCases: readonly ScalerCase[] = [
  ...['disable', 'allow', 'prefer', 'require'].map(sslmode =>
    postgres({ name: `sslmode ${sslmode}`, query: heavy, expected: 7.5, auth: { password: databasePassword } }, 'worker', {
      sslmode,
    }),
  ),
  postgres(
    { name: 'a certificate of nobody', query: heavy, expected: /certificate/, auth: { password: databasePassword } },
    'worker',
    {
      sslmode: 'verify-full',
    },
  ),
  postgres({ name: 'a wrong password', query: heavy, expected: /28P01/, auth: { password: 'hunter2' } }, 'worker'),
  postgres({ name: 'no password', query: heavy, expected: /PostgreSQL: / }, 'worker'),
  postgres({ name: 'no such database', query: heavy, expected: /3D000/, auth: { password: databasePassword } }, 'worker', {
    dbName: 'none',
  }),
  postgres(
    {
      name: 'TLS is there',
      query: 'SELECT count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()',
      expected: 1,
      auth: { password: databasePassword },
    },
    'worker',
    { sslmode: 'require' },
  ),
]

const mysql = ({ query, ...rest }: Case, parameters = ''): ScalerCase => ({
  ...{ ...rest, type: 'mysql', metric: `s0-mysql-jobs${parameters}` },
  auth: address => ({ connectionString: `worker:${databasePassword}@tcp(${address})/jobs${parameters}` }),
  metadata: () => ({ query, queryValue: '5' }),
})

/** Their login is answered to what the server chose: it is the same when that is. */
export const mysqlCases: readonly ScalerCase[] = [
  ...questions.map(one => mysql(one)),
  mysql({ name: 'seconds after which the server gives up', query: 'SELECT @@max_statement_time', expected: 30 }),
]

export const mysqlLoginCases: readonly ScalerCase[] = [
  mysql({ name: 'TLS where there is some', query: heavy, expected: 7.5 }, '?tls=preferred'),
  mysql({ name: 'TLS, and there is none', query: heavy, expected: /speaks no TLS/ }, '?tls=skip-verify'),
  mysql({ name: 'a variable of the session', query: 'SELECT @@max_statement_time', expected: 7 }, '?max_statement_time=7'),
  {
    ...{ name: 'single parameters', type: 'mysql', metric: 's0-mysql-jobs', expected: 7.5, auth: { password: databasePassword } },
    metadata: address => ({
      ...{ query: heavy, queryValue: '5', username: 'worker', dbName: 'jobs', host: hostOf(address), port: portOf(address) },
    }),
  },
  {
    ...{ name: 'a wrong password', type: 'mysql', metric: 's0-mysql-jobs', auth: { password: 'hunter2' } },
    expected: /ER_ACCESS_DENIED_ERROR \(1045\)/,
    metadata: address => ({
      ...{ query: heavy, queryValue: '5', username: 'worker', dbName: 'jobs', host: hostOf(address), port: portOf(address) },
    }),
  },
]
