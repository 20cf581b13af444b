// `ballast migrate apply nfd`, forth and back, on a twin with two nodes: no label, annotation, resource or taint is away or otherwise for a second, and each
// node is described at every moment.
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { readValuesInput } from '#upstreams/values-input.ts'
import { openSwap } from '../src/migration/swap.ts'
import { upstreamNamed } from './carried-swap.ts'
import { shareOf } from './crash-harness.ts'
import { featuresOf, nodeFeatures } from './features-cluster.ts'
import { installWithReadiness, NfdSite, nfdInstallation, nfdNamespace, podOf } from './nfd-swap-site.ts'

const states = ({ results }: { readonly results: readonly { id: string; state: string; said: string }[] }) =>
  results.map(({ id, state, said }) =>
    state === 'failed' || state === 'reverted' ? `${id}: ${state}: ${said}` : `${id}: ${state}`,
  )
const forthSteps = ['check', 'convert', 'hold', 'install', 'compare', 'retire', 'switch', 'remove', 'doctor']
const backSteps = ['check', 'restore', 'hold', 'publish', 'retire', 'switch']

test('forth and back: nothing is lost of any node, and who publishes changes', async () => {
  await using site = await NfdSite.start()
  expect(site.published).toEqual([`${nfdNamespace}/n1`, `${nfdNamespace}/n2`])
  const forth = await site.swap.apply({ forgetRelease: true })
  expect([forth.error, states(forth)]).toEqual([
    undefined,
    forthSteps.map(id => `${id}: ${id === 'compare' ? 'was so' : 'done'}`),
  ])
  expect([site.published, [...site.lost]]).toEqual([['ballast-agent/n1', 'ballast-agent/n2'], []])
  expect(site.swap.list('daemonsets.apps').map(({ metadata }) => metadata.name)).toEqual(['ballast-agent'])
  await site.swap.pass(120_000)
  expect([...site.lost]).toEqual([])

  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back)]).toEqual([undefined, backSteps.map(id => `${id}: done`)])
  expect([site.published, [...site.lost]]).toEqual([[`${nfdNamespace}/n1`, `${nfdNamespace}/n2`], []])
  expect([site.swap.upstreamReplicas, site.swap.isEnabled]).toEqual([1, false])
}, 280_000)

const { signal } = new AbortController()
const theirs = [`${nfdNamespace}/n1`, `${nfdNamespace}/n2`]
const own = ['ballast-agent/n1', 'ballast-agent/n2']

test('what plan prints to convert has all that is read: nothing is lost by it', async () => {
  await using site = await NfdSite.start()
  const place = {
    api: site.swap.admin,
    clock: systemClock,
    capabilities: enabledCapabilities,
    upstream: upstreamNamed('nfd'),
    signal,
  }
  const { steps } = await openSwap(place, { holder: 'a test' })
  const command = steps.find(({ id }) => id === 'convert')?.command ?? ''
  const named = [...command.matchAll(/get (\w+) (\S+) -o yaml/g)].map(([, kind, name]) => `${kind} ${name}`)
  const documents = named.map(one => {
    const [kind = '', name = ''] = one.split(' ')
    const list = kind === 'configmap' ? 'configmaps' : `${kind}s.apps`
    const found = site.swap.list(list).find(({ metadata }) => metadata.name === name)
    const apiVersion = kind === 'configmap' ? 'v1' : 'apps/v1'
    return stringify({
      ...found,
      apiVersion,
      kind: { configmap: 'ConfigMap', deployment: 'Deployment', daemonset: 'DaemonSet' }[kind],
    })
  })
  const { replaced } = upstreamNamed('nfd')
  const input = readValuesInput('printed', documents.join('---\n'), replaced.chart ?? '', replaced.plainKinds)
  const { report, isLossy } = replaced.convertWorkload(input.workload ?? {}, { beside: input.beside ?? [], namespace: undefined })
  expect([named.length, isLossy, report.map(({ to }) => to)]).toEqual([
    4,
    false,
    expect.arrayContaining(['capabilities.features.master.extraLabelNs', 'capabilities.features.worker.core.ownerRefs']),
  ])
}, 60_000)

test('the site sees what would be wrong: both publish while upstream decides, which no step does', async () => {
  await using site = await NfdSite.start()
  const early = await site.swap.apply({ which: { kind: 'only', index: 3 } })
  expect(states(early)).toEqual([expect.stringContaining('install: reverted')])
  expect([site.published, [...site.lost]]).toEqual([theirs, []])
  const second = featuresOf('n1', '7d51')
  const twice = { ...second, metadata: { ...second.metadata, namespace: 'default' } }
  await site.swap.admin.resource<KubeObject>(nodeFeatures).create(twice, { namespace: 'default', signal })
  await site.swap.pass(5_000)
  expect([...site.lost]).toEqual(['n1: gpu.example.com/count is 2'])
}, 120_000)

test('agents that do not publish: it is put back, and upstream decides again', async () => {
  await using site = await NfdSite.start()
  site.isMute = true
  const { results, isDone } = await site.swap.apply()
  expect(isDone).toBe(false)
  expect(results.at(-1)).toMatchObject({ id: 'install', state: 'reverted' })
  expect(results.at(-1)?.said).toContain('not described in ballast-agent yet: n1, n2')
  expect([site.swap.upstreamReplicas, site.published, [...site.lost]]).toEqual([1, theirs, []])
  site.isMute = false
  expect(states(await site.swap.apply()).at(-1)).toBe('doctor: done')
  expect([site.published, [...site.lost]]).toEqual([own, []])
}, 180_000)

test('what ours would decide otherwise is named, and all of it put back', async () => {
  await using site = await NfdSite.start()
  const body = {
    metadata: {
      labels: { 'gpu.example.com/odd': 'x' },
      annotations: {
        'nfd.node.kubernetes.io/feature-labels':
          'gpu.example.com/count,gpu.example.com/device-7d51,gpu.example.com/odd,gpu.example.com/present,plain',
      },
    },
  }
  await site.swap.admin.resource(builtIn.nodes).patch('n1', { type: 'merge', body }, { signal })
  const { results } = await site.swap.apply()
  expect(results.at(-1)).toMatchObject({ id: 'compare', state: 'reverted' })
  expect(results.at(-1)?.said).toContain('n1: label gpu.example.com/odd would go')
  expect([site.swap.upstreamReplicas, site.published, [...site.lost]]).toEqual([1, theirs, []])
}, 180_000)

test("Helm's own record is deleted only with consent, and the way back begins anywhere", async () => {
  await using site = await NfdSite.start()
  const refused = await site.swap.apply({ forgetRelease: false })
  expect(refused.results.at(-1)).toMatchObject({ id: 'remove', state: 'failed' })
  expect(refused.results.at(-1)?.said).toContain('prunes')
  const back = await site.swap.apply({ back: true })
  expect([back.error, back.isDone]).toEqual([undefined, true])
  expect([site.swap.upstreamReplicas, site.published, [...site.lost]]).toEqual([1, theirs, []])
}, 180_000)

test('the topology updater, which ours does not replace, stops it before anything is written', async () => {
  const updater = nfdInstallation().find(({ kind }) => kind === 'DaemonSet')
  const text = JSON.stringify(updater).replaceAll('-worker', '-topology-updater').replaceAll('"worker"', '"topology-updater"')
  await using site = await NfdSite.start([JSON.parse(text)])
  const { results } = await site.swap.apply()
  expect(results.at(-1)).toMatchObject({ id: 'convert', state: 'failed' })
  expect(results.at(-1)?.said).toContain('topologyUpdater.enable')
  expect(site.published).toEqual(theirs)
}, 120_000)

test('agents with another role keep it, with what a person gave them: one container comes, and goes', async () => {
  await using site = await NfdSite.start()
  // Ballast is there with its role for readiness, which somebody has changed.
  await installWithReadiness(site)
  const containers = () => (podOf(site)?.containers ?? []).map(({ name, resources }) => [name, resources?.requests?.cpu])
  expect(containers()).toEqual([['readiness', '77m']])
  const forth = await site.swap.apply()
  expect([forth.error, states(forth).at(-1)]).toEqual([undefined, 'doctor: done'])
  expect(containers()).toEqual([
    ['readiness', '77m'],
    ['features', '10m'],
  ])
  expect([site.published, [...site.lost]]).toEqual([own, []])
  const back = await site.swap.apply({ back: true })
  expect([back.error, states(back).at(-1)]).toEqual([undefined, 'switch: done'])
  expect(containers()).toEqual([['readiness', '77m']])
  expect([site.published, [...site.lost]]).toEqual([theirs, []])
}, 280_000)

describe('killed at any write, another run ends it, and nothing is lost of any node', () => {
  test.each([false, true])(
    'back: %s',
    async back => {
      const writes = await (async () => {
        await using site = await NfdSite.start()
        const forth = await site.swap.apply()
        return (back ? await site.swap.apply({ back }) : forth).writes
      })()
      // Some of the many writes that apply our objects are chosen, and all other writes.
      const telling = writes.flatMap((write, at) => (!/^PATCH .*(ballast|admission)/.test(write) || at % 8 === 0 ? [at + 1] : []))
      expect(telling.length).toBeGreaterThan(10)
      for (const write of shareOf(telling)) {
        await using site = await NfdSite.start()
        if (back) await site.swap.apply()
        const killed = await site.swap.apply({ back, kill: { write, when: 'after' }, holder: 'ann' })
        const next = await site.swap.apply({ back, holder: 'ann' })
        const named = `killed after write ${write}, ${killed.writes.at(-1)}: ${JSON.stringify(next.results)}`
        expect([next.error?.message, next.isDone], named).toEqual([undefined, true])
        expect([site.published, [...site.lost]], named).toEqual([back ? theirs : own, []])
      }
    },
    900_000,
  )
})
