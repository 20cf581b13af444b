// The patch of docs/metrics.md in pods of real kubelets: upstream's released manifests as they are, then Ballast in its Deployment with the same
// arguments and the same account, then upstream again. What is asked of the API server is judged by its audit log.
import { deepStrictEqual, ok } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, registryHost, startKubeletCluster } from '../kubelet/cluster.ts'
import { certify, limitMs, toldOf } from '../kubelet/pods.ts'
import { pushProgram } from '../mirror/laboratory/images.ts'
import { until } from '../mirror/laboratory/program.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'
import { complaints } from './complaints.ts'
import { knowsBoth, want, watchTop } from './kubectl-top.ts'

const docs = join(import.meta.dirname, '..', '..', '..', 'docs', 'metrics.md')
const repository = 'metrics-server/metrics-server'
const tag = 'v0.9.0'
/** As the released manifests have it. */
const resolutionMs = 15_000
const account = 'system:serviceaccount:kube-system:metrics-server'
const deployment = 'deployment/metrics-server'
/** The Event of a path that is refused. */
const eventOfPath = 'create /apis/events.k8s.io/v1/namespaces/default/events'
/** Some of what both must ask for, else nothing was compared. */
const expected = ['watch /api/v1/nodes', 'watch /api/v1/pods', 'create /apis/authorization.k8s.io/v1/subjectaccessreviews']

export async function changedOver(): Promise<string> {
  const program = readFileSync(await upstreamPath('metrics-server'))
  const manifests = join(await upstreamSource('metrics-server'), 'manifests', 'overlays', 'release')
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
    await pushProgram(cluster.outside.base, {
      repository,
      tag,
      besides: 10,
      program: { path: 'metrics-server', content: program },
      entrypoint: ['/metrics-server'],
      command: [],
    })
    await install(cluster, manifests)
    return await changed(cluster)
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  }
}

/** Upstream's release; the registry is another. */
async function install(cluster: KubeletCluster, manifests: string): Promise<void> {
  const rendered = await want(cluster, 'kustomize', manifests)
  const image = `registry.k8s.io/${repository}:${tag}`
  ok(rendered.includes(image), `the manifests are of ${image}`)
  await cluster.apply(rendered.replaceAll(image, `${registryHost}/${repository}:${tag}`))
  await rolledOut(cluster)
  await until('kubectl top knows both nodes', () => knowsBoth(cluster), limitMs, 500)
  await want(cluster, 'create', 'clusterrolebinding', 'jane', '--clusterrole=view', '--user=jane')
  await anotherReads(cluster)
}

async function changed(cluster: KubeletCluster): Promise<string> {
  const watch = watchTop(cluster)
  try {
    const patchedMs = systemClock.now()
    await want(cluster, ...patchOf(readFileSync(docs, 'utf8')))
    await rolledOut(cluster)
    await onlyPod(cluster, reference)
    await watch.again(3)
    const tops = await want(cluster, 'top', 'pods', '-A', '--containers', '--sum')
    ok(/ metrics-server-\S+\s+metrics-server\s+\d+m/.test(tops), tops)
    const said = await want(cluster, '-n', 'kube-system', 'logs', deployment)
    deepStrictEqual(complaints(said.split('\n')), [], said)
    deepStrictEqual(refusals(cluster, patchedMs), [])
    await anotherReads(cluster)
    await refusedPathIsTold(cluster, patchedMs)
    await watch.again(3)
    const forthMs = watch.longestMs()
    ok(forthMs <= 2 * resolutionMs, `kubectl top was away for ${forthMs} ms`)

    await want(cluster, '-n', 'kube-system', 'rollout', 'undo', deployment)
    await rolledOut(cluster)
    await onlyPod(cluster, `${registryHost}/${repository}:${tag}`)
    await watch.again(3)
    const backMs = watch.longestMs()
    ok(backMs <= 2 * resolutionMs, `kubectl top was away for ${backMs} ms on the way back`)
    // Watches are written down when they end: those of ours have.
    const requests = asked(cluster, true)
    for (const each of expected) ok(requests.includes(each), `${each} is not among ${requests}`)
    deepStrictEqual(
      requests.filter(request => !asked(cluster, false).includes(request) && request !== eventOfPath),
      [],
      'what upstream does not ask for',
    )
    deepStrictEqual(
      refusals(cluster, patchedMs).filter(told => told !== eventOfPath),
      [],
    )
    const seconds = (ms: number) => (ms / 1_000).toFixed(1)
    return `upstream's release ${tag} on two kubelets ${cluster.plane.serverVersion}, patched and undone: kubectl top was never away for more than ${seconds(forthMs)} s, back ${seconds(backMs)} s; no request of ours was refused, none is new`
  } finally {
    await watch.stop()
  }
}

/** The one thing more that the docs tell of: an Event of a path that is refused, for which the role has no right. The log tells instead. */
async function refusedPathIsTold(cluster: KubeletCluster, sinceMs: number): Promise<void> {
  const annotation = 'metrics.k8s.io/resource-metrics-path'
  await want(cluster, 'annotate', 'node', 'n1', `${annotation}=../x`)
  await until(
    'the log tells of the refused path, and the Event is refused',
    async () =>
      (await want(cluster, '-n', 'kube-system', 'logs', deployment)).includes('it is no plain path') &&
      refusals(cluster, sinceMs).includes(eventOfPath),
    limitMs,
    500,
  )
  await want(cluster, 'annotate', 'node', 'n1', `${annotation}-`)
}

/** Somebody who may read by a role alone: whether they may is asked of the API server. */
async function anotherReads(cluster: KubeletCluster): Promise<void> {
  await until('jane reads', async () => {
    const { code, stdout } = await cluster.kubectl('top', 'pods', '-n', 'kube-system', '--as=jane')
    return code === 0 && stdout.includes('metrics-server-')
  })
}

/** The documented command's arguments, with an image that is on the nodes. */
function patchOf(text: string): readonly string[] {
  const [, patch = ''] = /patch deployment metrics-server --type=json -p '([^']+)'/.exec(text) ?? []
  const operations: readonly { readonly op: string; readonly path: string; readonly value: unknown }[] = JSON.parse(patch)
  const told = operations.map(one => (one.path.endsWith('/image') ? { ...one, value: reference } : one))
  ok(
    told.some(({ value }) => value === reference),
    'the patch names an image',
  )
  return ['-n', 'kube-system', 'patch', 'deployment', 'metrics-server', '--type=json', '-p', JSON.stringify(told)]
}

async function rolledOut(cluster: KubeletCluster): Promise<void> {
  await want(cluster, '-n', 'kube-system', 'rollout', 'status', deployment, '--timeout=110s')
}

/** Resolves when the Deployment has one pod, of this image: the other no longer answers for anybody. */
async function onlyPod(cluster: KubeletCluster, image: string): Promise<void> {
  const path = '{.items[*].spec.containers[0].image}'
  await until(
    `one pod of ${image}`,
    async () => {
      const told = await want(
        cluster,
        '-n',
        'kube-system',
        'get',
        'pods',
        '-l',
        'k8s-app=metrics-server',
        '-o',
        `jsonpath=${path}`,
      )
      return told.trim() === image
    },
    limitMs,
    500,
  )
}

const isOurs = (agent: string) => agent.startsWith('ballast/')

/** What the account was refused since then. */
function refusals({ plane }: KubeletCluster, sinceMs: number): readonly string[] {
  return plane
    .answered()
    .filter(({ user, code, receivedMs }) => user === account && receivedMs >= sinceMs && (code === 401 || code === 403))
    .map(({ verb, path }) => `${verb} ${path}`)
}

/** Requests of the account, by ours or by upstream's program. */
function asked({ plane }: KubeletCluster, ofOurs: boolean): readonly string[] {
  const requests = plane.answered().filter(({ user, agent }) => user === account && isOurs(agent) === ofOurs)
  return [...new Set(requests.map(({ verb, path }) => `${verb} ${path}`))].toSorted()
}
