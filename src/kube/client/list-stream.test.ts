// Lists and watches read from any cuts of their bytes say what the whole says.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventsOf, WatchDecodeError } from '../informers/watch-stream.ts'
import type { KubeObject } from '../objects/objects.ts'
import { ListDecodeError, readList } from './list-stream.ts'

/** `bytes` cut at the given places. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [...new Set(cuts.map(cut => (bytes.length === 0 ? 0 : cut % bytes.length)))].sort((a, b) => a - b)
  let from = 0
  for (const place of [...places, bytes.length]) {
    yield bytes.subarray(from, place)
    from = place
  }
}

async function listed(text: string, cuts: readonly number[] = []): Promise<{ head: unknown; items: KubeObject[] }> {
  const items: KubeObject[] = []
  const head = await readList<KubeObject>(pieces(Buffer.from(text), cuts), {
    visit: item => items.push(item),
    breathe: async () => undefined,
  })
  return { head, items }
}

const value = fc.jsonValue({ maxDepth: 3 })
const cuts = fc.array(fc.nat(), { maxLength: 12 })

describe('lists', () => {
  test('law: a list read in pieces is the list', async () => {
    const item = fc.dictionary(fc.string(), value, { maxKeys: 4 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { maxLength: 6 }),
        fc.dictionary(fc.string(), value),
        cuts,
        fc.option(fc.constant(2)),
        async (items, extra, at, indent) => {
          const { items: _, kind: __, apiVersion: ___, metadata: ____, ...others } = extra
          // Keys before and after the items, and objects with `items` of their own.
          const list = {
            kind: 'PodList',
            apiVersion: 'v1',
            metadata: { resourceVersion: '9', items: ['not these'] },
            items,
            ...others,
          }
          const read = await listed(JSON.stringify(list, undefined, indent ?? undefined), at)
          const plain: unknown = JSON.parse(JSON.stringify(list))
          const filled = items.map(one => ({ ...one, apiVersion: one['apiVersion'] ?? 'v1', kind: one['kind'] ?? 'Pod' }))
          expect(read.items).toEqual(JSON.parse(JSON.stringify(filled)))
          expect(read.head).toEqual({ ...(plain as object), items: [] })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('items before their kind get it too', async () => {
    const { items } = await listed('{"items":[{"metadata":{"name":"a"}}],"kind":"PodList","apiVersion":"v1"}')
    expect(items).toEqual([{ metadata: { name: 'a' }, apiVersion: 'v1', kind: 'Pod' }])
  })

  test.each([
    ['no items', '{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}', 0],
    ['items null', '{"kind":"PodList","apiVersion":"v1","metadata":{},"items":null}', 0],
    ['items left out', '{"kind":"PodList","apiVersion":"v1","metadata":{}}', 0],
  ])('%s', async (_, text, count) => {
    expect((await listed(text)).items).toHaveLength(count)
  })

  test.each([
    ['cut short', '{"kind":"PodList","items":[{"a":1}'],
    ['cut inside an item', '{"kind":"PodList","items":[{"a":"'],
    ['text', '<html>'],
    ['an array', '[]'],
    ['an object without kind', '{}'],
    ['a broken item', '{"kind":"PodList","items":[{"a":}]}'],
  ])('%s is refused', async (_, text) => {
    await expect(listed(text)).rejects.toBeInstanceOf(ListDecodeError)
  })
})

describe('watches', () => {
  async function watched(text: string, at: readonly number[] = []): Promise<unknown[]> {
    const events: unknown[] = []
    for await (const event of eventsOf(pieces(Buffer.from(text), at))) events.push(event)
    return events
  }

  test('law: events read in pieces are the events', async () => {
    const event = fc.record({
      type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'),
      object: fc.dictionary(fc.string(), value),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(event), cuts, async (events, at) => {
        const lines = events.map(each => JSON.stringify(each))
        expect(await watched(lines.map(line => `${line}\n`).join(''), at)).toEqual(lines.map(line => JSON.parse(line) as unknown))
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['not JSON', '{"type":'],
    ['not an event', '[]'],
    ['no object', '{"type":"ADDED"}'],
    ['broken UTF-8', '{"type":"ADDED","object":{"a":"\u0000"}}'],
  ])('%s ends it', async (_, line) => {
    await expect(watched(`${line}\n`)).rejects.toBeInstanceOf(WatchDecodeError)
  })

  test('a line without end is not an event', async () => {
    expect(await watched('{"type":"ADDED","object":{}}\n{"type":"ADDED","object":{}}')).toHaveLength(1)
  })

  test('an endless line is refused', async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(1024 * 1024, 'x')
    }
    const read = async () => {
      for await (const _ of eventsOf(endless()));
    }
    await expect(read()).rejects.toThrow('longer than 16777216 bytes')
  })
})
