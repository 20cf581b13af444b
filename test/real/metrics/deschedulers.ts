// Upstream's descheduler reads what Ballast serves, and evicts from the node that really uses more; ours decides the same.
import { deepStrictEqual } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compareQuantities, milliQuantity, quantity } from '#kube/values/quantity.ts'
import type { PodObject } from '../ballast/tiny-kubelet.ts'
import { dryRun, policy } from '../descheduler/measured-checks.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { complaints } from './complaints.ts'
import { until } from './servers.ts'
import { SteeredSite } from './steered-site.ts'

const main = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
/** Upstream's first look may see half of the cluster, since its copy is still being filled: it decides nothing then. */
const mostRuns = 10
const busy = 0.8
const quiet = 0.05

/** Two nodes whose pods ask for the same: only what is measured tells them apart. Those without requests go first, with either. */
export async function evictedByUse(): Promise<string> {
  const program = await upstreamPath('descheduler')
  await using site = await SteeredSite.start((_, pod) => ({
    cores: pod.spec.nodeName === 'n1' ? busy : quiet,
    bytes: 50 * 2 ** 20,
  }))
  const { client, kubeconfig } = site.plane
  // Each of two nodes in turn: two pods of either kind on each.
  await site.deploy('cheap', 4, { app: {} })
  await site.untilMeasured(4)
  await site.deploy('dear', 4, { app: { cpu: '100m', memory: '100Mi' } })
  await site.untilMeasured(8)
  const expected = (await podsOf(site)).filter(({ app, node }) => app === 'cheap' && node === 'n1').map(({ name }) => name)
  deepStrictEqual(expected.length, 2, 'two cheap pods on n1')
  await until('what n1 uses', async () => {
    const n1 = await client.want('GET', '/apis/metrics.k8s.io/v1beta1/nodes/n1')
    const cpu = quantity(String(Reflect.get(Object(n1['usage']), 'cpu')))
    return compareQuantities(cpu, milliQuantity(4_000 * busy)) > 0
  })
  const file = site.place('policy.json')
  writeFileSync(file, policy)
  const flags = [`--policy-config-file=${file}`, '--secure-port=0', '--v=1']
  const dryFlags = [...flags, `--kubeconfig=${kubeconfig}`, '--dry-run']
  const ours = await dryRun(process.execPath, [main, 'descheduler'], dryFlags)
  let theirs = await dryRun(program, [], dryFlags)
  for (let run = 1; run < mostRuns && theirs.evicted.length === 0; run++) theirs = await dryRun(program, [], dryFlags)
  deepStrictEqual(ours.evicted.toSorted(), expected.toSorted(), `ours: ${ours.said}`)
  deepStrictEqual(theirs.evicted.toSorted(), expected.toSorted(), `upstream: ${theirs.said}`)

  const lines: string[] = []
  const running = site.startClient(program, [...flags, '--descheduling-interval=10s'], line => lines.push(line))
  await until(
    () => `two evictions: ${lines.slice(-30).join('\n')}`,
    async () => {
      if (running.hasEnded()) throw new Error(`the descheduler ended: ${running.log()}`)
      const left = new Set((await podsOf(site)).map(({ name }) => name))
      return expected.every(name => !left.has(name))
    },
  )
  // Told to end it may complain of what it was about to write.
  const said = [...lines, ...theirs.said.split('\n'), ...ours.said.split('\n')]
  await running.stop()
  const evicted = lines.flatMap(line => /"Evicted pod" pod="default\/([\w-]+)"/.exec(line)?.[1] ?? [])
  deepStrictEqual(evicted.slice(0, 2).toSorted(), expected.toSorted(), lines.join('\n'))
  deepStrictEqual(complaints(said), [])
  return "upstream's descheduler evicts two pods from the node that uses 82 % while both are asked for alike; ours would evict the same two"
}

interface PlacedPod {
  readonly name: string
  readonly app: string | undefined
  readonly node: string | undefined
}

/** Those that nobody stops. */
async function podsOf({ plane }: SteeredSite): Promise<readonly PlacedPod[]> {
  const list = await plane.client.want('GET', '/api/v1/namespaces/default/pods')
  const items = Reflect.get(list, 'items') as readonly PodObject[]
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec }) => ({ name: metadata.name, app: metadata.labels?.['app'], node: spec.nodeName }))
}
