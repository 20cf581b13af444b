// Requests that wait for another node's download may be answered later than all others.
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { Found } from '../contract.ts'
import { KeptCounts } from '../testdata/kept-counts.ts'
import { digestOf, MemoryStore } from '../testdata/memory-store.ts'
import { ScriptedExchange } from '../testdata/scripted-exchange.ts'
import { ContentFinder } from './content-finder.ts'

const digest = digestOf('layer')

/** When it is answered, and with what, where it is held from the beginning to `heldMs`. */
async function answerOf(route: 'blobs' | 'manifests', heldMs: number): Promise<string> {
  const clock = new VirtualClock(0)
  const exchange = new ScriptedExchange()
  exchange.holding = heldMs > 0
  exchange.answer = () => Promise.withResolvers<Found>().promise
  const filters = { registries: undefined, patterns: [] }
  const shared = { store: new MemoryStore(), exchange, counts: new KeptCounts(), clock, log: silentLog }
  const finder = new ContentFinder({ filters, headerTimeoutMs: 3_000, ...shared })
  const asked = { kind: 'content', route, method: 'GET', registry: 'x.io', repository: 'a', digest } as const
  let told = 'nothing'
  const by = { isMirror: false, ourPeer: undefined, readBytes: 1, waitedMs: 0 }
  void finder.find(asked as Parameters<ContentFinder['find']>[0], by, new AbortController().signal).then(outcome => {
    told = `${outcome.kind === 'absent' ? outcome.reason : outcome.kind} after ${clock.elapsed()} ms`
  })
  clock.schedule(heldMs, () => (exchange.holding = false))
  await clock.advance(60_000)
  return told
}

describe('a request that nobody answers', () => {
  test.each([
    ['a blob that is held', 'blobs', 10_000, 'late after 12750 ms'],
    ['a blob that is not', 'blobs', 0, 'late after 3000 ms'],
    ['a manifest, whatever is held', 'manifests', 10_000, 'late after 3000 ms'],
  ] as const)('%s', async (_name, route, heldMs, told) => expect(await answerOf(route, heldMs)).toBe(told))
})
