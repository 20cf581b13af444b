// A volume of the seed's class through two real kubelets: bound, written by one pod, read by another on the other node, read-only, by a part of it, for a group,
// named by the pod itself, named by an administrator; measured by the kubelet; deleted.

import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { limitMs } from '../../kubelet/pods.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { boundClaim, folders, place, ran, remove } from './pods.ts'
import { agents, driverName, type NfsCluster, nodePart, startNfsCluster, toldWhere, volumeMounts, want } from './site.ts'

export async function podsWithVolumes(): Promise<string> {
  await using site = await startNfsCluster({ nodes: 2, settings: ['nfs.csiDriver.inlineVolumes=true'] })
  return await toldWhere(site, () => flow(site))
}

async function flow(site: NfsCluster): Promise<string> {
  const { cluster, share } = site
  for (const { machine } of cluster.nodes)
    strictEqual((await machine.run(['pgrep', '-f', 'nfs-node-process'])).code, 0, machine.name)
  const volume = await boundClaim(cluster, 'books')
  deepStrictEqual(folders(site), [volume])

  // One writes and goes, one on the other node reads; then both at once.
  await ran(cluster, { name: 'first', node: 'n1', volume: 'books', script: `echo of the first > ${place}/file` })
  await remove(cluster, 'first')
  const [n1, n2] = cluster.nodes
  ok(n1 !== undefined && n2 !== undefined)
  deepStrictEqual(volumeMounts(n1), [])
  strictEqual(
    await ran(cluster, { name: 'second', node: 'n2', volume: 'books', script: `/bin/busybox cat ${place}/file` }),
    'of the first\n',
  )
  await ran(cluster, { name: 'third', node: 'n1', volume: 'books', script: `echo of the third >> ${place}/file` })
  strictEqual(await want(cluster, 'exec', 'second', '--', '/bin/busybox', 'cat', `${place}/file`), 'of the first\nof the third\n')
  strictEqual(volumeMounts(n1).length + volumeMounts(n2).length, 2)

  const readOnly = { persistentVolumeClaim: { claimName: 'books', readOnly: true } }
  const refused = await ran(cluster, {
    name: 'reader',
    node: 'n1',
    volume: readOnly,
    script: `/bin/busybox cat ${place}/file; /bin/busybox touch ${place}/more 2>&1`,
  })
  match(refused, /^of the first\nof the third\n.*Read-only file system\n$/)
  const mount = { subPath: 'shelf/top' }
  await ran(cluster, { name: 'part', node: 'n2', volume: 'books', mount, script: `echo of a part > ${place}/file` })
  strictEqual(readFileSync(join(share, volume, 'shelf', 'top', 'file'), 'utf8'), 'of a part\n')

  await measured(site)
  const grouped = await ofGroup(site)
  await namedByOthers(site)

  await remove(cluster, 'second', 'third', 'reader', 'part')
  await want(cluster, 'delete', 'pvc', 'books', 'grouped', '--timeout=120s')
  await until('the folders of the claims are gone', () => folders(site).join() === 'inline,static', limitMs, 250)
  await until(
    'no volume is left',
    async () => (await want(cluster, 'get', 'pv', '-o', 'name')).trim() === 'persistentvolume/by-hand',
    limitMs,
    250,
  )
  deepStrictEqual(
    cluster.nodes.flatMap(node => volumeMounts(node)),
    [],
  )
  await nothingRefused(site)
  return `two kubelets ${cluster.plane.serverVersion}, mount.nfs a stand-in: a claim of nfs-slow written on one node, read on the other after the pod had gone, and by both at once; read-only, subPath, fsGroup (${grouped}), an inline volume and a static one; figures in /stats/summary; claims deleted with their folders, no mount left`
}

/** A kubelet shows figures of volumes; it asks the driver for them. */
async function measured({ cluster }: NfsCluster): Promise<void> {
  const volumes = await until(
    'the kubelet has measured the volume',
    async () => {
      const summary: Summary = JSON.parse(await want(cluster, 'get', '--raw', '/api/v1/nodes/n2/proxy/stats/summary'))
      const found = summary.pods
        .find(({ podRef }) => podRef.name === 'second')
        ?.volume?.filter(({ pvcRef }) => pvcRef?.name === 'books')
      return found === undefined || found.length === 0 ? undefined : found
    },
    limitMs,
    500,
  )
  const [figures] = volumes
  ok(figures !== undefined && volumes.length === 1)
  const { capacityBytes = 0, usedBytes = 0, availableBytes = 0, inodes = 0, inodesUsed = 0 } = figures
  ok(usedBytes > 0 && availableBytes > 0 && usedBytes + availableBytes <= capacityBytes, JSON.stringify(figures))
  ok(inodesUsed > 0 && inodesUsed <= inodes, JSON.stringify(figures))
}

interface Summary {
  readonly pods: readonly {
    readonly podRef: { readonly name: string }
    readonly volume?: readonly {
      readonly name: string
      readonly pvcRef?: { readonly name: string }
      readonly capacityBytes?: number
      readonly usedBytes?: number
      readonly availableBytes?: number
      readonly inodes?: number
      readonly inodesUsed?: number
    }[]
  }[]
}

/** The CSIDriver says `fsGroupPolicy: File`: the kubelet gives the folder to the pod's group. */
async function ofGroup({ cluster, share }: NfsCluster): Promise<string> {
  const volume = await boundClaim(cluster, 'grouped')
  const securityContext = { runAsUser: 1_000, runAsGroup: 1_000, fsGroup: 2_000 }
  await ran(cluster, {
    name: 'member',
    node: 'n1',
    volume: 'grouped',
    securityContext,
    script: `echo of a member > ${place}/file`,
  })
  const folder = statSync(join(share, volume))
  const file = statSync(join(share, volume, 'file'))
  deepStrictEqual([folder.gid, folder.mode & 0o2070, file.uid, file.gid], [2_000, 0o2070, 1_000, 2_000])
  await remove(cluster, 'member')
  return `folder ${(folder.mode & 0o7777).toString(8)} of group ${folder.gid}`
}

/** A volume in the pod itself, and one that an administrator made. */
async function namedByOthers({ cluster, share, servers }: NfsCluster): Promise<void> {
  for (const name of ['inline', 'static']) {
    servers.addShare('candlekeep', `kubernetes/${name}`)
    writeFileSync(join(share, name, 'file'), `${name}\n`)
  }
  const inline = {
    csi: {
      driver: driverName,
      volumeAttributes: { server: 'candlekeep', share: '/kubernetes/inline', mountOptions: 'nfsvers=4.1,nconnect=16' },
    },
  }
  const script = `/bin/busybox cat ${place}/file`
  strictEqual(await ran(cluster, { name: 'inliner', node: 'n1', volume: inline, script }), 'inline\n')
  await cluster.plane.client.want('POST', '/api/v1/persistentvolumes', {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'by-hand' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      mountOptions: ['nfsvers=4.1'],
      csi: {
        driver: driverName,
        volumeHandle: 'candlekeep#kubernetes#static',
        volumeAttributes: { server: 'candlekeep', share: '/kubernetes', subDir: 'static' },
      },
    },
  })
  await boundClaim(cluster, 'static', { storageClassName: '', volumeName: 'by-hand' })
  strictEqual(await ran(cluster, { name: 'keeper', node: 'n2', volume: 'static', script }), 'static\n')
  await remove(cluster, 'inliner', 'keeper')
  await want(cluster, 'delete', 'pvc', 'static', '--timeout=120s')
  strictEqual(readFileSync(join(share, 'static', 'file'), 'utf8'), 'static\n')
}

/** No right was missing, and neither part complained. */
async function nothingRefused({ cluster }: NfsCluster): Promise<void> {
  const refused = cluster.plane
    .answered()
    .filter(one => one.code === 403 && one.user.startsWith(`system:serviceaccount:${agents}:`))
  deepStrictEqual(
    refused.map(({ verb, path }) => `${verb} ${path}`),
    [],
  )
  for (const part of [nodePart, 'deployment/ballast-nfs-controller']) {
    const said = await want(cluster, '-n', agents, 'logs', part)
    ok(!/"level":(5|6)0|"level":"(error|fatal)"/.test(said), said)
  }
}
