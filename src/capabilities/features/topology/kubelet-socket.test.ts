// Questions to a kubelet on a socket: what it says, what becomes of one that vanishes, hangs, or says too much.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { isOutside } from '#kube/outside-error.ts'
import { KubeletSocket } from './kubelet-socket.ts'
import { type HeldByPod, listPods } from './pod-resources-api.ts'
import { FakeKubelet } from './testdata/fake-kubelet.ts'

const { signal } = new AbortController()
let kubelet: FakeKubelet
beforeEach(async () => {
  kubelet = await FakeKubelet.start()
})
afterEach(() => kubelet[Symbol.asyncDispose]())

const open = (limitMs = 10_000) => new KubeletSocket({ socket: kubelet.socket, clock: systemClock, limitMs })
const topology = { nodes: [{ id: 0 }, { id: 1 }] }
const pod: HeldByPod = {
  name: 'a',
  namespace: 'default',
  containers: [
    {
      name: 'main',
      cpuIds: [0, 3, 200],
      devices: [{ resourceName: 'gpu.example.com/card', deviceIds: ['a', 'b'], topology }],
      memory: [{ memoryType: 'memory', size: 2 ** 45, topology }],
    },
  ],
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isOutside(error)).toBe(true)
  return error instanceof Error ? error.message : ''
}

test('what pods hold, and what there is', async () => {
  using socket = open()
  const allocatable = { cpuIds: [1, 2], devices: [], memory: [{ memoryType: 'hugepages-2Mi', size: 4, topology }] }
  kubelet.says({ pods: [pod], allocatable })
  expect(await socket.pods(signal)).toEqual([pod])
  expect(await socket.allocatable(signal)).toEqual(allocatable)
  expect(kubelet.asked).toEqual(['List', 'GetAllocatableResources'])
})

test('processors that are not packed are read, and what nobody knows is passed over', async () => {
  using socket = open()
  const container = Buffer.concat([field(1, 'main'), Buffer.from([0x18, 5, 0x18, 6]), field(5, 'claim'), field(90, 'new')])
  kubelet.answers = { [listPods.path]: field(1, Buffer.concat([field(1, 'a'), field(3, container), Buffer.from([0x78, 1])])) }
  expect((await socket.pods(signal))[0]?.containers).toEqual([{ name: 'main', cpuIds: [5, 6], devices: [], memory: [] }])
})

describe('a kubelet that goes', () => {
  test('is told, and asked again when it is back', async () => {
    using socket = open()
    kubelet.says({ pods: [pod] })
    kubelet.stop()
    expect(await failure(socket.pods(signal))).toMatch(/List: .*(ENOENT|ECONNREFUSED)/)
    await kubelet.listen()
    // gRPC waits before it connects again.
    await expect.poll(() => socket.pods(signal).catch(() => undefined), { timeout: 10_000 }).toEqual([pod])
  })

  test('in the middle of a question ends the question', async () => {
    using socket = open()
    kubelet.answers = { [listPods.path]: 'breaks' }
    expect(await failure(socket.pods(signal))).toContain(`the kubelet at ${kubelet.socket}: List: `)
  })

  test('and one that hangs is not waited for', async () => {
    using socket = open(50)
    kubelet.answers = { [listPods.path]: 'hangs' }
    expect(await failure(socket.pods(signal))).toContain('no answer within 50 ms')
  })

  test('a question ends with its signal', async () => {
    using socket = open()
    kubelet.answers = { [listPods.path]: 'hangs' }
    const stop = new AbortController()
    const asking = socket.pods(stop.signal)
    stop.abort(new Error('enough'))
    await expect(asking).rejects.toThrow('enough')
    await expect(socket.pods(stop.signal)).rejects.toThrow('enough')
  })
})

describe('a bad answer is told', () => {
  const empty = Buffer.from([0x0a, 0])
  const many = (piece: Buffer, count: number) => Buffer.concat(Array.from({ length: count }, () => piece))
  test.each([
    ['refused', undefined, 'the kubelet is starting'],
    ['cut', Buffer.from([0x0a, 0x10, 1]), 'cannot be read'],
    ['with a field longer than its message', field(1, Buffer.from([0x0a, 0x7f])), 'cannot be read'],
    ['with a group', Buffer.from([0x0b, 0x0c]), 'cannot be read'],
    ['of another wire type', Buffer.from([0x08, 1]), 'cannot be read'],
    ['with more pods than there can be', many(empty, 200_001), 'more than 200000 fields'],
    ['with more devices', field(1, field(3, many(Buffer.from([0x12, 0]), 200_001))), 'more than 200000 fields'],
    ['with more processors', field(1, field(3, field(3, Buffer.alloc(200_001)))), 'more than 200000 fields'],
    ['larger than is read', Buffer.alloc(16 * 1024 * 1024 + 1), '16777216'],
  ])('%s', async (_what, answer, why) => {
    using socket = open()
    if (answer !== undefined) kubelet.answers = { [listPods.path]: answer }
    expect(await failure(socket.pods(signal))).toContain(why)
  })
})

/** A field with a length, as it stands on the wire. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value % 128) | 128]), varint(Math.floor(value / 128))])
}
