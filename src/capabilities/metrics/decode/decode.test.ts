import fc from 'fast-check'
import protobuf from 'protobufjs/light.js'
import { expect, test } from 'vitest'
import { NoMetricsError, readExposition } from './exposition-text.ts'
import { containersLimit, KnownContainers } from './known-containers.ts'
import { readFamilies } from './metric-families.ts'
import { emptyReading, type NodeReading } from './reading.ts'

const sentMs = 1_767_225_600_250

const read = (text: string, known = new KnownContainers()) => readExposition(Buffer.from(text), { known, sentMs })
const app = { namespace: 'shop', pod: 'web-1', container: 'app' }
const labels = 'container="app",namespace="shop",pod="web-1"'

test('case 13: CPU and memory of a node, with their times', async () => {
  const { node, containers, rejected } = await read(`# HELP node_cpu_usage_seconds_total x
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 357.35491 1633253809720
node_memory_working_set_bytes 1.616273408e+09 1633253809720
node_swap_usage_bytes 4096 1633253809720
`)
  expect(node).toEqual({
    ...emptyReading(),
    cpuNs: 357_354_910_000,
    cpuMs: 1_633_253_809_720,
    memoryBytes: 1_616_273_408,
    memoryMs: 1_633_253_809_720,
    swapBytes: 4096,
  })
  expect(containers).toEqual([])
  expect(rejected.size).toBe(0)
})

test('case 12: what has no time was measured when the request was sent', async () => {
  const { node, containers } = await read(
    `node_cpu_usage_seconds_total 1\nnode_memory_working_set_bytes 5\ncontainer_cpu_usage_seconds_total{${labels}} 2\n`,
  )
  expect(node).toMatchObject({ cpuMs: sentMs, memoryMs: sentMs })
  expect(containers).toEqual([{ ...app, ...emptyReading(), cpuNs: 2e9, cpuMs: sentMs }])
})

test('case 11: a line with an impossible time costs its container that series, and nothing else', async () => {
  const { containers, rejected } = await read(`container_cpu_usage_seconds_total{${labels}} 2 -62135596800000
container_cpu_usage_seconds_total{container="b",namespace="shop",pod="web-1"} 3 1633253809720
container_start_time_seconds{${labels}} -6.795364578e+09
container_memory_working_set_bytes{${labels}} 5 1633253809720
`)
  expect(
    containers.map(({ container, cpuNs, memoryBytes, startNs, isDoubted }) => ({
      container,
      cpuNs,
      memoryBytes,
      startNs,
      isDoubted,
    })),
  ).toEqual([
    { container: 'app', cpuNs: undefined, memoryBytes: 5, startNs: undefined, isDoubted: true },
    { container: 'b', cpuNs: 3e9, memoryBytes: undefined, startNs: undefined, isDoubted: false },
  ])
  expect(Object.fromEntries(rejected)).toEqual({ timestamp: 1, value: 1 })
})

// What stands behind the name of container_cpu_usage_seconds_total, why it is rejected.
test.each([
  [`{${labels}} NaN`, 'value'],
  [`{${labels}} +Inf`, 'value'],
  [`{${labels}} -Inf 1`, 'value'],
  [`{${labels}} -1`, 'value'],
  [`{${labels}} 9.3e18`, 'value'],
  [`{${labels}} 1e400`, 'value'],
  [`{${labels}} one`, 'syntax'],
  [`{${labels}} 0x10`, 'syntax'],
  [`{${labels}}`, 'syntax'],
  [`{${labels}} 1 2 3`, 'syntax'],
  [`{${labels}} 1 1.5`, 'syntax'],
  [`{${labels}} 1 99999999999999999999`, 'timestamp'],
  [`{${labels}} 1 253402300800000`, 'timestamp'],
  [`{${labels}} 1 999999999999999999999`, 'syntax'],
  [`{${labels} 1`, 'labels'],
  ['{container="app",namespace="shop"} 1', 'labels'],
  ['{container="",namespace="shop",pod="web-1"} 1', 'labels'],
  ['{container=app,namespace="shop",pod="web-1"} 1', 'labels'],
  [' 1', 'labels'],
  [`{${labels},x="${'y'.repeat(20_000)}"} 1`, 'labels'],
] as const)('container_cpu_usage_seconds_total%s is rejected: %s', async (rest, why) => {
  const good = `container_cpu_usage_seconds_total{container="b",namespace="shop",pod="web-1"} 3`
  const { containers, rejected } = await read(`container_cpu_usage_seconds_total${rest}\n${good}\n`)
  expect(Object.fromEntries(rejected)).toEqual({ [why]: 1 })
  // Whose the line was is remembered where it says that: what it does not say then is no zero.
  expect(containers.filter(({ isDoubted }) => !isDoubted).map(({ container }) => container)).toEqual(['b'])
  expect(containers.every(({ cpuNs, container }) => cpuNs === (container === 'b' ? 3e9 : undefined))).toBe(true)
  expect(containers).toHaveLength(why === 'labels' ? 1 : 2)
})

test.each([
  [`{${labels}} 2.5`],
  ['{pod="web-1",namespace="shop",container="app"} 2.5'],
  ['{ pod = "web-1" , namespace="shop",container="app", } 2.5'],
  ['{node="a}b",pod="web-1",namespace="shop",container="app"}\t2.5\r'],
  ['{x="say \\"pod=\\"",namespace="shop",container="app",pod="web-1"} 25e-1'],
  [`{${labels}} +2.5`],
  [`{${labels}} 2500000000000000000e-18`],
] as const)('container_cpu_usage_seconds_total%s is 2.5 of the container', async rest => {
  const { containers, rejected } = await read(`container_cpu_usage_seconds_total${rest}\n`)
  expect(rejected.size).toBe(0)
  expect(containers).toMatchObject([{ ...app, cpuNs: 2.5e9 }])
})

test('labels with escapes mean what they say', async () => {
  const { containers } = await read('container_cpu_usage_seconds_total{container="a\\\\b\\"c\\nd",namespace="ü",pod="p"} 1\n')
  expect(containers).toMatchObject([{ container: 'a\\b"c\nd', namespace: 'ü', pod: 'p' }])
})

test('series with longer names and other series are passed over', async () => {
  const { node, containers, rejected } = await read(`node_cpu_usage_seconds_total_x 1
pod_cpu_usage_seconds_total{namespace="shop",pod="web-1"} 4
container_swap_limit_bytes{${labels}} 4
nonsense {{{
scrape_error 0
resource_scrape_error 0`)
  expect(node).toEqual(emptyReading())
  expect(containers).toEqual([])
  expect(rejected.size).toBe(0)
})

test.each([
  ['<!doctype html><html>not here</html>'],
  ['{"kind":"Status","code":404}'],
  ['404 page not found'],
  ['Unauthorized'],
  ['\u0000\u0001\u0002'],
])('%j is no metrics', async text => {
  await expect(read(text)).rejects.toThrow(NoMetricsError)
})

test.each([[''], ['# HELP x y\n'], ['\n\nscrape_error 0\n'], ['x{a="b"} 1.5e+09 12\n']])(
  '%j is metrics without any of ours',
  async text => {
    expect((await read(text)).containers).toEqual([])
  },
)

test('of two series of one container the later counts, whatever the order of its labels', async () => {
  const { containers } = await read(
    `container_cpu_usage_seconds_total{${labels}} 1\ncontainer_cpu_usage_seconds_total{pod="web-1",container="app",namespace="shop"} 2\n`,
  )
  expect(containers).toMatchObject([{ ...app, cpuNs: 2e9 }])
})

test('a node has at most 20,000 containers', async () => {
  const line = (at: number) => `container_cpu_usage_seconds_total{container="c${at}",namespace="n",pod="p"} 1`
  const { containers, rejected } = await read(Array.from({ length: containersLimit + 5 }, (_, at) => line(at)).join('\n'))
  expect(containers).toHaveLength(containersLimit)
  expect(Object.fromEntries(rejected)).toEqual({ 'too-many': 5 })
})

interface Made {
  readonly container: string
  readonly cpu: number
  readonly memory: number
  readonly start: number
  readonly timeMs: number | undefined
}

const made: fc.Arbitrary<Made> = fc.record({
  container: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'with"quote', 'ü'),
  cpu: fc.oneof(
    fc.double({ min: 0, max: 1e7, noNaN: true }),
    fc.nat().map(n => n / 1e6),
  ),
  memory: fc.nat({ max: 2 ** 31 - 1 }),
  start: fc.double({ min: 1, max: 2e9, noNaN: true }),
  timeMs: fc.option(fc.nat({ max: 2 ** 31 - 1 }), { nil: undefined }),
})

const family = [
  ['container_cpu_usage_seconds_total', 'cpu'],
  ['container_memory_working_set_bytes', 'memory'],
  ['container_start_time_seconds', 'start'],
] as const

function textOf(all: readonly Made[]): string {
  return family
    .flatMap(([name, field]) =>
      all.map(one => {
        const container = one.container.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
        const value = field === 'cpu' ? String(one[field]) : one[field].toExponential()
        const time = one.timeMs === undefined ? '' : ` ${one.timeMs}`
        return `${name}{container="${container}",namespace="n",pod="p"} ${value}${time}\n`
      }),
    )
    .join('')
}

function familiesOf(all: readonly Made[]): Buffer {
  const writer = protobuf.Writer.create()
  for (const [name, field] of family) {
    writer.fork().uint32(10).string(name).uint32(24).int32(0)
    for (const one of all) {
      writer.uint32(34).fork()
      for (const [key, value] of [
        ['container', one.container],
        ['namespace', 'n'],
        ['pod', 'p'],
      ] as const)
        writer.uint32(10).fork().uint32(10).string(key).uint32(18).string(value).ldelim()
      writer
        .uint32(field === 'cpu' ? 26 : 18)
        .fork()
        .uint32(9)
        .double(one[field])
        .ldelim()
      if (one.timeMs !== undefined) writer.uint32(48).int64(one.timeMs)
      writer.ldelim()
    }
    writer.ldelim()
  }
  return Buffer.from(writer.finish())
}

const sorted = ({ containers }: NodeReading) => containers.toSorted((a, b) => (a.container < b.container ? -1 : 1))

test('text and protobuf say the same, and so does each after another answer', async () => {
  const answers = fc.array(fc.uniqueArray(made, { selector: ({ container }) => container, maxLength: 10 }), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(answers, async all => {
      const known = new KnownContainers()
      const knownFamilies = new KnownContainers()
      for (const answer of all) {
        const text = Buffer.from(textOf(answer))
        const fresh = await readExposition(text, { known: new KnownContainers(), sentMs })
        expect(await readExposition(text, { known, sentMs })).toEqual(fresh)
        expect(fresh.containers).toHaveLength(answer.length)
        for (const one of answer) {
          const found = fresh.containers.find(({ container }) => container === one.container)
          expect(found).toMatchObject({ cpuNs: Math.trunc(one.cpu * 1e9), memoryBytes: one.memory, cpuMs: one.timeMs ?? sentMs })
        }
        const families = await readFamilies(familiesOf(answer), { known: knownFamilies, sentMs })
        expect(sorted(families)).toEqual(sorted(fresh))
      }
    }),
    { numRuns: 60 },
  )
})

test('whatever bytes come, each line is read, rejected, or the answer is no metrics', async () => {
  const pieces = fc.constantFrom(
    'container_cpu_usage_seconds_total',
    '{',
    '}',
    'container="',
    '"',
    'pod="p"',
    'namespace="n"',
    ',',
    ' ',
    '\n',
    '\\',
    '1',
    'NaN',
    '-',
    '.',
    'e',
    '1633253809720',
    'node_cpu_usage_seconds_total',
    '\r',
    '\t',
    '#',
  )
  const text = fc.array(pieces, { maxLength: 60 }).map(all => all.join(''))
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        text.map(t => Buffer.from(t)),
        fc.uint8Array({ maxLength: 200 }).map(b => Buffer.from(b)),
      ),
      async body => {
        for (const decode of [readExposition, readFamilies]) {
          try {
            const { containers, node } = await decode(body, { known: new KnownContainers(), sentMs })
            for (const { cpuNs = 0, memoryBytes = 0, cpuMs } of [node, ...containers]) {
              expect(cpuNs).toBeGreaterThanOrEqual(0)
              expect(memoryBytes).toBeGreaterThanOrEqual(0)
              expect(Number.isInteger(cpuMs)).toBe(true)
            }
          } catch (error) {
            expect(error).toBeInstanceOf(NoMetricsError)
          }
        }
      },
    ),
    { numRuns: 300 },
  )
})
