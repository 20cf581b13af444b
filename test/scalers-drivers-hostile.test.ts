// Scalers with a protocol of their own, and servers that mean no good: each look ends within its bounds, its error shows no password, and the next
// look works again. Addresses that are not to be reached are not.
import { readFileSync } from 'node:fs'
import { isIP, type LookupFunction } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { type Clock, systemClock } from '#kube/clock.ts'
import { scalerKind } from '../src/capabilities/autoscale/scalers/registry.ts'
import { lineServer } from '../src/capabilities/autoscale/scalers/testdata/line-server.ts'
import { openedTrigger, scalerWorld } from '../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import { amqpCases, beanstalkdCases, kafkaCases } from './scaler-broker-cases.ts'
import type { ScalerCase } from './scaler-cases.ts'
import { type RecordedConnections, replayedConnections } from './scaler-connections.ts'
import { mysqlCases, postgresCases } from './scaler-database-cases.ts'

interface Row {
  readonly type: string
  readonly fixture: string
  readonly case: ScalerCase | undefined
  /** Bytes that go on for ever after a connection was accepted and a question was asked. */
  readonly endless: string
  /** A length that nobody would send. */
  readonly huge: string
}

const rows: readonly Row[] = [
  {
    ...{ type: 'postgresql', fixture: 'postgresql', case: postgresCases[0] },
    endless: 'D\0\0\0\x0b\0\x01\0\0\0\x017',
    huge: 'D\x7f\xff\xff\xff\0\x01',
  },
  {
    ...{ type: 'mysql', fixture: 'mariadb', case: mysqlCases[0] },
    endless: '\x03\0\0\x07\x027.',
    huge: '\xff\xff\xff\x01'.padEnd(64, 'x'),
  },
  {
    ...{ type: 'rabbitmq', fixture: 'rabbitmq', case: amqpCases[0] },
    endless: '\x08\0\0\0\0\0\0\xce',
    huge: '\x01\0\x01\xff\xff\xff\xff',
  },
  {
    ...{ type: 'beanstalkd', fixture: 'beanstalkd', case: beanstalkdCases[0] },
    endless: 'many',
    huge: 'OK 999999999\r\n',
  },
  {
    ...{ type: 'kafka', fixture: 'kafka', case: kafkaCases[0] },
    endless: '\0\0\0\x04\0\0\0\x07',
    huge: '\x7f\xff\xff\xff',
  },
]

const { signal } = new AbortController()
/** Time limits of a look that is to fail pass sooner. */
const hasty = 0.02

async function opened({ type, case: one }: Row, address: string, world: ReturnType<typeof scalerWorld>) {
  const kind = await scalerKind(type)
  if (kind === undefined || one === undefined) throw new Error(`no scaler ${type}`)
  const { auth = {} } = one
  const given = {
    ...(type === 'postgresql' ? { password: 'hunter2' } : {}),
    ...(typeof auth === 'function' ? auth(address) : auth),
  }
  return await kind.open(openedTrigger(type, one.metadata(address), { auth: given }), world)
}

async function lookOf(row: Row, address: string, options: Parameters<typeof scalerWorld>[0] = {}): Promise<unknown> {
  await using world = scalerWorld(options)
  try {
    await using scaler = await opened(row, address, world)
    return (await scaler.read('m', signal)).values[0]?.value
  } catch (error) {
    return (error as Error).message
  }
}

const names =
  (address: string): LookupFunction =>
  (_host, _options, done) =>
    done(null, [{ address, family: isIP(address) }])

const recordedOf = ({ fixture }: Row) =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'scalers', `${fixture}.json`), 'utf8')) as RecordedConnections

describe.each(rows)('$type', row => {
  const { connections, port } = recordedOf(row)
  const [first = []] = connections
  const expected = row.case?.expected
  const question = first.findIndex(
    ({ asked }) => /SELECT|jobs|mail/.test(asked.replace('worker', '')) && !/mysql_native/.test(asked),
  )

  test.each<[string, RecordedConnections['connections'], RegExp]>([
    ['says nothing', [[{ asked: 'never', answer: '' }]], /in [\d.]+ s|ended|terminated/],
    ['hangs after the login', [first.slice(0, question)], /in [\d.]+ s|closed|terminated|LOST|ended/],
    [
      'hangs up after the question',
      [[...first.slice(0, question), { asked: first[question]?.asked ?? '', answer: '' }]],
      /in [\d.]+ s/,
    ],
    [
      'answers for ever',
      [[...first.slice(0, question), { asked: first[question]?.asked ?? '', answer: row.endless.repeat(1_000_000) }]],
      /sent (more than|a line)|there is no|protocol|PROTOCOL|announced|connection failed|terminated|unexpected|without a row/i,
    ],
    [
      'goes on for ever after its answer',
      [
        [
          ...first.slice(0, question),
          { asked: first[question]?.asked ?? '', answer: `${first[question]?.answer}${row.endless.repeat(1_000_000)}` },
        ],
      ],
      /^[\d.]+$|sent more than|protocol|PROTOCOL|announced|connection failed|there is no/,
    ],
    [
      'announces more than there is',
      [[...first.slice(0, question), { asked: first[question]?.asked ?? '', answer: row.huge }]],
      /in [\d.]+ s|announced|protocol|PROTOCOL/,
    ],
  ])('one that %s is given up, and the next look works', async (name, hostile, message) => {
    // One of them may be told to give a query up.
    await using server = await replayedConnections({
      connections: [...hostile, first, first, first],
      ...(port === undefined ? {} : { port }),
    })
    let share = name.includes('for ever') ? 1 : hasty
    const clock: Clock = { ...systemClock, schedule: (ms, callback) => systemClock.schedule(ms * share, callback) }
    await using world = scalerWorld({ clock })
    await using scaler = await opened(row, server.address, world)
    const told = vi.spyOn(console, 'error')
    const failed = await scaler.read('m', signal).then(
      reading => String(reading.values[0]?.value),
      (error: unknown) => (error as Error).message,
    )
    share = 1
    expect(told).not.toHaveBeenCalled()
    told.mockRestore()
    expect(failed).toMatch(message)
    expect(failed).not.toMatch(/hunter2|of-the-server|word&|SELECT/)
    expect((await scaler.read('m', signal)).values[0]?.value).toBe(expected)
  })

  test.each<[string, string | Buffer]>([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'],
    ['zeros', Buffer.alloc(5 * 1024 * 1024)],
    ['ones', Buffer.alloc(5 * 1024 * 1024, 0xff)],
    ['noise', Buffer.from(Array.from({ length: 4_096 }, (_none, index) => (index * 7_919) % 251))],
  ])('one that speaks %s is no such server', async (_name, said) => {
    await using server = await lineServer(() => said)
    const look = await lookOf(row, server.address, { timeoutMs: 300 })
    expect(look).toBeTypeOf('string')
    expect(look).not.toMatch(/hunter2|of-the-server|word&/)
  })

  test.each([
    ['127.0.0.1', '127.0.0.1:9', undefined],
    ['169.254.169.254', '169.254.169.254:9', undefined],
    ['127.0.0.1 by a name', 'source.media.svc:9', '127.0.0.1'],
    ['169.254.169.254 by a name', 'source.media.svc:9', '169.254.169.254'],
    ['::1 by a name', 'source.media.svc:9', '::1'],
  ])('%s is not reached', async (_name, address, found) => {
    const lookup = found === undefined ? {} : { lookup: names(found) }
    expect(await lookOf(row, address, { allowed: [], ...lookup })).toMatch(/not to be reached from here/)
  })
})

test('a broker that names another place which is not to be reached', async () => {
  const row = rows.find(({ type }) => type === 'kafka')
  if (row === undefined) throw new Error('no row of Kafka')
  const { connections } = recordedOf(row)
  const elsewhere = connections.map(steps =>
    steps.map(({ asked, answer }) => ({ asked, answer: answer.replaceAll('127.0.0.1', '127.0.0.2') })),
  )
  await using server = await replayedConnections({ connections: elsewhere })
  expect(await lookOf(row, server.address)).toMatch(/127\.0\.0\.2, which is not to be reached from here/)
})
