// `ballast migrate apply amd-device-plugin`, forth and back, on a twin with two nodes that have two GPUs: each second a node has as many as before, and no
// pod that holds one is started anew.
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { at, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { shareOf } from './crash-harness.ts'
import { amd, amdPluginSet, DevicesSite } from './devices-swap-site.ts'

const { signal } = new AbortController()
const own = ['n1 ours', 'n2 ours']
const theirs = ['n1 upstream', 'n2 upstream']
const bothOf = ['n1 ours', 'n1 upstream', 'n2 ours', 'n2 upstream']
const world = [amdPluginSet(['-logtostderr=true', '-pulse=10'])]
/** The labeller has the same image, and is not touched. */
const labeller: KubeObject = (() => {
  const set = amdPluginSet([])
  const labels = { name: 'amdgpu-lr-ds' }
  const container = { name: 'amdgpu-lr-cntr', image: 'rocm/k8s-device-plugin:labeller-latest', command: ['./k8s-node-labeller'] }
  return {
    ...set,
    metadata: { name: 'amdgpu-labeller-daemonset', namespace: 'kube-system' },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } },
  }
})()

const states = ({ results }: { readonly results: readonly { id: string; state: string; said: string }[] }) =>
  results.map(({ id, state, said }) => (state === 'done' || state === 'was so' ? `${id}: done` : `${id}: ${state}: ${said}`))
const sets = (site: DevicesSite) =>
  site.swap
    .list('daemonsets.apps')
    .map(({ metadata }) => metadata.name)
    .toSorted()

function sectionOf(site: DevicesSite): unknown {
  const text = textAt(site.swap.find('configmaps', 'ballast-config'), 'data', 'config.yaml') ?? ''
  return at(parse(text), 'capabilities', 'devices')
}

test('forth and back, and again; the labeller stays as it is', async () => {
  await using site = await DevicesSite.start([...world, labeller], amd)
  const forth = await site.swap.apply()
  expect([forth.error, states(forth)]).toEqual([
    undefined,
    ['check', 'convert', 'install', 'hold', 'switch', 'remove', 'doctor'].map(id => `${id}: done`),
  ])
  expect([site.offering, sets(site), [...site.lost]]).toEqual([own, ['amdgpu-labeller-daemonset', 'ballast-agent'], []])
  const off = { enabled: false }
  expect(sectionOf(site)).toMatchObject({ enabled: true, gpu: off, npu: off, amd: { enabled: true, health: 'kfd' } })
  await site.swap.pass(120_000)
  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back)]).toEqual([undefined, ['check', 'restore', 'offer', 'switch'].map(id => `${id}: done`)])
  expect([site.offering, sets(site), site.swap.isEnabled, [...site.lost]]).toEqual([
    theirs,
    ['amdgpu-device-plugin-daemonset', 'amdgpu-labeller-daemonset'],
    false,
    [],
  ])
  const again = await site.swap.apply()
  expect([again.error, states(again).at(-1), site.offering, [...site.lost]]).toEqual([undefined, 'doctor: done', own, []])
}, 300_000)

test('back where ours offers GPUs of Intel too: these stay, and the role with them', async () => {
  await using site = await DevicesSite.start(world, amd)
  const forth = await site.swap.apply()
  expect([forth.error, states(forth).at(-1)]).toEqual([undefined, 'doctor: done'])
  // As after a swap of Intel's plugins.
  for (const file of site.swap.list('configmaps').filter(({ metadata }) => metadata.name === 'ballast-config')) {
    const config = parse(textAt(file, 'data', 'config.yaml') ?? '')
    if (at(config, 'capabilities', 'devices') === undefined) continue
    config.capabilities.devices.gpu = { enabled: true, sharedDevNum: 5 }
    const { name, namespace } = file.metadata
    const body = { data: { 'config.yaml': stringify(config) } }
    const options = { signal, ...(namespace === undefined ? {} : { namespace }) }
    await site.swap.admin.resource(builtIn.configmaps).patch(name, { type: 'merge', body }, options)
  }
  await site.swap.pass(60_000)
  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back).at(-1), site.offering, [...site.lost]]).toEqual([undefined, 'switch: done', theirs, []])
  expect(sets(site)).toEqual(['amdgpu-device-plugin-daemonset', 'ballast-agent'])
  expect(sectionOf(site)).toMatchObject({ enabled: true, gpu: { enabled: true, sharedDevNum: 5 }, amd: { enabled: false } })
}, 300_000)

test('ours find no GPU: upstream stays, and goes once they do', async () => {
  await using site = await DevicesSite.start(world, amd)
  site.blindOn = 'n2'
  const { results } = await site.swap.apply()
  expect(results.at(-1)).toMatchObject({ id: 'install', state: 'failed' })
  expect(results.at(-1)?.said).toMatch(/n2: ballast-agent-\S+ does not say that it is registered for amd\.com\/gpu/)
  expect([site.offering, [...site.lost]]).toEqual([['n1 ours', 'n1 upstream', 'n2 upstream'], []])
  site.blindOn = undefined
  expect(states(await site.swap.apply()).at(-1)).toBe('doctor: done')
  expect([site.offering, [...site.lost]]).toEqual([own, []])
}, 300_000)

test('ours become blind between the proof and the switch: upstream is not stopped', async () => {
  await using site = await DevicesSite.start(world, amd)
  await site.swap.apply({ which: { kind: 'only', index: 2 } })
  expect(site.offering).toEqual(bothOf)
  site.blindOn = 'n1'
  const { results } = await site.swap.apply({ which: { kind: 'only', index: 4 } })
  expect(results.at(-1)?.state).toBe('reverted')
  expect([site.offering, [...site.lost]]).toEqual([['n1 upstream', 'n2 ours', 'n2 upstream'], []])
}, 300_000)

test('a flag that ours does not know stops it before anything is written', async () => {
  await using site = await DevicesSite.start([amdPluginSet(['-pulse=10', '-resource_naming_strategy=double'])], amd)
  const { results } = await site.swap.apply()
  expect(results.at(-1)).toMatchObject({ id: 'convert', state: 'failed' })
  expect(results.at(-1)?.said).toContain('--resource_naming_strategy')
  expect([site.offering, sets(site)]).toEqual([theirs, ['amdgpu-device-plugin-daemonset']])
}, 120_000)

describe('killed at any write, another run ends it, and no node lacks a GPU', () => {
  test.each([
    ['forth', false],
    ['back', true],
  ] as const)(
    '%s',
    async (_named, back) => {
      const writes = await (async () => {
        await using site = await DevicesSite.start(world, amd)
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
          await using site = await DevicesSite.start(world, amd)
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
