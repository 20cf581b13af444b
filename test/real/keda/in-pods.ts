// KEDA's three programs in pods of a real kubelet by the manifests of its release, and ours in their place by the image alone, one Deployment
// after the other, and back. Nothing else of the installation changes: command, arguments, variables, account, roles.
import { match, ok, strictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { textAt } from '#kube/objects/object-fields.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, registryHost, startKubeletCluster } from '../kubelet/cluster.ts'
import { certify, limitMs, referenceOf, toldOf } from '../kubelet/pods.ts'
import { want } from '../metrics/kubectl-top.ts'
import { pushProgram } from '../mirror/laboratory/images.ts'
import { until } from '../mirror/laboratory/program.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'

const release = '2.21.0'
const wanted = 2
/** By their Deployments: image, program, how it is built here. The webhooks first, the operator last. */
const parts = {
  'keda-admission': ['keda-admission-webhooks', 'keda-admission-webhooks', 'keda-webhooks'],
  'keda-metrics-apiserver': ['keda-metrics-apiserver', 'keda-adapter', 'keda-adapter'],
  'keda-operator': ['keda', 'keda', 'keda'],
} as const
type Part = keyof typeof parts
const all = Object.keys(parts) as readonly Part[]

export async function kedaInPods(): Promise<string> {
  const programs = await Promise.all(all.map(async part => readFileSync(await upstreamPath(parts[part][2]))))
  const manifests = join(await upstreamSource('keda'), 'config', 'default')
  const archives = archivesIn(await ownImage())
  await using cluster = await startKubeletCluster({
    nodes: 1,
    archives,
    taints: [],
    isServed: true,
    certified: ['n1'],
    containerdFiles: registryFiles,
  })
  try {
    await certify(cluster, 1)
    for (const [index, part] of all.entries()) {
      const [image, path] = parts[part]
      const content = programs[index] ?? Buffer.alloc(0)
      const program = { path, content }
      const started = { program, entrypoint: [`/${path}`], command: [], user: '65532' }
      const pushed = { repository: `kedacore/${image}`, tag: release, besides: 10, ...started }
      await pushProgram(cluster.outside.base, pushed)
    }
    await install(cluster, manifests)
    await works(cluster, 'upstream', 'first')
    const swapped: string[] = []
    for (const part of all) {
      await rolledTo(cluster, part, reference)
      await works(cluster, `ours in ${part}`, `with-${parts[part][1]}`)
      swapped.push(part)
    }
    for (const part of all.toReversed()) await rolledTo(cluster, part, upstreamImage(part))
    await works(cluster, 'upstream again', 'last')
    return `KEDA ${release} in pods of a kubelet ${cluster.plane.serverVersion}: ours by its image in ${swapped.join(', then ')}, and back; ${wanted} replicas all the time`
  } catch (cause) {
    const logs = await Promise.all(
      all.map(async part => (await cluster.kubectl('-n', 'keda', 'logs', `deployment/${part}`, '--tail=30')).stdout),
    )
    const said = `${await toldOf(cluster)}\n${logs.join('\n')}`
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${said}`, { cause })
  }
}

const upstreamImage = (part: Part) => `${registryHost}/kedacore/${parts[part][0]}:${release}`

/** The release's manifests; the registry is another, and images that are there are not asked for again. */
async function install(cluster: KubeletCluster, manifests: string): Promise<void> {
  const text = (await want(cluster, 'kustomize', manifests))
    .replaceAll(/ghcr\.io(\/kedacore\/keda[a-z-]*):main/g, `${registryHost}$1:${release}`)
    .replaceAll('imagePullPolicy: Always', 'imagePullPolicy: IfNotPresent')
  ok(all.every(part => text.includes(upstreamImage(part))))
  await cluster.apply(text)
  for (const part of all) await rolledOut(cluster, part)
  const image = referenceOf(await cluster.pushRunning('web', '1', 10))
  const container = { name: 'web', image }
  for (const name of ['web', 'first', ...all.map(part => `with-${parts[part][1]}`), 'last'])
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'default' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
        },
      }),
    )
  await cluster.apply(scaledObject('web'))
}

/** A start that never comes: active always. */
const scaledObject = (name: string, target = name): string =>
  JSON.stringify({
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'default' },
    spec: {
      scaleTargetRef: { name: target },
      pollingInterval: 5,
      triggers: [
        {
          type: 'cron',
          metadata: { timezone: 'Etc/UTC', start: '0 0 30 2 *', end: '0 12 * * *', desiredReplicas: String(wanted) },
        },
      ],
    },
  })

async function rolledOut(cluster: KubeletCluster, part: Part): Promise<void> {
  await until(
    `deployment/${part} is there`,
    async () => (await cluster.kubectl('-n', 'keda', 'rollout', 'status', `deployment/${part}`, '--timeout=100s')).code === 0,
    limitMs,
    500,
  )
}

/** Changes the image of a Deployment and nothing else, and waits until only that runs. */
async function rolledTo(cluster: KubeletCluster, part: Part, image: string): Promise<void> {
  await want(cluster, '-n', 'keda', 'set', 'image', `deployment/${part}`, `*=${image}`)
  await rolledOut(cluster, part)
  const app = part === 'keda-admission' ? 'keda-admission-webhooks' : part
  await until(
    `one pod of ${part}, of ${image}`,
    async () => {
      const path = 'jsonpath={.items[*].spec.containers[0].image}'
      return (await want(cluster, '-n', 'keda', 'get', 'pods', '-l', `app=${app}`, '-o', path)).trim() === image
    },
    limitMs,
    500,
  )
}

/** With what runs now a wrong object is refused, a new one scales from zero, the value is told, and what was awake stays as it is. */
async function works(cluster: KubeletCluster, what: string, name: string): Promise<void> {
  const { kubectl, plane } = cluster
  await until(
    `${what}: web runs ${wanted} times`,
    async () => (await want(cluster, 'get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')) === String(wanted),
    limitMs,
    500,
  )
  await until(
    `${what}: a second owner of web is refused`,
    async () => {
      const tried = await plane.client.send(
        'POST',
        '/apis/keda.sh/v1alpha1/namespaces/default/scaledobjects',
        JSON.parse(scaledObject('twice', 'web')),
      )
      if (tried.status >= 400) match(JSON.stringify(tried.body), /already managed by the (ScaledObject 'web'|hpa )/)
      // Its manifests let objects pass while nobody judges. Who sees the autoscaler before its ScaledObject names that.
      else await want(cluster, 'delete', 'scaledobject', 'twice')
      return tried.status >= 400
    },
    limitMs,
    1_000,
  )
  await cluster.apply(scaledObject(name))
  await until(
    `${what}: ${name} wakes`,
    async () => Number(await want(cluster, 'get', 'deployment', name, '-o', 'jsonpath={.status.readyReplicas}')) === wanted,
    limitMs,
    500,
  )
  const metric = 's0-cron-Etc-UTC-00302x-012xxx'
  const selector = encodeURIComponent('scaledobject.keda.sh/name=web')
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/default/${metric}?labelSelector=${selector}`
  const answer = JSON.parse(await want(cluster, 'get', '--raw', path))
  strictEqual(textAt(answer, 'items', '0', 'value'), String(wanted), what)
  strictEqual((await kubectl('get', 'hpa', `keda-hpa-${name}`)).code, 0, `${what}: the autoscaler of ${name}`)
  await want(cluster, 'delete', 'scaledobject', name)
  await want(cluster, 'scale', 'deployment', name, '--replicas=0')
  strictEqual(await want(cluster, 'get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}'), String(wanted), what)
}
