import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { textAt } from '../json-value.ts'
import { startTestTwin, testConfigMap } from '../twin-for-tests.ts'
import type { WatchDisturbance } from './fault.ts'
import { InjectedReset } from './injected-reset.ts'
import { OpenWatch } from './open-watch.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const event = (name: string) => `{"type":"ADDED","object":{"metadata":{"name":"${name}"}}}\n`
const bookmark = '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n'
const initialEnd = '{"type":"BOOKMARK","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"}}}}\n'

/** What a client reads of the chunks, and how it ends. */
async function readThrough(chunks: readonly (string | Uint8Array)[], ...disturbances: readonly WatchDisturbance[]) {
  const inner = (async function* () {
    yield* chunks
  })()
  const stop = new AbortController()
  const watch = new OpenWatch(
    inner,
    disturbances.map(what => ({ what, random: () => 0.5 })),
    { wire: new VirtualClock(0), signal: stop.signal, interrupt: () => stop.abort(), what: 'GET /watch' },
  )
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const chunk of watch) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    return { text, end: 'clean' }
  } catch (error) {
    if (error instanceof InjectedReset) return { text, end: 'reset' }
    throw error
  }
}

const gone =
  '{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"The resourceVersion for the provided watch is too old.","reason":"Expired","code":410}}\n'

describe('what comes through', () => {
  const three = [event('a'), event('b') + event('c')]
  // biome-ignore format: a table
  test.each<[string, readonly WatchDisturbance[], readonly string[], string, string]>([
    ['all', [], three, three.join(''), 'clean'],
    ['dropped at once', [{ kind: 'drop', afterEvents: 0 }], three, '', 'clean'],
    ['dropped within a chunk', [{ kind: 'drop', afterEvents: 2 }], three, event('a') + event('b'), 'clean'],
    ['dropped too late', [{ kind: 'drop', afterEvents: 4 }], three, three.join(''), 'clean'],
    ['expired', [{ kind: 'expire', afterEvents: 1 }], three, event('a') + gone, 'clean'],
    ['expired at once', [{ kind: 'expire', afterEvents: 0 }], three, gone, 'clean'],
    ['cut', [{ kind: 'cut', afterEvents: 1 }], three, event('a') + event('b').slice(0, event('b').length / 2), 'reset'],
    ['repeated', [{ kind: 'repeat', every: 1 }], three, ['a', 'a', 'b', 'b', 'c', 'c'].map(event).join(''), 'clean'],
    ['each second repeated', [{ kind: 'repeat', every: 2 }], three, ['a', 'b', 'b', 'c'].map(event).join(''), 'clean'],
    ['no bookmarks', [{ kind: 'bookmarkless' }], [event('a'), bookmark, initialEnd, bookmark], event('a') + initialEnd, 'clean'],
    ['bookmarks do not count', [{ kind: 'drop', afterEvents: 1 }], [bookmark, bookmark, event('a'), bookmark], bookmark + bookmark + event('a'), 'clean'],
    ['two at once', [{ kind: 'repeat', every: 1 }, { kind: 'expire', afterEvents: 2 }], three, event('a') + event('a') + event('b') + event('b') + gone, 'clean'],
  ])('%s', async (_, disturbances, chunks, text, end) => {
    expect(await readThrough(chunks, ...disturbances)).toEqual({ text, end })
  })

  test('however the stream is cut into chunks', async () => {
    const bytes = new TextEncoder().encode(['ä', 'b', 'ç', 'd'].map(event).join(''))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 12 }), async cuts => {
        const borders = [0, ...new Set(cuts.toSorted((a, b) => a - b)), bytes.length]
        const chunks = borders.slice(1).map((to, index) => bytes.slice(borders[index], to))
        expect(await readThrough(chunks, { kind: 'drop', afterEvents: 3 })).toEqual({
          text: ['ä', 'b', 'ç'].map(event).join(''),
          end: 'clean',
        })
        expect(await readThrough(chunks)).toEqual({ text: new TextDecoder().decode(bytes), end: 'clean' })
      }),
    )
  })
})

describe('a watch of the twin', () => {
  test('that is open and quiet ends when a drop is set', async () => {
    await using twin = await startTestTwin([testConfigMap('a')])
    using watch = await twin.client.watch(maps, { resourceVersion: '0' })
    expect(await watch.next(1)).toMatchObject([{ type: 'ADDED' }])
    const quiet = watch.next(1)
    const fault = twin.twin.fault({ match: { resource: 'configmaps' }, watch: { drop: {} } })
    expect(await quiet).toEqual([])
    expect(fault.fired).toBe(1)
  })

  test('that is open and quiet is told to list again', async () => {
    await using twin = await startTestTwin()
    using watch = await twin.client.watch(maps, {})
    const quiet = watch.next(2)
    twin.twin.fault({ watch: { expire: {} } })
    expect(await quiet).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }])
  })

  test('of another resource goes on', async () => {
    await using twin = await startTestTwin()
    using watch = await twin.client.watch(maps, {})
    const fault = twin.twin.fault({ match: { resource: 'pods' }, watch: { drop: {} } })
    await twin.client.post(maps, testConfigMap('b'))
    expect(await watch.next(1)).toMatchObject([{ type: 'ADDED' }])
    expect(fault.fired).toBe(0)
  })

  test('a stall of a minute, and then what came meanwhile', async () => {
    const clock = new VirtualClock(0)
    await using twin = await startTestTwin([], { clock, wire: clock })
    twin.twin.fault({ watch: { stall: { afterEvents: 1, for: '1m' } } })
    using watch = await twin.client.watch(maps, { timeoutSeconds: '600' })
    for (const name of ['a', 'b', 'c']) await twin.client.post(maps, testConfigMap(name))
    expect(await watch.next(1)).toHaveLength(1)
    let later: readonly { readonly object: unknown }[] = []
    const rest = watch.next(2).then(events => {
      later = events
    })
    await clock.advance(59_999)
    expect(later).toEqual([])
    await clock.advance(1)
    await rest
    expect(later.map(one => textAt(one.object, 'metadata', 'name'))).toEqual(['b', 'c'])
  })

  test('a stall for ever ends with the client', async () => {
    await using twin = await startTestTwin([testConfigMap('a')])
    twin.twin.fault({ watch: { stall: {} } })
    const watch = await twin.client.watch(maps, { resourceVersion: '0' })
    const stalled = watch.next(1)
    watch[Symbol.dispose]()
    await expect(stalled).rejects.toThrow()
  })

  test('what comes, comes late', async () => {
    const clock = new VirtualClock(0)
    await using twin = await startTestTwin([testConfigMap('a')], { clock, wire: clock })
    twin.twin.fault({ watch: { delay: { p50: '2s' } } })
    using watch = await twin.client.watch(maps, { resourceVersion: '0', timeoutSeconds: '600' })
    let seen = 0
    const first = watch.next(1).then(events => {
      seen = events.length
    })
    await clock.advance(1999)
    expect(seen).toBe(0)
    await clock.advance(1)
    await first
    expect(seen).toBe(1)
  })

  test('an unanswered watch leaves nothing behind', async () => {
    await using twin = await startTestTwin()
    twin.twin.fault({ match: { verbs: ['watch'] }, reset: { when: 'after' } })
    await expect(twin.client.watch(maps, {})).rejects.toMatchObject({ name: 'ConnectionError' })
    await twin.client.post(maps, testConfigMap('a'))
    expect(twin.twin.requests.entries.map(entry => entry.code)).toEqual([0, 201])
  })
})
