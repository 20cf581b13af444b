// The product in pods of a real kubelet as `ballast manifests --enable gateway,autoscale` installs it, and a real container that it takes from
// zero to the answered request: image there, sandbox, network, probe.
import { ok, strictEqual } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listAt, textAt } from '#kube/objects/object-fields.ts'
import { commandLine } from '../../cli/bundled.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, startKubeletCluster } from '../kubelet/cluster.ts'
import { certify, limitMs, referenceOf, toldOf } from '../kubelet/pods.ts'
import { want } from '../metrics/kubectl-top.ts'
import { pushProgram } from '../mirror/laboratory/images.ts'
import { until } from '../mirror/laboratory/program.ts'
import { type CommandResult, commandOutput } from '../run-command.ts'
import { ledToGateway } from './own-endpoints.ts'
import { gatewayPeers } from './peers.ts'

const namespace = 'ballast-system'
const gatewayLabels = 'app.kubernetes.io/component=gateway'
const wakes = 6
const trafficPort = 8080
/** What the scaler really listens at: nobody leads Services' ports here. */
const scalerPort = 9091
const bodyBytes = 1024
const curlSeconds = 120

const configuration = {
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'BallastConfiguration',
  capabilities: {
    gateway: { enabled: true, scalerAddress: `ballast-gateway.${namespace}:${scalerPort}` },
    autoscale: { enabled: true },
  },
}

export async function coldPods(): Promise<string> {
  const archives = archivesIn(await ownImage())
  const content = readFileSync(await gatewayPeers())
  await using cluster = await startKubeletCluster({
    nodes: 1,
    archives,
    taints: [],
    isServed: true,
    certified: ['n1'],
    audit: true,
    containerdFiles: registryFiles,
  })
  try {
    await certify(cluster, 1)
    const image = await pushProgram(cluster.outside.base, {
      repository: 'acme/web',
      tag: '1',
      besides: 10,
      program: { path: 'peers', content },
      entrypoint: ['/peers'],
      command: ['backend', `-listen=0.0.0.0:${trafficPort}`, `-bytes=${bodyBytes}`],
    })
    await install(cluster)
    await cluster.apply([deployment(referenceOf(image)), service, route].map(one => JSON.stringify(one)).join('\n---\n'))
    return await seen(cluster)
  } catch (cause) {
    const logs = await Promise.all(
      ['ballast-gateway', 'ballast-apiserver'].map(
        async name => (await cluster.kubectl('-n', namespace, 'logs', `deployment/${name}`, '--tail=40')).stdout,
      ),
    )
    const objects = (await cluster.kubectl('get', 'scaledobjects,httpscaledobjects,deployments', '-A', '-o', 'yaml')).stdout
    const said = [await toldOf(cluster), ...logs, objects.slice(-8_000)].join('\n')
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${said}`, { cause })
  }
}

async function install(cluster: KubeletCluster): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-cold-pods-'))
  try {
    const file = join(directory, 'ballast.yaml')
    writeFileSync(file, JSON.stringify(configuration))
    const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(reference) ?? []
    const image = Object.entries({ registry, repository, tag }).flatMap(([key, text]) => ['--set', `image.${key}=${text}`])
    const manifests = await commandOutput(process.execPath, [commandLine, 'manifests', '--config', file, ...image])
    // The second time takes what needed a kind, or the namespace, of the first.
    await cluster.apply(manifests).catch(() => undefined)
    await cluster.apply(manifests)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  for (const name of ['ballast-apiserver', 'ballast-gateway'])
    await until(
      `deployment/${name} is there`,
      async () =>
        (await cluster.kubectl('-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=100s')).code === 0,
      limitMs,
      500,
    )
}

async function seen(cluster: KubeletCluster): Promise<string> {
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('a node')
  const pods = JSON.parse(await want(cluster, '-n', namespace, 'get', 'pods', '-l', gatewayLabels, '-o', 'json'))
  const address = textAt(pods, 'items', '0', 'status', 'podIP')
  await until(
    'the ScaledObject is Ready',
    async () => (await cluster.kubectl('wait', 'scaledobject/web', '--for=condition=Ready', '--timeout=5s')).code === 0,
    limitMs,
    250,
  )
  const scaled: number[] = []
  const answered: number[] = []
  for (let at = 0; at < wakes; at++) {
    await asleep(cluster)
    const script = `date +%s%3N; exec curl -sS -m ${curlSeconds} -D - -o /dev/null -w '%{http_code} %{size_download} %{time_total}' -H 'Host: web.test' http://${address}:${trafficPort}/`
    const curl: CommandResult = await node.machine.run(['sh', '-c', script])
    const stdout: string = curl.stdout
    ok(/^x-keda-http-cold-start: true\r?$/im.test(stdout), `${stdout}${curl.stderr}`)
    const [status, bytes, seconds]: readonly string[] = stdout.slice(stdout.lastIndexOf('\n') + 1).split(' ')
    strictEqual(`${status} ${bytes}`, `200 ${bodyBytes}`, stdout)
    const sentMs = Number(stdout.split('\n')[0])
    const written = cluster.plane
      .answered()
      .find(
        ({ verb, path, receivedMs, code }) =>
          ['update', 'patch'].includes(verb) &&
          path === '/apis/apps/v1/namespaces/default/deployments/web/scale' &&
          receivedMs >= sentMs &&
          code < 300,
      )
    if (written === undefined) throw new Error('nobody scaled it')
    scaled.push(written.receivedMs - sentMs)
    answered.push(Number(seconds) * 1_000)
  }
  const stages = await until(
    'the condition ColdStart',
    async () => {
      const object = JSON.parse(await want(cluster, 'get', 'httpscaledobject', 'web', '-o', 'json'))
      const found = listAt(object, 'status', 'conditions').find(one => textAt(one, 'type') === 'ColdStart')
      return found === undefined ? undefined : textAt(found, 'message')
    },
    limitMs,
    250,
  )
  const led = await ledToGateway(cluster, () => asleep(cluster))
  return `a container from zero ${wakes} times: to the write of the scale ${figures(scaled)}, to the answer ${figures(answered)}; ColdStart: ${stages}; ${led}`
}

const figures = (values: readonly number[]): string => {
  const sorted = values.toSorted((left, right) => left - right)
  return `p50 ${Math.round(sorted[Math.floor((sorted.length - 1) / 2)] ?? 0)} ms, at most ${Math.round(sorted.at(-1) ?? 0)} ms`
}

/** None is wanted, and no pod is left that could answer. */
async function asleep(cluster: KubeletCluster): Promise<void> {
  await until(
    'the target sleeps',
    async () => {
      const replicas = await want(cluster, 'get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}')
      return replicas === '0' && (await want(cluster, 'get', 'pods', '-l', 'app=web', '-o', 'name')).trim() === ''
    },
    limitMs,
    250,
  )
}

const labels = { app: 'web' }

const deployment = (image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 0,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'web',
            image,
            ports: [{ name: 'web', containerPort: trafficPort }],
            readinessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
})

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: labels, ports: [{ name: 'web', port: 80, targetPort: 'web' }] },
}

const route = {
  apiVersion: 'http.keda.sh/v1alpha1',
  kind: 'HTTPScaledObject',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    hosts: ['web.test'],
    scaleTargetRef: { name: 'web', kind: 'Deployment', apiVersion: 'apps/v1', service: 'web', port: 80 },
    replicas: { min: 0, max: 1 },
    scaledownPeriod: 1,
    scalingMetric: { concurrency: { targetValue: 10 } },
  },
}
