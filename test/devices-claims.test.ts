// Devices by claims before a kubelet that is played and a twin of an API server, under the rights that are installed: what is published, what is prepared,
// and what both survive.

import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { AllocatedDevice, ResourceClaim, ResourceSlice } from '#cluster/devices/device-shapes.ts'
import { openApi } from '#kube/client/api.ts'
import { hostClock, systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { startTwin } from '#twin/twin.ts'
import { devicesConfiguration } from '../src/capabilities/devices/config.ts'
import { startDevices } from '../src/capabilities/devices/devices-agent.ts'
import { FakeDraKubelet } from '../src/capabilities/devices/testdata/fake-dra-kubelet.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { type Files, intelCard, merged } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'

const { signal } = new AbortController()
const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

const namespace = 'ballast-agent'
const driver = 'gpu.intel.com'
const first = '0000-00-02-0-0x7d51'
const second = '0000-03-00-0-0x7d51'
const oneCard = intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' })
const twoCards = merged(oneCard, intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'xe', numa: '1' }))

const installed = objects(
  installationValues({ enable: ['devices'], preset: { capabilities: { devices: { dra: { enabled: true } } } } }, capabilities),
  { capabilities, release: plainRelease('ballast', 'ballast-system') },
).filter(
  ({ kind, metadata }) =>
    kind === 'DeviceClass' ||
    (/^(ServiceAccount|ClusterRole|ClusterRoleBinding|Role|RoleBinding|ValidatingAdmissionPolicy|ValidatingAdmissionPolicyBinding)$/.test(
      kind,
    ) &&
      metadata.name.includes('agent')),
)
const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-${name}` }, status: {} })
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'agent-1', namespace, uid: 'uid-agent-1' },
  spec: { nodeName: 'n1', serviceAccountName: 'ballast-agent', containers: [{ name: 'main', image: 'agent' }] },
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.after(5)
}

async function site(files: Files = oneCard) {
  await using stack = new AsyncDisposableStack()
  const root = mkdtempSync(join(tmpdir(), 'bd-'))
  roots.push(root)
  writeTree(root, { files: { 'sys/class': { directory: true }, ...files } })
  const around = ['default', namespace].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  const twin = await startTwin({
    clock: systemClock,
    objects: [...around, node('n1'), node('n2'), pod, ...installed],
    components: false,
  })
  stack.defer(() => twin.stop())
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
  const token = await twin.issueToken({
    namespace,
    serviceAccount: 'ballast-agent',
    bound: { kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' },
  })
  const clock = hostClock({ speed: 5 })
  const agentApi = openApi(twin.transport({ token }), { clock, userAgent: 'agent' })
  const slicesApi = admin.resource<ResourceSlice>(builtIn.resourceslices)
  const claimsApi = admin.resource<ResourceClaim>(builtIn.resourceclaims)
  const slices = async () => (await slicesApi.list({ signal })).items
  const registry = join(root, 'registry')
  const kubelet = stack.use(
    new FakeDraKubelet(registry, async () => {
      for (const { metadata } of await slices()) await slicesApi.delete(metadata.name, { signal })
    }),
  )
  const paths = {
    pluginDirectory: join(root, 'kubelet'),
    cdiDirectory: join(root, 'cdi'),
    draDirectory: join(root, 'plugins'),
    draRegistry: registry,
  }
  const section = (more: object) => devicesConfiguration.parse({ scanInterval: '1s', dra: { enabled: true }, ...more })
  const start = (more: object = {}) =>
    startDevices(
      {
        clock,
        random: systemRandom,
        log: silentLog,
        identity: { name: 'agent-1', namespace, instance: 'agent_1' },
        ports: { take: () => undefined, offer: () => undefined },
        node: 'n1',
        api: agentApi,
      },
      section(more),
      signal,
      { tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }), ...paths },
    )
  const claim = async (name: string, results: readonly Partial<AllocatedDevice>[] | undefined) => {
    const made = await claimsApi.create(
      {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceClaim',
        metadata: { name, namespace: 'default' },
        spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: driver } }] } },
      },
      { namespace: 'default', signal },
    )
    const { uid = '' } = made.metadata
    if (results !== undefined) await allocate(made, results)
    return { namespace: 'default', name, uid }
  }
  const allocate = async (made: ResourceClaim, results: readonly Partial<AllocatedDevice>[]) => {
    const full = results.map(result => ({ request: 'gpu', driver, pool: 'n1', device: first, ...result }))
    await claimsApi.updateStatus(
      { ...made, status: { allocation: { devices: { results: full } } } },
      { namespace: 'default', signal },
    )
  }
  const published = async () => (await slices()).flatMap(({ spec }) => (spec.devices ?? []).map(({ name }) => name))
  const prepared = () => {
    try {
      return readdirSync(join(paths.draDirectory, driver, 'prepared'))
    } catch {
      return []
    }
  }
  const parts = stack.move()
  return {
    ...{
      root,
      ...paths,
      admin,
      agentApi,
      slices,
      slicesApi,
      claimsApi,
      published,
      kubelet,
      start,
      claim,
      allocate,
      prepared,
      section,
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

test('it registers after it serves, publishes the node, and prepares a claim once however often it is asked', async () => {
  await using of = await site(twoCards)
  await of.kubelet.start()
  await using agent = await of.start()
  await until(async () => (await of.published()).length === 2)
  expect(of.kubelet.newest(driver)?.info).toMatchObject({
    type: 'DRAPlugin',
    name: driver,
    endpoint: expect.stringMatching(/plugins\/gpu\.intel\.com\/dra-[0-9a-f]{8}\.sock$/),
    supportedVersions: ['v1.DRAPlugin', 'v1beta1.DRAPlugin', 'v1.DRAResourceHealth', 'v1alpha1.DRAResourceHealth'],
  })
  expect(readdirSync(of.draRegistry)).toEqual([expect.stringMatching(/^gpu\.intel\.com-[0-9a-f]{8}-reg\.sock$/)])
  const [slice] = await of.slices()
  expect(slice).toMatchObject({
    metadata: { name: '0-gpu.intel.com-n1', ownerReferences: [{ kind: 'Node', name: 'n1', uid: 'uid-n1', controller: true }] },
    spec: { driver, nodeName: 'n1', pool: { name: 'n1', generation: 1, resourceSliceCount: 1 } },
  })
  // What claims give away the plugins do not.
  expect(readdirSync(of.root)).not.toContain('kubelet')
  const claim = await of.claim('one', [{}])
  const answer = { devices: [device(first)], error: '' }
  expect(await of.kubelet.prepare(driver, [claim])).toEqual(new Map([[claim.uid, answer]]))
  const file = join(of.draDirectory, driver, 'prepared', `${claim.uid}.json`)
  const kept = readFileSync(file, 'utf8')
  expect(await of.kubelet.prepare(driver, [claim, claim], 'v1beta1')).toEqual(new Map([[claim.uid, answer]]))
  expect(readFileSync(file, 'utf8')).toBe(kept)
  expect(of.prepared()).toEqual([`${claim.uid}.json`])
  expect(parse(readFileSync(join(of.cdiDirectory, `ballast-claims-intel.com-gpu-${first}.yaml`), 'utf8'))).toMatchObject({
    cdiVersion: '0.5.0',
    kind: 'intel.com/gpu',
    devices: [{ name: first, containerEdits: { deviceNodes: [{ path: '/dev/dri/card0' }, { path: '/dev/dri/renderD128' }] } }],
  })
  expect(await of.kubelet.unprepare(driver, [claim], 'v1beta1')).toEqual(new Map([[claim.uid, { error: '' }]]))
  expect(of.prepared()).toEqual([])
  expect(agent.health().filter(({ ok }) => !ok)).toEqual([])
}, 15_000)

const device = (name: string, more: object = {}) => ({
  requestNames: ['gpu'],
  poolName: 'n1',
  deviceName: name,
  cdiDeviceIds: [`intel.com/gpu=${name}`],
  shareId: undefined,
  ...more,
})

test('one claim that cannot be prepared is told in its own entry, the others of the call are prepared', async () => {
  await using of = await site(twoCards)
  await of.kubelet.start()
  await using _agent = await of.start()
  await until(async () => (await of.published()).length === 2)
  const holder = await of.claim('holder', [{}])
  await of.kubelet.prepare(driver, [holder])
  const rows: readonly (readonly [string, readonly Partial<AllocatedDevice>[] | undefined, string])[] = [
    ['taken', [{}], `device ${first} is prepared for claim default/holder (${holder.uid})`],
    ['unknown', [{ device: 'nothing' }], 'there is no device nothing of gpu.intel.com on n1'],
    ['elsewhere', [{ pool: 'n2' }], `device ${first} is in pool n2, and this node is n1`],
    ['another', [{ driver: 'gpu.example.com' }], 'claim default/another has no device of gpu.intel.com'],
    ['waiting', undefined, 'claim default/waiting has no device of gpu.intel.com'],
    ['free', [{ device: second, request: 'gpu/a' }], ''],
    ['admin', [{ adminAccess: true }], ''],
  ]
  const claims = await Promise.all(rows.map(([name, results]) => of.claim(name, results)))
  const renamed = { ...holder, uid: '00000000-0000-4000-8000-000000000000' }
  const strangers = [
    renamed,
    { namespace: 'default', name: 'never-was', uid: '11111111-0000-4000-8000-000000000000' },
    { namespace: 'default', name: 'holder', uid: '../../../../etc/passwd' },
    { namespace: '../kube-system', name: 'holder/status', uid: 'a' },
    { namespace: '', name: '', uid: '' },
    { namespace: 'default', name: 'holder', uid: '__proto__' },
  ]
  const answers = await of.kubelet.prepare(driver, [...claims, ...strangers])
  expect(rows.map(([name], at) => [name, answers.get(claims[at]?.uid ?? '')?.error])).toEqual(
    rows.map(([name, , error]) => [name, error]),
  )
  expect(answers.get(claims[5]?.uid ?? '')?.devices).toEqual([device(second)])
  expect(answers.get(claims[6]?.uid ?? '')?.devices).toEqual([device(first)])
  expect(answers.get(renamed.uid)?.error).toBe(`claim default/holder is another one by now: its UID is ${holder.uid}`)
  expect(answers.get(strangers[1]?.uid ?? '')?.error).toBe('there is no claim default/never-was')
  for (const { uid } of strangers.slice(2))
    if (uid !== '__proto__') expect(answers.get(uid)?.error).toContain('the kubelet names no claim')
  expect(of.prepared()).toHaveLength(3)
  expect([...(await of.kubelet.unprepare(driver, strangers)).values()].every(({ error }) => error === '')).toBe(true)
  expect(of.prepared()).toHaveLength(3)
  const many = Array.from({ length: 257 }, (_, at) => ({ namespace: 'default', name: 'a', uid: `u${at}` }))
  await expect(of.kubelet.prepare(driver, many)).rejects.toThrow('257 claims in one call')
  await expect(of.kubelet.unprepare(driver, many)).rejects.toThrow('257 claims in one call')
}, 15_000)

test('shares of a card lie side by side, the card as a whole beside them does not', async () => {
  await using of = await site()
  await of.kubelet.start()
  await using _agent = await of.start({ gpu: { sharedDevNum: 3 } })
  await until(async () => (await of.published()).length === 1)
  const [slice] = await of.slices()
  expect(slice?.spec.devices?.[0]).toMatchObject({
    allowMultipleAllocations: true,
    capacity: { shares: { value: '3', requestPolicy: { default: '1', validRange: { min: '1', step: '1' } } } },
  })
  const shared = await Promise.all(
    ['a', 'b'].map(name => of.claim(name, [{ shareID: `5e9f0d0e-0000-4000-8000-00000000000${name}` }])),
  )
  const whole = await of.claim('whole', [{}])
  const answers = await of.kubelet.prepare(driver, [...shared, whole])
  expect(shared.map(({ uid }) => answers.get(uid)?.devices[0]?.shareId)).toEqual([
    '5e9f0d0e-0000-4000-8000-00000000000a',
    '5e9f0d0e-0000-4000-8000-00000000000b',
  ])
  expect(answers.get(whole.uid)?.error).toMatch(/is prepared for claim default\/[ab] /)
}, 15_000)

test('what was prepared is known after the agent was killed, and taken back after the claim is gone', async () => {
  await using of = await site()
  await of.kubelet.start()
  const earlier = await of.start()
  await until(async () => (await of.published()).length === 1)
  const claim = await of.claim('one', [{}])
  await of.kubelet.prepare(driver, [claim])
  await earlier[Symbol.asyncDispose]()
  await until(() => of.kubelet.newest(driver) === undefined)
  // A process that died between its file and its answer leaves the file, and a half one beside it.
  const folder = join(of.draDirectory, driver, 'prepared')
  writeFileSync(join(folder, `${claim.uid}.json.1.tmp`), '{"uid":')
  writeFileSync(join(folder, 'broken.json'), '{"uid":')
  await using _later = await of.start()
  await until(() => of.kubelet.newest(driver) !== undefined)
  const other = await of.claim('two', [{}])
  const answers = await of.kubelet.prepare(driver, [claim, other])
  expect(answers.get(claim.uid)).toEqual({ devices: [device(first)], error: '' })
  expect(answers.get(other.uid)?.error).toContain('is prepared for claim default/one')
  await of.claimsApi.delete('one', { namespace: 'default', signal })
  expect((await of.kubelet.prepare(driver, [claim])).get(claim.uid)?.error).toBe('there is no claim default/one')
  expect(await of.kubelet.unprepare(driver, [claim])).toEqual(new Map([[claim.uid, { error: '' }]]))
  expect(await of.kubelet.unprepare(driver, [claim])).toEqual(new Map([[claim.uid, { error: '' }]]))
  expect((await of.kubelet.prepare(driver, [other])).get(other.uid)).toEqual({ devices: [device(first)], error: '' })
}, 15_000)

test('a claim that was given another device meanwhile is prepared anew', async () => {
  await using of = await site(twoCards)
  await of.kubelet.start()
  await using _agent = await of.start()
  await until(async () => (await of.published()).length === 2)
  const claim = await of.claim('one', [{}])
  await of.kubelet.prepare(driver, [claim])
  await of.allocate(await of.claimsApi.get('one', { namespace: 'default', signal }), [{ device: second }])
  expect((await of.kubelet.prepare(driver, [claim])).get(claim.uid)?.devices).toEqual([device(second)])
  expect(of.prepared()).toHaveLength(1)
}, 15_000)

test('claims of a card that is gone are taken back by an agent that never saw it', async () => {
  await using of = await site({})
  const folder = join(of.draDirectory, driver, 'prepared')
  mkdirSync(folder, { recursive: true })
  const claim = { namespace: 'default', name: 'one', uid: '22222222-0000-4000-8000-000000000000' }
  const devices = [{ requests: ['gpu'], device: first, cdi: [`intel.com/gpu=${first}`], isAdmin: false }]
  writeFileSync(join(folder, `${claim.uid}.json`), JSON.stringify({ ...claim, pool: 'n1', devices }))
  await of.kubelet.start()
  await using _agent = await of.start()
  await until(() => of.kubelet.newest(driver) !== undefined)
  expect(await of.kubelet.unprepare(driver, [claim])).toEqual(new Map([[claim.uid, { error: '' }]]))
  expect(of.prepared()).toEqual([])
  expect(await of.slices()).toEqual([])
}, 15_000)

test('without files for CDI no claim is prepared, and with them again it is', async () => {
  await using of = await site()
  await of.kubelet.start()
  writeFileSync(of.cdiDirectory, 'a file where a folder should be')
  await using _agent = await of.start()
  await until(async () => (await of.published()).length === 1)
  const claim = await of.claim('one', [{}])
  expect((await of.kubelet.prepare(driver, [claim])).get(claim.uid)?.error).toContain('the file for CDI of intel.com/gpu=')
  expect(of.prepared()).toEqual([])
  rmSync(of.cdiDirectory)
  expect((await of.kubelet.prepare(driver, [claim])).get(claim.uid)?.error).toBe('')
}, 15_000)

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
  await using agent = await of.start()
  await until(async () => (await of.published()).length === 1)
  const [own = '', ...others] = readdirSync(of.draRegistry)
  expect(others).toEqual([])
  rmSync(join(of.draRegistry, own))
  await until(() => of.kubelet.asked.length >= 2 && of.kubelet.newest(driver) !== undefined)
  expect(readdirSync(of.draRegistry)).not.toContain(own)
  rmSync(of.kubelet.newest(driver)?.info.endpoint ?? '')
  await until(() => of.kubelet.asked.length >= 3 && of.kubelet.plugins.length === 1)
  expect(agent.health().filter(({ ok }) => !ok)).toEqual([])
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
