// Metrics as a part of `ballast apiserver` in pods of real kubelets: two replicas as `ballast manifests --enable metrics` installs them, which share
// the kubelets; then one dies, by its process and by its pod, and `kubectl top` goes on.
import { deepStrictEqual, match, ok } from 'node:assert'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { commandLine } from '../../cli/bundled.ts'
import { kubectlPath } from '../control-plane/debian.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import { certify, limitMs, toldOf } from '../kubelet/pods.ts'
import { metricOf } from '../mirror/laboratory/agents.ts'
import { until } from '../mirror/laboratory/program.ts'
import { commandOutput } from '../run-command.ts'
import { complaints } from './complaints.ts'
import { knowsBoth, want, watchTop } from './kubectl-top.ts'
import { startLoad } from './real-kubelets.ts'

const namespace = 'ballast-system'
const selector = 'app.kubernetes.io/component=apiserver'
const account = `system:serviceaccount:${namespace}:ballast-apiserver`
/** As the manifests have it. */
const resolutionMs = 15_000
/** Long enough that a second question in each resolution would show. */
const countedResolutions = 4
const api = '/apis/metrics.k8s.io/v1beta1'

interface PodOfOurs {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly nodeName: string }
  readonly status: {
    readonly podIP: string
    readonly conditions: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses: readonly { readonly containerID: string }[]
  }
}

export async function inPods(): Promise<string> {
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({
    nodes: 2,
    archives,
    taints: [],
    certified: ['n1', 'n2'],
    audit: true,
    containerdFiles: registryFiles,
  })
  try {
    await certify(cluster, 2)
    await startLoad(cluster)
    await installInPods(cluster)
    await until('kubectl top knows both nodes', () => knowsBoth(cluster), limitMs, 500)
    return await seen(cluster)
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  }
}

async function seen(cluster: KubeletCluster): Promise<string> {
  await until('two replicas are ready and know of each other', () => areSharing(cluster, 2), limitMs, 500)
  const [one, two] = await replicas(cluster)
  ok(one !== undefined && two !== undefined)
  ok(one.spec.nodeName !== two.spec.nodeName, `both run on ${one.spec.nodeName}`)
  await topPrints(cluster)
  const asked = await askedOnce(cluster)
  await sameOfBoth(cluster)
  for (const { metadata } of [one, two]) {
    const said = await want(cluster, '-n', namespace, 'logs', metadata.name)
    deepStrictEqual(complaints(said.split('\n')), [], said)
    const health = await verbose(cluster, metadata.name)
    ok(!/^\[-\]/m.test(health), health)
    match(health, /metrics-kubelets ok: 2 of 2 answered/)
    match(health, /metrics-api ok: served here/)
  }
  deepStrictEqual(refusals(cluster), [])

  const watch = watchTop(cluster)
  const gone: string[] = []
  try {
    for (const how of ['its process', 'its pod'] as const) {
      await watch.again(3)
      watch.forget()
      const [victim, other] = await replicas(cluster)
      if (victim === undefined || other === undefined) throw new Error('two replicas')
      const killedMs = systemClock.now()
      await (how === 'its process' ? killProcess(cluster, victim) : killPod(cluster, victim))
      await until(
        'both nodes were measured anew',
        async () => (await measuredMs(cluster)).every(timeMs => timeMs > killedMs),
        limitMs,
        500,
      )
      const newsMs = systemClock.now() - killedMs
      // What was read just before is due a resolution later, and looked at half of one after that; kubelets measure each 10 s.
      ok(newsMs <= 2.5 * resolutionMs, `news of both nodes came ${newsMs} ms after ${how} was killed`)
      await watch.again(3)
      const awayMs = watch.longestMs()
      ok(awayMs <= resolutionMs, `kubectl top was away for ${awayMs} ms when ${how} was killed`)
      await until(`two replicas share again after ${how} was killed`, () => areSharing(cluster, 2), limitMs, 500)
      const unrelated = complaints((await want(cluster, '-n', namespace, 'logs', other.metadata.name)).split('\n')).filter(
        line => !line.includes('a replica passes no points on'),
      )
      deepStrictEqual(unrelated, [])
      gone.push(`${how} ${seconds(awayMs)} s, news of both nodes after ${seconds(newsMs)} s`)
    }
  } finally {
    await watch.stop()
  }
  deepStrictEqual(refusals(cluster), [])
  await topPrints(cluster)
  return `two replicas in pods of two kubelets ${cluster.plane.serverVersion}: ${asked}; kubectl top 1.32 and newest; longest without kubectl top when one was killed: ${gone.join('; ')}`
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1)

async function replicas(cluster: KubeletCluster): Promise<readonly PodOfOurs[]> {
  const { items }: { readonly items: readonly PodOfOurs[] } = JSON.parse(
    await want(cluster, '-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json'),
  )
  return items.filter(({ status }) => status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'))
}

const verbose = (cluster: KubeletCluster, pod: string): Promise<string> =>
  want(cluster, 'get', '--raw', `/api/v1/namespaces/${namespace}/pods/${pod}:8081/proxy/readyz?verbose`)

/** Whether so many are ready and each takes points of the others, or has been asked for its own. */
async function areSharing(cluster: KubeletCluster, count: number): Promise<boolean> {
  const ready = await replicas(cluster)
  if (ready.length !== count) return false
  const told = await Promise.all(ready.map(({ metadata }) => verbose(cluster, metadata.name).catch(() => '')))
  const own = told.map(text => /metrics-replicas ok: asks (\d) of 2(?!.*(?:nothing from|no other replica))/.exec(text)?.[1])
  return own.every(number => number !== undefined) && own.reduce((sum, number) => sum + Number(number), 0) === 2
}

/** What both versions of kubectl print. */
async function topPrints({ plane }: KubeletCluster): Promise<void> {
  for (const version of ['1.32', 'newest'] as const) {
    const kubectl = async (...args: readonly string[]) =>
      commandOutput(await kubectlPath(version), [`--kubeconfig=${plane.kubeconfig}`, ...args])
    const nodes = await kubectl('top', 'nodes')
    for (const name of ['n1', 'n2']) match(nodes, new RegExp(`^${name} +\\d+m +\\d+% +\\d+Mi +\\d+%`, 'm'))
    const pods = await kubectl('top', 'pods', '-n', 'load', '--containers')
    for (const name of ['n1', 'n2']) {
      match(pods, new RegExp(`^busy-${name} +app +[1-9]\\d*m +\\d+Mi`, 'm'))
      match(pods, new RegExp(`^busy-${name} +sidecar +\\d+m +\\d+Mi`, 'm'))
      match(pods, new RegExp(`^holding-${name} +app +\\d+m +[3-9]\\dMi`, 'm'))
      match(pods, new RegExp(`^idle-${name} +app +\\d+m +\\d+Mi`, 'm'))
    }
    match(await kubectl('top', 'pods', '-A', '--sum'), /^ballast-system +ballast-apiserver-/m)
  }
}

/** Each kubelet says itself how often it was asked. */
async function askedOnce(cluster: KubeletCluster): Promise<string> {
  const counted = async () => {
    const texts = ['n1', 'n2'].map(name => want(cluster, 'get', '--raw', `/api/v1/nodes/${name}/proxy/metrics`))
    return (await Promise.all(texts)).map(text =>
      metricOf(text, 'kubelet_http_requests_total', { path: 'metrics/resource', method: 'GET' }),
    )
  }
  const before = await counted()
  await systemClock.after(countedResolutions * resolutionMs)
  const times = (await counted()).map((number, at) => number - (before[at] ?? 0))
  // Both edges may fall beside a question.
  for (const each of times)
    ok(Math.abs(each - countedResolutions) <= 1, `asked ${times} times in ${countedResolutions} resolutions`)
  return `asked ${times.join(' and ')} times in ${countedResolutions} resolutions by two replicas`
}

/** Asks each replica itself: what it says of the nodes is the same to the last digit, for equal times. */
async function sameOfBoth(cluster: KubeletCluster): Promise<void> {
  await want(cluster, 'create', 'clusterrolebinding', 'load', '--clusterrole=view', '--serviceaccount=load:default')
  const bearer = `Authorization: Bearer ${(await want(cluster, '-n', 'load', 'create', 'token', 'default')).trim()}`
  const urlOf = (address: string) => `https://${address}:6443${api}/nodes`
  const [first] = cluster.nodes
  const shared = new Map<string, string>()
  await until(
    'three samples of equal times by both',
    async () => {
      for (const { metadata, status } of await replicas(cluster)) {
        const { stdout } = (await first?.machine.run(['curl', '-skf', '-m', '5', '-H', bearer, urlOf(status.podIP)])) ?? {}
        if (stdout === undefined || stdout === '') throw new Error(`${metadata.name} says nothing of nodes`)
        const { items }: { readonly items: readonly NodeMetrics[] } = JSON.parse(stdout)
        for (const { metadata: node, timestamp, window, usage } of items)
          shared.set(`${node.name} ${timestamp} ${metadata.name}`, JSON.stringify([window, usage]))
      }
      const byTime = Map.groupBy(shared, ([key]) => key.split(' ').slice(0, 2).join(' '))
      let equal = 0
      for (const [time, samples] of byTime) {
        if (samples.length < 2) continue
        deepStrictEqual(new Set(samples.map(([, sample]) => sample)).size, 1, `${time}: ${samples.join('; ')}`)
        equal++
      }
      return equal >= 3
    },
    limitMs,
    1_000,
  )
}

interface NodeMetrics {
  readonly metadata: { readonly name: string }
  readonly timestamp: string
  readonly window: string
  readonly usage: Readonly<Record<string, string>>
}

/** When each node was last measured, as callers are told. */
async function measuredMs(cluster: KubeletCluster): Promise<readonly number[]> {
  const { code, stdout } = await cluster.kubectl('get', '--raw', `${api}/nodes`)
  if (code !== 0) return [0]
  const { items }: { readonly items: readonly NodeMetrics[] } = JSON.parse(stdout)
  return items.length === 2 ? items.map(({ timestamp }) => Date.parse(timestamp)) : [0]
}

/** As the kernel does to what has taken too much memory: the kubelet starts it again. */
async function killProcess({ nodes }: KubeletCluster, { spec, status }: PodOfOurs): Promise<void> {
  const node = nodes.find(({ machine }) => machine.name === spec.nodeName)
  const id = status.containerStatuses[0]?.containerID.replace('containerd://', '') ?? ''
  const { code = -1, stderr = '' } = (await node?.ctr('task', 'kill', '--signal', 'SIGKILL', id)) ?? {}
  if (code !== 0) throw new Error(`${join(spec.nodeName, id)} was not killed: ${stderr}`)
}

async function killPod(cluster: KubeletCluster, { metadata }: PodOfOurs): Promise<void> {
  await want(cluster, '-n', namespace, 'delete', 'pod', metadata.name, '--grace-period=0', '--force')
}

/** What our account was refused. */
function refusals({ plane }: KubeletCluster): readonly string[] {
  return plane
    .answered()
    .filter(({ user, code }) => user === account && (code === 401 || code === 403))
    .map(({ verb, path }) => `${verb} ${path}`)
}

/** As the manual says, with an image that is on the nodes. */
export async function installInPods(cluster: KubeletCluster): Promise<void> {
  const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(reference) ?? []
  const image = Object.entries({ registry, repository, tag }).flatMap(([key, text]) => ['--set', `image.${key}=${text}`])
  const manifests = await commandOutput(process.execPath, [commandLine, 'manifests', '--enable', 'metrics', ...image])
  // The second time takes what needed a kind, or the namespace, of the first.
  await cluster.apply(manifests).catch(() => undefined)
  await cluster.apply(manifests)
  await want(cluster, '-n', namespace, 'rollout', 'status', 'deployment/ballast-apiserver', '--timeout=110s')
}
