// PostgreSQL and MySQL: what texts of a connection say, what triggers may not say, and metrics by upstream's names.
import { describe, expect, test } from 'vitest'
import { scalerKind } from '../registry.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'
import { mysqlPlace } from './mysql-place.ts'
import { postgresPlaces, postgresValue } from './postgresql-places.ts'
import { numberInRow } from './sql-number.ts'

type Texts = Readonly<Record<string, string>>
const { signal } = new AbortController()

async function metricOf(type: string, metadata: Texts, more: Parameters<typeof openedTrigger>[2] = {}) {
  await using world = scalerWorld()
  try {
    const kind = await scalerKind(type)
    if (kind === undefined) throw new Error(`no scaler ${type}`)
    await using scaler = await kind.open(openedTrigger(type, metadata, more), world)
    const [metric] = await scaler.metrics(signal)
    const external = metric?.type === 'External' ? metric.external : undefined
    return [external?.metric.name, external?.target.type === 'AverageValue' ? external.target.averageValue : undefined]
  } catch (error) {
    return (error as Error).message
  }
}

const insecure = { isInsecure: true }

describe('postgresql', () => {
  test.each<[string, object]>([
    [
      'host=db user=me',
      {
        attempts: [
          { host: 'db', port: 5432, tls: insecure },
          { host: 'db', port: 5432, tls: undefined },
        ],
        user: 'me',
      },
    ],
    ['host=db user=me', { password: '', database: 'me', options: undefined, isSimple: false }],
    ["host=db user=me password='a b' dbname = 'jobs'", { password: 'a b', database: 'jobs' }],
    [String.raw`host=db user=me password='it\'s \\ a "word"' sslmode=disable`, { password: String.raw`it's \ a "word"` }],
    [String.raw`host=db user=me password=a\ b sslmode=disable`, { password: 'a b' }],
    ['host=db user=me sslmode=disable', { attempts: [{ host: 'db', port: 5432, tls: undefined }] }],
    ['host=db user=me sslmode=verify-full', { attempts: [{ host: 'db', port: 5432, tls: {} }] }],
    ['host=db user=me sslmode=verify-ca', { attempts: [{ host: 'db', port: 5432, tls: { isNameUnchecked: true } }] }],
    [
      'host=db user=me sslmode=allow',
      {
        attempts: [
          { host: 'db', port: 5432, tls: undefined },
          { host: 'db', port: 5432, tls: insecure },
        ],
      },
    ],
    [
      'host=a,b port=1,2 user=me sslmode=require',
      {
        attempts: [
          { host: 'a', port: 1, tls: insecure },
          { host: 'b', port: 2, tls: insecure },
        ],
      },
    ],
    [
      'host=a,b port=1 user=me sslmode=disable',
      {
        attempts: [
          { host: 'a', port: 1, tls: undefined },
          { host: 'b', port: 1, tls: undefined },
        ],
      },
    ],
    ['host=db user=me search_path=my\\ jobs application_name=us', { options: '-c search_path=my\\ jobs', applicationName: 'us' }],
    ['host=db user=me default_query_exec_mode=simple_protocol connect_timeout=5', { isSimple: true, options: undefined }],
    ['postgresql://test@localhost', { user: 'test', database: 'test', password: '' }],
    [
      'postgres://me:p%40s%20s%27%5C@db:6432/jobs?sslmode=disable',
      { user: 'me', password: "p@s s'\\", database: 'jobs', attempts: [{ host: 'db', port: 6432, tls: undefined }] },
    ],
    [
      'postgres://me@a:1,b/jobs?sslmode=disable',
      {
        attempts: [
          { host: 'a', port: 1, tls: undefined },
          { host: 'b', port: 5432, tls: undefined },
        ],
      },
    ],
    ['postgres://me@[fd00::1]:1/jobs?sslmode=disable', { attempts: [{ host: 'fd00::1', port: 1, tls: undefined }] }],
  ])('%s', (text, expected) => {
    expect(postgresPlaces(text)).toMatchObject(expected)
  })

  test.each<[string, RegExp]>([
    ['test_connection_from_env', /cannot be read/],
    ["host=db user=me password='hunter2", /cannot be read/],
    ["host=db user=me password='hunter2' dbname='it''s'", /cannot be read/],
    ['host=/var/run user=me password=hunter2', /socket of this host/],
    ['user=me password=hunter2', /no host given/],
    ['host=db password=hunter2', /no user given/],
    ['host=db user=me port=x password=hunter2', /number of a port/],
    ['host=db user=me port=70000', /number of a port/],
    ['host=db user=me sslmode=required password=hunter2', /sslmode is invalid/],
    ['host=db user=me sslrootcert=/etc/passwd', /sslrootcert must be one of \[system\]/],
    ['host=db user=me sslkey=/etc/passwd', /sslkey is not taken/],
    ['host=db user=me passfile=/etc/passwd', /passfile is not taken/],
    ['host=db user=me service=x', /service is not taken/],
    ['host=db user=me target_session_attrs=read-write', /target_session_attrs must be one of/],
    ['host=db user=me -c=x', /name of a setting/],
    ['postgres://me:hunter2%zz@db/jobs', /hexadecimal|cannot be read/],
    ["host='a b' user=me", /connection: a host is no name/],
    [`host=${'a'.repeat(254)} user=me`, /connection: a host is no name/],
    ['postgres://me:hunter2@a%20b/jobs', /connection: a host is no name/],
    [`host=${'a,'.repeat(20)}a user=me`, /21 hosts/],
  ])('%s is refused', (text, message) => {
    expect(() => postgresPlaces(text)).toThrow(message)
    expect(() => postgresPlaces(text)).not.toThrow('hunter2')
  })

  test.each([
    ['simple', 'simple'],
    ['with space', "'with space'"],
    ['user\tsslmode=disable', "'user\tsslmode=disable'"],
    ['user\nhost=attacker', "'user\nhost=attacker'"],
    ["user'name", String.raw`'user\'name'`],
    [String.raw`user\name`, String.raw`'user\\name'`],
    [String.raw`user\'name`, String.raw`'user\\\'name'`],
  ])('the value %j is written %s, and read again', (value, written) => {
    expect(postgresValue(value)).toBe(written)
    expect(postgresPlaces(`host=db user=me password=${written}`).password).toBe(value)
  })

  const single = {
    query: 'q',
    targetQueryValue: '5',
    host: 'db',
    port: '5432',
    userName: 'me',
    dbName: 'jobs',
    sslmode: 'require',
  }
  const { query, targetQueryValue, ...places } = single
  test.each<[Texts, Texts, Texts, unknown]>([
    [{ query, targetQueryValue, connectionFromEnv: 'C' }, {}, { C: 'postgresql://test@localhost' }, ['s0-postgresql', '5']],
    [{ query, targetQueryValue: '2.5' }, { connection: 'host=db user=me' }, {}, ['s0-postgresql', '2500m']],
    [{ ...single, metricName: 'x' }, {}, {}, ['s0-postgresql', '5']],
    [{ query, targetQueryValue }, places, {}, ['s0-postgresql', '5']],
    [{ ...single, passwordFromEnv: 'P' }, {}, { P: 'pass' }, ['s0-postgresql', '5']],
    [{}, {}, {}, /missing required parameter "query"/],
    [{ query, targetQueryValue, connection: 'host=db user=me' }, {}, {}, 'no host given'],
    [{ ...single, host: 'd b' }, {}, {}, /^host: a host is no name/],
    [{ ...single, targetQueryValue: '' }, {}, {}, 'no targetQueryValue given'],
    [{ ...single, activationTargetQueryValue: 'aa' }, {}, {}, /activationTargetQueryValue/],
    ...Object.keys(places).map((name): [Texts, Texts, Texts, unknown] => [{ ...single, [name]: '' }, {}, {}, `no ${name} given`]),
  ])('%o with %o', async (metadata, auth, env, expected) => {
    const found = await metricOf('postgresql', metadata, { auth, env })
    if (expected instanceof RegExp) expect(found).toMatch(expected)
    else expect(found).toEqual(expected)
  })
})

describe('mysql', () => {
  const plain = { tls: 'false', allowsClearText: false, variables: [] }
  test.each<[string, object]>([
    ['me:secret@tcp(db:3307)/jobs', { ...plain, user: 'me', password: 'secret', host: 'db', port: 3307, database: 'jobs' }],
    ['me:p@:/s(w)@tcp(db:1)/jobs', { user: 'me', password: 'p@:/s(w)', host: 'db', port: 1 }],
    ['me@tcp(db)/', { user: 'me', password: '', host: 'db', port: 3306, database: '' }],
    ['me@tcp([fd00::1]:1)/a%2Fb', { host: 'fd00::1', port: 1, database: 'a/b' }],
    ['/jobs', { user: '', host: '127.0.0.1', port: 3306, database: 'jobs' }],
    ['me@tcp/jobs?tls=skip-verify&timeout=5s&charset=utf8', { host: '127.0.0.1', tls: 'skip-verify', variables: [] }],
    [
      'me@tcp(db)/jobs?time_zone=%27UTC%27&allowCleartextPasswords=true',
      { allowsClearText: true, variables: [['time_zone', "'UTC'"]] },
    ],
  ])('%s', (text, expected) => {
    expect(mysqlPlace(text)).toMatchObject(expected)
  })

  test.each<[string, RegExp]>([
    ['me:hunter2@tcp(db)', /no \/ before the database/],
    ['me:hunter2@unix(/run/mysqld.sock)/jobs', /expected tcp/],
    ['me:hunter2@tcp(http://db:3306)/jobs', /host:port/],
    ['me:hunter2@tcp(d b:1)/jobs', /connectionString: a host is no name/],
    [`me:hunter2@tcp(${'a'.repeat(254)})/jobs`, /connectionString: a host is no name/],
    ['me:hunter2@tcp(db:70000)/jobs', /number of a port/],
    ['me:hunter2@tcp(db)/jobs?tls=mine', /tls must be one of/],
    ['me:hunter2@tcp(db)/jobs?allowAllFiles=true', /allowAllFiles is not taken/],
    ['me:hunter2@tcp(db)/jobs?a;b=1', /name of a setting/],
    ['me:hunter2@tcp(db)/jobs?a=%zz', /hexadecimal/],
  ])('%s is refused', (text, message) => {
    expect(() => mysqlPlace(text)).toThrow(message)
    expect(() => mysqlPlace(text)).not.toThrow('hunter2')
  })

  const single = { query: 'q', queryValue: '12', host: 'db', port: '3306', username: 'me', dbName: 'test_dbname' }
  const { query, queryValue, ...places } = single
  test.each<[Texts, Texts, Texts, unknown]>([
    [
      { query, queryValue, connectionStringFromEnv: 'C' },
      {},
      { C: 'user@tcp(my.mysql.dev:3306)/stats_db' },
      ['s0-mysql-stats_db', '12'],
    ],
    [{ query, queryValue }, { connectionString: 'user@tcp(db)/a.b?tls=true' }, {}, ['s0-mysql-a-b?tls=true', '12']],
    [{ ...single, passwordFromEnv: 'P' }, {}, { P: 'pass' }, ['s0-mysql-test_dbname', '12']],
    [{ ...single, username: '', usernameFromEnv: 'U' }, {}, { U: 'me' }, ['s0-mysql-test_dbname', '12']],
    [{ query, queryValue }, { ...places, password: 'pass' }, {}, ['s0-mysql-test_dbname', '12']],
    [{}, {}, {}, /missing required parameter "query"/],
    [{ query }, {}, {}, /missing required parameter "queryValue"/],
    [{ ...single, activationQueryValue: 'AA' }, {}, {}, /activationQueryValue/],
    [{ ...single, host: '' }, {}, {}, 'no host given'],
    [{ ...single, host: 'd b' }, {}, {}, /^host: a host is no name/],
    [{ ...single, port: '' }, {}, {}, 'no port given'],
  ])('%o with %o', async (metadata, auth, env, expected) => {
    const found = await metricOf('mysql', metadata, { auth, env })
    if (expected instanceof RegExp) expect(found).toMatch(expected)
    else expect(found).toEqual(expected)
  })
})

test.each<[readonly unknown[] | undefined, unknown]>([
  [['7'], 7],
  [['-.5e1'], -5],
  [['NaN'], /no number/],
  [['Infinity'], /no number/],
  [['1e999'], /no number/],
  [['0x10'], /no number/],
  [[' 7'], /no number/],
  [[''], /no number/],
  [['t'], /no number/],
  [[null], /NULL/],
  [[], /0 columns/],
  [undefined, /without a row/],
])('a row %o', (row, expected) => {
  if (expected instanceof RegExp) expect(() => numberInRow(row, 'PostgreSQL')).toThrow(expected)
  else expect(numberInRow(row, 'PostgreSQL')).toBe(expected)
})
