// Kafka: upstream's tables of lag and parameters, SCRAM by its RFC.
import { describe, expect, test } from 'vitest'
import { scalerKind } from '../registry.ts'
import { scram } from '../scram.ts'
import { lineServer } from '../testdata/line-server.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'
import { factorsOf, type LagRules, lagOf, nextFactor, nothingCommitted, totalLag } from './kafka-lag.ts'

type Texts = Readonly<Record<string, string>>
const { signal } = new AbortController()

const rules: LagRules = {
  ...{ lagThreshold: 10, offsetResetPolicy: 'latest', allowIdleConsumers: false, excludePersistentLag: false },
  ...{ scaleToZeroOnInvalidOffset: false, limitToPartitionsWithLag: false, ensureEvenDistributionOfPartitions: false },
}
const earliest: Partial<LagRules> = { offsetResetPolicy: 'earliest' }
const none = nothingCommitted
const place = { topic: 't', partition: 0 }

describe('the lag of a partition', () => {
  test.each<[string, number | undefined, number, number | undefined, Partial<LagRules>, number]>([
    ['both are known', 100, 150, undefined, earliest, 50],
    ['nothing is committed, what is kept counts', none, 150, 100, earliest, 50],
    ['nothing is kept', none, 150, 150, earliest, 0],
    ['what is kept moved on', none, 100, 150, earliest, 0],
    ['the beginning is not known', none, 150, undefined, earliest, 150],
    ['nothing is committed, to zero', none, 150, 100, { ...earliest, scaleToZeroOnInvalidOffset: true }, 0],
    ['nothing is committed, from the end', none, 150, undefined, {}, 1],
    ['nothing is committed, from the end, to zero', none, 150, undefined, { scaleToZeroOnInvalidOffset: true }, 0],
  ])('%s', (_name, committed, latest, first, more, lag) => {
    expect(lagOf({ ...place, committed, latest, earliest: first }, { ...rules, ...more }, new Map())).toEqual({ lag, whole: lag })
  })

  test('what stands still counts for activity alone, until it moves', () => {
    const previous = new Map()
    const look = (committed: number) =>
      lagOf({ ...place, committed, latest: 30, earliest: undefined }, { ...rules, excludePersistentLag: true }, previous)
    expect(look(10)).toEqual({ lag: 20, whole: 20 })
    expect(look(10)).toEqual({ lag: 0, whole: 20 })
    expect(look(12)).toEqual({ lag: 18, whole: 18 })
    expect(look(12)).toEqual({ lag: 0, whole: 18 })
  })

  test('an offset that nobody told is an error', () => {
    expect(() => lagOf({ ...place, committed: undefined, latest: 1, earliest: undefined }, rules, new Map())).toThrow('no offset')
  })
})

describe('the lag of a group', () => {
  const partitions = (...lags: readonly number[]) =>
    lags.map((lag, partition) => ({ ...place, partition, committed: 0, latest: lag, earliest: undefined }))
  test.each<[readonly number[], Partial<LagRules>, number]>([
    [[5, 6], {}, 11],
    [[500, 6], {}, 20],
    [[25, 4], {}, 29],
    [[500, 6], { allowIdleConsumers: true }, 506],
    [[500, 0, 0], { limitToPartitionsWithLag: true }, 10],
    [[500, 1, 0], { limitToPartitionsWithLag: true }, 20],
    [[0, 0], { limitToPartitionsWithLag: true }, 0],
    [[30, 1, 0, 0, 0, 0], { ensureEvenDistributionOfPartitions: true }, 60],
    [[21, 0, 0, 0, 0, 0], { ensureEvenDistributionOfPartitions: true }, 30],
    [[21, 0, 0, 0, 0, 0], { ensureEvenDistributionOfPartitions: true, allowIdleConsumers: true }, 30],
    [[], {}, 0],
  ])('%j with %o', (lags, more, lag) => {
    const whole = lags.reduce((sum, one) => sum + one, 0)
    expect(totalLag(partitions(...lags), { ...rules, ...more }, new Map())).toEqual({ lag, whole })
  })

  test.each([
    [10, [1, 2, 5, 10]],
    [13, [1, 13]],
    [17, [1, 17]],
    [25, [1, 5, 25]],
    [50, [1, 2, 5, 10, 25, 50]],
    [100, [1, 2, 4, 5, 10, 20, 25, 50, 100]],
    [0, []],
  ])('the divisors of %i', (count, expected) => expect(factorsOf(count)).toEqual(expected))

  test.each([
    [10, 1],
    [20, 2],
    [40, 4],
    [50, 5],
    [99, 10],
    [100, 10],
    [101, 20],
    [9_999, 100],
  ])('a lag of %i of 100 partitions wants %i consumers', (lag, expected) => expect(nextFactor(lag, 100, 10)).toBe(expected))
})

async function metricOf(type: string, metadata: Texts, more: Parameters<typeof openedTrigger>[2] = {}) {
  await using world = scalerWorld()
  try {
    const kind = await scalerKind(type)
    if (kind === undefined) throw new Error(`no scaler ${type}`)
    await using scaler = await kind.open(openedTrigger(type, metadata, more), world)
    const [metric] = await scaler.metrics(signal)
    return metric?.type === 'External' ? metric.external.metric.name : undefined
  } catch (error) {
    return (error as Error).message
  }
}

describe('what triggers may say', () => {
  const of = (more: Texts = {}) => ({
    bootstrapServers: 'foo:9092,bar:9092',
    consumerGroup: 'my-group',
    topic: 'my-topic',
    ...more,
  })
  const login = { username: 'admin', password: 'admin' }
  const named = 's0-kafka-my-topic'
  test.each<[string, Texts, Texts, string | RegExp]>([
    ['kafka', {}, {}, /missing required parameter "bootstrapServers"/],
    ['kafka', { bootstrapServers: 'foo:9092' }, {}, /missing required parameter "consumerGroup"/],
    ['kafka', of(), {}, named],
    ['kafka', of({ topic: '' }), {}, 's0-kafka-my-group-topics'],
    ['kafka', of({ topic: '', partitionLimitation: '1,2,3' }), {}, 's0-kafka-my-group-topics'],
    ['kafka', of({ partitionLimitation: '1-4,8,10-12' }), {}, named],
    ['kafka', of({ partitionLimitation: 'a,b,c,d' }), {}, /partitionLimitation/],
    ['kafka', of({ partitionLimitation: '1-2-3' }), {}, /partitionLimitation/],
    ['kafka', of({ partitionLimitation: 'a-3' }), {}, /partitionLimitation/],
    ['kafka', of({ partitionLimitation: '0-99999999' }), {}, /at most 100000/],
    ['kafka', of({ version: '1.2.3.4' }), {}, /error parsing kafka version/],
    ['kafka', of({ version: '1.0.0' }), {}, named],
    ['kafka', of({ version: '0.11.0.2' }), {}, named],
    ['kafka', of({ lagThreshold: '-1' }), {}, /must be positive/],
    ['kafka', of({ lagThreshold: '0' }), {}, /must be positive/],
    ['kafka', of({ activationLagThreshold: '-1' }), {}, /non-negative/],
    ['kafka', of({ activationLagThreshold: 'AA' }), {}, /activationLagThreshold/],
    ['kafka', of({ offsetResetPolicy: 'foo' }), {}, /must be one of/],
    ['kafka', of({ allowIdleConsumers: 'notvalid' }), {}, /allowIdleConsumers/],
    ['kafka', of({ allowIdleConsumers: 'true', limitToPartitionsWithLag: 'true' }), {}, /cannot be set simultaneously/],
    ['kafka', of({ topic: '', limitToPartitionsWithLag: 'true' }), {}, /topic must be specified/],
    ['kafka', of({ topic: '', ensureEvenDistributionOfPartitions: 'true' }), {}, /topic must be specified/],
    ['kafka', of({ limitToPartitionsWithLag: 'true', ensureEvenDistributionOfPartitions: 'true' }), {}, /cannot be set simult/],
    ['kafka', of({ topic: '', fullMetadata: 'false' }), {}, /when fullMetadata is false/],
    ['kafka', of({ fullMetadata: 'notabool' }), {}, /fullMetadata/],
    ['kafka', of({ bootstrapServers: 'foo' }), {}, /expected host:port/],
    ['kafka', of(), { sasl: 'plaintext', ...login }, named],
    ['kafka', of({ sasl: 'scram_sha512' }), login, named],
    ['kafka', of({ sasl: 'plaintext' }), { username: 'admin' }, /no password given/],
    ['kafka', of({ sasl: 'plaintext' }), {}, /no username given/],
    ['kafka', of(), { sasl: 'foo', ...login }, /must be one of|sasl/],
    ['kafka', of(), { sasl: 'oauthbearer', ...login }, /oauthbearer is not in Ballast yet/],
    ['kafka', of(), { sasl: 'gssapi', ...login }, /gssapi is not in Ballast yet/],
    ['kafka', of(), { tls: 'enable', ca: 'c' }, named],
    ['kafka', of(), { tls: 'enable', cert: 'c' }, /key must be provided with cert/],
    ['kafka', of(), { tls: 'enable', key: 'k' }, /cert must be provided with key/],
    ['apache-kafka', of({ topic: 'a,b' }), {}, 's0-kafka-a,b'],
    ['apache-kafka', of({ topic: '' }), {}, /without a topic is not in Ballast/],
    ['apache-kafka', of({ sasl: 'aws_msk_iam' }), {}, /aws_msk_iam is not in Ballast yet/],
  ])('%s %o %o', async (type, metadata, auth, expected) => {
    const found = await metricOf(type, metadata, { auth })
    if (expected instanceof RegExp) expect(found).toMatch(expected)
    else expect(found).toBe(expected)
  })
})

describe('SCRAM', () => {
  const login = { username: 'user', password: 'pencil', who: 'Kafka' }
  const nonce = 'rOprNGfwEbeRWgbNEkqO'
  const first = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'

  async function said(answers: readonly string[]) {
    const told: string[] = []
    const end = await scram(
      'sha256',
      login,
      async message => {
        told.push(message.toString())
        return Buffer.from(answers[told.length - 1] ?? '')
      },
      nonce,
    ).then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    )
    return { told, end }
  }

  test("RFC 7677's example", async () => {
    const { told, end } = await said([first, 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='])
    expect(end).toBeUndefined()
    expect(told).toEqual([
      'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    ])
  })

  test.each<[string, readonly string[], RegExp]>([
    ['another proof', [first, 'v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='], /does not prove/],
    ['no proof', [first, ''], /does not prove/],
    ['rounds without end', [first.replace('4096', '999999999'), ''], /999999999 rounds/],
    ['no rounds', [first.replace('4096', '0'), ''], /0 rounds/],
    ["somebody else's nonce", [first.replace('rOpr', 'xxxx'), ''], /does not keep to SCRAM/],
    ['our nonce alone', [first.replace(/%[^,]*/, ''), ''], /does not keep to SCRAM/],
  ])('%s', async (_name, answers, message) => {
    const { end } = await said(answers)
    expect(end).toMatch(message)
    expect(end).not.toContain('pencil')
  })
})

test('a first server that says nothing leaves its time to the second', async () => {
  await using silent = await lineServer(() => undefined)
  await using second = await lineServer((_asked, socket) => void socket.destroy())
  await using world = scalerWorld({ timeoutMs: 300 })
  const bootstrapServers = `${silent.address},${second.address}`
  const kind = await scalerKind('kafka')
  await using scaler = await kind?.open(openedTrigger('kafka', { bootstrapServers, consumerGroup: 'g', topic: 't' }), world)
  await expect(scaler?.read('m', signal)).rejects.toThrow(second.address)
  expect(second.asked()).not.toBe('')
})
