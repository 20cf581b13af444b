// Pods of a cluster of kubelets, and what one asks of the mirrors on its nodes.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { metricOf } from '../mirror/laboratory/agents.ts'
import type { PushedImage } from '../mirror/laboratory/images.ts'
import { until } from '../mirror/laboratory/program.ts'
import { type KubeletCluster, registryHost } from './cluster.ts'
import type { KubeletNode } from './kubelet-node.ts'

/** Against hanging only. */
export const limitMs = 300_000

/** What a pod calls it. */
export const referenceOf = ({ repository, tag }: PushedImage): string => `${registryHost}/${repository}:${tag}`

/** Runs a pod of the image on the node, whose image must be that of the registry. */
export async function runPod({ plane, kubectl }: KubeletCluster, { machine }: KubeletNode, image: PushedImage): Promise<void> {
  const name = `${image.repository.replace('/', '-')}-${machine.name}`
  const container = { name: 'app', image: referenceOf(image), imagePullPolicy: 'Always' }
  await plane.client.want('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { nodeSelector: { 'kubernetes.io/hostname': machine.name }, containers: [container] },
  })
  const waited = await kubectl('wait', `pod/${name}`, '--for=condition=Ready', `--timeout=${limitMs / 1_000}s`)
  if (waited.code !== 0) throw new Error(`pod ${name}: ${waited.stderr}\n${(await kubectl('describe', 'pod', name)).stdout}`)
  const { stdout } = await kubectl('get', 'pod', name, '-o', 'jsonpath={.status.containerStatuses[0].imageID}')
  if (!stdout.endsWith(image.digest)) throw new Error(`pod ${name} runs ${stdout}, expected ${image.digest}`)
}

/** Approves what so many kubelets ask for, as soon as they have: certificates that they serve with. */
export async function certify({ kubectl }: KubeletCluster, kubelets: number): Promise<void> {
  const askers = '{range .items[*]}{.spec.username} {.metadata.name}{"\\n"}{end}'
  const asked = await until('kubelets ask for certificates', async () => {
    const { stdout } = await kubectl('get', 'certificatesigningrequests', '-o', `jsonpath=${askers}`)
    const lines = stdout.split('\n').filter(line => line.startsWith('system:node:'))
    return new Set(lines.map(line => line.split(' ')[0])).size >= kubelets ? lines : undefined
  })
  const { code, stderr } = await kubectl('certificate', 'approve', ...asked.map(line => line.split(' ')[1] ?? ''))
  if (code !== 0) throw new Error(`kubectl certificate approve: ${stderr}`)
}

/** Waits until the node's mirror answers for the image: for its tag alone where `isByTag`. */
export async function untilFound({ machine }: KubeletNode, image: PushedImage, port: number, isByTag = false): Promise<void> {
  const base = `http://${machine.address}:${port}/v2/${image.repository}`
  const urls = [
    `manifests/${image.tag}`,
    ...(isByTag ? [] : [`manifests/${image.manifest}`, ...image.layers.map(({ digest }) => `blobs/${digest}`)]),
  ].map(path => `${base}/${path}?ns=${encodeURIComponent(registryHost)}`)
  await until(
    `${machine.name} finds ${image.repository}`,
    async () => {
      for (const url of urls) {
        const { stdout } = await machine.run(['curl', '-s', '-m', '5', '-I', '-o', '/dev/null', '-w', '%{http_code}', url])
        if (stdout !== '200') return false
      }
      return true
    },
    limitMs,
    250,
  )
}

/** A figure of what serves metrics at a port of the node. */
export async function metric(
  { machine }: KubeletNode,
  port: number,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { stdout } = await machine.run(['curl', '-s', '-m', '5', `http://${machine.address}:${port}/metrics`])
  return metricOf(stdout, name, labels)
}

/** What one wants to read when it failed. */
export async function toldOf({ kubectl, nodes }: KubeletCluster): Promise<string> {
  const asked = [
    ['get', 'nodes', '-o', 'custom-columns=NAME:.metadata.name,TAINTS:.spec.taints'],
    ['get', 'pods', '-A', '-o', 'wide'],
    ['get', 'events', '-A'],
  ]
  const answers = await Promise.all(asked.map(async args => (await kubectl(...args)).stdout.slice(-6_000)))
  const logs = nodes.flatMap(({ machine }) =>
    globSync('pods/{*mirror*,*spegel*,ballast*,*metrics-server*}/*/*.log', { cwd: machine.path('/var/log') }).map(
      file => `${machine.name} ${file}\n${readFileSync(join(machine.path('/var/log'), file), 'utf8').slice(-2_000)}`,
    ),
  )
  return [...answers, ...logs].join('\n')
}
