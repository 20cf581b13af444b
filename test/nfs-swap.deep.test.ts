// `ballast migrate apply csi-driver-nfs`, forth and back, on a twin with three nodes: node by node, then who makes volumes; killed at every telling write. Never are two
// drivers on a node or two makers of volumes, and what is mounted, volumes, class and CSIDriver stay as they are.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { shareOf } from './crash-harness.ts'
import { nfsInstallation } from './nfs-swap-objects.ts'
import { linuxNode, NfsSite, nodeNames } from './nfs-swap-site.ts'

type Applied = Awaited<ReturnType<NfsSite['apply']>>

const states = ({ results }: Applied) => results.map(({ id, state, said }) => (state === 'done' ? id : `${id} ${state}: ${said}`))
const everyNode = (whose: string, names = nodeNames) => new Map(names.map(name => [name, [whose]]))
const specOf = (site: NfsSite, resource: string, name: string) => site.find(resource, name)?.['spec']
const forthSteps = ['check', 'keep', 'convert', 'pin', 'install', 'mark', 'switch', 'lead', 'remove', 'open', 'doctor']
const backSteps = ['check', 'mark', 'pin', 'restore', 'switch', 'lead', 'off', 'open', 'doctor']

test('forth: nodes one by one, then who makes volumes; back: upstream is as it was', async () => {
  await using site = await NfsSite.start(nfsInstallation({ controller: { replicas: 2 }, snapshots: true }))
  const before = ['csi-nfs-node', 'csi-nfs-controller', 'snapshot-controller'].map(
    name => specOf(site, 'daemonsets.apps', name) ?? specOf(site, 'deployments.apps', name),
  )
  const forth = await site.apply()
  expect([forth.error, states(forth)]).toEqual([undefined, forthSteps])
  expect(forth.told).toEqual([1, 2, 3].map(at => `node n${at} (${at} of 3): csi-driver-nfs goes, ballast comes`))
  expect([site.drivers(), new Set(site.leading())]).toEqual([everyNode('ours'), new Set(['ours'])])
  expect([site.marks, [...site.harm]]).toEqual([[], []])
  // As many as upstream had, and what its snapshot controller did.
  expect(numberAt(site.find('deployments.apps', 'ballast-nfs-controller'), 'spec', 'replicas')).toBe(2)
  const config = site.list('configmaps').find(({ metadata }) => metadata.namespace === 'ballast-agent')
  expect(textAt(config, 'data', 'config.yaml')).toMatch(/nfs:\n {4}enabled: true/)
  expect(textAt(config, 'data', 'config.yaml')).toContain('"controller":true')
  for (const name of ['csi-nfs-controller', 'snapshot-controller', 'csi-nfs-node'])
    expect([name, site.find('deployments.apps', name), site.find('daemonsets.apps', name)]).toEqual([name, undefined, undefined])
  expect(site.list('secrets').filter(({ metadata }) => metadata.name.startsWith('sh.helm'))).toEqual([])

  const back = await site.apply({ back: true })
  expect([back.error, states(back)]).toEqual([undefined, backSteps])
  expect([site.drivers(), new Set(site.leading())]).toEqual([everyNode('upstream'), new Set(['upstream'])])
  expect([site.marks, [...site.harm]]).toEqual([[], []])
  const after = ['csi-nfs-node', 'csi-nfs-controller', 'snapshot-controller'].map(
    name => specOf(site, 'daemonsets.apps', name) ?? specOf(site, 'deployments.apps', name),
  )
  expect(after).toEqual(before)
  expect(site.find('daemonsets.apps', 'ballast-agent-nfs')).toBeUndefined()
  expect(site.find('deployments.apps', 'ballast-nfs-controller')).toBeUndefined()
  expect(site.find('deployments.apps', 'ballast-controller')).toBeDefined()
})

test('a claim that is made at any moment is bound, once', async () => {
  await using site = await NfsSite.start()
  let made = 0
  site.meanwhile = async () => {
    made++
    await site.claim(`claim-${made}`)
  }
  const forth = await site.apply()
  const back = await site.apply({ back: true })
  await site.pass(30_000)
  expect([forth.isDone, back.isDone]).toEqual([true, true])
  expect(made).toBeGreaterThan(100)
  const claims = Array.from({ length: made }, (_, at) => `claim-${at + 1}`)
  expect(claims.filter(name => !site.isBound(name))).toEqual([])
  expect(site.list('persistentvolumes')).toHaveLength(made + 1)
  expect([...site.harm]).toEqual([])
})

describe('killed at any write, another run ends it', () => {
  const ways = [
    ['forth', false, 'after', /./],
    ['forth', false, 'before', /nodes|deployments|daemonsets/],
    ['back', true, 'after', /./],
    ['back', true, 'before', /nodes|deployments|daemonsets/],
  ] as const
  test.each(ways)('%s, back: %s, killed %s a write like %s', async (_name, back, when, like) => {
    const writes = await (async () => {
      await using site = await NfsSite.start()
      const forth = await site.apply()
      return (back ? await site.apply({ back }) : forth).writes
    })()
    // Some of the many writes that apply our objects are chosen, and all other writes.
    const isTelling = (write: string, at: number) => like.test(write) && (!/force=true/.test(write) || at % 12 === 0)
    const telling = writes.flatMap((write, at) => (isTelling(write, at) ? [at + 1] : []))
    expect(telling.length).toBeGreaterThan(5)
    for (const write of shareOf(telling)) {
      await using site = await NfsSite.start()
      if (back) await site.apply()
      const killed = await site.apply({ back, kill: { write, when }, holder: 'ann' })
      const next = await site.apply({ back, holder: 'ann' })
      const named = `killed ${when} write ${write}, ${killed.writes.at(-1)}: ${JSON.stringify(next.results)}`
      expect(next.error?.message, named).toBeUndefined()
      expect([next.isDone, site.marks, [...site.harm]], named).toEqual([true, [], []])
      const whose = back ? 'upstream' : 'ours'
      expect([site.drivers(), site.leading()], named).toEqual([everyNode(whose), [whose]])
    }
  })
})

test('a node that joins meanwhile is taken along', async () => {
  await using site = await NfsSite.start()
  let hasJoined = false
  site.meanwhile = async write => {
    if (!write.startsWith('PATCH /api/v1/nodes/n3') || hasJoined) return
    hasJoined = true
    await site.admin.resource<KubeObject>(builtIn.nodes).create(linuxNode('n4'), { signal: new AbortController().signal })
  }
  const forth = await site.apply()
  expect([forth.error, forth.isDone]).toEqual([undefined, true])
  expect(site.drivers()).toEqual(everyNode('ours', [...nodeNames, 'n4']))
  expect(site.marks).toEqual([])
})

test("Helm's own record is deleted only with consent; upstream sleeps until then, and back from there it is as before", async () => {
  await using site = await NfsSite.start()
  const refused = await site.apply({ forgetRelease: false })
  expect(refused.results.at(-1)).toMatchObject({ id: 'remove', state: 'failed' })
  expect(refused.results.at(-1)?.said).toMatch(/--forget-release.*deletes the CSIDriver/)
  expect([site.drivers(), site.leading()]).toEqual([everyNode('ours'), ['ours']])
  const back = await site.apply({ back: true })
  expect([back.error, back.isDone]).toEqual([undefined, true])
  expect([site.drivers(), site.leading(), site.marks, [...site.harm]]).toEqual([everyNode('upstream'), ['upstream'], [], []])
})

test('somebody wakes upstream’s controller while ours is to wake: it is told, and ours sleeps', async () => {
  await using site = await NfsSite.start()
  let isWoken = false
  site.meanwhile = async write => {
    if (isWoken || !write.startsWith('PATCH /apis/apps/v1/namespaces/csi-nfs/deployments/csi-nfs-controller')) return
    isWoken = true
    site.clock.schedule(1_500, () => {
      const api = openApi(site.twin.transport({ admin: true }), { clock: site.clock, userAgent: 'somebody' })
      const body = { spec: { replicas: 1 } }
      void api
        .resource(builtIn.deployments)
        .patch('csi-nfs-controller', { type: 'merge', body }, { namespace: 'csi-nfs', signal: new AbortController().signal })
    })
  }
  const forth = await site.apply()
  expect(forth.isDone).toBe(false)
  expect(forth.results.at(-1)).toMatchObject({ id: 'lead', state: 'reverted' })
  expect(site.leading()).toEqual(['upstream'])
  expect([...site.harm]).toEqual([])
})

test('beside other agents of Ballast: these stay as they are', async () => {
  const asked = { enable: ['features'], preset: { namespace: { create: true }, agent: { priorityClassName: 'high' } } }
  const made = objects(installationValues(asked, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })
  const high = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 1_000 }
  await using site = await NfsSite.start([high, ...made, ...nfsInstallation()])
  const agent = () => [
    site.find('daemonsets.apps', 'ballast-agent')?.metadata.uid,
    specOf(site, 'daemonsets.apps', 'ballast-agent'),
  ]
  const before = agent()
  const forth = await site.apply()
  expect([forth.error, states(forth)]).toEqual([undefined, forthSteps])
  expect([site.drivers(), site.leading()]).toEqual([everyNode('ours'), ['ours']])
  expect(agent()).toEqual(before)
  const back = await site.apply({ back: true })
  expect([back.error, states(back)]).toEqual([undefined, backSteps])
  expect([site.drivers(), site.leading(), [...site.harm]]).toEqual([everyNode('upstream'), ['upstream'], []])
  expect(agent()).toEqual(before)
})

test('where Ballast is a release of Helm the CSIDriver becomes its, and the upgrade is asked for', async () => {
  const made = objects(installationValues({ preset: { namespace: { create: true } } }, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: { ...plainRelease('ballast', 'ballast-system'), service: 'Helm' },
  })
  const annotations = { 'meta.helm.sh/release-name': 'ballast', 'meta.helm.sh/release-namespace': 'ballast-system' }
  const ofHelm = made.map(object => ({
    ...object,
    metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } },
  }))
  await using site = await NfsSite.start([...ofHelm, ...nfsInstallation()])
  const forth = await site.apply()
  expect(states(forth)).toEqual([
    'check',
    'keep',
    'convert',
    'pin',
    'adopt',
    expect.stringMatching(/^install failed: Ballast is installed by Helm/),
  ])
  const command = forth.results.at(-1)?.said ?? ''
  expect(command).toContain("--set 'nfs.node.nodeSelector.ballast\\.dev/nfs-swap=ballast'")
  expect(command).toContain("--set 'nfs.controller.replicas=0'")
  expect(site.find('csidrivers.storage.k8s.io', 'nfs.csi.k8s.io')?.metadata).toMatchObject({
    labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    annotations,
  })
  // What runs is as before.
  expect([site.drivers(), site.leading(), [...site.harm]]).toEqual([everyNode('upstream'), ['upstream'], []])
})
