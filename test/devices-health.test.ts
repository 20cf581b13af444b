// Health by programs on the same node, which are played here: the Level-Zero sidecar, xpumd, AMD's metrics exporter. Whatever they do, no device is lost.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { afterEach, describe, expect, test } from 'vitest'
import { hostClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { flag, integer, integers, list, type Message, message, nested, text } from '#kube/protobuf-message.ts'
import { HostTree } from '#machines/host-tree.ts'
import { allocate } from '../src/capabilities/devices/allocation/allocate.ts'
import { devicesConfiguration } from '../src/capabilities/devices/config.ts'
import { lookAt, offersOf } from '../src/capabilities/devices/discovery/offers.ts'
import { DeviceHealth } from '../src/capabilities/devices/health/device-health.ts'
import { gpus } from './real/devices/amd-cases.ts'
import { type Files, intelCard, merged } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'

const { signal } = new AbortController()
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]()
})

function folder(): string {
  const root = mkdtempSync(join(tmpdir(), 'bh-'))
  open.unshift({ [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }) })
  return root
}

const unary = <A, B>(
  path: string,
  request: Message<A>,
  response: Message<B>,
  answer: (asked: A, done: sendUnaryData<Partial<B>>) => void,
) => ({
  definition: {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: Partial<A>) => request.encode(value),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    responseSerialize: (value: Partial<B>) => response.encode(value),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  },
  handle: (call: ServerUnaryCall<A, Partial<B>>, done: sendUnaryData<Partial<B>>) => answer(call.request, done),
})

async function serve(
  socket: string,
  methods: Readonly<Record<string, { readonly definition: object; readonly handle: unknown }>>,
): Promise<Server> {
  const server = new Server()
  const entries = Object.entries(methods)
  server.addService(
    Object.fromEntries(entries.map(([name, { definition }]) => [name, definition])) as Parameters<Server['addService']>[0],
    Object.fromEntries(entries.map(([name, { handle }]) => [name, handle])) as Parameters<Server['addService']>[1],
  )
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), error =>
      error === null ? resolve() : reject(error),
    ),
  )
  open.push({ [Symbol.asyncDispose]: async () => server.forceShutdown() })
  return server
}

/** A machine, and how its devices are by this section. */
function machine(files: Files, section: object, speed = 4) {
  const root = folder()
  writeTree(root, { files: { 'sys/class': { directory: true }, ...files } })
  const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
  const config = devicesConfiguration.parse(section)
  const health = new DeviceHealth(tree, { clock: hostClock({ speed }), log: silentLog })
  open.push(health)
  const found = lookAt(tree, config)
  return {
    found,
    look: async () => Object.fromEntries(Array.from(await health.look(found, config, signal), ([id, { why }]) => [id, why])),
    windows: () => health.windowsGpus(config, signal),
    tree,
    config,
  }
}

const two = gpus([
  { address: '0000:43:00.0', numa: '0' },
  { address: '0000:63:00.0', numa: '1' },
])
const cards = merged(
  intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' }),
  intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'xe' }),
)

describe("AMD's metrics exporter", () => {
  const states = message({ states: list(1, message({ health: text(3), device: text(5) })) })
  const path = '/metricssvc.MetricsService/List'
  type States = readonly { readonly device: string; readonly health: string }[]
  const exporting = (socket: string, answer: () => States | 'hangs' | 'fails') =>
    serve(socket, {
      List: unary(path, message({}), states, (_asked, done) => {
        const said = answer()
        if (said === 'fails') done({ code: status.INTERNAL, details: 'no' })
        else if (said !== 'hangs') done(null, { states: said })
      }),
    })
  const section = (socket: string, more: object = {}) => ({
    amd: { health: 'kfd', exporter: { enabled: true, socket }, ...more },
  })

  test.each<readonly [string, States | 'hangs' | 'fails', readonly string[]]>([
    [
      'all are healthy',
      [
        { device: '0000:43:00.0', health: 'healthy' },
        { device: '0000:63:00.0', health: 'healthy' },
      ],
      [],
    ],
    ['one is not', [{ device: '0000:43:00.0', health: 'unhealthy' }], ['0000:43:00.0']],
    [
      'another word',
      [
        { device: '0000:43:00.0', health: 'Healthy' },
        { device: '0000:63:00.0', health: '' },
      ],
      ['0000:43:00.0', '0000:63:00.0'],
    ],
    ['it names others', [{ device: '0000:99:00.0', health: 'unhealthy' }], []],
    ['it fails', 'fails', []],
    ['it hangs', 'hangs', []],
  ])('%s', async (_name, said, ill) => {
    const socket = join(folder(), 's')
    await exporting(socket, () => said)
    expect(Object.keys(await machine(two, section(socket)).look())).toEqual(ill)
  })

  test('its word counts before that of the compute driver, which counts for those that it does not name', async () => {
    const socket = join(folder(), 's')
    await exporting(socket, () => [{ device: '0000:43:00.0', health: 'healthy' }])
    // No node of the driver is a GPU.
    const files = Object.fromEntries(
      Object.entries(two).map(([name, entry]) => [
        name,
        typeof entry === 'string' ? entry.replace(/gfx_target_version \d+/, 'gfx_target_version 0') : entry,
      ]),
    )
    const { look } = machine(files, section(socket))
    expect(await look()).toEqual({ '0000:63:00.0': 'the compute driver has no GPU among its nodes' })
  })

  test('it comes and goes', async () => {
    const socket = join(folder(), 's')
    const { look } = machine(two, section(socket))
    expect(await look()).toEqual({})
    const server = await exporting(socket, () => [{ device: '0000:63:00.0', health: 'unhealthy' }])
    // A machine that is busy may not reach it within the limit of one look.
    await expect.poll(look).toEqual({ '0000:63:00.0': 'the metrics exporter says that it is "unhealthy"' })
    server.forceShutdown()
    await expect.poll(look).toEqual({})
  })
})

describe('xpumd', () => {
  const response = message({
    devices: list(
      1,
      message({
        info: nested(1, message({ pci: nested(3, message({ bdf: text(1) })) })),
        health: list(2, message({ name: text(1), severity: integer(2), reason: text(3) })),
      }),
    ),
  })
  type Stream = ServerWritableStream<object, object>
  const device = (bdf: string, ...severities: readonly number[]) => ({
    info: { pci: { bdf } },
    health: severities.map((severity, at) => ({ name: at === 0 ? 'memory' : 'temperature', severity, reason: 'seen' })),
  })
  /** A daemon that calls `onStream` with each stream. */
  const watching = (socket: string, onStream: (stream: Stream) => void) =>
    serve(socket, {
      WatchDeviceHealth: {
        definition: {
          path: '/deviceinfo.DeviceInfo/WatchDeviceHealth',
          requestStream: false,
          responseStream: true,
          requestSerialize: () => Buffer.alloc(0),
          requestDeserialize: () => ({}),
          responseSerialize: (value: Parameters<typeof response.encode>[0]) => response.encode(value),
          responseDeserialize: (bytes: Buffer) => response.decode(bytes),
        },
        handle: onStream,
      },
    })
  const section = (socket: string) => ({ gpu: { xpumd: { enabled: true, socket } } })
  const until = async (look: () => Promise<object>, expected: object) =>
    await expect.poll(look, { timeout: 8_000, interval: 20 }).toEqual(expected)

  test('from a warning on a card is unhealthy, and well again when it says so', async () => {
    const socket = join(folder(), 's')
    let stream: Stream | undefined
    await watching(socket, opened => {
      stream = opened
      opened.write({ devices: [device('0000:00:02.0', 0, 1), device('0000:03:00.0', 1, 2)] })
    })
    const { look } = machine(cards, section(socket), 40)
    await until(look, { card1: 'xpumd says: temperature (seen)' })
    stream?.write({ devices: [device('0000:03:00.0', 1, 1), device('0000:00:02.0', 4), { info: undefined, health: [] }] })
    await until(look, { card0: 'xpumd says: memory (seen)' })
  })

  test('a stream that ends, breaks or says nothing: its last word counts, and it is heard again', async () => {
    const socket = join(folder(), 's')
    const acts: readonly ((stream: Stream) => void)[] = [
      stream => {
        stream.write({ devices: [device('0000:03:00.0', 3)] })
        stream.end()
      },
      stream => stream.emit('error', { code: status.UNAVAILABLE, details: 'away' }),
      stream => stream.end(),
      stream => stream.write({ devices: [device('0000:03:00.0', 1)] }),
    ]
    let streams = 0
    await watching(socket, stream => {
      acts[streams]?.(stream)
      streams += 1
    })
    const { look } = machine(cards, section(socket), 40)
    await until(look, { card1: 'xpumd says: memory (seen)' })
    await until(look, {})
    expect(streams).toBe(4)
  })

  test('nobody is there, and nothing is said: all are well, and it ends when it is told to', async () => {
    const socket = join(folder(), 's')
    const { look } = machine(cards, section(socket), 40)
    expect(await look()).toEqual({})
    await watching(socket, () => undefined)
    expect(await look()).toEqual({})
  })

  test('of more cards than a machine can have those that came first are kept', async () => {
    const socket = join(folder(), 's')
    await watching(socket, stream => {
      const many = Array.from({ length: 400 }, (_, at) => device(`ffff:${at.toString(16).padStart(2, '0')}:00.0`, 3))
      stream.write({ devices: [device('0000:00:02.0', 2), ...many, device('0000:03:00.0', 3)] })
    })
    await until(machine(cards, section(socket), 40).look, { card0: 'xpumd says: memory (seen)' })
  })
})

describe('the Level-Zero sidecar', () => {
  const error = nested(42, message({ description: text(1), errorcode: integer(2) }))
  const health = message({ memoryOk: flag(1), busOk: flag(2), socOk: flag(3), error })
  const indices = message({ indices: integers(1), error })
  const asked = message({ bdfAddress: text(1) })
  const temperature = message({ error })
  const section = (levelZeroSocket: string) => ({ gpu: { health: 'level-zero', levelZeroSocket } })

  test.each([
    ['all is well', { memoryOk: true, busOk: true, socOk: true }, {}],
    ['one part is not', { memoryOk: true, busOk: false, socOk: true }, 'the sidecar says that something is wrong with its bus'],
    ['it hangs', 'hangs', {}],
  ] as const)('%s', async (_name, said, expected) => {
    const socket = join(folder(), 's')
    await serve(socket, {
      GetDeviceHealth: unary(
        '/Levelzero/GetDeviceHealth',
        asked,
        health,
        (_asked, done) => void (said === 'hangs' || done(null, said)),
      ),
      GetDeviceTemperature: unary('/Levelzero/GetDeviceTemperature', asked, temperature, (_asked, done) => done(null, {})),
    })
    const { look } = machine(cards, section(socket))
    expect(await look()).toEqual(typeof expected === 'string' ? { card0: expected, card1: expected } : expected)
  })

  test('GPUs of Windows: as many as it knows, also while it is away; each chosen by its number', async () => {
    const socket = join(folder(), 's')
    const { windows, tree, config } = machine({ 'dev/dxg': '' }, { gpu: { wsl: true, sharedDevNum: 2, levelZeroSocket: socket } })
    expect(await windows()).toEqual([])
    const server = await serve(socket, {
      GetIntelIndices: unary('/Levelzero/GetIntelIndices', asked, indices, (_asked, done) => done(null, { indices: [0, 2] })),
    })
    await expect.poll(windows, { timeout: 8_000 }).toEqual([0, 2])
    server.forceShutdown()
    expect(await windows()).toEqual([0, 2])
    const offer = offersOf(lookAt(tree, config, [0, 2]), config, new Set()).get('gpu.intel.com/dxg')
    if (offer === undefined) throw new Error('no offer')
    expect([...offer.shares.keys()]).toEqual(['card0-0', 'card0-1', 'card2-0', 'card2-1'])
    expect(allocate(offer, ['card2-1'])).toEqual({
      nodes: [{ path: '/dev/dxg', group: expect.any(Number) }],
      mounts: ['/usr/lib/wsl'],
      environment: { ZE_AFFINITY_MASK: '2' },
      cdi: [],
    })
    expect(allocate(offer, ['card0-0', 'card2-1', 'card0-1']).environment).toEqual({ ZE_AFFINITY_MASK: '0,2' })
  })
})
