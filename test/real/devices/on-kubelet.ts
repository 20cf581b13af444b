// Devices before a real kubelet: the agent as `ballast manifests --enable devices` installs it, on a machine with a card that is made up of files: sysfs
// below an overlay, device nodes of a driver that this kernel has. Five pods share the card, the sixth waits; the kubelet is killed, agents are replaced.

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { systemClock } from '#kube/clock.ts'
import { ownImage } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, registryHost, startKubeletCluster } from '../kubelet/cluster.ts'
import type { KubeletNode } from '../kubelet/kubelet-node.ts'
import { limitMs, toldOf } from '../kubelet/pods.ts'
import { until } from '../mirror/laboratory/program.ts'
import { agentPods, agents, cardGroup, kubectl, manifests, plugIn, pods, running } from './node-with-card.ts'

const resource = 'gpu.intel.com/i915'
export const shares = 5
const sampleMs = 50
const restarts = Number(process.env['BALLAST_KUBELET_RESTARTS'] ?? 5)

export async function devicesOnKubelet(): Promise<string> {
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({ nodes: 1, archives, taints: [], audit: true, containerdFiles: registryFiles })
  const [n1] = cluster.nodes
  ok(n1 !== undefined)
  using _card = await plugIn(n1)
  await cluster.pushRunning('acme/player', 'v1', 10)
  try {
    await cluster.apply(await manifests([`gpu.sharedDevNum=${shares}`, 'cdi.groups=true']))
    await until('the node has the card', async () => (await allocatable(cluster)) === shares, limitMs, 250)
    for (let number = 1; number <= shares + 1; number += 1) await play(cluster, number)
    await until('five players run', async () => (await running(cluster)) === shares, limitMs, 250)
    await until('the sixth says what it waits for', async () => insufficient.test(await whyPending(cluster)), limitMs, 250)

    const player = (await pods(cluster)).find(({ status }) => status.phase === 'Running')?.metadata.name ?? ''
    const said = await kubectl(cluster, 'exec', player, '--', '/bin/busybox', 'sh', '-c', opens)
    match(said, /^uid=1000/)
    match(said, new RegExp(`groups=[^\\n]*\\b${cardGroup}\\b`))
    match(said, /opened \/dev\/dri\/renderD128\n/)
    match(said, /no \/dev\/fuse/)

    // Once was enough: the kubelet took the plugin and listens since.
    const before = await registrations(cluster, n1)
    strictEqual(before, 1)
    const seconds: number[] = []
    for (let round = 1; round <= restarts; round += 1) {
      const startMs = systemClock.elapsed()
      await n1.restartKubelet()
      await until(
        `the kubelet knows the card after restart ${round}`,
        async () => (await registrations(cluster, n1)) >= before + round && (await isReady(cluster, n1)),
        limitMs,
        100,
      )
      seconds.push((systemClock.elapsed() - startMs) / 1_000)
    }
    await until('the node still has the card', async () => (await allocatable(cluster)) === shares, limitMs, 250)
    const restarted = (await pods(cluster)).filter(({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) > 0)
    deepStrictEqual(
      restarted.map(({ metadata }) => metadata.name),
      [],
    )

    const samples = await sampledWhile(cluster, async () => {
      await kubectl(cluster, '-n', agents, 'rollout', 'restart', 'daemonset/ballast-agent')
      await kubectl(cluster, '-n', agents, 'rollout', 'status', 'daemonset/ballast-agent', '--timeout=300s')
      // The one that was replaced is gone, and what it leaves behind has had time to show.
      await until('one agent is left', async () => (await agentPods(cluster)) === 1, limitMs, 250)
      await systemClock.after(5_000)
    })
    deepStrictEqual([...new Set(samples)], [shares])
    await kubectl(cluster, 'delete', 'pod', player, '--wait=true', '--grace-period=1')
    await until('the sixth player has the place of the first', async () => (await running(cluster)) === shares, limitMs, 250)
    strictEqual((await pods(cluster)).filter(({ status }) => status.phase === 'Pending').length, 0)
    const rising = [...seconds].sort((left, right) => left - right)
    const quantile = (share: number) => (rising[Math.ceil(share * rising.length) - 1] ?? Number.NaN).toFixed(1)
    return `kubelet ${cluster.plane.serverVersion}: five players share a card, the sixth waits; one that is no root opens it by CDI's groups; ${restarts} kubelets killed (known again after p50 ${quantile(0.5)} s, p99 ${quantile(0.99)} s, at most ${quantile(1)} s, the kubelet's start included), no player restarted; an agent replaced, ${samples.length} samples of allocatable, each ${shares}`
  } catch (cause) {
    const logs = await cluster.kubectl('-n', agents, 'logs', 'daemonset/ballast-agent', '-c', 'devices', '--tail=40')
    const kubelet = n1
      .kubeletLog()
      .split('\n')
      .filter(line => /device|plugin/i.test(line))
    throw new Error(
      `${cause instanceof Error ? cause.message : String(cause)}\n${kubelet.join('\n')}\n${logs.stdout}\n${await toldOf(cluster)}`,
      {
        cause,
      },
    )
  }
}

const insufficient = /Insufficient gpu\.intel\.com\/i915/

async function whyPending(cluster: KubeletCluster): Promise<string> {
  const waiting = (await pods(cluster)).filter(({ status }) => status.phase === 'Pending')
  return waiting.map(({ status }) => status.conditions?.[0]?.message ?? '').join('\n')
}

const opens = `/bin/busybox id
( : <> /dev/dri/renderD128 ) && echo opened /dev/dri/renderD128
[ -e /dev/fuse ] || echo no /dev/fuse
`

export async function play({ plane }: KubeletCluster, number: number): Promise<void> {
  await plane.client.want('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `player-${number}` },
    spec: {
      securityContext: { runAsUser: 1_000, runAsGroup: 1_000 },
      containers: [{ name: 'app', image: `${registryHost}/acme/player:v1`, resources: { limits: { [resource]: '1' } } }],
    },
  })
}

export async function allocatable({ plane }: KubeletCluster): Promise<number> {
  const node = await plane.client.want('GET', '/api/v1/nodes/n1')
  const { status }: { readonly status: { readonly allocatable?: Readonly<Record<string, string>> } } = JSON.parse(
    JSON.stringify(node),
  )
  return Number(status.allocatable?.[resource] ?? 0)
}

async function registrations(cluster: KubeletCluster, { machine }: KubeletNode): Promise<number> {
  const address = (await pods(cluster, agents))[0]?.status.podIP ?? ''
  const { stdout } = await machine.run(['curl', '-s', '-m', '5', `http://${address}:8083/metrics`])
  return Number(/^ballast_devices_registrations_total\{[^}]*\} (\d+)$/m.exec(stdout)?.[1] ?? 0)
}

export async function isReady(cluster: KubeletCluster, { machine }: KubeletNode): Promise<boolean> {
  const address = (await pods(cluster, agents))[0]?.status.podIP ?? ''
  const { code } = await machine.run(['curl', '-sf', '-m', '5', `http://${address}:8083/readyz`])
  return code === 0
}

/** How much the node has to give, again and again until `work` is done. */
export async function sampledWhile(cluster: KubeletCluster, work: () => Promise<void>): Promise<readonly number[]> {
  const samples: number[] = []
  let isOver = false
  const sampling = (async () => {
    while (!isOver) {
      samples.push(await allocatable(cluster))
      await systemClock.after(sampleMs)
    }
  })()
  try {
    await work()
  } finally {
    isOver = true
    await sampling
  }
  return samples
}
