import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { decodeFrame } from '../client/protobuf.ts'
import { VirtualClock } from '../clock.ts'
import type { KubeObject } from '../objects/objects.ts'
import { notFound } from '../objects/status.ts'
import { bytes, integer, manyBytes, message, nested, text } from '../protobuf-message.ts'
import { listBody, statusBytes } from './answer-bodies.ts'
import { encodePartialMetadata, metadataMessage, objectMeta } from './meta-messages.ts'
import { SharedAnswers } from './shared-answers.ts'

const object = (name: string, labels: Readonly<Record<string, string>> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'n', labels, creationTimestamp: '2026-01-01T00:00:00Z' },
})

const names = fc.array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.dictionary(fc.string(), fc.string())), {
  maxLength: 300,
})

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
      const written = async (format: 'json' | 'yaml' | 'protobuf') =>
        Buffer.concat([
          ...(await listBody({ apiVersion: 'v1', kind: 'ThingList', items }, { format, encode: encodePartialMetadata, breathe })),
        ])
      const list = { apiVersion: 'v1', kind: 'ThingList', metadata: {}, items }
      expect(JSON.parse((await written('json')).toString())).toEqual(list)
      expect(breaths).toBe(Math.floor(items.length / 64))
      const frame = decodeFrame(await written('protobuf'))
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

test('what is asked by many at once is made once, and kept no longer than told', async () => {
  const clock = new VirtualClock(0)
  const shared = new SharedAnswers<number>(clock)
  let made = 0
  const make = async () => ++made
  expect(await Promise.all([shared.of('a', 250, make), shared.of('a', 250, make), shared.of('b', 250, make)])).toEqual([1, 1, 2])
  await clock.advance(249)
  expect(await shared.of('a', 250, make)).toBe(1)
  await clock.advance(1)
  expect(await shared.of('a', 250, make)).toBe(3)
  const failing = async () => {
    made++
    throw new Error('no')
  }
  await expect(shared.of('c', 250, failing)).rejects.toThrow('no')
  await expect(shared.of('c', 250, failing)).rejects.toThrow('no')
  expect(made).toBe(5)
})
