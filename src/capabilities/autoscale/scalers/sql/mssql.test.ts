// SQL Server: what texts of a connection say, what triggers may not say, and what a server of our own answers. No SQL Server was ever asked.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { type Clock, systemClock } from '#kube/clock.ts'
import { lineServer } from '../testdata/line-server.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'
import { sockets } from '../testdata/sockets.ts'
import { tdsDone, tdsError, tdsRoute, tdsRows, tdsServer } from '../testdata/tds-server.ts'
import { mssql } from './mssql.ts'
import { mssqlPlace } from './mssql-place.ts'

type Texts = Readonly<Record<string, string>>
const { signal } = new AbortController()

describe('a text of a connection', () => {
  const plain = { port: 1433, domain: undefined, user: '', password: '', database: '', encryption: 'offered', isTrusted: true }
  test.each<[string, object]>([
    ['sqlserver://localhost', { ...plain, host: 'localhost' }],
    ['sqlserver://db?database=AdventureWorks', { ...plain, host: 'db', database: 'AdventureWorks' }],
    [
      'sqlserver://user1:Password%231@db:1434?Database=jobs',
      { host: 'db', port: 1434, user: 'user1', password: 'Password#1', database: 'jobs' },
    ],
    ['sqlserver://ACME%5Cme:p@db', { domain: 'ACME', user: 'me', password: 'p' }],
    ['sqlserver://me@[fd00::1]:1', { host: 'fd00::1', port: 1 }],
    ['sqlserver://db/mail?port=1500', { host: 'db', port: 1500 }],
    ['sqlserver://db?encrypt=true', { encryption: 'required', isTrusted: false }],
    ['sqlserver://db?encrypt=false', { encryption: 'offered', isTrusted: false }],
    ['sqlserver://db?encrypt=TRUE&TrustServerCertificate=true', { encryption: 'required', isTrusted: true }],
    ['sqlserver://db?encrypt=strict&TrustServerCertificate=true', { encryption: 'strict', isTrusted: false }],
    ['sqlserver://db?encrypt=disable', { encryption: 'disabled' }],
    ['sqlserver://db?protocol=admin', { port: 1434 }],
    ['sqlserver://db?fedauth=ActiveDirectoryDefault', plain],
    [
      'sqlserver://db?hostNameInCertificate=sql.media.svc&app+name=us&workstation+id=w',
      { certificateName: 'sql.media.svc', appName: 'us', workstation: 'w' },
    ],
    ['sqlserver://db?database=jobs&applicationIntent=ReadOnly', { isReadOnly: true }],
    [
      'Server=example.database.windows.net;port=1433;Database=AdventureWorks;Persist Security Info=False;User ID=user1;Password=Password#1;MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;Connection Timeout=30;',
      {
        ...{
          host: 'example.database.windows.net',
          port: 1433,
          database: 'AdventureWorks',
          user: 'user1',
          password: 'Password#1',
        },
        ...{ encryption: 'required', isTrusted: false },
      },
    ],
    [
      'data source=tcp:db,1500; uid = me ;pwd="a;""b";initial catalog=jobs',
      { host: 'db', port: 1500, user: 'me', password: 'a;"b', database: 'jobs' },
    ],
    [String.raw`server=db\mail,1500;user id=ACME\me`, { host: 'db', port: 1500, domain: 'ACME', user: 'me' }],
    ['server=.;password="open', { host: 'localhost', password: '"open' }],
    ['odbc:server=db; user id = me ;password={a;}}b} ;database=', { host: 'db', user: 'me', password: 'a;}b', database: '' }],
    ['odbc:server={db};encrypt=disable;nothing', { host: 'db', encryption: 'disabled' }],
  ])('%s', (text, expected) => {
    expect(mssqlPlace(text, 'sqlserver')).toMatchObject(expected)
  })

  test.each<[string, RegExp]>([
    ['sqlserver://me:hunter2@d b', /no address that can be read/],
    ['sqlserver://me:hunter2@db:70000', /no address that can be read/],
    ['sqlserver://me:hunter2%zz@db', /hexadecimal/],
    ['sqlserver://me:hunter2@db?database=a&Database=b', /more than once/],
    ['sqlserver://me:hunter2@db?password=hunter2', /more than once/],
    ['sqlserver://me:hunter2@db/mail', /names of instances are not looked up: give the port/],
    [String.raw`server=db\mail;password=hunter2`, /names of instances are not looked up/],
    ['server=db;port=x;password=hunter2', /port is not a number of a port/],
    ['server=db;port=65536;password=hunter2', /port is not a number of a port/],
    ['server=d b;password=hunter2', /a host is no name/],
    ['server=db;protocol=np;password=hunter2', /protocol must be one of \[tcp admin\]/],
    ['server=db;encrypt=maybe;password=hunter2', /encrypt must be one of/],
    ['server=db;encrypt=constructor;password=hunter2', /encrypt must be one of/],
    ['server=db;trustservercertificate=yes;password=hunter2', /trustServerCertificate must be true or false/],
    ['server=db;applicationintent=ReadOnly;password=hunter2', /needs a database/],
    ['server=db;certificate=/etc/passwd;password=hunter2', /certificate is not taken/],
    ['server=db;server certificate=/etc/passwd;password=hunter2', /servercertificate is not taken/],
    ['server=db;failover partner=b;password=hunter2', /failoverpartner is not taken/],
    ['server=db;change password=b;password=hunter2', /change password is not taken/],
    ['server=db;tlsmin=1.0;password=hunter2', /tlsmin must be 1.2/],
    ['server=db;authenticator=krb5;password=hunter2', /authenticator must be ntlm/],
    ['odbc:server=db;password={hunter2', /cannot be read/],
    ['odbc:server=db;password={hunter2}x', /cannot be read/],
    ['odbc:=db;password=hunter2', /cannot be read/],
  ])('%s is refused', (text, message) => {
    expect(() => mssqlPlace(text, 'sqlserver')).toThrow(message)
    expect(() => mssqlPlace(text, 'sqlserver')).not.toThrow('hunter2')
  })

  test.each(['sqlserver://db?fedauth=ActiveDirectoryDefault', 'server=db;FedAuth=ActiveDirectoryMSI'])(
    'a login by Azure, %s, is refused by name',
    text => {
      expect(() => mssqlPlace(text, 'azuresql')).toThrow(/Entra ID.* is not in Ballast/)
      expect(mssqlPlace('sqlserver://me:p@db', 'azuresql')).toMatchObject({ host: 'db', user: 'me' })
    },
  )
})

describe('a trigger', () => {
  const plain = { query: 'SELECT 1', targetValue: '1' }
  const host = 'example.database.windows.net'
  test.each<[Texts, Texts, Texts, unknown]>([
    [plain, { connectionString: 'sqlserver://localhost' }, {}, ['s0-mssql', '1']],
    [{ ...plain, activationTargetValue: '20' }, { connectionString: 'sqlserver://localhost' }, {}, ['s0-mssql', '1']],
    [{ ...plain, connectionStringFromEnv: 'C' }, {}, { C: 'sqlserver://localhost?database=jobs' }, ['s0-mssql', '1']],
    [{ ...plain, targetValue: '2.5', host: '127.0.0.1' }, {}, {}, ['s0-mssql', '2500m']],
    [{ ...plain, host, username: 'u', passwordFromEnv: 'P', port: '1433', database: 'jobs' }, {}, { P: 'p' }, ['s0-mssql', '1']],
    [plain, { password: 'p', host, username: 'u', database: 'jobs', port: '1433' }, {}, ['s0-mssql', '1']],
    [{ ...plain, host, driverName: 'azuresql' }, {}, {}, ['s0-mssql', '1']],
    [{ targetValue: '1' }, { connectionString: 'sqlserver://db' }, {}, 'missing required parameter "query" in [triggerMetadata]'],
    [{ query: 'q' }, { connectionString: 'sqlserver://db' }, {}, 'missing required parameter "targetValue" in [triggerMetadata]'],
    [{ ...plain, targetValue: '0', host }, {}, {}, 'no targetValue given'],
    [{ ...plain, targetValue: 'x', host }, {}, {}, /"targetValue"/],
    [{ ...plain, activationTargetValue: 'x', host }, {}, {}, /"activationTargetValue"/],
    [{ ...plain, port: 'x', host }, {}, {}, /"port"/],
    [{ ...plain, port: '70000', host }, {}, {}, /number of a port/],
    [{ ...plain, host: 'd b' }, {}, {}, /^host: a host is no name/],
    [plain, {}, {}, 'must provide either connectionstring or host'],
    [{ ...plain, password: 'in the clear' }, {}, {}, 'must provide either connectionstring or host'],
    [{ ...plain, host, driverName: 'postgres' }, {}, {}, /"driverName" value "postgres": must be one of \[sqlserver azuresql\]/],
    [plain, { driverName: 'azuresql', connectionString: `sqlserver://${host}?fedauth=ActiveDirectoryDefault` }, {}, /Entra ID/],
  ])('%o with %o', async (metadata, auth, env, expected) => {
    await using world = scalerWorld()
    const found = await (async () => {
      try {
        await using scaler = await mssql.open(openedTrigger('mssql', metadata, { auth, env }), world)
        const [metric] = await scaler.metrics(signal)
        const external = metric?.type === 'External' ? metric.external : undefined
        return [external?.metric.name, external?.target.type === 'AverageValue' ? external.target.averageValue : undefined]
      } catch (error) {
        return (error as Error).message
      }
    })()
    if (expected instanceof RegExp) expect(found).toMatch(expected)
    else expect(found).toEqual(expected)
  })
})

interface Look {
  readonly settings?: string
  readonly user?: string
  readonly world?: Parameters<typeof scalerWorld>[0]
}

async function scalerOf(address: string, world: ReturnType<typeof scalerWorld>, { settings = '', user = 'me' }: Look = {}) {
  const connectionString = `sqlserver://${user}:hunter2@${address}?database=jobs${settings}`
  const metadata = { query: 'SELECT jobs', targetValue: '5', activationTargetValue: '6' }
  return await mssql.open(openedTrigger('mssql', metadata, { auth: { connectionString } }), world)
}

/** What is read, or why not, with whether it is active. */
async function looked(address: string, look: Look = {}): Promise<unknown> {
  await using world = scalerWorld(look.world)
  await using scaler = await scalerOf(address, world, look)
  try {
    const { values, isActive } = await scaler.read('m', signal)
    return [values[0]?.value, isActive]
  } catch (error) {
    return (error as Error).message
  }
}

describe('a server of our own', () => {
  test.each<[string, Buffer, unknown]>([
    ['an int', tdsRows(['int'], [[7]]), [7, true]],
    ['as much as activates, and no more', tdsRows(['int'], [[6]]), [6, false]],
    ['a bigint', tdsRows(['bigint'], [[4_000_000_000]]), [4_000_000_000, true]],
    ['a float', tdsRows(['float'], [[7.25]]), [7.25, true]],
    ['a tiny float', tdsRows(['float'], [[1e-9]]), [1e-9, false]],
    ['a decimal', tdsRows(['decimal'], [[-7.25]]), [-7.25, false]],
    ['a text of a number', tdsRows(['nvarchar'], [['7.5e1']]), [75, true]],
    ['the first of some rows', tdsRows(['int'], [[7], [8]]), [7, true]],
    ['the first of some results', Buffer.concat([tdsDone(1), tdsRows(['int'], [[7]], 1), tdsRows(['int'], [[8]])]), [7, true]],
    ['no row', tdsRows(['int'], []), [0, false]],
    ['no row, and then one of another result', Buffer.concat([tdsRows(['int'], [], 1), tdsRows(['int'], [[8]])]), [0, false]],
    ['no result', tdsDone(), [0, false]],
    ['NULL', tdsRows(['bigint'], [[null]]), 'SQL Server answered with NULL, not a number'],
    ['NULL of a text', tdsRows(['nvarchar'], [[null]]), 'SQL Server answered with NULL, not a number'],
    ['a bit', tdsRows(['bit'], [[1]]), 'SQL Server answered with something that is no number'],
    ['a text', tdsRows(['nvarchar'], [['of-the-server']]), 'SQL Server answered with something that is no number'],
    ['two columns', tdsRows(['int', 'int'], [[1, 2]]), 'SQL Server answered with 2 columns: the query must have one'],
    ['an error', tdsError(208, "Invalid object name 'of-the-server'."), 'SQL Server: error 208'],
    [
      'an error after a row',
      Buffer.concat([tdsRows(['int'], [[7]], 1), tdsError(8134, 'of-the-server')]),
      'SQL Server: error 8134',
    ],
    [
      'words that nobody knows',
      Buffer.from('of-the-server'),
      'SQL Server: the connection failed, or what answers there is no SQL Server',
    ],
    [
      'half an answer',
      tdsRows(['int'], [[7]]).subarray(0, 20),
      'SQL Server: the connection failed, or what answers there is no SQL Server',
    ],
  ])('%s', async (_name, answer, expected) => {
    await using server = await tdsServer({ question: () => answer })
    expect(await looked(server.address)).toEqual(expected)
    expect(server.asked()[0]).toBe('SELECT jobs')
  })

  test('one connection is asked again, with all put back that a query left there', async () => {
    await using server = await tdsServer({ question: logins => tdsRows(['int'], [[logins]]) })
    await using world = scalerWorld()
    await using scaler = await scalerOf(server.address, world)
    for (let turn = 0; turn < 3; turn++) expect((await scaler.read('m', signal)).values[0]?.value).toBe(1)
    expect([server.logins().length, server.resets(), server.asked().length]).toEqual([1, 2, 3])
  })

  test('an error is told once, and the next look asks by a new connection', async () => {
    await using server = await tdsServer({
      question: logins => (logins === 1 ? tdsError(1205, 'deadlock') : tdsRows(['int'], [[7]])),
    })
    await using world = scalerWorld()
    await using scaler = await scalerOf(server.address, world)
    await expect(scaler.read('m', signal)).rejects.toThrow('SQL Server: error 1205')
    expect((await scaler.read('m', signal)).values[0]?.value).toBe(7)
  })

  test('a login says who, where and for what, and is refused by number', async () => {
    await using server = await tdsServer({ login: () => tdsError(18_456, "Login failed for user 'me'.") })
    expect(await looked(server.address, { settings: '&app+name=us' })).toBe('SQL Server: the login is refused, error 18456')
    const [said = Buffer.alloc(0)] = server.logins()
    for (const word of ['me', 'jobs', 'us']) expect(said.includes(Buffer.from(word, 'utf16le'))).toBe(true)
    expect(said.includes(Buffer.from('hunter2', 'utf16le'))).toBe(false)
  })

  test('a user of a domain logs in as Windows does', async () => {
    await using server = await tdsServer({ login: () => tdsDone() })
    expect(await looked(server.address, { user: 'ACME%5Cme' })).toMatch(/^SQL Server: ELOGIN$/)
    expect(server.logins()[0]?.includes('NTLMSSP\0')).toBe(true)
  })

  test('a login that is sent on goes to another place by the rules of all addresses, and not for ever', async () => {
    await using server = await tdsServer({ question: () => tdsRows(['int'], [[7]]) })
    await using gate = await tdsServer({ login: () => tdsRoute('127.0.0.1', server.port) })
    expect(await looked(gate.address)).toEqual([7, true])
    await using inner = await tdsServer({ login: () => tdsRoute('169.254.169.254', 80) })
    expect(await looked(inner.address)).toMatch(/169\.254\.169\.254.*not to be reached from here/)
    await using mirror = await tdsServer({ login: () => tdsRoute('127.0.0.1', 1) })
    expect(await looked(mirror.address)).toMatch(/ECONNREFUSED/)
    const circle = await tdsServer({ login: () => tdsRoute('127.0.0.1', circle.port) })
    await using _end = circle
    expect(await looked(circle.address)).toMatch(/sends a login on to more than 3 other places/)
    expect(circle.logins().length).toBe(4)
  })

  test('TLS: a certificate of nobody is believed where that is said, or nothing is said', async () => {
    await using server = await tdsServer({ isSecure: true, question: () => tdsRows(['int'], [[7]]) })
    expect(await looked(server.address)).toEqual([7, true])
    expect(await looked(server.address, { settings: '&encrypt=true&trustServerCertificate=true' })).toEqual([7, true])
    expect(await looked(server.address, { settings: '&encrypt=true' })).toMatch(/^SQL Server: [A-Z_]*CERT[A-Z_]*$/)
    expect(await looked(server.address, { settings: '&encrypt=false' })).toMatch(/^SQL Server: [A-Z_]*CERT[A-Z_]*$/)
    expect(await looked(server.address, { settings: '&encrypt=disable' })).toBe(
      'SQL Server: the server speaks by TLS alone, and encrypt forbids it',
    )
    expect(server.asked()).toEqual(['SELECT jobs', 'SELECT jobs'])
    expect(server.inClear()).not.toContain(Buffer.from('SELECT jobs', 'utf16le').toString('latin1'))
  })

  test('no TLS where it must be', async () => {
    await using server = await tdsServer({})
    expect(await looked(server.address, { settings: '&encrypt=true' })).toBe('SQL Server: the server speaks no TLS')
    expect(server.logins()).toEqual([])
  })
})

/** Time limits that are over when a test says so. */
function limits() {
  const due = new Set<() => void>()
  const clock: Clock = {
    ...systemClock,
    schedule(_ms, callback) {
      due.add(callback)
      return () => due.delete(callback)
    },
  }
  const pass = () => void setImmediate(() => [...due].map(one => one()))
  return { world: { clock }, pass }
}

describe('a server that means no good', () => {
  test.each<[string, string | Buffer | undefined]>([
    ['nothing', undefined],
    ['HTML', 'HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\n\r\n<html>of-the-server</html>'],
    ['zeros', Buffer.alloc(5 * 1024 * 1024)],
    ['ones', Buffer.alloc(5 * 1024 * 1024, 0xff)],
    ['noise', Buffer.from(Array.from({ length: 4_096 }, (_none, index) => (index * 7_919) % 251))],
  ])('one that says %s is no SQL Server', async (_name, said) => {
    const { world, pass } = limits()
    await using server = await lineServer(() => {
      pass()
      return said
    })
    const told = vi.spyOn(console, 'error')
    expect(await looked(server.address, { world })).toMatch(/^SQL Server: no connection in 3 s$|no SQL Server$|sent more than/)
    expect(told).not.toHaveBeenCalled()
    told.mockRestore()
  })

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['hangs up', socket => socket.end(), /^SQL Server: (ECONNRESET|.*no SQL Server)$/],
    ['cuts', socket => socket.resetAndDestroy(), /ECONNRESET|^SQL Server: .*no SQL Server$/],
  ])('one that %s', async (_name, end, expected) => {
    await using before = await sockets(end)
    expect(await looked(before.address)).toMatch(expected)
    await using after = await sockets(socket => void socket.once('data', () => end(socket)))
    expect(await looked(after.address)).toMatch(expected)
  })

  test('one that does not answer the question, or after its first words', async () => {
    const { world, pass } = limits()
    let said: Buffer | undefined
    await using server = await tdsServer({
      question: () => {
        pass()
        return said
      },
    })
    expect(await looked(server.address, { world })).toBe('SQL Server: no answer in 30 s')
    said = tdsDone(1).subarray(0, 5)
    expect(await looked(server.address, { world })).toMatch(/^SQL Server: (no answer in 30 s|.*no SQL Server)$/)
  })

  test('one that is given up while it keeps silent', async () => {
    const silent = Promise.withResolvers<Socket>()
    await using server = await sockets(socket => void socket.once('data', () => silent.resolve(socket)))
    await using world = scalerWorld()
    await using scaler = await scalerOf(server.address, world)
    const given = new AbortController()
    const look = scaler.read('m', given.signal)
    const socket = await silent.promise
    given.abort(new Error('enough'))
    await expect(look).rejects.toThrow('enough')
    if (!socket.destroyed) await once(socket, 'close')
  })

  test('one whose answer has no end', async () => {
    const row = tdsRows(['nvarchar'], [['x'.repeat(3_000)]])
    await using server = await tdsServer({ question: () => Buffer.concat(Array.from({ length: 900 }, () => row)) })
    expect(await looked(server.address)).toMatch(/sent more than 4194304 bytes$/)
  })

  test.each(['127.0.0.1:9', '169.254.169.254:9'])('one at %s is not reached', async address => {
    expect(await looked(address, { world: { allowed: [] } })).toMatch(/not to be reached from here/)
  })
})
