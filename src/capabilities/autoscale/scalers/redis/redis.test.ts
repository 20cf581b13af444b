// Redis in its three forms: what triggers may say, what is asked, what comes of answers, and servers that mean no good.
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { scalerKind } from '../registry.ts'
import { lineServer } from '../testdata/line-server.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'

type Texts = Readonly<Record<string, string>>
const { signal } = new AbortController()

async function readOf(
  type: string,
  metadata: Texts,
  more: Parameters<typeof openedTrigger>[2] = {},
  options: Parameters<typeof scalerWorld>[0] = {},
) {
  await using world = scalerWorld({ timeoutMs: 2_000, ...options })
  try {
    const kind = await scalerKind(type)
    if (kind === undefined) throw new Error(`no scaler ${type}`)
    await using scaler = await kind.open(openedTrigger(type, metadata, more), world)
    const [metric] = await scaler.metrics(signal)
    const { values, isActive } = await scaler.read('m', signal)
    const external = metric?.type === 'External' ? metric.external : undefined
    const target = external?.target.type === 'AverageValue' ? external.target.averageValue : undefined
    return [external?.metric.name, target, values[0]?.value, isActive]
  } catch (error) {
    return (error as Error).message
  }
}

/** The words of a command of RESP. */
const wordsOf = (asked: string): string =>
  asked
    .split('\r\n')
    .filter((_line, index) => index > 0 && index % 2 === 0)
    .join(' ')
    .trim()
const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
/** Answers by the command's words; an unknown one is an error of the server. */
const answers = (table: Readonly<Record<string, string>>) => (asked: string) =>
  table[wordsOf(asked)] ?? `-ERR unknown ${wordsOf(asked)}\r\n`

const listed = { 'TYPE mail': '+list\r\n', 'LLEN mail': ':7\r\n' }

describe('what is asked, and what comes of it', () => {
  const list = { listName: 'mail' }
  test.each<[string, Texts, Texts, Readonly<Record<string, string>>, unknown]>([
    ['redis', list, {}, listed, ['s0-redis-mail', '5', 7, true]],
    ['redis', { ...list, listLength: '10', activationListLength: '7' }, {}, listed, ['s0-redis-mail', '10', 7, false]],
    ['redis', list, {}, { 'TYPE mail': '+none\r\n', 'LLEN mail': ':0\r\n' }, ['s0-redis-mail', '5', 0, false]],
    ['redis', list, {}, { 'TYPE mail': '+set\r\n', 'SCARD mail': ':2\r\n' }, ['s0-redis-mail', '5', 2, true]],
    ['redis', list, {}, { 'TYPE mail': '+zset\r\n', 'ZCARD mail': ':3\r\n' }, ['s0-redis-mail', '5', 3, true]],
    ['redis', list, {}, { 'TYPE mail': '+hash\r\n', 'HLEN mail': ':4\r\n' }, ['s0-redis-mail', '5', 4, true]],
    ['redis', list, {}, { 'TYPE mail': '+string\r\n' }, 'unsupported key type: string'],
    ['redis', list, { password: 'hunter2' }, { ...listed, 'AUTH hunter2': '+OK\r\n' }, ['s0-redis-mail', '5', 7, true]],
    [
      'redis',
      { ...list, username: 'me' },
      { password: 'hunter2' },
      { ...listed, 'AUTH me hunter2': '+OK\r\n' },
      ['s0-redis-mail', '5', 7, true],
    ],
    ['redis', { ...list, databaseIndex: '3' }, {}, { ...listed, 'SELECT 3': '+OK\r\n' }, ['s0-redis-mail', '5', 7, true]],
    ['redis', list, { password: 'hunter2' }, { 'AUTH hunter2': '-WRONGPASS invalid\r\n' }, 'WRONGPASS invalid'],
    ['redis', list, {}, { 'TYPE mail': '-NOAUTH Authentication required.\r\n' }, 'NOAUTH Authentication required.'],
    ['redis-cluster', { ...list, databaseIndex: '3' }, {}, listed, ['s0-redis-mail', '5', 7, true]],
    ['redis-streams', { stream: 'jobs' }, {}, { 'XLEN jobs': ':9\r\n' }, ['s0-redis-streams-jobs', '5', 9, true]],
    [
      'redis-streams',
      { stream: 'jobs', streamLength: '3' },
      {},
      { 'XLEN jobs': ':9\r\n' },
      ['s0-redis-streams-jobs', '3', 9, true],
    ],
    [
      'redis-streams',
      { stream: 'jobs', consumerGroup: 'g', pendingEntriesCount: '2' },
      {},
      { 'XPENDING jobs g': '*4\r\n:6\r\n$1\r\na\r\n$1\r\nb\r\n*-1\r\n' },
      ['s0-redis-streams-jobs', '2', 6, true],
    ],
    [
      'redis-streams',
      { stream: 'jobs', consumerGroup: 'g' },
      {},
      { 'XPENDING jobs g': '-NOGROUP No such key\r\n' },
      'NOGROUP No such key',
    ],
  ])('%s %o %o', async (type, metadata, auth, table, expected) => {
    await using server = await lineServer(answers(table))
    const read = await readOf(type, { address: server.address, ...metadata }, { auth })
    expect(read).toEqual(expected)
    expect(JSON.stringify(read)).not.toContain('hunter2')
  })

  const info = (version: string) => bulk(`# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`)
  const group = (name: string, lag: string) => `*4\r\n${bulk('name')}${bulk(name)}${bulk('lag')}${lag}`
  test.each<[string, Readonly<Record<string, string>>, unknown]>([
    [
      'is what the group has not taken',
      { 'INFO server': info('7.2.4'), 'XINFO GROUPS jobs': `*2\r\n${group('other', ':1\r\n')}${group('g', ':8\r\n')}` },
      8,
    ],
    ['is 0 before there is a stream', { 'INFO server': info('8.0.1'), 'XINFO GROUPS jobs': '-ERR no such key\r\n' }, 0],
    [
      'is all entries before there is a group',
      { 'INFO server': info('7.0.0'), 'XINFO GROUPS jobs': '*0\r\n', 'XLEN jobs': ':5\r\n' },
      5,
    ],
    [
      'is not known',
      { 'INFO server': info('7.0.0'), 'XINFO GROUPS jobs': `*1\r\n${group('g', '$-1\r\n')}` },
      /does not know how far/,
    ],
    ['needs Redis 7', { 'INFO server': info('6.2.0') }, /7\+ required/],
    ['needs a version', { 'INFO server': bulk('none') }, /could not find Redis version/],
    ['is no number', { 'INFO server': info('7.0.0'), 'XINFO GROUPS jobs': `*1\r\n${group('g', bulk('many'))}` }, /no number/],
  ])('the lag %s', async (_name, table, expected) => {
    await using server = await lineServer(answers(table))
    const read = await readOf('redis-streams', { address: server.address, stream: 'jobs', consumerGroup: 'g', lagCount: '4' })
    if (expected instanceof RegExp) expect(read).toMatch(expected)
    else expect(read).toEqual(['s0-redis-streams-jobs', '4', expected, (expected as number) > 0])
  })

  test.each(['MOVED', 'ASK'])('a node of a cluster that says %s', async how => {
    await using right = await lineServer(answers({ ...listed, ASKING: '+OK\r\n' }))
    await using wrong = await lineServer(() => `-${how} 1234 127.0.0.1:${right.port}\r\n`)
    expect(await readOf('redis-cluster', { address: `127.0.0.1:1,${wrong.address}`, listName: 'mail' })).toEqual([
      's0-redis-mail',
      '5',
      7,
      true,
    ])
    expect(right.asked().includes('ASKING')).toBe(how === 'ASK')
  })

  test('nodes that send each other for ever, or to an address that is not to be reached', async () => {
    await using again = await lineServer((_asked, socket) => `-MOVED 1 :${socket.localPort}\r\n`)
    expect(await readOf('redis-cluster', { address: again.address, listName: 'mail' })).toMatch(/^MOVED/)
    await using away = await lineServer(() => '-MOVED 1 169.254.169.254:80\r\n')
    expect(await readOf('redis-cluster', { address: away.address, listName: 'mail' })).toMatch(/not to be reached/)
  })

  test.each(['redis-cluster', 'redis-sentinel'])(
    '%s: a first server that says nothing leaves its time to the second',
    async type => {
      await using silent = await lineServer(() => undefined)
      await using server = await lineServer(answers({ 'TYPE mail': '+list\r\n', 'LLEN mail': ':7\r\n' }))
      const named = `*2\r\n$9\r\n127.0.0.1\r\n$${String(server.port).length}\r\n${server.port}\r\n`
      await using sentinel = await lineServer(answers({ 'SENTINEL get-master-addr-by-name main': named }))
      const second = type === 'redis-cluster' ? server : sentinel
      const metadata = { address: `${silent.address},${second.address}`, listName: 'mail', sentinelMaster: 'main' }
      expect(await readOf(type, metadata, {}, { timeoutMs: 200 })).toEqual(['s0-redis-mail', '5', 7, true])
    },
  )

  test('sentinels name the master, and have a login of their own', async () => {
    await using master = await lineServer(answers({ ...listed, 'AUTH a': '+OK\r\n' }))
    const named = `*2\r\n${bulk('127.0.0.1')}${bulk(String(master.port))}`
    await using sentinel = await lineServer(answers({ 'AUTH b': '+OK\r\n', 'SENTINEL get-master-addr-by-name main': named }))
    const metadata = { addresses: `127.0.0.1:1,${sentinel.address}`, listName: 'mail', sentinelMaster: 'main' }
    const auth = { password: 'a', sentinelPassword: 'b' }
    expect(await readOf('redis-sentinel', metadata, { auth })).toEqual(['s0-redis-mail', '5', 7, true])
    await using other = await lineServer(answers({ 'SENTINEL get-master-addr-by-name main': '*-1\r\n' }))
    expect(await readOf('redis-sentinel', { ...metadata, addresses: other.address })).toMatch(/knows no master main/)
  })
})

describe('servers that mean no good', () => {
  test.each<[string, (asked: string, socket: Socket) => string | Buffer | undefined, RegExp]>([
    ['hangs', () => undefined, /no answer in 0.1 s/],
    ['hangs up', (_asked, socket) => void socket.destroy(), /ended|ECONNRESET|closed|aborted/],
    ['speaks HTTP', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', /no Redis/],
    ['announces too much', () => '$99999999999\r\n', /announced 100000000001 bytes/],
    ['announces too many', () => '*99999999\r\n', /announced a list/],
    ['sends a line without end', () => Buffer.alloc(64 * 1024, 43), /line of more than/],
    ['nests without end', () => '*1\r\n'.repeat(64), /lists in lists/],
    ['counts with words', () => ':many\r\n', /no Redis/],
    ['counts beyond all', () => ':99999999999999999999\r\n', /no Redis/],
    ['answers with nothing', () => '$-1\r\n', /unsupported key type: null/],
  ])('one that %s', async (_name, answer, message) => {
    await using server = await lineServer(answer)
    expect(
      await readOf('redis', { address: server.address, listName: 'mail' }, {}, { timeoutMs: _name === 'hangs' ? 100 : 2_000 }),
    ).toMatch(message)
  })

  test.each(['169.254.169.254:6379', '[::1]:6379', 'localhost:6379'])('%s is not reached', async address => {
    expect(await readOf('redis', { address, listName: 'mail' }, {}, { allowed: [] })).toMatch(/not to be reached/)
  })
})

describe('what triggers may not say', () => {
  test.each<[string, Texts, Texts, RegExp]>([
    ['redis', {}, {}, /listName/],
    ['redis', { listName: 'a' }, {}, /no addresses or hosts given/],
    ['redis', { listName: 'a', host: 'h' }, {}, /no addresses or hosts given/],
    ['redis', { listName: 'a', hosts: 'a,b', ports: '1' }, {}, /number of hosts should be equal/],
    ['redis', { listName: 'a', address: 'h:1', listLength: 'x' }, {}, /listLength/],
    ['redis', { listName: 'a', address: 'h:1', activationListLength: '1.5' }, {}, /activationListLength/],
    ['redis', { listName: 'a', address: 'h:1', databaseIndex: 'x' }, {}, /databaseIndex/],
    ['redis', { listName: 'a', address: 'h:1', enableTLS: 'x' }, {}, /enableTLS/],
    [
      'redis',
      { listName: 'a', address: 'h:1', enableTLS: 'true' },
      { tls: 'enable' },
      /both ScaledObject and TriggerAuthentication/,
    ],
    ['redis', { listName: 'a', address: 'h:1' }, { tls: 'yes' }, /enable or disable/],
    ['redis-sentinel', { listName: 'a', address: 'h:1' }, {}, /no sentinelMaster/],
    ['redis-streams', { address: 'h:1' }, {}, /missing required parameter "stream"/],
    ['redis-streams', { address: 'h:1', stream: 's', pendingEntriesCount: 'x' }, {}, /pendingEntriesCount/],
    ['redis-streams', { stream: 's' }, {}, /no addresses/],
  ])('%s %o %o', async (type, metadata, auth, message) => {
    expect(await readOf(type, metadata, { auth })).toMatch(message)
  })

  test('hosts and ports from the environment, and in authentication', async () => {
    await using server = await lineServer(answers(listed))
    const metadata = { listName: 'mail', hostFromEnv: 'H', portFromEnv: 'P' }
    const env = { H: '127.0.0.1', P: String(server.port) }
    expect(await readOf('redis', metadata, { env })).toEqual(['s0-redis-mail', '5', 7, true])
    const auth = { host: '127.0.0.1', port: String(server.port) }
    expect(await readOf('redis', { listName: 'mail' }, { auth })).toEqual(['s0-redis-mail', '5', 7, true])
  })
})
