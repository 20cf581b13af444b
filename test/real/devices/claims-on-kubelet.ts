// Devices by claims before a real kubelet: pods share a card by a template of claims, one that has access for administration sees it besides, and one asks
// for it as for a plugin's. Agents and kubelet are replaced meanwhile.

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { systemClock } from '#kube/clock.ts'
import { ownImage } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, registryHost, startKubeletCluster } from '../kubelet/cluster.ts'
import type { KubeletNode } from '../kubelet/kubelet-node.ts'
import { limitMs, toldOf } from '../kubelet/pods.ts'
import { until } from '../mirror/laboratory/program.ts'
import { agentPods, agents, cardGroup, kubectl, manifests, plugIn, pods, running, warm } from './node-with-card.ts'

const driver = 'gpu.intel.com'
const device = '0000-00-02-0-0x7d51'
const shares = 2
const settings = [
  'dra.enabled=true',
  'dra.extendedResources=true',
  'gpu.health=sysfs',
  `gpu.sharedDevNum=${shares}`,
  'cdi.groups=true',
]

export async function claimsOnKubelet(): Promise<string> {
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({ nodes: 1, archives, taints: [], audit: true, containerdFiles: registryFiles })
  const [n1] = cluster.nodes
  ok(n1 !== undefined)
  using _card = await plugIn(n1)
  await cluster.pushRunning('acme/player', 'v1', 10)
  try {
    await cluster.apply(await manifests(settings))
    await until('the card is published', async () => (await slices(cluster)).length === 1, limitMs, 250)
    const [slice] = await slices(cluster)
    deepStrictEqual(
      slice?.spec.devices?.map(({ name, allowMultipleAllocations }) => [name, allowMultipleAllocations]),
      [[device, true]],
    )
    strictEqual(await offeredByPlugin(cluster), undefined)

    await cluster.apply(template('card', {}))
    for (const name of ['player-1', 'player-2', 'player-3']) await play(cluster, name, { template: 'card' })
    await until('two players share the card', async () => (await running(cluster)) === shares, limitMs, 250)
    const [player = '', other = ''] = (await pods(cluster)).filter(({ status }) => status.phase === 'Running').map(nameOf)
    for (const one of [player, other]) await opensCard(cluster, one)
    strictEqual(await prepared(n1), shares)

    await until(
      'the kubelet says that the card is well',
      async () => (await healthOf(cluster, player)) === 'Healthy',
      limitMs,
      250,
    )
    warm(n1, 101)
    await until('the card is tainted', async () => (await taints(cluster)) === 'HealthIssues-temperature', limitMs, 250)
    await until(
      'the kubelet says that the card is ill',
      async () => (await healthOf(cluster, player)) === 'Unhealthy',
      limitMs,
      250,
    )
    strictEqual(await running(cluster), shares)
    warm(n1, 50)
    await until('the card has no taint', async () => (await taints(cluster)) === '', limitMs, 250)

    await kubectl(cluster, '-n', agents, 'rollout', 'restart', 'daemonset/ballast-agent')
    await kubectl(cluster, '-n', agents, 'rollout', 'status', 'daemonset/ballast-agent', '--timeout=300s')
    await until('one agent is left', async () => (await agentPods(cluster)) === 1, limitMs, 250)
    strictEqual(await prepared(n1), shares)
    strictEqual((await slices(cluster))[0]?.metadata.uid, slice?.metadata.uid)
    await kubectl(cluster, 'delete', 'pod', player, '--wait=true', '--grace-period=1')
    await until('the third player has the place of the first', async () => (await running(cluster)) === shares, limitMs, 250)
    strictEqual(await prepared(n1), shares)

    const startMs = systemClock.elapsed()
    await n1.restartKubelet()
    await until('a slice is made anew', async () => isAnew(await slices(cluster), slice?.metadata.uid), limitMs, 100)
    const seconds = ((systemClock.elapsed() - startMs) / 1_000).toFixed(1)
    await until('the node is ready', async () => await isReady(cluster), limitMs, 250)
    const restarted = (await pods(cluster)).filter(({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) > 0)
    deepStrictEqual(restarted.map(nameOf), [])

    // On a device that is shared, kube-scheduler 1.36 counts access for administration as any claim.
    await kubectl(cluster, 'label', 'namespace', 'default', 'resource.kubernetes.io/admin-access=true')
    await cluster.apply(template('watcher', { adminAccess: true }))
    await kubectl(cluster, 'delete', 'pod', other, '--wait=true', '--grace-period=1')
    await play(cluster, 'watcher', { template: 'watcher' })
    await until('a watcher sees the card beside a player', async () => (await running(cluster)) === shares, limitMs, 250)
    await opensCard(cluster, 'watcher')
    await deleteAll(cluster)
    await until('nothing is prepared any more', async () => (await prepared(n1)) === 0, limitMs, 250)

    await play(cluster, 'as-ever', { resource: 'gpu.intel.com/i915' })
    await until('a pod that asks as for a plugin runs', async () => (await running(cluster)) === 1, limitMs, 250)
    await opensCard(cluster, 'as-ever')
    strictEqual(await prepared(n1), 1)
    await deleteAll(cluster)
    await until('it is given back too', async () => (await prepared(n1)) === 0, limitMs, 250)
    return `kubelet ${cluster.plane.serverVersion}: two pods share a card by their claims and open it, a third waits until a claim is gone; a hot card is tainted, and the kubelet says so in its pods; the agent replaced with ${shares} claims prepared; the kubelet restarted (published again ${seconds} s after the kill); one with access for administration besides; one by gpu.intel.com/i915`
  } catch (cause) {
    const logs = await cluster.kubectl('-n', agents, 'logs', 'daemonset/ballast-agent', '-c', 'devices', '--tail=60')
    const objects = await cluster.kubectl('get', 'resourceslices,resourceclaims,deviceclasses', '-A', '-o', 'yaml')
    const kubelet = n1
      .kubeletLog()
      .split('\n')
      .filter(line => /dra|plugin|resourceclaim/i.test(line))
      .slice(-60)
    throw new Error(
      `${cause instanceof Error ? cause.message : String(cause)}\n${kubelet.join('\n')}\n${logs.stdout}\n${objects.stdout}\n${await toldOf(cluster)}`,
      { cause },
    )
  }
}

const nameOf = ({ metadata }: { readonly metadata: { readonly name: string } }): string => metadata.name

interface SliceList {
  readonly items: readonly {
    readonly metadata: { readonly uid: string }
    readonly spec: { readonly devices?: readonly { readonly name: string; readonly allowMultipleAllocations?: boolean }[] }
  }[]
}

async function slices(cluster: KubeletCluster): Promise<SliceList['items']> {
  const list: SliceList = JSON.parse(await kubectl(cluster, 'get', 'resourceslices', '-o', 'json'))
  return list.items
}

async function taints(cluster: KubeletCluster): Promise<string> {
  return await kubectl(cluster, 'get', 'resourceslices', '-o', 'jsonpath={.items[*].spec.devices[*].taints[*].key}')
}

async function healthOf(cluster: KubeletCluster, pod: string): Promise<string> {
  const path = 'jsonpath={.status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].health}'
  return await kubectl(cluster, 'get', 'pod', pod, '-o', path)
}

const isAnew = (list: SliceList['items'], before: string | undefined): boolean =>
  list.length === 1 && list[0]?.metadata.uid !== before

async function offeredByPlugin(cluster: KubeletCluster): Promise<string | undefined> {
  const node = JSON.parse(await kubectl(cluster, 'get', 'node', 'n1', '-o', 'json'))
  const { allocatable = {} }: { readonly allocatable?: Readonly<Record<string, string>> } = node.status
  return allocatable['gpu.intel.com/i915']
}

async function isReady(cluster: KubeletCluster): Promise<boolean> {
  const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
  return (await kubectl(cluster, 'get', 'node', 'n1', '-o', path)) === 'True'
}

/** Claims that are prepared on the node. */
async function prepared({ machine }: KubeletNode): Promise<number> {
  const { stdout } = await machine.run(['sh', '-c', `ls /var/lib/kubelet/plugins/${driver}/prepared 2>/dev/null | grep -c json`])
  return Number(stdout.trim())
}

const template = (name: string, request: object): string =>
  JSON.stringify({
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaimTemplate',
    metadata: { name, namespace: 'default' },
    spec: { spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: driver, ...request } }] } } },
  })

async function play(
  { plane }: KubeletCluster,
  name: string,
  by: { readonly template: string } | { readonly resource: string },
): Promise<void> {
  const isClaim = 'template' in by
  await plane.client.want('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      securityContext: { runAsUser: 1_000, runAsGroup: 1_000 },
      ...(isClaim ? { resourceClaims: [{ name: 'card', resourceClaimTemplateName: by.template }] } : {}),
      containers: [
        {
          name: 'app',
          image: `${registryHost}/acme/player:v1`,
          resources: isClaim ? { claims: [{ name: 'card' }] } : { limits: { [by.resource]: '1' } },
        },
      ],
    },
  })
}

async function opensCard(cluster: KubeletCluster, pod: string): Promise<void> {
  const said = await kubectl(cluster, 'exec', pod, '--', '/bin/busybox', 'sh', '-c', opens)
  match(said, /^uid=1000/)
  match(said, new RegExp(`groups=[^\\n]*\\b${cardGroup}\\b`))
  match(said, /opened \/dev\/dri\/renderD128\n/)
  match(said, /no \/dev\/fuse/)
}

const opens = `/bin/busybox id
( : <> /dev/dri/renderD128 ) && echo opened /dev/dri/renderD128
[ -e /dev/fuse ] || echo no /dev/fuse
`

async function deleteAll(cluster: KubeletCluster): Promise<void> {
  await kubectl(cluster, 'delete', 'pods', '--all', '--wait=true', '--grace-period=1')
}
