import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ListDecodeError } from '#kube/client/list-stream.ts'
import { emptyReading, type NodeReading } from './reading.ts'
import { addStorage, NoSummaryError, readStorage } from './storage-summary.ts'

const turn = async () => undefined
const read = (body: unknown) => readStorage(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body, null, 1)), turn)
const disk = (usedBytes: unknown) => ({ time: '2026-01-01T00:00:00Z', capacityBytes: 100, usedBytes })
const podOf = (containers: unknown) => ({ podRef: { name: 'p', namespace: 'n', uid: 'u' }, containers })
const summaryOf = (containers: unknown, fs: unknown = disk(7)) => ({ node: { nodeName: 'a', fs }, pods: [podOf(containers)] })

test('a container has its layer and its logs, a node what its filesystem has in use', async () => {
  const one = { name: 'app', rootfs: disk(4_096), logs: disk(1_000) }
  const { node, containers, rejected } = await read(summaryOf([one, { ...one, name: 'side', logs: disk(0) }]))
  expect([node, [...containers], rejected]).toEqual([
    7,
    [
      ['n/p/app', 5_096],
      ['n/p/side', 4_096],
    ],
    0,
  ])
})

// What is not said is not known; what nobody can have measured is not known and counted. Neither is ever nothing.
// biome-ignore format: a table
test.each<[string, unknown, unknown, number | undefined, number]>([
  ['no layer', undefined, 1, undefined, 0],
  ['no logs', 1, undefined, undefined, 0],
  ['null', null, 1, undefined, 0],
  ['negative', -1, 1, undefined, 1],
  ['a fraction', 1.5, 1, undefined, 1],
  ['a text', '1', 1, undefined, 1],
  ['an object', {}, 1, undefined, 1],
  ['beyond int64', 2e19, 1, undefined, 1],
  ['together beyond int64', 2 ** 63, 2 ** 63, undefined, 1],
  ['nothing on disk', 0, 0, 0, 0],
])('a container with %s', async (_, layer, logs, bytes, rejected) => {
  const said = await read(summaryOf([{ name: 'app', rootfs: disk(layer), logs: disk(logs) }]))
  expect([said.containers.get('n/p/app'), said.rejected, said.node]).toEqual([bytes, rejected, 7])
})

test.each<[unknown, number]>([
  [undefined, 0],
  [null, 0],
  [-1, 1],
  ['7', 1],
  [1e30, 1],
])('a node with %s bytes in use', async (usedBytes, rejected) => {
  const said = await read(summaryOf([], disk(usedBytes)))
  expect([said.node, said.rejected]).toEqual([undefined, rejected])
})

// biome-ignore format: a table
test.each<[string, string, typeof NoSummaryError | typeof ListDecodeError]>([
  ['nothing', '', ListDecodeError],
  ['a page', '<html><body>404</body></html>', ListDecodeError],
  ['NaN', '{"node": {"nodeName": "a", "fs": {"usedBytes": NaN}}, "pods": []}', ListDecodeError],
  ['NaN of a container', '{"node": {"nodeName": "a"}, "pods": [{"containers": [{"rootfs": {"usedBytes": NaN}}]}]}', ListDecodeError],
  ['half of it', '{"node": {"nodeName": "a"}, "pods": [{"podRef":', ListDecodeError],
  ['metrics', 'node_cpu_usage_seconds_total 1\n', ListDecodeError],
  ['pods that are none', '{"node": {"nodeName": "a"}, "pods": [1, "x"]}', ListDecodeError],
  ['another object', '{"kind": "Status", "code": 200}', NoSummaryError],
  ['a list', '[]', NoSummaryError],
  ['a text', '"x"', NoSummaryError],
  ['no node', '{"pods": []}', NoSummaryError],
  ['ever more pods', `{"node": {"nodeName": "a"}, "pods": [${'{},'.repeat(20_001)}{}]}`, NoSummaryError],
  ['a pod without end', `{"node": {"nodeName": "a"}, "pods": [{"x": "${'x'.repeat(1_200_000)}"}]}`, ListDecodeError],
  ['a node without end', `{"node": {"nodeName": "a", "x": "${'x'.repeat(1_200_000)}"}, "pods": []}`, ListDecodeError],
  ['brackets without end', '['.repeat(900_000), ListDecodeError],
])('%s is refused', async (_, body, kind) => {
  await expect(read(body)).rejects.toThrow(kind)
})

test('whatever JSON comes, it is read or refused, and every figure can be a measurement', async () => {
  const container = fc.record({ name: fc.jsonValue(), rootfs: fc.jsonValue(), logs: fc.record({ usedBytes: fc.jsonValue() }) })
  const podLike = fc.record({
    podRef: fc.record({ name: fc.jsonValue(), namespace: fc.jsonValue() }),
    containers: fc.jsonValue(),
  })
  const given = fc.oneof(
    fc.jsonValue(),
    fc.record({ node: fc.jsonValue(), pods: fc.array(fc.oneof(podLike, fc.jsonValue())) }),
    fc.array(container).map(all => summaryOf(all)),
  )
  await fc.assert(
    fc.asyncProperty(given, async body => {
      const said = await read(body).catch((error: unknown) => {
        if (error instanceof NoSummaryError || error instanceof ListDecodeError) return undefined
        throw error
      })
      for (const bytes of [said?.node ?? 0, ...(said?.containers.values() ?? [])])
        expect(Number.isInteger(bytes) && bytes >= 0 && bytes <= 2 ** 63).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('a node has at most 20,000 containers', async () => {
  const many = Array.from({ length: 20_001 }, (_, at) => ({ name: `c${at}`, rootfs: disk(1), logs: disk(1) }))
  const pods = Array.from({ length: 21 }, (_, at) => podOf(many.slice(at * 1_000, (at + 1) * 1_000)))
  const said = await read(JSON.stringify({ node: { nodeName: 'a' }, pods }))
  expect([said.containers.size, said.rejected]).toEqual([20_000, 1])
})

test('what is known is added to what was measured, and nothing else', async () => {
  const storage = await read(summaryOf([{ name: 'app', rootfs: disk(3), logs: disk(1) }]))
  const named = (container: string) => ({ ...emptyReading(), namespace: 'n', pod: 'p', container })
  const reading: NodeReading = { node: emptyReading(), containers: [named('app'), named('other')], rejected: new Map() }
  addStorage(reading, storage)
  expect([reading.node.storageBytes, ...reading.containers.map(one => one.storageBytes)]).toEqual([7, 4, undefined])
})
