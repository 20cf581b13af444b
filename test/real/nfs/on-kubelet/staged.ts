// Volumes that are mounted once a node, on a real kubelet: below pods that were there before that was wanted, with the kubelet and the node part killed
// meanwhile. A second pod costs no call of mount.nfs.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { limitMs } from '../../kubelet/pods.ts'
import { until } from '../../mirror/laboratory/program.ts'
import {
  assertUntroubled,
  boundClaim,
  counted,
  counting,
  create,
  following,
  once,
  place,
  ran,
  remove,
  untilWritten,
  volumePod,
} from './pods.ts'
import { node, registrations, replaceNodePart } from './restarts.ts'
import { install, type NfsCluster, stagedMounts, startNfsCluster, toldWhere, volumeMounts, want } from './site.ts'

const staging = ['capabilities.nfs.node.stage=true']

export async function stagedVolumes(): Promise<string> {
  await using site = await startNfsCluster({ nodes: 1, umount: true })
  return await toldWhere(site, () => flow(site))
}

async function flow(site: NfsCluster): Promise<string> {
  const { cluster } = site
  const volume = await boundClaim(cluster, 'books')
  const writer = (name: string) => volumePod({ name, node: 'n1', volume: 'books', script: counting(name) })
  const started = async (name: string) => {
    await create(cluster, writer(name))
    await until(`${name} writes`, () => existsSync(join(site.share, volume, name)), limitMs, 100)
  }
  const mounts = () => [volumeMounts(node(site)).length, stagedMounts(node(site)).length]
  await started('before')
  await install(site, staging)
  await untilWritten(site, volume, 'before')
  // The kubelet has nothing of it to stage any more: a pod has a mount of its own as long as the first one is there.
  await started('beside')
  deepStrictEqual(mounts(), [2, 0])
  for (const name of ['before', 'beside']) await assertUntroubled(cluster, name)
  await remove(cluster, 'before', 'beside')
  deepStrictEqual(mounts(), [0, 0])

  site.servers.forgetCalls()
  const mounted = () => site.servers.calls().filter(({ program }) => program === 'mount.nfs').length
  await started('first')
  await create(cluster, volumePod({ name: 'second', node: 'n1', volume: 'books', script: following('first') }))
  await want(cluster, 'wait', 'pod/second', '--for=condition=Ready', `--timeout=${limitMs / 1_000}s`)
  const readOnly = { persistentVolumeClaim: { claimName: 'books', readOnly: true } }
  const refused = await ran(cluster, {
    name: 'reader',
    node: 'n1',
    volume: readOnly,
    script: `/bin/busybox touch ${place}/more 2>&1`,
  })
  ok(refused.includes('Read-only file system'), refused)
  deepStrictEqual(mounts(), [3, 1])
  strictEqual(mounted(), 1, 'three pods, one mount.nfs')

  const known = await registrations(site)
  await node(site).restartKubelet()
  await until('the kubelet knows the driver', async () => (await registrations(site)) > known, limitMs, 100)
  await replaceNodePart(site)
  await until('the next node part is registered', async () => (await registrations(site)) === 1, limitMs, 100)
  await ran(cluster, { name: 'later', node: 'n1', volume: 'books', script: `/bin/busybox tail -n 1 ${place}/first > /dev/null` })
  await remove(cluster, 'later', 'reader')
  deepStrictEqual(mounts(), [2, 1])
  strictEqual(mounted(), 1, 'also after the kubelet and the node part were killed')
  await untilWritten(site, volume, 'first')
  await assertUntroubled(cluster, 'first', 'second')
  const lines = counted(site, volume, 'first')
  await remove(cluster, 'first', 'second')
  await until('the mount of the node is gone', () => mounts().join() === '0,0', limitMs, 100)
  await killedWhileStaged(site)
  return `kubelet ${cluster.plane.serverVersion}, mount.nfs a stand-in: a pod from before kept its mount, and the next one beside it had its own; then four pods by one mount of the node (one call of mount.nfs), one of them read-only; kubelet and node part killed below them, ${lines} lines written, each once and in order; killed before and after the mount of the node and its end: once mounted, nothing left`
}

/** The node part is killed before and after the mount of the node is made, and before and after it is taken away. */
async function killedWhileStaged(site: NfsCluster): Promise<void> {
  const { cluster, servers } = site
  for (const step of ['hang', 'hangAfter'] as const) {
    const name = `staged-${step.toLowerCase()}`
    servers.forgetCalls()
    servers.tell('candlekeep', { [step]: true })
    await create(cluster, once({ name, node: 'n1', volume: 'books', script: `/bin/busybox ls ${place} > /dev/null` }))
    await until('mount.nfs is called', () => servers.calls().some(({ program }) => program === 'mount.nfs'), limitMs, 50)
    if (step === 'hangAfter') await until('it has mounted', () => stagedMounts(node(site)).length === 1, limitMs, 50)
    await replaceNodePart(site)
    servers.tell('candlekeep', undefined)
    await until(`pod ${name} is done`, async () => (await cluster.kubectl('logs', name)).stdout === 'done\n', limitMs, 250)
    strictEqual(stagedMounts(node(site)).length, 1, step)
    servers.forgetCalls()
    servers.tell('umount', { [step]: true })
    await want(cluster, 'delete', 'pod', name, '--wait=false')
    await until('umount is called', () => servers.calls().some(({ program }) => program === 'umount'), limitMs, 50)
    await replaceNodePart(site)
    servers.tell('umount', undefined)
    await want(cluster, 'wait', `pod/${name}`, '--for=delete', `--timeout=${limitMs / 1_000}s`)
    await until('nothing is mounted', () => volumeMounts(node(site)).length + stagedMounts(node(site)).length === 0, limitMs, 100)
  }
}
