// kube-machinery.md §7, case 35, in small: `bench/informers.ts` measures the same with 1.2 GB.
import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { Informers } from '../informers/informer.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { openApi } from './api.ts'
import type { Transport } from './transport.ts'

const pods = 6_000
const chunkBytes = 64 * 1024
const encoder = new TextEncoder()

function podOf(index: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `web-${index}`, namespace: 'shop', uid: `u${index}`, resourceVersion: String(index + 1) },
    spec: {
      nodeName: `n${index % 50}`,
      containers: [{ name: 'main', args: Array.from({ length: 100 }, () => `--flag-${index}=${'x'.repeat(60)}`) }],
    },
  }
}

test('7.35 a server that ignores limit is read item by item, and the loop turns all the while', async () => {
  const read = { bytes: 0, sinceTurn: 0, mostInATurn: 0 }
  async function* body(): AsyncGenerator<Uint8Array> {
    let text = '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9000"},"items":['
    for (let index = 0; index < pods; index++) {
      text += `${index === 0 ? '' : ','}${JSON.stringify(podOf(index))}`
      if (text.length < chunkBytes && index < pods - 1) continue
      const chunk = encoder.encode(index === pods - 1 ? `${text}]}` : text)
      text = ''
      read.bytes += chunk.length
      read.sinceTurn += chunk.length
      read.mostInATurn = Math.max(read.mostInATurn, read.sinceTurn)
      yield chunk
    }
  }
  async function* silent(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    await new Promise(resolve => signal.addEventListener('abort', resolve))
    yield new Uint8Array()
  }
  const asked: string[] = []
  const headers = { 'content-type': 'application/json' }
  const transport: Transport = {
    request: () => Promise.reject(new Error('a list is not to be held whole')),
    stream: async ({ query, signal }) => {
      asked.push(query?.['watch'] === 'true' ? 'watch' : `list ${query?.['limit'] ?? 'all'}`)
      return { status: 200, headers, chunks: query?.['watch'] === 'true' ? silent(signal) : body() }
    },
    close: () => Promise.resolve(),
  }
  const stop = new AbortController()
  const api = openApi(transport, { clock: systemClock, userAgent: 'test' })
  await using informers = new Informers(api, { clock: systemClock, random: () => 0, watchList: 'off', signal: stop.signal })
  const informer = informers.of(builtIn.pods)
  let isOver = false
  const turn = () => {
    read.sinceTurn = 0
    if (!isOver) setImmediate(turn)
  }
  turn()
  await informer.synced
  isOver = true
  expect([informer.store.size, asked[0]]).toEqual([pods, 'list 500'])
  expect(read.bytes).toBeGreaterThan(40_000_000)
  // What is worked through in one go at a few hundred MB a second is far under 25 ms.
  expect(read.mostInATurn).toBeLessThan(2 * 1024 * 1024)
  stop.abort(new Error('the test is over'))
})
