// csi-driver-nfs as Helm and its own chart install it, swapped for Ballast node by node with `ballast migrate`, and back, below pods with volumes: two real kubelets, both
// drivers run as pods, and what each takes of memory is what the kubelets say. Of upstream's image there is the driver alone: its `mount` and `umount` are the stand-in.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandLine } from '../../../cli/bundled.ts'
import { type HelmChart, helmChart } from '../../helm/helm.ts'
import { reference } from '../../image/own-image.ts'
import { type KubeletCluster, registryHost } from '../../kubelet/cluster.ts'
import { limitMs } from '../../kubelet/pods.ts'
import { pushProgram } from '../../mirror/laboratory/images.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { runCommand } from '../../run-command.ts'
import { type Upstream, upstreamPath } from '../../upstreams/build.ts'
import { peerChart } from '../../upstreams/peer-archives.ts'
import {
  assertUntroubled,
  boundClaim,
  counted,
  counting,
  create,
  following,
  place,
  ran,
  remove,
  untilWritten,
  volumePod,
} from './pods.ts'
import { agents, driverName, type NfsCluster, startNfsCluster, toldWhere, volumeMounts, want } from './site.ts'

/** What our manifests call the image. */
const published = 'ghcr.io/ballast-dev/ballast:0.1.0'
const release = 'csi-nfs'
const nodePods = { upstream: 'app=csi-nfs-node', ours: 'app.kubernetes.io/component=agent-nfs' } as const

/** The programs of upstream's pods, by the chart's name of their image. */
const images = {
  nfs: ['csi-driver-nfs', 'nfsplugin', 'v4.13.4'],
  csiProvisioner: ['csi-provisioner', 'csi-provisioner', 'v6.3.0'],
  csiResizer: ['csi-resizer', 'csi-resizer', 'v2.2.0'],
  livenessProbe: ['livenessprobe', 'livenessprobe', 'v2.19.0'],
  nodeDriverRegistrar: ['node-driver-registrar', 'csi-node-driver-registrar', 'v2.17.0'],
} as const satisfies Readonly<Record<string, readonly [Upstream, name: string, tag: string]>>

export async function driverIsSwapped(): Promise<string> {
  const programs = await Promise.all(
    Object.values(images).map(async ([upstream, name, tag]) => ({
      name,
      tag,
      content: readFileSync(await upstreamPath(upstream)),
    })),
  )
  using helm = await helmChart(new Map())
  await using site = await startNfsCluster({ nodes: 2, isBare: true })
  const { cluster } = site
  return await toldWhere(site, async () => {
    for (const node of cluster.nodes) {
      const tagged = await node.ctr('images', 'tag', reference, published)
      strictEqual(tagged.code, 0, tagged.stderr)
    }
    for (const { name, tag, content } of programs)
      await pushProgram(cluster.outside.base, {
        repository: `sig-storage/${name}`,
        tag,
        besides: 10,
        program: { path: name, content },
        entrypoint: [`/${name}`],
        command: [],
      })
    await install(helm, cluster)
    const volume = await boundClaim(cluster, 'books')
    await create(cluster, volumePod({ name: 'writer', node: 'n1', volume: 'books', script: counting('lines') }))
    await until('the writer writes', () => existsSync(join(site.share, volume, 'lines')), limitMs, 100)
    await create(cluster, volumePod({ name: 'reader', node: 'n2', volume: 'books', script: following('lines') }))
    await want(cluster, 'wait', 'pod/reader', '--for=condition=Ready', `--timeout=${limitMs / 1_000}s`)
    const before = mounts(site)
    const theirs = await memory(cluster, 'upstream')

    const forth = migrated(cluster, '--forget-release')
    const meanwhile = boundClaim(cluster, 'meanwhile')
    await forth
    await served(site, volume, 'ours', before)
    await meanwhile
    const own = await memory(cluster, 'ours')
    await migrated(cluster, '--back')
    await served(site, volume, 'upstream', before)
    const lines = counted(site, volume, 'lines')
    await remove(cluster, 'writer', 'reader')
    deepStrictEqual(mounts(site), [])
    await want(cluster, 'delete', 'pvc', 'books', 'meanwhile', '--timeout=120s')
    return `Helm and upstream's chart 4.13.4 on two kubelets ${cluster.plane.serverVersion}, mount.nfs a stand-in: there and back below two pods with a volume, ${lines} lines each once and in order, no pod restarted, what was mounted stayed; a claim made meanwhile was bound; memory of the pod of a node by its kubelet: upstream's ${theirs}, ours ${own}`
  })
}

async function install(helm: HelmChart, cluster: KubeletCluster): Promise<void> {
  const chart = await peerChart('csi-driver-nfs')
  const values = {
    image: {
      baseRepo: registryHost,
      ...Object.fromEntries(
        Object.entries(images).map(([key, [, name, tag]]) => [key, { repository: `${registryHost}/sig-storage/${name}`, tag }]),
      ),
    },
    // Its kinds are not in this cluster.
    controller: { enableSnapshotter: false },
  }
  const kubeconfig = `--kubeconfig=${cluster.plane.kubeconfig}`
  const file = helm.write('values.yaml', JSON.stringify(values))
  await helm.want(['install', release, chart, '-n', 'kube-system', '-f', file, kubeconfig])
  await ready(cluster, 'kube-system', 'daemonset/csi-nfs-node')
  await ready(cluster, 'kube-system', 'deployment/csi-nfs-controller')
}

const ready = (cluster: KubeletCluster, namespace: string, name: string) =>
  want(cluster, '-n', namespace, 'rollout', 'status', name, `--timeout=${limitMs / 1_000}s`)

/** Runs `migrate apply csi-driver-nfs` as its user does. @throws Error with what it said */
async function migrated({ plane }: KubeletCluster, ...flags: readonly string[]): Promise<void> {
  const words = ['migrate', 'apply', 'csi-driver-nfs', '--all', '--yes', ...flags, '--kubeconfig', plane.kubeconfig]
  const { code, stdout, stderr } = await runCommand(process.execPath, [commandLine, ...words], {
    env: { NO_COLOR: '1' },
    timeoutMs: 900_000,
  })
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${stdout}${stderr}`)
}

const mounts = ({ cluster }: NfsCluster) =>
  cluster.nodes.flatMap(node => volumeMounts(node).map(path => `${node.machine.name} ${path}`))

/** One side is there and the other is not; pods go on with what was mounted, and new ones get theirs. */
async function served(site: NfsCluster, volume: string, side: keyof typeof nodePods, before: readonly string[]): Promise<void> {
  const { cluster } = site
  if (side === 'ours') {
    await ready(cluster, agents, 'daemonset/ballast-agent-nfs')
    await ready(cluster, agents, 'deployment/ballast-nfs-controller')
  } else {
    await ready(cluster, 'kube-system', 'daemonset/csi-nfs-node')
    await ready(cluster, 'kube-system', 'deployment/csi-nfs-controller')
  }
  const other = side === 'ours' ? nodePods.upstream : nodePods.ours
  strictEqual((await want(cluster, 'get', 'pods', '-A', '-l', other, '-o', 'name')).trim(), '')
  await untilWritten(site, volume, 'lines')
  await assertUntroubled(cluster, 'writer', 'reader')
  deepStrictEqual(mounts(site), before)
  const claim = `new-${side}`
  await boundClaim(cluster, claim)
  for (const { machine } of cluster.nodes) {
    const name = `${claim}-${machine.name}`
    await ran(cluster, { name, node: machine.name, volume: claim, script: `echo ${name} >> ${place}/names` })
    await remove(cluster, name)
  }
  deepStrictEqual(mounts(site), before)
  await want(cluster, 'delete', 'pvc', claim, '--timeout=120s')
  const drivers = await want(cluster, 'get', 'csinodes', '-o', 'jsonpath={.items[*].spec.drivers[*].name}')
  strictEqual(drivers, cluster.nodes.map(() => driverName).join(' '))
}

/** What the kubelets say that a node's pod holds, without files that can be dropped. */
async function memory(cluster: KubeletCluster, side: keyof typeof nodePods): Promise<string> {
  const names = (
    await want(cluster, 'get', 'pods', '-A', '-l', nodePods[side], '-o', 'jsonpath={.items[*].metadata.name}')
  ).split(' ')
  const found = await Promise.all(
    cluster.nodes.map(async ({ machine }) => {
      const summary: Summary = JSON.parse(
        await want(cluster, 'get', '--raw', `/api/v1/nodes/${machine.name}/proxy/stats/summary`),
      )
      const pod = summary.pods.find(({ podRef }) => names.includes(podRef.name))
      ok(pod !== undefined, `${machine.name} says nothing of ${names.join(', ')}`)
      const bytes = pod.containers.reduce((sum, { memory: held }) => sum + (held?.workingSetBytes ?? Number.NaN), 0)
      return `${(bytes / 1_048_576).toFixed(0)} MiB`
    }),
  )
  return found.join(' and ')
}

interface Summary {
  readonly pods: readonly {
    readonly podRef: { readonly name: string }
    readonly containers: readonly { readonly memory?: { readonly workingSetBytes?: number } }[]
  }[]
}
