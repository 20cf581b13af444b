// Objects out of their JSON: hashes as upstream's, whatever the cuts, and nothing left in the chunks.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { type ReadableKind, SourceReader, UnreadableSourceError } from './source-reader.ts'

const signal = new AbortController().signal

interface Answer {
  readonly text: string
  readonly cut?: number
  readonly status?: number
  readonly breaks?: boolean
}

/** A server that gives these answers one after the other, the last one again and again. */
function readerOf(answers: readonly Answer[]) {
  const clock = new VirtualClock(0)
  const chunks: Uint8Array[] = []
  let asked = 0
  const transport: Transport = {
    request: () => Promise.reject(new Error('read as a stream only')),
    stream: async () => {
      const {
        text,
        cut = 1_000_000,
        status = 200,
        breaks = false,
      } = answers[Math.min(asked++, answers.length - 1)] ?? { text: '' }
      async function* body() {
        const bytes = new TextEncoder().encode(text)
        for (let at = 0; at < bytes.length; at += cut) {
          const chunk = bytes.slice(at, at + cut)
          chunks.push(chunk)
          yield chunk
        }
        if (breaks) throw new ConnectionError('broken')
      }
      return { status, headers: {}, chunks: body() }
    },
    close: async () => undefined,
  }
  const api = openApi(transport, { clock, userAgent: 'test' })
  const reader = new SourceReader({ api, clock, annotations: ['reloader.stakater.com/ignore'] })
  return { reader, clock, chunks, asked: () => asked }
}

async function read(kind: ReadableKind, object: unknown, cut = 1_000_000) {
  const metadata = { name: 'app', uid: 'u', resourceVersion: '7' }
  const text = typeof object === 'string' ? object : JSON.stringify({ metadata, ...Object(object) })
  const { reader, chunks } = readerOf([{ text, cut }])
  const reading = await reader.read({ kind, namespace: 'default', name: 'app' }, signal)
  expect(chunks.every(chunk => chunk.every(byte => byte === 0))).toBe(true)
  return reading
}

test('of an earlier version a list tells; of what was not there then it tells nothing', async () => {
  const object = { metadata: { name: 'app', uid: 'u', resourceVersion: '7' }, data: { test: 'test' } }
  const list = (items: readonly object[]) =>
    JSON.stringify({ kind: 'ConfigMapList', metadata: { resourceVersion: '9' }, items, data: { test: 'not this' } })
  const { reader, chunks } = readerOf([{ text: list([object]), cut: 5 }, { text: list([]) }])
  const at = { kind: 'ConfigMap', namespace: 'default', name: 'app', version: '9' } as const
  const reading = await reader.read(at, signal)
  expect(reading).toMatchObject({ uid: 'u', resourceVersion: '7' })
  expect(reading?.content.sha1).toBe('b3cefbcce711f8574b0e66c41fc1dcf06eb5b6db')
  expect(await reader.read(at, signal)).toBeUndefined()
  expect(chunks.every(chunk => chunk.every(byte => byte === 0))).toBe(true)
})

const base64 = (bytes: string | readonly number[]) =>
  Buffer.from(typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes)).toString('base64')

describe('hashes', () => {
  test.each<[string, ReadableKind, object, string]>([
    ['H1', 'ConfigMap', { data: { test: 'test' } }, 'b3cefbcce711f8574b0e66c41fc1dcf06eb5b6db'],
    [
      'H2',
      'ConfigMap',
      { data: { test: 'test' }, binaryData: { bintest: base64('test') } },
      '0d58150de76a895b24f4ca213f590766160c4349',
    ],
    ['H3', 'ConfigMap', { binaryData: { bintest: base64('test') } }, 'f327fede9d5cda17ab984fabce9eddeee1611a84'],
    ['H4', 'ConfigMap', { data: { a: '1', 'a.b': '2' } }, '499daa6d70eb53ada0bb7346397120ffefcda5c3'],
    ['H6', 'Secret', { data: { k: base64([0xff, 0xfe]) } }, 'd03853241fe210379bc6542861050f3b3113949e'],
    ['H7', 'Secret', { data: { password: base64('s3cr3t') } }, 'd93dd00779cd04e2ec1db21fa3d0e20deea13f9c'],
    ['an empty object', 'Secret', {}, 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    ['data of null', 'Secret', { data: null }, 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
    [
      'H8',
      'SecretProviderClassPodStatus',
      {
        status: {
          secretProviderClassName: 'spc',
          podName: 'p',
          objects: [
            { id: 'a', version: '1' },
            { version: '2', id: 'b' },
          ],
        },
      },
      '73c565779153980ce414b32088fc3bb72e89def2',
    ],
  ])('%s', async (_, kind, object, sha1) => {
    for (const cut of [1, 3, 1_000]) expect((await read(kind, object, cut))?.content.sha1).toBe(sha1)
  })

  test('the key __proto__ is one like any other', async () => {
    const reading = await read('ConfigMap', '{"metadata":{"uid":"u","resourceVersion":"7"},"data":{"__proto__":"x"}}')
    expect(reading?.content.sha1).toBe('9fae24e22f353bed700dfcb0bc6c3b33c62efe0f')
  })

  test('of metadata it reads what it was asked for', async () => {
    const annotations = { 'reloader.stakater.com/ignore': 'true', 'kubectl.kubernetes.io/last-applied-configuration': '{}' }
    const metadata = { name: 'app', uid: 'u', resourceVersion: '7', annotations, labels: { resourceVersion: '8' } }
    const reading = await read('Secret', { metadata, data: {} })
    expect(reading).toMatchObject({ uid: 'u', resourceVersion: '7', annotations: { 'reloader.stakater.com/ignore': 'true' } })
    expect(Object.keys(reading?.annotations ?? {})).toHaveLength(1)
  })

  test('10 MB of one value', async () => {
    const reading = await read('ConfigMap', { data: { big: 'x'.repeat(10_000_000) } }, 65_536)
    expect(reading?.content.keys.size).toBe(1)
  })
})

describe('what cannot be read', () => {
  test.each<[string, ReadableKind, string, RegExp]>([
    ['is not base64', 'Secret', '{"data":{"a":"hunter2!"}}', /^Secret default\/app: data\["a"\] is not base64$/],
    ['breaks off', 'Secret', '{"data":{"a":"', /breaks off/],
    ['is too large', 'ConfigMap', `{"data":{"a":"${'x'.repeat(17_000_000)}"}}`, /larger than 16777216 bytes/],
    ['nests too deep', 'ConfigMap', '['.repeat(100), /deeper than 64/],
  ])('%s', async (_, kind, text, message) => {
    const { reader } = readerOf([{ text, cut: 65_536 }])
    const failed = reader.read({ kind, namespace: 'default', name: 'app' }, signal)
    await expect(failed).rejects.toBeInstanceOf(UnreadableSourceError)
    await expect(failed).rejects.toThrow(message)
  })

  // biome-ignore format: a table
  test.each([
    ['nothing', ''], ['null', 'null'], ['a number', '5'], ['an empty object', '{}'], ['a list', '[null]'], ['a page', '<html>502</html>'],
    ['a Status', '{"kind":"Status","metadata":{},"status":"Success"}'],
  ])('%s in its place is no empty object: it is asked for again', async (_, text) => {
    const { reader } = readerOf([{ text }])
    const failed = reader.read({ kind: 'Secret', namespace: 'default', name: 'app' }, signal)
    await expect(failed).rejects.toBeInstanceOf(OutsideError)
  })

  test('what is not there is undefined', async () => {
    const text = JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 })
    const { reader } = readerOf([{ text, status: 404 }])
    expect(await reader.read({ kind: 'Secret', namespace: 'default', name: 'app' }, signal)).toBeUndefined()
  })

  test('a read that breaks off is begun anew, three times in all', async () => {
    const whole = { text: '{"metadata":{"uid":"u","resourceVersion":"7"},"data":{"test":"test"}}' }
    const broken = { text: '{"data":{"te', breaks: true }
    const twice = readerOf([broken, broken, whole])
    const reading = twice.reader.read({ kind: 'ConfigMap', namespace: 'default', name: 'app' }, signal)
    await twice.clock.runUntil(() => twice.asked() === 3, { limitMs: 10_000 })
    expect((await reading)?.content.sha1).toBe('b3cefbcce711f8574b0e66c41fc1dcf06eb5b6db')
    const never = readerOf([broken])
    const failed = expect(
      never.reader.read({ kind: 'ConfigMap', namespace: 'default', name: 'app' }, signal),
    ).rejects.toBeInstanceOf(ConnectionError)
    await never.clock.runUntil(() => never.asked() === 3, { limitMs: 10_000 })
    await failed
  })
})
