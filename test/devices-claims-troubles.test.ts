// Devices by claims through troubles: kubelets that restart or refuse, sockets that go, others who write slices, agents that take over, cards that fail.

import { once } from 'node:events'
import { linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ResourceSlice } from '#cluster/devices/device-shapes.ts'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'
import { startDevices } from '../src/capabilities/devices/devices-agent.ts'
import { device, driver, first, namespace, second, signal, site, twoCards, until } from './devices-claims-site.ts'

test('a kubelet that restarts deletes what is published, and gets it again; the driver keeps its sockets', async () => {
  await using of = await site()
  await using _agent = await of.start()
  // Nothing is published for a kubelet that does not know the driver.
  await systemClock.after(100)
  expect(await of.slices()).toEqual([])
  await of.kubelet.start()
  await until(async () => (await of.published()).length === 1)
  const endpoint = of.kubelet.newest(driver)?.info.endpoint
  for (let round = 0; round < 3; round += 1) {
    const before = (await of.slices())[0]?.metadata.uid
    await of.kubelet.restart()
    await until(async () => (await of.slices()).some(({ metadata }) => metadata.uid !== before))
  }
  await until(() => of.kubelet.newest(driver) !== undefined)
  expect(of.kubelet.newest(driver)?.info.endpoint).toBe(endpoint)
}, 15_000)

test('a kubelet that refuses is asked again, and says why meanwhile', async () => {
  await using of = await site()
  of.kubelet.refusal = 'none of services supported by the plugin are supported'
  await of.kubelet.start()
  await using agent = await of.start()
  await until(() => of.kubelet.asked.length >= 2)
  expect(agent.health().find(({ name }) => name === `claims-${driver}`)).toMatchObject({
    ok: false,
    state: expect.stringContaining('none of services'),
  })
  of.kubelet.refusal = undefined
  await until(async () => (await of.published()).length === 1)
}, 15_000)

test('a socket that somebody deletes is made again, those of processes that were killed are taken away', async () => {
  await using of = await site()
  await of.kubelet.start()
  mkdirSync(join(of.draDirectory, driver), { recursive: true })
  const path = join(of.root, 'dying.sock')
  const dying = createServer().listen(path)
  linkSync(path, join(of.draRegistry, 'gpu.intel.com-dead-reg.sock'))
  dying.close()
  await once(dying, 'close')
  await using agent = await of.start()
  await until(async () => (await of.published()).length === 1)
  const [own = '', ...others] = readdirSync(of.draRegistry)
  expect(others).toEqual([])
  rmSync(join(of.draRegistry, own))
  await until(() => of.kubelet.asked.length >= 2 && of.kubelet.newest(driver) !== undefined)
  expect(readdirSync(of.draRegistry)).not.toContain(own)
  rmSync(of.kubelet.newest(driver)?.info.endpoint ?? '')
  await until(() => of.kubelet.asked.length >= 3 && of.kubelet.plugins.length === 1)
  await until(() => agent.health().every(({ ok }) => ok))
}, 15_000)

test('an agent that takes over is asked from then on, and the older one leaves nothing missing', async () => {
  await using of = await site()
  await of.kubelet.start()
  const older = await of.start()
  await until(async () => (await of.published()).length === 1)
  const claim = await of.claim('one', [{}])
  await of.kubelet.prepare(driver, [claim])
  await using _newer = await of.start()
  await until(() => of.kubelet.plugins.length === 2)
  await older[Symbol.asyncDispose]()
  await until(() => of.kubelet.plugins.length === 1)
  expect((await of.kubelet.prepare(driver, [claim])).get(claim.uid)?.devices).toEqual([device(first)])
  const [slice, ...others] = await of.slices()
  expect(others).toEqual([])
  expect(slice?.spec.pool.generation).toBe(1)
}, 15_000)

test('an agent that dies after the file and before the answer has prepared the claim', async () => {
  await using of = await site()
  await of.kubelet.start()
  const dying = await of.start(
    {},
    {
      ...silentLog,
      info: (_, message) => {
        if (message === 'a claim is prepared') throw new Error('killed')
      },
    },
  )
  await until(async () => (await of.published()).length === 1)
  const claim = await of.claim('one', [{}])
  await expect(of.kubelet.prepare(driver, [claim])).rejects.toThrow('killed')
  expect(of.prepared()).toEqual([`${claim.uid}.json`])
  await dying[Symbol.asyncDispose]()
  await until(() => of.kubelet.newest(driver) === undefined)
  await using _next = await of.start()
  await until(() => of.kubelet.newest(driver) !== undefined)
  const other = await of.claim('two', [{}])
  const answers = await of.kubelet.prepare(driver, [other, claim])
  expect(answers.get(claim.uid)).toEqual({ devices: [device(first)], error: '' })
  expect(answers.get(other.uid)?.error).toContain('is prepared for claim default/one')
  expect(of.prepared()).toHaveLength(1)
}, 15_000)

test('what others do to the slices is undone, and slices that are not wanted go', async () => {
  await using of = await site()
  await of.kubelet.start()
  await using _agent = await of.start()
  await until(async () => (await of.published()).length === 1)
  const [slice] = await of.slices()
  if (slice === undefined) throw new Error('a slice')
  const { resourceVersion: _, uid: __, ...metadata } = slice.metadata
  await of.slicesApi.create({ ...slice, metadata: { ...metadata, name: 'foreign' } }, { signal })
  await until(async () => (await of.slices()).every(({ metadata: { name } }) => name !== 'foreign'))
  const now = await of.slicesApi.get(slice.metadata.name, { signal })
  await of.slicesApi.update({ ...now, spec: { ...now.spec, devices: [] } }, { signal })
  await until(async () => (await of.published()).length === 1)
  const [after] = await of.slices()
  expect(after?.spec.pool.generation).toBeGreaterThan(slice.spec.pool.generation)
}, 15_000)

test('a card that is too hot is tainted and told to be unhealthy; one that is gone is published no more', async () => {
  const hwmon = 'sys/devices/pci0000:00/0000:00:02.0/hwmon/hwmon2/temp1_input'
  await using of = await site({ ...twoCards, [hwmon]: '60000\n' })
  await of.kubelet.start()
  await using _agent = await of.start({ gpu: { health: 'sysfs' } })
  await until(async () => (await of.published()).length === 2)
  await until(() => of.kubelet.health(driver).every(({ health }) => health === 1) && of.kubelet.health(driver).length === 2)
  const taintsOf = async () => (await of.slices()).flatMap(({ spec }) => spec.devices ?? []).flatMap(({ taints = [] }) => taints)
  writeFileSync(join(of.root, hwmon), '101000\n')
  await until(async () => (await taintsOf()).length > 0)
  expect(await taintsOf()).toEqual([expect.objectContaining({ key: 'HealthIssues-temperature', effect: 'NoSchedule' })])
  await until(() => of.kubelet.health(driver).some(({ health }) => health === 2))
  expect(of.kubelet.health(driver).find(({ health }) => health === 2)).toMatchObject({
    device: { poolName: 'n1', deviceName: first },
    healthCheckTimeoutSeconds: 30,
    message: 'its temperature is 101 °C, above 100 °C',
  })
  rmSync(join(of.root, 'dev/dri'), { recursive: true })
  await until(async () => (await of.slices()).length === 0)
}, 15_000)

test('the token of an agent writes the slices of its own node and no others', async () => {
  await using of = await site()
  const own = of.agentApi.resource<ResourceSlice>(builtIn.resourceslices)
  const slice = (name: string, nodeName: string | undefined): ResourceSlice => ({
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceSlice',
    metadata: { name },
    spec: {
      driver,
      pool: { name: 'a', generation: 1, resourceSliceCount: 1 },
      ...(nodeName === undefined ? { allNodes: true } : { nodeName }),
      devices: [],
    },
  })
  const refused = 'an agent writes what is of the node that it runs on'
  await own.create(slice('mine', 'n1'), { signal })
  await expect(own.create(slice('theirs', 'n2'), { signal })).rejects.toThrow(refused)
  await expect(own.create(slice('everywhere', undefined), { signal })).rejects.toThrow(refused)
  await of.slicesApi.create(slice('theirs', 'n2'), { signal })
  await expect(own.delete('theirs', { signal })).rejects.toThrow(refused)
  const theirs = await of.slicesApi.get('theirs', { signal })
  await expect(own.update({ ...theirs, spec: { ...theirs.spec, nodeName: 'n1' } }, { signal })).rejects.toThrow()
  await own.delete('mine', { signal })
  await expect(of.agentApi.resource<KubeObject>(builtIn.resourceclaims).list({ signal })).rejects.toThrow('forbidden')
})

test('other settings are taken up while it serves; switching it on or off begins it anew', async () => {
  await using of = await site()
  await of.kubelet.start()
  await using agent = await of.start()
  await until(async () => (await of.published()).length === 1)
  expect(await agent.reconfigure(of.section({ gpu: { sharedDevNum: 2 } }))).toBe('applied')
  await until(async () => (await of.slices())[0]?.spec.pool.generation === 2)
  expect(await agent.reconfigure(of.section({ dra: { enabled: false } }))).toBe('restart-part')
  await expect(
    startDevices(
      {
        ...{ clock: systemClock, random: systemRandom, log: silentLog, node: 'n1', api: undefined },
        identity: { name: 'a', namespace, instance: 'a' },
        ports: { take: () => undefined, offer: () => undefined },
      },
      of.section({}),
      signal,
    ),
  ).rejects.toThrow('need the API server')
})

test('a server that keeps neither taints nor sharing is told once, and unhealthy cards are left out', async () => {
  const hwmon = 'sys/devices/pci0000:00/0000:00:02.0/hwmon/hwmon2/temp1_input'
  let writes = 0
  await using of = await site({ ...twoCards, [hwmon]: '60000\n' }, request => {
    const { verb, path, body } = request
    if (!/^(POST|PUT)$/.test(verb) || !path.includes('resourceslices') || typeof body !== 'string') return request
    writes += 1
    const slice: ResourceSlice = JSON.parse(body)
    const devices = (slice.spec.devices ?? []).map(({ taints: _, allowMultipleAllocations: __, capacity: ___, ...rest }) => rest)
    return { ...request, body: JSON.stringify({ ...slice, spec: { ...slice.spec, devices } }) }
  })
  await of.kubelet.start()
  await using _agent = await of.start({ gpu: { health: 'sysfs', sharedDevNum: 2 } })
  await until(async () => (await of.published()).length === 2)
  writeFileSync(join(of.root, hwmon), '101000\n')
  await until(async () => (await of.published()).join() === second)
  const before = writes
  // Some looks further nothing was written.
  await systemClock.after(700)
  expect(writes).toBe(before)
  expect(before).toBeLessThanOrEqual(3)
}, 15_000)
