import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { decodeFrame } from '../client/protobuf.ts'
import { VirtualClock } from '../clock.ts'
import type { KubeObject } from '../objects/objects.ts'
import { notFound } from '../objects/status.ts'
import { bytes, integer, manyBytes, message, nested, text } from '../protobuf-message.ts'
import type { AnswerBody } from './aggregated-answers.ts'
import { listBody, objectBody, protobufList, statusBytes, tableBody } from './answer-bodies.ts'
import { SharedAnswers } from './answers/shared-answers.ts'
import { encodePartialMetadata, metadataMessage, objectMeta } from './meta-messages.ts'

const object = (name: string, labels: Readonly<Record<string, string>> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'n', labels, creationTimestamp: '2026-01-01T00:00:00Z' },
})

const names = fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.dictionary(fc.string(), fc.string())), {
  maxLength: 300,
})

async function gathered(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

test('a list is the same in each form, however many pieces it is written in', async () => {
  const listMessage = message({ items: manyBytes(2) })
  const itemMessage = message({ metadata: nested(1, objectMeta) })
  await fc.assert(
    fc.asyncProperty(names, async all => {
      const items = all.map(([name, labels]) => object(name, labels))
      let breaths = 0
      const breathe = async () => {
        breaths++
      }
      const kind = { apiVersion: 'v1', kind: 'ThingList' }
      const written = async (format: 'json' | 'yaml') => await gathered(listBody({ ...kind, items }, { format, breathe }))
      const list = { apiVersion: 'v1', kind: 'ThingList', metadata: {}, items }
      expect(JSON.parse((await written('json')).toString())).toEqual(list)
      expect(breaths).toBe(Math.floor(items.length / 64))
      const encoded = await protobufList({ ...kind, items }, { encode: encodePartialMetadata, breathe })
      const frame = decodeFrame(Buffer.concat(encoded))
      if (!frame.ok) throw new Error(frame.problem.expected)
      expect(frame.value).toMatchObject({ apiVersion: 'v1', kind: 'ThingList', contentType: '', contentEncoding: '' })
      const decoded = listMessage.decode(frame.value.raw).items.map(item => itemMessage.decode(item).metadata)
      expect(decoded).toEqual(items.map(metadataMessage))
      if (items.length < 20) expect(parse((await written('yaml')).toString())).toEqual(list)
    }),
    { numRuns: 40 },
  )
})

test('a refusal in protobuf has all that its Status says', () => {
  const frame = decodeFrame(statusBytes(notFound({ group: 'metrics.k8s.io', resource: 'pods' }, 'n/a').status, 'protobuf'))
  if (!frame.ok) throw new Error(frame.problem.expected)
  const details = message({ name: text(1), group: text(2), kind: text(3) })
  const status = message({
    metadata: bytes(1),
    status: text(2),
    message: text(3),
    reason: text(4),
    details: nested(5, details),
    code: integer(6),
  })
  expect(frame.value).toMatchObject({ apiVersion: 'v1', kind: 'Status' })
  expect(status.decode(frame.value.raw)).toMatchObject({
    status: 'Failure',
    message: 'pods.metrics.k8s.io "n/a" not found',
    reason: 'NotFound',
    details: { name: 'n/a', group: 'metrics.k8s.io', kind: 'pods' },
    code: 404,
  })
})

const wanted = new AbortController().signal

test('what is asked by many at once is made once, and kept no longer than told', async () => {
  const clock = new VirtualClock(0)
  const shared = new SharedAnswers(clock)
  let made = 0
  const make = async () => ({ contentType: String(++made), pieces: [] })
  const ask = async (key: string) => Number((await shared.of(key, 250, make, wanted)).contentType)
  expect(await Promise.all([ask('a'), ask('a'), ask('b')])).toEqual([1, 1, 2])
  await clock.advance(249)
  expect(await ask('a')).toBe(1)
  await clock.advance(1)
  expect(await ask('a')).toBe(3)
  const failing = async () => {
    made++
    throw new Error('no')
  }
  await expect(shared.of('c', 250, failing, wanted)).rejects.toThrow('no')
  await expect(shared.of('c', 250, failing, wanted)).rejects.toThrow('no')
  expect(made).toBe(5)
})

/** A body of numbers that counts what was asked of it. */
function counting(until: number) {
  const state = { made: 0, signal: wanted }
  const make = async (signal: AbortSignal) => {
    state.signal = signal
    const pieces = (async function* () {
      while (state.made < until) yield Buffer.from([state.made++])
    })()
    return { contentType: '', pieces }
  }
  return { state, make }
}

async function take({ pieces }: AnswerBody, most = Number.POSITIVE_INFINITY): Promise<readonly number[]> {
  const taken: number[] = []
  for await (const piece of pieces) if (taken.push(...piece) >= most) break
  return taken
}

test('pieces are made as far as the fastest reader has come, and each reader has all of them', async () => {
  const shared = new SharedAnswers(new VirtualClock(0))
  const { state, make } = counting(10)
  const [slow, fast, third] = [1, 2, 3].map(() => shared.of('a', 250, make, wanted))
  if (slow === undefined || fast === undefined || third === undefined) throw new Error('none')
  expect(await take(await slow, 2)).toEqual([0, 1])
  expect(state.made).toBe(2)
  expect(await take(await fast, 5)).toEqual([0, 1, 2, 3, 4])
  expect(state.made).toBe(5)
  const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  expect(await Promise.all([take(await third), take(await shared.of('a', 250, make, wanted))])).toEqual([all, all])
  expect(state.made).toBe(10)
})

test('the work ends with the last of those who asked; who comes then has it begin anew', async () => {
  const shared = new SharedAnswers(new VirtualClock(0))
  const { state, make } = counting(10)
  const readers = [new AbortController(), new AbortController()]
  const bodies = await Promise.all(readers.map(({ signal }) => shared.of('a', 250, make, signal)))
  for (const body of bodies) await take(body, 1)
  readers[0]?.abort()
  expect(state.signal.aborted).toBe(false)
  readers[1]?.abort()
  expect(state.signal.aborted).toBe(true)
  await shared.of('a', 250, make, wanted)
  expect(state.signal.aborted).toBe(false)
  const late = new AbortController()
  late.abort()
  const alone = counting(1)
  await shared.of('b', 250, alone.make, late.signal)
  expect(alone.state.signal.aborted).toBe(true)
})

test('a list that is read slowly is joined for two seconds, one that was made for its time', async () => {
  const clock = new VirtualClock(0)
  const shared = new SharedAnswers(clock)
  const first = counting(10)
  await take(await shared.of('a', 250, first.make, wanted), 1)
  const second = counting(10)
  await clock.advance(1_999)
  await shared.of('a', 250, second.make, wanted)
  expect(second.state.signal).toBe(wanted)
  await clock.advance(1)
  const reader = new AbortController()
  const body = await shared.of('a', 250, second.make, reader.signal)
  expect(second.state.signal).not.toBe(wanted)
  expect(await take(body)).toHaveLength(10)
  // Its reader has all of it: whoever comes within the time has it, too.
  reader.abort()
  await clock.advance(249)
  const third = counting(10)
  await shared.of('a', 250, third.make, wanted)
  expect(third.state.signal).toBe(wanted)
  await clock.advance(1)
  await shared.of('a', 250, third.make, wanted)
  expect(third.state.signal).not.toBe(wanted)
})

test('a piece that fails fails for each reader, and is not kept', async () => {
  const shared = new SharedAnswers(new VirtualClock(0))
  let made = 0
  const make = async () => {
    made++
    const pieces = (async function* () {
      yield Buffer.from([0])
      throw new Error('broken')
    })()
    return { contentType: '', pieces }
  }
  const bodies = await Promise.all([shared.of('a', 250, make, wanted), shared.of('a', 250, make, wanted)])
  for (const body of bodies) await expect(take(body)).rejects.toThrow('broken')
  await shared.of('a', 250, make, wanted)
  expect(made).toBe(2)
})

test('a table in pieces is the same as one that is written at once', async () => {
  const head = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: {}, columnDefinitions: [{ name: 'Name', priority: 0 }] }
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.string({ unit: 'grapheme' })), { maxLength: 70 }), async cells => {
      const rows = cells.map(row => ({ cells: row, object: null }))
      const withPauses = rows.flatMap(row => [undefined, row])
      const breathe = async () => undefined
      for (const format of ['json', 'yaml'] as const) {
        const written = await gathered(tableBody({ head, rows: withPauses }, { format, breathe }))
        expect(written.toString()).toBe(objectBody({ ...head, rows }, format).toString())
      }
    }),
    { numRuns: 20 },
  )
})
