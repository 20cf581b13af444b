// MongoDB: what its servers are told and asked, whom it goes on to, servers that mean no good, and texts of a connection.
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { Socket } from 'node:net'
import { Binary, type Document, deserialize, Long, serialize } from 'bson'
import { describe, expect, test } from 'vitest'
import { opened, readOf, signal, type Texts } from '../testdata/hostile-sources.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'
import { sockets } from '../testdata/sockets.ts'
import { mongodb } from './mongodb.ts'
import { mongoPlace, mongoPlaceByRecords } from './mongodb-place.ts'

interface Said {
  readonly hello?: Document
  readonly count?: Document
  /** Nothing is counted before the password was proven. */
  readonly users?: Texts
  /** Sent as it is, in place of the first answer. */
  readonly raw?: (asked: Buffer) => Buffer | undefined
}

const standalone = { ok: 1, isWritablePrimary: true, maxWireVersion: 21 }
const counted = (n: unknown) => ({ ok: 1, cursor: { id: Long.ZERO, firstBatch: n === undefined ? [] : [{ _id: 1, n }] } })
const refusal = (code: number, codeName: string) => ({ ok: 0, code, codeName, errmsg: 'hunter2 of jobs is wrong' })

function framed(answered: number, document: Document): Buffer {
  const body = serialize(document)
  const head = Buffer.alloc(21)
  head.writeInt32LE(21 + body.length, 0)
  head.writeInt32LE(answered, 8)
  head.writeInt32LE(2013, 12)
  return Buffer.concat([head, body])
}

/** The server's side of SCRAM, of one connection. */
function scramServer(hash: 'sha1' | 'sha256', users: Texts) {
  let bare = ''
  let first = ''
  const size = hash === 'sha1' ? 20 : 32
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  return (payload: string): string => {
    if (bare === '') {
      bare = payload.slice(3)
      const nonce = /r=(.*)$/.exec(bare)?.[1]
      first = `r=${nonce}server,s=${Buffer.from('salt').toString('base64')},i=4096`
      return first
    }
    const name = /n=([^,]*)/.exec(bare)?.[1] ?? ''
    const digest = createHash('md5').update(`${name}:mongo:${users[name]}`).digest('hex')
    const salted = pbkdf2Sync(hash === 'sha1' ? digest : (users[name] ?? ''), 'salt', 4096, size, hash)
    const [, last = '', proof = ''] = /^(.*),p=(.*)$/.exec(payload) ?? []
    const all = `${bare},${first},${last}`
    const key = hmac(salted, 'Client Key')
    const signature = hmac(createHash(hash).update(key).digest(), all)
    const expected = Buffer.from(key.map((byte, at) => byte ^ (signature[at] ?? 0))).toString('base64')
    return proof === expected ? `v=${hmac(hmac(salted, 'Server Key'), all).toString('base64')}` : ''
  }
}

async function mongoServer({ hello = standalone, count = counted(7), users, raw }: Said = {}) {
  const asked: Document[] = []
  const answerOf = (users: Texts | undefined) => {
    let isProven = users === undefined
    let scram: ((payload: string) => string) | undefined
    return (command: Document): Document => {
      if ('hello' in command || 'isMaster' in command) {
        const mechanisms = hello['saslSupportedMechs']
        return 'hello' in command && hello['isMasterOnly'] === true ? refusal(59, 'CommandNotFound') : { ...hello, mechanisms }
      }
      if ('saslStart' in command && command['mechanism'] === 'PLAIN') {
        const [, name = '', password] = Buffer.from(command['payload'].value()).toString().split('\0')
        isProven = users?.[name] === password
        return isProven ? { ok: 1, conversationId: 1, done: true, payload: new Binary() } : refusal(18, 'AuthenticationFailed')
      }
      if ('saslStart' in command) scram = scramServer(command['mechanism'] === 'SCRAM-SHA-1' ? 'sha1' : 'sha256', users ?? {})
      if ('saslStart' in command || 'saslContinue' in command) {
        const payload = Buffer.from(command['payload'].value()).toString()
        if (payload === '') return { ok: 1, conversationId: 1, done: true, payload: new Binary() }
        const said = scram?.(payload) ?? ''
        if (said === '') return refusal(18, 'AuthenticationFailed')
        isProven ||= said.startsWith('v=')
        return { ok: 1, conversationId: 1, done: false, payload: new Binary(Buffer.from(said)) }
      }
      return isProven ? count : refusal(13, 'Unauthorized')
    }
  }
  const listen = (socket: Socket) => {
    const answer = answerOf(users)
    let waiting = Buffer.alloc(0)
    socket.on('data', (data: Buffer) => {
      waiting = Buffer.concat([waiting, data])
      while (waiting.length >= 21 && waiting.length >= waiting.readInt32LE(0)) {
        const one = waiting.subarray(0, waiting.readInt32LE(0))
        waiting = waiting.subarray(one.length)
        const command = deserialize(one.subarray(21))
        asked.push(command)
        const sent = raw === undefined ? framed(one.readInt32LE(4), answer(command)) : raw(one)
        if (sent !== undefined) socket.write(sent)
      }
    })
  }
  const server = await sockets(listen)
  return { asked, ...server }
}

const given = (more: Texts = {}): Texts => ({
  collection: 'jobs',
  query: '{"state":"waiting"}',
  queryValue: '5.5',
  dbName: 'work',
  ...more,
})
const to = (address: string, more = '', login = '') => ({ auth: { connectionString: `mongodb://${login}${address}/${more}` } })

test('what it asks, and the name of its metric', async () => {
  await using server = await mongoServer()
  await using world = scalerWorld()
  const query = '{"state":"waiting","age":{"$gt":{"$numberLong":"9007199254740993"}}}'
  await using scaler = await opened('mongodb', given({ query }), { index: 1, ...to(server.address) }, world)
  expect(await scaler.metrics(signal)).toMatchObject([
    { external: { metric: { name: 's1-mongodb-jobs' }, target: { averageValue: '5500m' } } },
  ])
  expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 7 }], isActive: true })
  expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 7 }], isActive: true })
  const [hello, first, second, ...more] = server.asked
  expect([hello, more]).toMatchObject([{ hello: 1, $db: 'admin' }, []])
  expect(first).toMatchObject({
    aggregate: 'jobs',
    pipeline: [{ $match: { state: 'waiting', age: {} } }, { $group: { _id: 1, n: { $sum: 1 } } }],
    maxTimeMS: 30_000,
    $db: 'work',
    $readPreference: { mode: 'primary' },
  })
  // No digit of a long number is lost.
  expect(String(first?.['pipeline'][0].$match.age.$gt)).toBe('9007199254740993')
  expect(second).toEqual(first)
})

test.each<[string, Said, unknown]>([
  ['none matches', { count: counted(undefined) }, [0, false]],
  ['a long number', { count: counted(Long.fromNumber(2 ** 40)) }, [2 ** 40, true]],
  ['a server before 4.4', { hello: { ok: 1, ismaster: true, isMasterOnly: true } }, [7, true]],
  ['a count that is none', { count: counted('many') }, 'MongoDB: the count is no number'],
  ['no documents', { count: { ok: 1 } }, 'MongoDB answered without documents'],
  ['it may not', { count: refusal(13, 'Unauthorized') }, 'MongoDB: Unauthorized (13)'],
  ['a name of an error that is none', { count: refusal(13, 'hunter2 is wrong') }, 'MongoDB: (13)'],
  ['it takes too long', { count: refusal(50, 'MaxTimeMSExpired') }, 'MongoDB: MaxTimeMSExpired (50)'],
  ['no primary is known', { hello: { ok: 1, secondary: true } }, 'MongoDB: the server knows of no primary'],
  ['nothing', { raw: () => undefined }, expect.stringMatching(/^MongoDB(, 127.0.0.1:\d+)?: no connection in 0.2 s$/)],
  ['a page', { raw: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') }, 'what answers there is no MongoDB'],
  ['an answer to another question', { raw: () => framed(99, standalone) }, 'what answers there is no MongoDB'],
  ['half a document', { raw: () => framed(1, standalone).fill(255, 30) }, 'what answers there is no MongoDB'],
  [
    'two gigabytes',
    { raw: () => Buffer.concat([Buffer.from([255, 255, 255, 127]), framed(1, standalone).subarray(4)]) },
    expect.stringMatching(/announced 2147483626 bytes, of which at most 4194304 are read$/),
  ],
  [
    'lists in lists',
    {
      raw: () => {
        // 40,000 documents, each in the one before.
        const depth = 40_000
        const body = Buffer.alloc(depth * 8 + 5)
        for (let at = 0; at < depth; at++) {
          body.writeInt32LE(body.length - at * 8, at * 7)
          body.write('\x03a\0', at * 7 + 4, 'latin1')
        }
        const head = framed(1, {}).subarray(0, 21)
        head.writeInt32LE(21 + body.length, 0)
        return Buffer.concat([head, body])
      },
    },
    'what answers there is no MongoDB',
  ],
])('%s', async (_name, said, expected) => {
  await using server = await mongoServer(said)
  expect(await readOf('mongodb', given(), to(server.address), { timeoutMs: 200 })).toEqual(expected)
})

describe('logins', () => {
  const users = { 'm@e': 'of: the server/' }
  const login = 'm%40e:of%3A%20the%20server%2F@'
  test.each<[string, Said, string, unknown, object]>([
    [
      'the better of what is known',
      { users, hello: { ...standalone, saslSupportedMechs: ['SCRAM-SHA-1', 'SCRAM-SHA-256'] } },
      'work',
      [7, true],
      { mechanism: 'SCRAM-SHA-256', $db: 'work' },
    ],
    ['nothing is said of any', { users }, '', [7, true], { mechanism: 'SCRAM-SHA-1', $db: 'admin' }],
    [
      'by name',
      { users },
      '?authMechanism=SCRAM-SHA-256&authSource=people',
      [7, true],
      { mechanism: 'SCRAM-SHA-256', $db: 'people' },
    ],
    ['plainly', { users }, '?authMechanism=PLAIN', [7, true], { mechanism: 'PLAIN', $db: '$external' }],
    ['another password', { users: { 'm@e': 'other' } }, '', 'MongoDB: AuthenticationFailed (18)', { mechanism: 'SCRAM-SHA-1' }],
  ])('%s', async (_name, said, more, expected, started) => {
    await using server = await mongoServer(said)
    expect(await readOf('mongodb', given(), to(server.address, more, login))).toEqual(expected)
    expect(server.asked.find(one => 'saslStart' in one)).toMatchObject(started)
  })

  test('none is sent where none is given', async () => {
    await using server = await mongoServer({ users })
    expect(await readOf('mongodb', given(), to(server.address))).toBe('MongoDB: Unauthorized (13)')
  })
})

describe('replica sets', () => {
  const member = (more: Document) => ({ ok: 1, setName: 'rs0', ...more })

  test('the primary that a secondary names is asked', async () => {
    await using primary = await mongoServer({ hello: member({ isWritablePrimary: true }) })
    await using other = await mongoServer({ hello: member({ secondary: true, primary: primary.address }), count: counted(1) })
    expect(await readOf('mongodb', given(), to(other.address, '?replicaSet=rs0'))).toEqual([7, true])
    expect(await readOf('mongodb', given(), to(other.address, '?readPreference=secondaryPreferred'))).toEqual([1, true])
    expect(await readOf('mongodb', given(), to(other.address, '?directConnection=true'))).toEqual([1, true])
  })

  test('another set, and a primary that is none, are errors', async () => {
    await using other = await mongoServer({ hello: member({ secondary: true, primary: '127.0.0.1:1' }) })
    await using secondary = await mongoServer({ hello: member({ secondary: true, primary: other.address }) })
    expect(await readOf('mongodb', given(), to(secondary.address))).toBe('MongoDB: the server that is named as primary is none')
    expect(await readOf('mongodb', given(), to(secondary.address, '?replicaSet=rs1'))).toBe(
      'MongoDB: the server is not a member of the replica set rs1',
    )
  })

  test.each(['169.254.169.254:80', '[fd00:ec2::254]:80', '10.0.0.1:70000', 'nowhere'])(
    'a primary at %s is not reached',
    async primary => {
      await using other = await mongoServer({ hello: member({ secondary: true, primary }) })
      expect(await readOf('mongodb', given(), to(other.address))).toMatch(
        /which is not to be reached from here|knows of no primary/,
      )
    },
  )

  test('another member is asked where the first is away', async () => {
    await using server = await mongoServer()
    expect(await readOf('mongodb', given(), to(`127.0.0.1:1,${server.address}`))).toEqual([7, true])
  })
})

describe("upstream's rules of parameters", () => {
  const single = { host: 'localhost', port: '1234', username: 'sample', password: 'sec@ure' }
  const text = { connectionString: 'mongodb://mongodb0.example.com:27017' }
  test.each<[string, Texts, Texts, RegExp | undefined]>([
    ['nothing', { collection: '', query: '', queryValue: '', dbName: '' }, {}, /missing required parameter "dbName"/],
    ['a text', {}, text, undefined],
    ['single parameters', {}, single, undefined],
    ['a name of DNS', {}, { ...single, scheme: 'mongodb+srv', port: '' }, undefined],
    ['no port', {}, { ...single, port: '' }, /no port given/],
    ['no user', {}, { ...single, username: '' }, /no username given/],
    ['no password', {}, { ...single, password: '' }, /no password given/],
    ['another scheme', {}, { ...single, scheme: 'http' }, /scheme must be one of/],
    ['a number that is none', { activationQueryValue: 'aa' }, text, /unable to set param "activationQueryValue"/],
    ['TLS with an authority', {}, { ...text, tls: 'enable', ca: 'cavalue' }, undefined],
    ['TLS with a certificate', {}, { ...text, tls: 'enable', cert: 'certvalue', key: 'keyvalue' }, undefined],
    ['TLS with half of it', {}, { ...text, tls: 'enable', cert: 'certvalue' }, /both cert and key/],
    ['TLS with the other half', {}, { ...text, tls: 'enable', key: 'keyvalue' }, /both cert and key/],
    ['TLS with nothing', {}, { ...text, tls: 'enable' }, /at least one of cert, key, or ca/],
    ['no JSON', { query: '{"a":' }, text, /^query is no extended JSON/],
    ['an empty query', { query: '{}' }, text, /empty bson document/],
    ['a list', { query: '[1]' }, text, /empty bson document/],
  ])('%s', async (_name, metadata, auth, expected) => {
    await using world = scalerWorld()
    const opening = mongodb.open(openedTrigger('mongodb', given(metadata), { auth }), world)
    if (expected === undefined) await (await opening)[Symbol.asyncDispose]()
    else await expect(opening).rejects.toThrow(expected)
  })
})

describe('texts of a connection', () => {
  test.each<[string, object]>([
    ['mongodb://a', { servers: [{ host: 'a', port: 27017 }], login: undefined, tls: undefined, readPreference: 'primary' }],
    [
      'mongodb://a,b:1,[::1]:2/?replicaSet=rs0',
      { servers: [{ host: 'a' }, { host: 'b', port: 1 }, { host: '::1', port: 2 }], replicaSet: 'rs0' },
    ],
    ['mongodb://me:x@a/jobs', { login: { username: 'me', password: 'x', source: 'jobs' } }],
    ['mongodb://me@a', { login: { username: 'me', password: '', source: 'admin' } }],
    ['mongodb://a/?tls=true', { tls: { isInsecure: false } }],
    ['mongodb://a/?ssl=true&tlsInsecure=true', { tls: { isInsecure: true } }],
    ['mongodb+srv://a.b.c', { isSrv: true, tls: { isInsecure: false } }],
    ['mongodb+srv://a.b.c/?tls=false', { tls: undefined }],
    ['mongodb://a/?retryWrites=true&w=majority&appName=x', { servers: [{ host: 'a' }] }],
  ])('%s', (text, expected) => expect(mongoPlace(text)).toMatchObject(expected))

  test.each<[string, RegExp]>([
    ['postgres://a', /expected mongodb:\/\//],
    ['mongodb://me:hunt/er2@a', /expected mongodb:\/\//],
    ['mongodb://me:hunter2@', /expected mongodb:\/\//],
    ['mongodb://me:hunter%zz@a', /^connectionString: a % that no two/],
    ['mongodb://a:0', /port is not a number of a port/],
    ['mongodb://%2Ftmp%2Fmongodb-27017.sock', /sockets of this machine/],
    ['mongodb+srv://a.b.c:1', /one host, without a port/],
    ['mongodb+srv://a.b.c,d.b.c', /one host, without a port/],
    [`mongodb://${new Array(17).fill('a').join(',')}`, /at most 16 servers/],
    ['mongodb://a/?tlsCAFile=/etc/passwd', /tlscafile is not taken here/],
    ['mongodb://a/?proxyHost=b', /proxyhost is not taken here/],
    ['mongodb://a/?authMechanism=MONGODB-AWS', /MONGODB-AWS is not in Ballast/],
    ['mongodb://a/?authMechanism=magic', /must be one of \[SCRAM-SHA-1/],
    ['mongodb://a/?readPreference=any', /must be one of \[primary/],
    ['mongodb://a/?tls=perhaps', /tls must be true or false/],
    ['mongodb://a/?hunter2=1', /"hunter2" is no setting of MongoDB/],
  ])('%s is refused', (text, message) => expect(() => mongoPlace(text)).toThrow(message))
})

describe('records of a name', () => {
  const place = mongoPlace('mongodb+srv://me:x@db.example.com/')
  const records = (servers: readonly string[], texts: readonly string[][] = []) => ({
    resolveSrv: async () => servers.map(name => ({ name, port: 27018 })),
    resolveTxt: async () => texts,
  })

  test('servers and settings', async () => {
    const found = await mongoPlaceByRecords(
      place,
      records(['s1.example.com', 's2.Example.com.'], [['authSource=people&', 'replicaSet=rs0&tls=false']]),
    )
    expect(found).toMatchObject({
      servers: [
        { host: 's1.example.com', port: 27018 },
        { host: 's2.Example.com', port: 27018 },
      ],
      ...{ replicaSet: 'rs0', login: { source: 'people' }, tls: { isInsecure: false } },
    })
  })

  test('no text is no error', async () => {
    const without = {
      ...records(['s1.example.com']),
      resolveTxt: () => Promise.reject(Object.assign(new Error(), { code: 'ENODATA' })),
    }
    expect(await mongoPlaceByRecords(place, without)).toMatchObject({ replicaSet: undefined })
  })

  test.each<[string, ReturnType<typeof records>, RegExp]>([
    ['none', records([]), /none$/],
    ['of another domain', records(['evil.example.org']), /another domain/],
    ['of a domain that only looks like it', records(['evilexample.com']), /another domain/],
    [
      'no answer',
      { ...records([]), resolveSrv: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })) },
      /SRV records of db.example.com: ENOTFOUND/,
    ],
  ])('%s', async (_name, from, message) => {
    await expect(mongoPlaceByRecords(place, from)).rejects.toThrow(message)
  })
})
