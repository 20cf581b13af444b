// From Intel's own plugin to ours and back on a real kubelet, as the swap does it: the other side comes beside and is the newest, then the first ends. What the
// node has is asked every 50 ms, and players go on all the while.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { systemClock } from '#kube/clock.ts'
import { ownImage } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import type { KubeletNode } from '../kubelet/kubelet-node.ts'
import { limitMs, toldOf } from '../kubelet/pods.ts'
import { until } from '../mirror/laboratory/program.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { agentPods, agents, kubectl, manifests, plugIn, pods, running } from './node-with-card.ts'
import { allocatable, isReady, play, sampledWhile, shares } from './on-kubelet.ts'

const pidFile = '/run/intel-plugin.pid'
/** What a plugin leaves behind has had time to show: a kubelet tells what its node has every ten seconds. */
const settledMs = 15_000

export async function takenOver(): Promise<string> {
  const program = await upstreamPath('intel-gpu-plugin')
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({ nodes: 1, archives, taints: [], audit: true, containerdFiles: registryFiles })
  const [n1] = cluster.nodes
  ok(n1 !== undefined)
  using _card = await plugIn(n1)
  await cluster.pushRunning('acme/player', 'v1', 10)
  const isNodeReady = async () => (await cluster.kubectl('wait', '--for=condition=Ready', 'node/n1', '--timeout=1s')).code === 0
  await until('the node is ready', isNodeReady, limitMs, 250)
  let log = startPlugin(n1, program)
  try {
    await until("the node has the card by Intel's plugin", async () => (await allocatable(cluster)) === shares, limitMs, 250)
    for (let number = 1; number < shares; number += 1) await play(cluster, number)
    await until('players run', async () => (await running(cluster)) === shares - 1, limitMs, 250)
    const before = await players(cluster)

    const forth = await sampledWhile(cluster, async () => {
      await cluster.apply(await manifests([`gpu.sharedDevNum=${shares}`, 'cdi.groups=true']))
      await until(
        'ours is registered',
        async () => (await agentPods(cluster)) === 1 && (await isReady(cluster, n1)),
        limitMs,
        250,
      )
      await systemClock.after(settledMs)
      await endPlugin(n1)
      await systemClock.after(settledMs)
    })
    deepStrictEqual([...new Set(forth)], [shares], 'forth')
    await play(cluster, shares)
    await until('ours gives the last share', async () => (await running(cluster)) === shares, limitMs, 250)
    await kubectl(cluster, 'delete', 'pod', `player-${shares}`, '--wait=true', '--grace-period=1')

    const back = await sampledWhile(cluster, async () => {
      log = startPlugin(n1, program)
      await systemClock.after(settledMs)
      await kubectl(cluster, '-n', agents, 'delete', 'daemonset', 'ballast-agent', '--wait=true')
      await until('no agent is left', async () => (await agentPods(cluster)) === 0, limitMs, 250)
      await systemClock.after(settledMs)
    })
    deepStrictEqual([...new Set(back)], [shares], 'back')
    deepStrictEqual(await players(cluster), before)
    await play(cluster, shares + 1)
    await until("Intel's plugin gives the last share", async () => (await running(cluster)) === shares, limitMs, 250)
    return `kubelet ${cluster.plane.serverVersion}: Intel's plugin 0.36, then ours, then Intel's; ${forth.length} and ${back.length} samples of allocatable, each ${shares}; ${shares - 1} players went on`
  } catch (cause) {
    const logs = await cluster.kubectl('-n', agents, 'logs', 'daemonset/ballast-agent', '-c', 'devices', '--tail=40')
    const kubelet = n1
      .kubeletLog()
      .split('\n')
      .filter(line => /device|plugin/i.test(line))
    const told = [kubelet.join('\n'), log(), logs.stdout, await toldOf(cluster)].join('\n')
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${told}`, { cause })
  }
}

/** Each with its uid and how often it was started anew. */
async function players(cluster: KubeletCluster): Promise<readonly string[]> {
  const found = (await pods(cluster)).map(
    ({ metadata, status }) => `${metadata.name} ${status.podIP ?? ''} ${status.containerStatuses?.[0]?.restartCount ?? 0}`,
  )
  return found.toSorted()
}

/** A process of the node in place of a pod. @returns its last lines */
function startPlugin({ machine }: KubeletNode, program: string): () => string {
  const script = `echo $$ > ${pidFile}; exec ${program} -shared-dev-num=${shares} -v=4`
  return machine.start(['sh', '-c', script]).log
}

/** As a kubelet ends a pod. */
async function endPlugin({ machine }: KubeletNode): Promise<void> {
  const { code, stderr } = await machine.run(['sh', '-c', `kill -TERM $(cat ${pidFile})`])
  strictEqual(code, 0, stderr)
}
