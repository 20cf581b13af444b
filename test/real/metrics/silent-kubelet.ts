// A real kubelet that nobody reaches for a while: upstream loses its node with the first scrape, ours serves what it said last for as long as
// that is fresh, then nothing, and both come back.
import { ok } from 'node:assert'
import { registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import { toldOf } from '../kubelet/pods.ts'
import { failures, startLoad } from './real-kubelets.ts'
import { MetricsServers, type MetricsServerUnderTest, until } from './servers.ts'

const allowed = ['timeout', 'connection']

export async function silentKubelet(): Promise<string> {
  await using cluster = await startKubeletCluster({ nodes: 2, archives: [], taints: [], containerdFiles: registryFiles })
  const { plane, place, network } = cluster
  const [n1] = network.nodes
  if (n1 === undefined) throw new Error('two nodes')
  try {
    await startLoad(cluster)
    await using servers = await MetricsServers.open(plane, place)
    const flags = ['--kubelet-preferred-address-types=InternalIP', '--kubelet-insecure-tls']
    const upstream = await servers.start('upstream', flags)
    const ours = await servers.start('ours', flags)
    await until('both serve both nodes', async () => {
      const served = await Promise.all([upstream, ours].map(timesOf))
      return served.every(times => times.size === 2)
    })
    await network.link(n1, 'down')
    let last = await timesOf(ours)
    // The other node's times go on: one that is silent delays nobody.
    const look = async () => {
      const now = await timesOf(ours)
      ok(now.has('n2'), 'n2 is served no more')
      const [before = '', after = ''] = [last.get('n2'), now.get('n2')]
      ok(after >= before, `n2 went from ${before} back to ${after}`)
      last = now
      return now
    }
    await until('upstream loses n1', async () => {
      await look()
      return !(await timesOf(upstream)).has('n1')
    })
    const kept = await look()
    ok(kept.has('n1'), 'ours has lost n1 with upstream')
    const goneMs = Date.now()
    await until('ours gives n1 up', async () => !(await look()).has('n1'))
    const keptSeconds = (Date.now() - goneMs) / 1_000
    const { reasons } = await failures(ours)
    ok(reasons.length > 0 && reasons.every(reason => allowed.includes(reason)), `reasons: ${reasons}`)
    const { text } = await ours.ask('/metrics')
    ok(/^ballast_metrics_stale_seconds\{node="n1"\} [1-9]/m.test(text), 'how stale n1 is')
    const n2Before = last.get('n2') ?? ''
    await network.link(n1, 'up')
    await until('both serve n1 again', async () => {
      await look()
      return last.has('n1') && (await timesOf(upstream)).has('n1')
    })
    ok((last.get('n1') ?? '') > (kept.get('n1') ?? ''), 'n1 says something new')
    ok((last.get('n2') ?? '') > n2Before, 'n2 says something new')
    return `n1 was served for ${keptSeconds.toFixed(0)} s longer than by upstream, counted as ${reasons.join(', ')}; n2 was served all the time; both came back`
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  }
}

/** Times of the nodes that are served, by name. */
async function timesOf({ ask }: MetricsServerUnderTest): Promise<ReadonlyMap<string, string>> {
  const { status, text } = await ask('/apis/metrics.k8s.io/v1beta1/nodes').catch(() => ({ status: 0, text: '' }))
  if (status !== 200) return new Map()
  const { items }: { items: readonly { readonly metadata: { readonly name: string }; readonly timestamp: string }[] } =
    JSON.parse(text)
  return new Map(items.map(({ metadata, timestamp }) => [metadata.name, timestamp]))
}
