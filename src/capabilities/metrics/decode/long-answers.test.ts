// Answers that are longer than any kubelet's, made to hold the event loop up.
import { expect, test } from 'vitest'
import { readExposition } from './exposition-text.ts'
import { type Decoding, KnownContainers } from './known-containers.ts'
import { readFamilies } from './metric-families.ts'
import { readStorage } from './storage-summary.ts'

const mebi = 1024 ** 2
const bytes = mebi / 2

const cpu = 'container_cpu_usage_seconds_total'
const labels = (at: number) => `{container="c${at}",namespace="n",pod="p${at % 1_000}"}`
const filled = (one: (at: number) => string): Buffer => {
  const parts: string[] = []
  for (let at = 0, length = 0; length < bytes; at++) {
    const part = one(at)
    length += part.length
    parts.push(part)
  }
  return Buffer.from(parts.join(''))
}

const texts: Readonly<Record<string, () => Buffer>> = {
  'one line of digits': () => Buffer.from(`node_cpu_usage_seconds_total ${'1'.repeat(bytes)}`),
  'one line of blanks': () => Buffer.from(`node_cpu_usage_seconds_total ${' '.repeat(bytes)}`),
  'one line of words': () => Buffer.from(`${cpu}${labels(1)} 1 1 ${'x '.repeat(bytes / 2)}`),
  'one line of labels': () => Buffer.from(`${cpu}{${'a="b",'.repeat(bytes / 6)}} 1`),
  'one quote that is not closed': () => Buffer.from(`${cpu}{container="${'\\"'.repeat(bytes / 2)}`),
  'empty lines': () => Buffer.alloc(bytes, '\n'),
  'ever other containers': () => filled(at => `${cpu}${labels(at)} 1 1633253809720\n`),
  'ever other containers of one pod': () => filled(at => `${cpu}{container="c${at}",namespace="n",pod="p"} 1\n`),
  'lines that are cut': () => filled(() => `${cpu}{\n`),
  'labels in another order': () => filled(at => `${cpu}{pod="p",namespace="n",container="${at % 500}"} 1\n`),
  'nothing of ours': () => filled(at => `pod_cpu_usage_seconds_total{pod="${at}"} 1\n`),
}

const varint = (value: number): readonly number[] => (value > 0x7f ? [(value & 0x7f) | 0x80, ...varint(value >>> 7)] : [value])
const field = (number: number, content: Uint8Array) =>
  Buffer.concat([Uint8Array.from([number * 8 + 2, ...varint(content.length)]), content])
const pair = (name: string, value: string) => field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(value))]))
const sampleOf = (at: number) =>
  field(4, Buffer.concat([pair('container', `c${at}`), pair('namespace', 'n'), pair('pod', 'p'), Buffer.from([0x1a, 0])]))
const family = (samples: readonly Uint8Array[]) => {
  const content = Buffer.concat([field(1, Buffer.from(cpu)), Buffer.concat(samples)])
  return Buffer.concat([Uint8Array.from(varint(content.length)), content])
}

const familyBodies: Readonly<Record<string, () => Buffer>> = {
  'one family of ever other containers': () => family(Array.from({ length: bytes / 45 }, (_, at) => sampleOf(at))),
  'one series of labels': () => family([field(4, Buffer.concat(Array.from({ length: bytes / 8 }, () => pair('a', 'b'))))]),
  'families of nothing': () => Buffer.alloc(bytes),
  'one name': () => family([field(1, Buffer.alloc(bytes, 'x'))]),
}

const summaryBodies: Readonly<Record<string, () => Buffer>> = {
  'one pod': () => Buffer.from(`{"pods":[{"containers":[${'{"name":"a"},'.repeat(bytes / 13)}{}]}]}`),
  'pods of nothing': () => Buffer.from(`{"pods":[${'{},'.repeat(bytes / 3)}{}]}`),
  'nothing of ours': () => Buffer.from(`{"x":[${'[],'.repeat(bytes / 3)}[]]}`),
  brackets: () => Buffer.alloc(bytes, '['),
  'one text': () => Buffer.from(`{"pods":[{"x":"${'x'.repeat(bytes)}`),
}

type Decode = (body: Buffer, decoding: Decoding) => Promise<unknown>

const turnLimitMs = 20

/**
 * The longest time of CPU between two turns of the event loop. A collection of garbage or the compiler may fall into any turn:
 * what a body costs by itself, it costs each time, so the best of five counts.
 */
async function longestTurn(decode: Decode, body: Buffer): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 5 && best >= turnLimitMs; attempt++) best = Math.min(best, await longestOfOne(decode, body))
  return best
}

async function longestOfOne(decode: Decode, body: Buffer): Promise<number> {
  let longest = 0
  let since = process.threadCpuUsage()
  const look = () => {
    const { user, system } = process.threadCpuUsage(since)
    longest = Math.max(longest, (user + system) / 1_000)
  }
  const nextTurn = async () => {
    look()
    await new Promise<void>(resolve => setImmediate(resolve))
    since = process.threadCpuUsage()
  }
  await decode(body, { known: new KnownContainers(), sentMs: 1, nextTurn }).catch((error: unknown) => {
    expect(Object(error)['name']).toMatch(/^(NoMetrics|NoSummary|ListDecode)Error$/)
  })
  look()
  return longest
}

for (const [name, body] of Object.entries(texts))
  test(`an answer in text of ${name} holds nobody up`, async () => {
    expect(await longestTurn(readExposition, body())).toBeLessThan(turnLimitMs)
  })

for (const [name, body] of Object.entries(familyBodies))
  test(`an answer in protobuf of ${name} holds nobody up`, async () => {
    expect(await longestTurn(readFamilies, body())).toBeLessThan(turnLimitMs)
  })

for (const [name, body] of Object.entries(summaryBodies))
  test(`a summary of ${name} holds nobody up`, async () => {
    const decode = (summary: Buffer, { nextTurn = async () => undefined }: Decoding) => readStorage(summary, nextTurn)
    expect(await longestTurn(decode, body())).toBeLessThan(turnLimitMs)
  })
