// Devices by claims before a kubelet that is played and a twin of an API server: what is published, what is prepared, and what of it survives.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { AllocatedDevice } from '#cluster/devices/device-shapes.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { device, driver, first, second, signal, site, twoCards, until } from './devices-claims-site.ts'
import { amdCard, kfd, merged, npu } from './real/devices/device-trees.ts'

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
  await until(() => agent.health().every(({ ok }) => ok))
}, 15_000)

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

test('a server that does not say what a claim has loses nothing that was prepared', async () => {
  let isAway = false
  await using of = await site(twoCards, request => {
    if (isAway && request.path.includes('/resourceclaims/')) throw new OutsideError('the API server is away')
    return request
  })
  await of.kubelet.start()
  await using _agent = await of.start()
  await until(async () => (await of.published()).length === 2)
  const before = await of.claim('before', [{}])
  const after = await of.claim('after', [{ device: second }])
  await of.kubelet.prepare(driver, [before])
  isAway = true
  const answers = await of.kubelet.prepare(driver, [before, after])
  expect(answers.get(before.uid)).toEqual({ devices: [device(first)], error: '' })
  expect(answers.get(after.uid)?.error).toBe('claim default/after cannot be read: the API server is away')
  isAway = false
  expect((await of.kubelet.prepare(driver, [after])).get(after.uid)?.error).toBe('')
}, 15_000)

test('each kind of device has a driver of its own, and the plugins what they are left', async () => {
  await using of = await site(
    merged(twoCards, npu(0, '0x7d1d'), kfd(), amdCard({ address: '0000:05:00.0', card: 2, render: 130, numa: '-1' })),
  )
  await of.kubelet.start()
  await using agent = await of.start({ gpu: { enableMonitoring: true } })
  await until(async () => (await of.published()).length === 4)
  const drivers = ['gpu.amd.com', 'gpu.intel.com', 'npu.intel.com']
  expect((await of.slices()).map(({ spec }) => spec.driver).sort()).toEqual(drivers)
  expect(drivers.map(name => of.kubelet.newest(name)?.info.name)).toEqual(drivers)
  expect(readdirSync(of.cdiDirectory).filter(file => file.startsWith('ballast-claims-'))).toEqual([
    'ballast-claims-amd.com-gpu-0000-05-00-0-0x15d8.yaml',
    `ballast-claims-intel.com-gpu-${first}.yaml`,
    `ballast-claims-intel.com-gpu-${second}.yaml`,
    'ballast-claims-intel.com-npu-0000-00-0b-0-0x7d1d.yaml',
  ])
  const offered = () => agent.health().flatMap(({ name }) => (name.startsWith('device-plugin-') ? [name] : []))
  expect(offered()).toEqual(['device-plugin-gpu.intel.com/monitoring'])
  await agent.reconfigure(of.section({ dra: { enabled: true, alsoByPlugin: true } }))
  await until(() => offered().length === 4)
}, 15_000)
