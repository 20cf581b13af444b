// `ballast migrate apply intel-device-plugins`, forth and back, on a twin with two nodes that have a card: each second a node has as much of it as before, and no
// pod that holds a share is started anew.
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { systemClock } from '#kube/clock.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { readValuesInput } from '#upstreams/values-input.ts'
import { openSwap } from '../src/migration/swap.ts'
import { resourceOf } from '../src/migration/writes.ts'
import { upstreamNamed } from './carried-swap.ts'
import { shareOf } from './crash-harness.ts'
import {
  DevicesSite,
  operatorInstallation,
  operatorName,
  operatorNamespace,
  plainPlugin,
  pluginObject,
  shares,
} from './devices-swap-site.ts'

const { signal } = new AbortController()
const states = ({ results }: { readonly results: readonly { id: string; state: string; said: string }[] }) =>
  results.map(({ id, state, said }) =>
    state === 'failed' || state === 'reverted' ? `${id}: ${state}: ${said}` : `${id}: ${state}`,
  )
const own = ['n1 ours', 'n2 ours']
const theirs = ['n1 upstream', 'n2 upstream']
const bothOf = ['n1 ours', 'n1 upstream', 'n2 ours', 'n2 upstream']

const gpuLabel = 'intel.feature.node.kubernetes.io/gpu'
const igpu = pluginObject('gpu', 'igpu', { sharedDevNum: shares, nodeSelector: { [gpuLabel]: 'true' } })
const withOperator = [...operatorInstallation(), igpu]
const qat = pluginObject('qat', 'qat', {})
const words = ['-shared-dev-num=5', '-v=2']
const names = (site: DevicesSite, resource: string) => site.swap.list(resource).map(({ metadata }) => metadata.name)

test('forth and back, with an operator', async () => {
  await using site = await DevicesSite.start(withOperator)
  const forth = await site.swap.apply()
  expect([forth.error, states(forth)]).toEqual([
    undefined,
    ['check', 'convert', 'install', 'hold', 'switch', 'remove', 'doctor'].map(id => `${id}: done`),
  ])
  expect([site.offering, [...site.lost]]).toEqual([own, []])
  // Objects, kinds and what others look for stay; the operator and all that came with it go.
  expect(names(site, 'gpudeviceplugins.deviceplugin.intel.com')).toEqual(['igpu'])
  expect(names(site, 'daemonsets.apps')).toEqual(['ballast-agent'])
  expect([site.swap.upstreamReplicas, names(site, 'mutatingwebhookconfigurations.admissionregistration.k8s.io')]).toEqual([
    undefined,
    [],
  ])
  await site.swap.pass(120_000)
  expect([...site.lost]).toEqual([])

  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back)]).toEqual([undefined, ['check', 'restore', 'offer', 'switch'].map(id => `${id}: done`)])
  expect([site.offering, [...site.lost]]).toEqual([theirs, []])
  expect([site.swap.upstreamReplicas, site.swap.isEnabled]).toEqual([1, false])
  const [set] = site.swap.list('daemonsets.apps').filter(({ metadata }) => metadata.namespace === operatorNamespace)
  expect([set?.metadata.name, set?.metadata.ownerReferences?.[0]?.name]).toEqual(['intel-gpu-plugin-igpu', 'igpu'])
  expect(names(site, 'mutatingwebhookconfigurations.admissionregistration.k8s.io')).toEqual(['inteldeviceplugins-mutating'])

  // A second time, as if it were the first.
  const again = await site.swap.apply()
  expect([again.error, states(again).at(-1), site.offering, [...site.lost]]).toEqual([undefined, 'doctor: done', own, []])
}, 300_000)

test('an operator that looks after other devices stays awake, with its DaemonSets', async () => {
  await using site = await DevicesSite.start([...withOperator, qat])
  const forth = await site.swap.apply()
  expect([forth.error, states(forth).at(-1)]).toEqual([undefined, 'doctor: done'])
  expect(forth.results.find(({ id }) => id === 'hold')?.said).toContain('stays awake, since it looks after QatDevicePlugin qat')
  expect([site.swap.upstreamReplicas, site.offering, [...site.lost]]).toEqual([1, own, []])
  const object = site.swap.find('gpudeviceplugins.deviceplugin.intel.com', 'igpu')
  expect(at(object, 'spec', 'nodeSelector')).toEqual({ [gpuLabel]: 'true', 'ballast.dev/asleep': 'true' })
  await site.swap.pass(60_000)
  expect(site.offering).toEqual(own)
  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back).at(-1), site.offering, [...site.lost]]).toEqual([undefined, 'switch: done', theirs, []])
  const woken = site.swap.find('gpudeviceplugins.deviceplugin.intel.com', 'igpu')
  expect(at(woken, 'spec', 'nodeSelector')).toEqual({ [gpuLabel]: 'true' })
}, 300_000)

test('a DaemonSet of plain manifests, without an operator', async () => {
  await using site = await DevicesSite.start([plainPlugin(words)])
  const forth = await site.swap.apply()
  expect([forth.error, states(forth).at(-1), site.offering, [...site.lost]]).toEqual([undefined, 'doctor: done', own, []])
  expect(names(site, 'daemonsets.apps')).toEqual(['ballast-agent'])
  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back).at(-1), site.offering, [...site.lost]]).toEqual([undefined, 'switch: done', theirs, []])
  const set = site.swap.find('daemonsets.apps', 'intel-gpu-plugin')
  expect(at(set, 'spec', 'template', 'spec', 'nodeSelector')).toEqual({ [gpuLabel]: 'true' })
}, 300_000)

test('a pod of ours that finds no card, though it is ready: upstream stays, and goes once it does', async () => {
  await using site = await DevicesSite.start(withOperator)
  site.blindOn = 'n2'
  const { results } = await site.swap.apply()
  expect(results.at(-1)).toMatchObject({ id: 'install', state: 'failed' })
  expect(results.at(-1)?.said).toMatch(/n2: ballast-agent-\S+ does not say that it is registered for gpu\.intel\.com\/i915/)
  expect([site.swap.upstreamReplicas, site.offering, [...site.lost]]).toEqual([1, ['n1 ours', 'n1 upstream', 'n2 upstream'], []])
  site.blindOn = undefined
  expect(states(await site.swap.apply()).at(-1)).toBe('doctor: done')
  expect([site.offering, [...site.lost]]).toEqual([own, []])
}, 300_000)

test('ours become blind between the proof and the switch: upstream is not stopped', async () => {
  await using site = await DevicesSite.start([plainPlugin(words)])
  await site.swap.apply({ which: { kind: 'only', index: 2 } })
  expect(site.offering).toEqual(bothOf)
  site.blindOn = 'n1'
  const { results } = await site.swap.apply({ which: { kind: 'only', index: 4 } })
  expect(results.at(-1)?.state).toBe('reverted')
  expect([site.offering, [...site.lost]]).toEqual([['n1 upstream', 'n2 ours', 'n2 upstream'], []])
}, 300_000)

test("Helm's own record is deleted only with consent, and the way back begins anywhere", async () => {
  await using site = await DevicesSite.start(withOperator)
  const refused = await site.swap.apply({ forgetRelease: false })
  expect(refused.results.at(-1)).toMatchObject({ id: 'remove', state: 'failed' })
  expect(refused.results.at(-1)?.said).toContain('--forget-release')
  const back = await site.swap.apply({ back: true })
  expect([back.error, back.isDone, site.offering, [...site.lost]]).toEqual([undefined, true, theirs, []])
}, 300_000)

test('two objects with different settings stop it before anything is written', async () => {
  const other = pluginObject('gpu', 'other', { sharedDevNum: 2, nodeSelector: { pool: 'other' } })
  await using site = await DevicesSite.start([...withOperator, other])
  const { results } = await site.swap.apply()
  expect(results.at(-1)).toMatchObject({ id: 'convert', state: 'failed' })
  expect(results.at(-1)?.said).toContain('sharedDevNum is 2, and 5 of GpuDevicePlugin igpu')
  expect([site.offering, names(site, 'deployments.apps').toSorted()]).toEqual([theirs, [operatorName, 'player']])
}, 120_000)

/** Ballast as somebody installed it. */
async function install(site: DevicesSite, section: object, enable: readonly string[]): Promise<void> {
  const preset = { namespace: { create: true }, agent: { resources: { requests: { cpu: '77m' } } } }
  const text = stringify({ capabilities: { devices: section } })
  const values = installationValues({ values: { file: 'values', text }, preset, enable }, enabledCapabilities)
  const made = objects(values, { capabilities: enabledCapabilities, release: plainRelease('ballast', 'ballast-system') })
  for (const object of made) {
    const { namespace } = object.metadata
    await site.swap.admin
      .resource<KubeObject>(resourceOf(object))
      .apply(object, { signal, fieldManager: 'ballast-install', force: true, ...(namespace === undefined ? {} : { namespace }) })
  }
  await site.swap.pass(60_000)
}

const sectionOf = (site: DevicesSite) => {
  const text = textAt(site.swap.find('configmaps', 'ballast-config'), 'data', 'config.yaml') ?? ''
  return at(parse(text), 'capabilities', 'devices')
}

test('agents with another role keep it, with what a person gave them: one container comes, and goes', async () => {
  await using site = await DevicesSite.start(withOperator)
  await install(site, {}, ['readiness'])
  const containers = () =>
    (
      at(site.swap.find('daemonsets.apps', 'ballast-agent'), 'spec', 'template', 'spec', 'containers') as readonly KubeObject[]
    ).map(one => [Reflect.get(one, 'name'), textAt(one, 'resources', 'requests', 'cpu')])
  expect(containers()).toEqual([['readiness', '77m']])
  const forth = await site.swap.apply()
  expect([forth.error, states(forth).at(-1), [...site.lost]]).toEqual([undefined, 'doctor: done', []])
  expect(containers()).toEqual([
    ['readiness', '77m'],
    ['devices', '10m'],
  ])
  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back).at(-1), [...site.lost]]).toEqual([undefined, 'switch: done', []])
  expect(containers()).toEqual([['readiness', '77m']])
}, 300_000)

test('ours that offers otherwise than upstream is named before anything is written', async () => {
  await using site = await DevicesSite.start([plainPlugin(words)])
  await install(site, { gpu: { enabled: false }, amd: { sharedDevNum: 3 } }, ['devices'])
  const refused = await site.swap.apply()
  expect(refused.results.at(-1)).toMatchObject({ id: 'convert', state: 'failed' })
  expect(refused.results.at(-1)?.said).toContain('capabilities.devices.gpu.enabled')
  expect([site.offering.filter(one => one.endsWith('upstream')), sectionOf(site)]).toEqual([
    theirs,
    expect.objectContaining({ amd: expect.objectContaining({ sharedDevNum: 3 }) }),
  ])
}, 120_000)

test('ours that offers GPUs of AMD goes on with them', async () => {
  await using site = await DevicesSite.start([plainPlugin(words)])
  await install(site, { gpu: { sharedDevNum: shares }, amd: { sharedDevNum: 3 } }, ['devices'])
  expect(states(await site.swap.apply()).at(-1)).toBe('doctor: done')
  expect(sectionOf(site)).toMatchObject({ amd: { sharedDevNum: 3 }, gpu: { sharedDevNum: shares } })
  expect([at(sectionOf(site), 'amd', 'enabled') ?? true, site.offering, [...site.lost]]).toEqual([true, own, []])
}, 120_000)

test('what plan prints to convert has all that is read', async () => {
  await using site = await DevicesSite.start([...withOperator, plainPlugin(['-shared-dev-num=2'], 'kube-system', 'npu')])
  const place = {
    api: site.swap.admin,
    clock: systemClock,
    capabilities: enabledCapabilities,
    upstream: upstreamNamed('intel-device-plugins'),
    signal,
  }
  const { steps } = await openSwap(place, { holder: 'a test' })
  const command = steps.find(({ id }) => id === 'convert')?.command ?? ''
  const named = [...command.matchAll(/get (\S+) (\S+) -o yaml/g)].map(([, kind = '', name = '']) => [kind, name] as const)
  expect(named.toSorted()).toEqual([
    ['daemonset', 'intel-npu-plugin'],
    ['gpudeviceplugins.deviceplugin.intel.com', 'igpu'],
  ])
  const documents = named.map(([kind, name]) => {
    const isSet = kind === 'daemonset'
    const found = site.swap.find(isSet ? 'daemonsets.apps' : kind, name)
    return stringify(isSet ? { ...found, apiVersion: 'apps/v1', kind: 'DaemonSet' } : found)
  })
  const { replaced } = upstreamNamed('intel-device-plugins')
  const input = readValuesInput('printed', documents.join('---\n'), replaced.chart ?? '', replaced.plainKinds, replaced)
  const { values, isLossy } = replaced.convertWorkload(input.workload ?? {}, { beside: input.beside ?? [], namespace: undefined })
  expect([isLossy, values]).toEqual([
    false,
    {
      capabilities: {
        devices: {
          enabled: true,
          amd: { enabled: false },
          gpu: { enabled: true, sharedDevNum: shares },
          npu: { enabled: true, sharedDevNum: 2 },
        },
      },
    },
  ])
}, 120_000)

describe('killed at any write, another run ends it, and no node lacks a card', () => {
  const worlds: readonly (readonly [string, readonly KubeObject[], boolean])[] = [
    ['an operator, forth', withOperator, false],
    ['an operator, back', withOperator, true],
    ['an operator that stays, forth', [...withOperator, qat], false],
    ['an operator that stays, back', [...withOperator, qat], true],
    ['plain manifests, forth', [plainPlugin(words)], false],
    ['plain manifests, back', [plainPlugin(words)], true],
  ]
  test.each(worlds)(
    '%s',
    async (_named, world, back) => {
      const writes = await (async () => {
        await using site = await DevicesSite.start(world)
        const forth = await site.swap.apply()
        return (back ? await site.swap.apply({ back }) : forth).writes
      })()
      // Some of the many writes that apply our objects are chosen, and all other writes.
      const telling = writes.flatMap((write, index) =>
        !/^PATCH .*(ballast|admission)/.test(write) || index % 8 === 0 ? [index + 1] : [],
      )
      expect(telling.length).toBeGreaterThan(5)
      for (const write of shareOf(telling))
        for (const when of ['before', 'after'] as const) {
          await using site = await DevicesSite.start(world)
          if (back) await site.swap.apply()
          const killed = await site.swap.apply({ back, kill: { write, when }, holder: 'ann' })
          const next = await site.swap.apply({ back, holder: 'ann' })
          const named = `killed ${when} write ${write}, ${killed.writes.at(-1)}: ${JSON.stringify(next.results)}`
          expect([next.error?.message, next.isDone], named).toEqual([undefined, true])
          expect([site.offering, [...site.lost]], named).toEqual([back ? theirs : own, []])
        }
    },
    900_000,
  )
})

test('rights that are missing are told before anything is written', async () => {
  await using site = await DevicesSite.start([plainPlugin(words)])
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ann', namespace: 'default' } }
  await site.swap.admin.resource<KubeObject>(builtIn.serviceaccounts).create(account, { namespace: 'default', signal })
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'ann' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'ann', namespace: 'default' }],
  }
  await site.swap.admin.resource<KubeObject>(builtIn.clusterrolebindings).create(binding, { signal })
  const reader = await site.swap.admin.resource<KubeObject>(builtIn.clusterroles).create(
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'all-seeing', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] }],
    },
    { signal },
  )
  expect(reader.metadata.name).toBe('all-seeing')
  await site.swap.pass(5_000)
  const token = await site.swap.twin.issueToken({ namespace: 'default', serviceAccount: 'ann', seconds: 86_400 })
  const place = {
    api: site.swap.api(site.swap.twin.transport({ token })),
    clock: systemClock,
    capabilities: enabledCapabilities,
    upstream: upstreamNamed('intel-device-plugins'),
    signal,
  }
  const { missingAccess } = await openSwap(place, { holder: 'ann' })
  expect(await missingAccess()).toMatch(/daemonsets\.apps/)
}, 120_000)
