// The plugins before a kubelet that is played: registration, lists, allocation, and what both sides survive.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import { hostClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { systemRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { devicesConfiguration } from '../src/capabilities/devices/config.ts'
import { startDevices } from '../src/capabilities/devices/devices-agent.ts'
import { pluginMethods } from '../src/capabilities/devices/plugin/plugin-api.ts'
import { PluginServer } from '../src/capabilities/devices/plugin/plugin-server.ts'
import { register } from '../src/capabilities/devices/plugin/register.ts'
import { FakeKubelet } from '../src/capabilities/devices/testdata/fake-kubelet.ts'
import { type Files, intelCard, merged } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'

const { signal } = new AbortController()
const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

const i915 = 'gpu.intel.com/i915'
const oneCard = intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' })
const otherCard = intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'i915', numa: '1' })

const share = { id: 'card0-0', device: 'card0', isHealthy: true, numaNodes: [], nodes: [], mounts: [] }
/** As upstream's plugin answers for one card. */
const oneShare = {
  shares: () => [share],
  preferred: () => [],
  allocate: () => ({ nodes: [], mounts: [], environment: {}, cdi: [] }),
}

function machine(files: Files = oneCard) {
  const root = mkdtempSync(join(tmpdir(), 'bd-'))
  roots.push(root)
  writeTree(root, { files: { 'sys/class': { directory: true }, ...files } })
  const directory = join(root, 'kubelet')
  const cdi = join(root, 'cdi')
  const kubelet = new FakeKubelet(directory)
  const start = (section: object = {}, isStandIn = false) => {
    const identity = { name: 'agent', namespace: 'agents', instance: 'agent_1' }
    const ports = { take: () => undefined, offer: () => undefined }
    const context = {
      clock: hostClock({ speed: 5 }),
      random: systemRandom,
      log: silentLog,
      identity,
      ports,
      node: 'n1',
      api: undefined,
    }
    const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
    const config = devicesConfiguration.parse({ scanInterval: '1s', ...section })
    return startDevices(context, config, signal, {
      tree,
      pluginDirectory: directory,
      cdiDirectory: cdi,
      draDirectory: join(root, 'plugins'),
      draRegistry: join(root, 'plugins_registry'),
      isStandIn,
    })
  }
  const sockets = () => readdirSync(directory).filter(name => name !== 'kubelet.sock')
  const allocate = (...deviceIds: readonly string[]) =>
    kubelet.call(i915, pluginMethods.allocate, { containerRequests: [{ deviceIds }] })
  return { root, directory, cdi, kubelet, start, sockets, allocate }
}

test('it registers, says what is there, and gives containers their files', async () => {
  const { kubelet, start, allocate, cdi } = machine(merged(oneCard, otherCard))
  await using _kubelet = kubelet
  await kubelet.start()
  await using agent = await start({ gpu: { sharedDevNum: 2 } })
  await kubelet.until(() => kubelet.ids(i915).length === 4)
  expect(kubelet.registrations).toEqual([
    expect.objectContaining({
      version: 'v1beta1',
      resourceName: i915,
      endpoint: expect.stringMatching(/^gpu\.intel\.com-i915-[0-9a-f]{8}\.sock$/),
    }),
  ])
  expect(kubelet.devices(i915)).toEqual([
    { id: 'card0-0', health: 'Healthy', topology: undefined },
    { id: 'card0-1', health: 'Healthy', topology: undefined },
    { id: 'card1-0', health: 'Healthy', topology: { nodes: [{ id: 1 }] } },
    { id: 'card1-1', health: 'Healthy', topology: { nodes: [{ id: 1 }] } },
  ])
  const files = ['/dev/dri/card0', '/dev/dri/renderD128']
  expect((await allocate('card0-0', 'card0-1')).containerResponses).toEqual([
    {
      envs: new Map(),
      mounts: [],
      devices: files.map(path => ({ containerPath: path, hostPath: path, permissions: 'rw' })),
      annotations: new Map(),
      cdiDevices: [{ name: 'intel.cdi.k8s.io/gpu=card0' }],
    },
  ])
  expect(parse(readFileSync(join(cdi, 'intel.cdi.k8s.io-gpu-card0.yaml'), 'utf8'))).toMatchObject({
    cdiVersion: '0.5.0',
    kind: 'intel.cdi.k8s.io/gpu',
  })
  await expect(allocate('card9-0')).rejects.toThrow('card9-0')
  const preferred = await kubelet.call(i915, pluginMethods.preferred, {
    containerRequests: [{ availableDeviceIds: kubelet.ids(i915), mustIncludeDeviceIds: ['card1-1'], allocationSize: 2 }],
  })
  expect([...(preferred.containerResponses[0]?.deviceIds ?? [])].sort()).toEqual(['card0-0', 'card1-1'])
  await expect(
    kubelet.call(i915, pluginMethods.preferred, {
      containerRequests: [{ availableDeviceIds: ['card0-0'], mustIncludeDeviceIds: [], allocationSize: 2 }],
    }),
  ).rejects.toThrow('2 devices are wanted')
  expect(await kubelet.call(i915, pluginMethods.preStart, { deviceIds: ['card0-0'] })).toEqual({})
  expect(agent.health().every(({ ok }) => ok)).toBe(true)
})

test('a kubelet that comes late, restarts, and restarts again is told each time', async () => {
  const { kubelet, start, sockets } = machine()
  await using _kubelet = kubelet
  await using agent = await start()
  expect(agent.health().some(({ ok }) => !ok)).toBe(true)
  await kubelet.start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  for (let round = 0; round < 5; round += 1) {
    const before = kubelet.registrations.length
    await kubelet.restart()
    if (round === 3) await kubelet.restart()
    await kubelet.until(() => kubelet.registrations.length > before && kubelet.ids(i915).length === 1)
  }
  expect(kubelet.endpoints.get(i915)?.filter(({ isOpen }) => isOpen)).toHaveLength(1)
  expect(sockets()).toHaveLength(1)
})

test('a socket that somebody deletes is made again, and so is a stream that ends', async () => {
  const { kubelet, start, sockets, directory } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  await using _agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  const [first = ''] = sockets()
  rmSync(join(directory, first))
  await kubelet.until(() => kubelet.registrations.length >= 2 && kubelet.ids(i915).length === 1)
  expect(sockets()).not.toContain(first)
  kubelet.cut(i915)
  await kubelet.until(() => kubelet.registrations.length >= 3 && kubelet.ids(i915).length === 1)
})

test('a kubelet that refuses is asked again, and says why meanwhile', async () => {
  const { kubelet, start, directory } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  kubelet.refusal = 'requested API version "v1beta1" is not supported'
  await using agent = await start()
  await kubelet.until(() => kubelet.registrations.length >= 3)
  const check = () => agent.health().find(({ name }) => name === `device-plugin-${i915}`)
  expect(check()).toMatchObject({ ok: false, state: expect.stringContaining('is not supported') })
  kubelet.refusal = undefined
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  expect(readdirSync(directory).length).toBe(2)
})

test('a kubelet that registers and listens to nothing is told again by another name', async () => {
  const { kubelet, start } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  kubelet.isDeaf = true
  await using _agent = await start()
  await kubelet.until(() => kubelet.registrations.length === 1)
  kubelet.isDeaf = false
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  const [first, second] = kubelet.registrations.map(({ endpoint }) => endpoint)
  expect(second).not.toBe(first)
}, 15_000)

test('cards that come and go are told, and the last one takes the resource along', async () => {
  const { kubelet, start, root, sockets, cdi } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  await using _agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  writeTree(root, { files: otherCard })
  await kubelet.until(() => kubelet.ids(i915).length === 2)
  expect(readdirSync(cdi)).toHaveLength(2)
  rmSync(join(root, 'dev/dri/card0'))
  rmSync(join(root, 'dev/dri/renderD128'))
  await kubelet.until(() => kubelet.ids(i915).join() === 'card1-0')
  expect(readdirSync(cdi)).toEqual(['intel.cdi.k8s.io-gpu-card1.yaml'])
  rmSync(join(root, 'sys/class/drm'), { recursive: true })
  await kubelet.until(() => kubelet.endpoints.get(i915)?.every(({ isOpen }) => !isOpen) === true)
  expect(sockets()).toEqual([])
  writeTree(root, {
    files: { 'dev/dri/card0': '', 'sys/class/drm/card0': { link: '../../devices/pci0000:00/0000:00:02.0/drm/card0' } },
  })
  await kubelet.until(() => kubelet.ids(i915).join() === 'card0-0')
})

test('a card that comes back with other files has its CDI file written anew', async () => {
  const { kubelet, start, root, cdi, allocate } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  const file = join(cdi, 'intel.cdi.k8s.io-gpu-card0.yaml')
  mkdirSync(cdi)
  writeFileSync(file, 'cdiVersion: 0.3.0\n')
  await using _agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  expect(readFileSync(file, 'utf8')).toContain('/dev/dri/renderD128')
  rmSync(file)
  await allocate('card0-0')
  expect(existsSync(file)).toBe(true)
  rmSync(join(root, 'dev/dri/renderD128'))
  writeTree(root, {
    files: { 'dev/dri/renderD130': '', 'sys/devices/pci0000:00/0000:00:02.0/drm/renderD130': { directory: true } },
  })
  await kubelet.until(
    () => readFileSync(file, 'utf8').includes('renderD130') || (kubelet.endpoints.get(i915)?.[0]?.lists ?? 0) > 1,
  )
  const { containerResponses } = await allocate('card0-0')
  expect(containerResponses[0]?.devices.map(({ hostPath }) => hostPath)).toEqual(['/dev/dri/card0', '/dev/dri/renderD130'])
})

test('where CDI cannot be written containers get their devices all the same', async () => {
  const { kubelet, start, root, allocate } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  writeFileSync(join(root, 'cdi'), 'a file where a folder should be')
  await using _agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  const { containerResponses } = await allocate('card0-0')
  expect(containerResponses[0]).toMatchObject({ cdiDevices: [], devices: [{ hostPath: '/dev/dri/card0' }, {}] })
})

test('a card that is too hot twice is unhealthy, cool three times healthy, and cannot be had meanwhile', async () => {
  const hwmon = 'sys/devices/pci0000:00/0000:00:02.0/hwmon/hwmon2/temp1_input'
  const { kubelet, start, root, allocate } = machine({ ...oneCard, [hwmon]: '100900\n' })
  await using _kubelet = kubelet
  await kubelet.start()
  await using _agent = await start({ gpu: { health: 'sysfs' } })
  const health = () => kubelet.devices(i915)[0]?.health
  await kubelet.until(() => health() === 'Healthy')
  writeFileSync(join(root, hwmon), '101000\n')
  await kubelet.until(() => health() === 'Unhealthy')
  await expect(allocate('card0-0')).rejects.toThrow('device card0-0 of gpu.intel.com/i915 is unhealthy')
  writeFileSync(join(root, hwmon), '60000\n')
  await kubelet.until(() => health() === 'Healthy')
}, 15_000)

test('the folder of the kubelet may be missing, and another one later', async () => {
  const { kubelet, start, directory } = machine()
  await using _kubelet = kubelet
  await using agent = await start()
  expect(agent.health().some(({ ok, state }) => !ok && state !== undefined)).toBe(true)
  await kubelet.start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  await kubelet.stop()
  rmSync(directory, { recursive: true })
  await kubelet.start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
}, 15_000)

test('a newer one takes over: when the older ends, the kubelet counts all devices again at once, and gives them away', async () => {
  const { kubelet, start, allocate } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  const older = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  await using _newer = await start()
  await kubelet.until(() => kubelet.endpoints.get(i915)?.length === 3 && kubelet.endpoints.get(i915)?.at(-1)?.lists === 1)
  let zeros = 0
  const counted = () => kubelet.counted.get(i915)
  await older[Symbol.asyncDispose]()
  await kubelet.until(() => {
    zeros += counted()?.healthy.length === 0 ? 1 : 0
    return counted()?.isStopped === true
  })
  await kubelet.until(() => counted()?.healthy.length === 1)
  await kubelet.until(() => counted()?.isStopped === false)
  expect(zeros).toBeGreaterThan(0)
  expect((await allocate('card0-0')).containerResponses).toHaveLength(1)
  // One by the older, two by the newer, one more after the older's end: the first of the newer's streams never ended.
  expect(kubelet.registrations).toHaveLength(4)
  expect(new Set(kubelet.registrations.map(({ endpoint }) => endpoint)).size).toBe(2)
})

const toldOf = (program: Awaited<ReturnType<typeof startDevices>>) => {
  const found = program.health().find(({ name }) => name === `device-plugin-${i915}`)
  return { ok: found?.ok, state: found?.state }
}

test('a program in a DaemonSet leaves a resource to an agent that comes, and has it again when that is gone', async () => {
  const { kubelet, start, sockets, allocate } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  await using program = await start({}, true)
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  expect(sockets()).toEqual([expect.stringMatching(/^gpu\.intel\.com-i915-pod-[0-9a-f]{8}\.sock$/)])
  const agent = await start()
  // The program's socket is gone, and the agent's devices are counted.
  await kubelet.until(() => sockets().length === 1 && !sockets().some(name => name.includes('-pod-')))
  const counted = () => kubelet.counted.get(i915)
  await kubelet.until(() => counted()?.healthy.length === 1 && counted()?.isStopped === false)
  expect((await allocate('card0-0')).containerResponses).toHaveLength(1)
  const told = () => toldOf(program)
  await expect.poll(told, { timeout: 8_000 }).toEqual({ ok: true, state: 'left to the agent' })
  const registered = kubelet.registrations.length
  await agent[Symbol.asyncDispose]()
  await kubelet.until(() => kubelet.registrations.length > registered)
  await expect.poll(told, { timeout: 8_000 }).toEqual({ ok: true, state: 'registered' })
  await kubelet.until(() => counted()?.healthy.length === 1 && counted()?.isStopped === false)
  expect((await allocate('card0-0')).containerResponses).toHaveLength(1)
}, 20_000)

test('a program that comes after an agent never registers', async () => {
  const { kubelet, start } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  await using _agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  await using program = await start({}, true)
  const told = () => toldOf(program)
  await expect.poll(told, { timeout: 8_000 }).toEqual({ ok: true, state: 'left to the agent' })
  expect(kubelet.registrations).toHaveLength(1)
}, 20_000)

test("upstream's plugin is taken over from in the same way", async () => {
  const { kubelet, start, directory } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  const theirs = createServer().listen(join(directory, 'gpu.intel.com-i915.sock'))
  await using _agent = await start()
  await kubelet.until(() => kubelet.endpoints.get(i915)?.length === 2)
  expect(readdirSync(directory)).toContain('gpu.intel.com-i915.sock')
  theirs.close()
})

test("when ours ends beside upstream's plugin, which registered later, the kubelet counts that one's devices again", async () => {
  const { kubelet, start, directory } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  const ours = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  // As upstream's: it says its list to whoever listens, and never registers a second time.
  const theirs = new PluginServer(oneShare, () => undefined)
  const endpoint = 'gpu.intel.com-i915.sock'
  await theirs.listen(join(directory, endpoint))
  await register({ directory, endpoint, resource: i915 }, hostClock({ speed: 5 }), signal)
  await ours[Symbol.asyncDispose]()
  await kubelet.until(() => kubelet.counted.get(i915)?.healthy.length === 1 && kubelet.counted.get(i915)?.isStopped === false)
  expect(kubelet.registrations.at(-1)?.endpoint).toBe(endpoint)
  // A connection that ends breaks upstream's plugin: none of its two has.
  const opened = kubelet.endpoints.get(i915)?.filter(({ name }) => name === endpoint)
  expect(opened?.map(({ isOpen }) => isOpen)).toEqual([true, true])
  await theirs.close()
})

test("when upstream's plugin, which registered later, ends, ours is counted again", async () => {
  const { kubelet, start, directory } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  await using _ours = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  const theirs = new PluginServer(oneShare, () => undefined)
  const endpoint = 'gpu.intel.com-i915.sock'
  await theirs.listen(join(directory, endpoint))
  await register({ directory, endpoint, resource: i915 }, hostClock({ speed: 5 }), signal)
  // Ours looks at it each second.
  await hostClock({ speed: 1 }).after(600)
  await theirs.close()
  await kubelet.until(() => kubelet.counted.get(i915)?.isStopped === true)
  await kubelet.until(() => kubelet.counted.get(i915)?.healthy.length === 1 && kubelet.counted.get(i915)?.isStopped === false)
  expect(kubelet.registrations.at(-1)?.endpoint).not.toBe(endpoint)
})

test('sockets of processes that were killed are taken away, what lies beside them stays', async () => {
  const { kubelet, start, directory, sockets } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  // A file that nobody listens at is no socket to us, and not ours to take.
  writeFileSync(join(directory, 'gpu.intel.com-i915-00000000.sock'), '')
  symlinkSync('/nowhere', join(directory, 'other.sock'))
  await using _agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  expect(sockets()).toHaveLength(3)
})

test('where nobody can listen the error is one that is tried again', async () => {
  const answers = { shares: () => [], preferred: () => [], allocate: () => ({ nodes: [], mounts: [], environment: {}, cdi: [] }) }
  const server = new PluginServer(answers, () => undefined)
  const failed = await server.listen('/nowhere/at-all.sock').catch((error: unknown) => error)
  expect(isOutside(failed)).toBe(true)
  await server.close()
})

test('a changed configuration is taken up while it serves', async () => {
  const { kubelet, start } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  await using agent = await start()
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  expect(await agent.reconfigure(devicesConfiguration.parse({ gpu: { sharedDevNum: 3 } }))).toBe('applied')
  await kubelet.until(() => kubelet.ids(i915).length === 3)
  expect(kubelet.registrations).toHaveLength(1)
})

test('a file for CDI that somebody changed or took away is there again when a container is to use it', async () => {
  const { kubelet, start, allocate, cdi } = machine()
  await using _kubelet = kubelet
  await kubelet.start()
  // Looks of its own are too far apart to help.
  await using _agent = await start({ scanInterval: '1h' })
  await kubelet.until(() => kubelet.ids(i915).length === 1)
  const path = join(cdi, 'intel.cdi.k8s.io-gpu-card0.yaml')
  const text = readFileSync(path, 'utf8')
  for (const spoil of [() => writeFileSync(path, text.replace('card0', 'card9')), () => rmSync(path), () => undefined]) {
    spoil()
    await allocate('card0-0')
    expect(readFileSync(path, 'utf8')).toBe(text)
  }
})
