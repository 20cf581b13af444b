// A volume for one node, on two real kubelets: the controller holds it to the node that has it, by what it has written on the share, whatever becomes of its pod; and it counts
// as grown when the kubelet that has it mounted has asked its node.

import { deepStrictEqual, match, strictEqual } from 'node:assert'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { limitMs } from '../../kubelet/pods.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { boundClaim, create, folders, once, place, ran, remove } from './pods.ts'
import { agents, type NfsCluster, startNfsCluster, toldWhere, want } from './site.ts'

const settings = [
  'capabilities.nfs.controller.attach=true',
  'capabilities.nfs.node.expand=true',
  'capabilities.nfs.node.mostVolumes=7',
]

export async function attachedVolumes(): Promise<string> {
  await using site = await startNfsCluster({ nodes: 2, settings })
  return await toldWhere(site, () => flow(site))
}

async function flow(site: NfsCluster): Promise<string> {
  const { cluster } = site
  const said = (...args: readonly string[]) => want(cluster, 'get', ...args)
  strictEqual(await said('csidriver', 'nfs.csi.k8s.io', '-o', 'jsonpath={.spec.attachRequired}'), 'true')
  strictEqual(await said('csinode', 'n1', '-o', 'jsonpath={.spec.drivers[0].allocatable.count}'), '7')
  const volume = await boundClaim(cluster, 'books', { accessModes: ['ReadWriteOnce'] })
  await ran(cluster, { name: 'first', node: 'n1', volume: 'books', script: `echo of the first > ${place}/file` })
  strictEqual(await attachments(site), 'n1 true')
  strictEqual(records(site).length, 1)

  await want(cluster, 'patch', 'pvc', 'books', '-p', '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
  const size = () => said('pvc', 'books', '-o', 'jsonpath={.status.capacity.storage}')
  await until('the claim has grown', async () => (await size()) === '2Gi', limitMs, 250)
  const events = await said('events', '-o', 'jsonpath={range .items[*]}{.reason} {.source.component}{"\\n"}{end}')
  match(events, /^FileSystemResizeSuccessful kubelet$/m)

  // Kubernetes itself attaches no such volume twice; who does it all the same is refused by the driver.
  await cluster.plane.client.want('POST', '/apis/storage.k8s.io/v1/volumeattachments', {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name: 'by-hand' },
    spec: { attacher: 'nfs.csi.k8s.io', nodeName: 'n2', source: { persistentVolumeName: volume } },
  })
  const why = await until(
    'it is said why',
    async () => (await said('volumeattachment', 'by-hand', '-o', 'jsonpath={.status.attachError.message}')) || undefined,
    limitMs,
    250,
  )
  match(why, /FailedPrecondition .* is published to node n1 with SINGLE_NODE_MULTI_WRITER/)
  await want(cluster, 'delete', 'volumeattachment', 'by-hand', `--timeout=${limitMs / 1_000}s`)

  await want(
    cluster,
    '-n',
    agents,
    'delete',
    'pod',
    '-l',
    'app.kubernetes.io/component=nfs-controller',
    '--grace-period=0',
    '--force',
  )
  await create(cluster, once({ name: 'second', node: 'n2', volume: 'books', script: `/bin/busybox cat ${place}/file` }))
  await until(
    'the second pod is told that it waits',
    async () => (await said('events', '-o', 'jsonpath={.items[*].reason}')).includes('FailedAttachVolume'),
    limitMs,
    250,
  )
  deepStrictEqual([await attachments(site), records(site).length], ['n1 true', 1])
  await remove(cluster, 'first')
  await until(
    'the second pod has read',
    async () => (await cluster.kubectl('logs', 'second')).stdout === 'of the first\ndone\n',
    limitMs,
    250,
  )
  deepStrictEqual([await attachments(site), records(site).length], ['n2 true', 1])
  await remove(cluster, 'second')
  await until('nothing is attached', async () => (await attachments(site)) === '' && records(site).length === 0, limitMs, 250)
  await want(cluster, 'delete', 'pvc', 'books', `--timeout=${limitMs / 1_000}s`)
  await until('no folder is left', () => folders(site).length === 0, limitMs, 250)
  return `two kubelets ${cluster.plane.serverVersion}, mount.nfs a stand-in: a volume for one node held to it by the driver, also after its controller was killed, and by the next node when the first had let it go; grown to 2 Gi when the kubelet had asked its node; nothing attached and no record left`
}

/** Nodes of attachments, and whether they have the volume. */
async function attachments({ cluster }: NfsCluster): Promise<string> {
  const path = 'jsonpath={range .items[*]}{.spec.nodeName} {.status.attached}{"\\n"}{end}'
  return (await want(cluster, 'get', 'volumeattachment', '-o', path)).trim()
}

/** What is written down on the share. */
const records = ({ share }: NfsCluster): readonly string[] => {
  const folder = join(share, '.ballast-attached')
  return existsSync(folder) ? readdirSync(folder) : []
}
