// Volumes that are mounted while a kubelet or the node part of the driver ends and comes again: pods write a line every 50 ms and read all the while, each number is on
// the server once and in order, no mount is there twice, and the next pod gets its volume.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
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
import { agents, type NfsCluster, nodePart, startNfsCluster, toldWhere, untilServed, volumeMounts, want } from './site.ts'

const rounds = Number(process.env['BALLAST_KUBELET_RESTARTS'] ?? 5)

export async function restartsWithVolumes(): Promise<string> {
  await using site = await startNfsCluster({ nodes: 1, umount: true })
  return await toldWhere(site, async () => {
    const volume = await boundClaim(site.cluster, 'books')
    await create(site.cluster, volumePod({ name: 'writer', node: 'n1', volume: 'books', script: counting('lines') }))
    await until('the writer writes', () => existsSync(join(site.share, volume, 'lines')), limitMs, 100)
    await create(site.cluster, volumePod({ name: 'reader', node: 'n1', volume: 'books', script: following('lines') }))
    await want(site.cluster, 'wait', 'pod/reader', '--for=condition=Ready', `--timeout=${limitMs / 1_000}s`)
    const kubelets = await kubeletRestarts(site, volume)
    const parts = await nodePartRestarts(site, volume)
    const away = await deletedMeanwhile(site, volume)
    const steps = await killedAtSteps(site, volume)
    await assertUntroubled(site.cluster, 'writer', 'reader')
    const lines = counted(site, volume, 'lines')
    await remove(site.cluster, 'writer', 'reader')
    const [n1] = site.cluster.nodes
    ok(n1 !== undefined)
    deepStrictEqual(volumeMounts(n1), [])
    return `kubelet ${site.cluster.plane.serverVersion}, mount.nfs a stand-in; two pods with a volume: ${[kubelets, parts, away, steps].join('; ')}; ${lines} lines written, each once and in order, no pod restarted, no mount doubled or left`
  })
}

/** The first of its nodes. */
export const node = ({ cluster }: NfsCluster) => {
  const [n1] = cluster.nodes
  if (n1 === undefined) throw new Error('a node')
  return n1
}

/** Both pods have their volume once, and the next one gets it. */
async function assertServed(site: NfsCluster, volume: string, name: string): Promise<void> {
  await untilWritten(site, volume, 'lines')
  const before = volumeMounts(node(site))
  strictEqual(before.length, new Set(before).size, `mounted more than once: ${before.join('\n')}`)
  strictEqual(before.length, 2, before.join('\n'))
  await ran(site.cluster, {
    name,
    node: 'n1',
    volume: 'books',
    script: `/bin/busybox tail -n 1 ${place}/lines > /dev/null || exit 1`,
  })
  await remove(site.cluster, name)
  await until('its mount is gone', () => volumeMounts(node(site)).length === 2, limitMs, 100)
}

/** How often a kubelet has taken the driver of the node part that is there: by what it wrote, which a kubelet need not hand out. */
export async function registrations(site: NfsCluster): Promise<number> {
  const [part] = await nodeParts(site)
  const logs = node(site).machine.path('/var/log/pods')
  return globSync(`${agents}_${part?.name}_*/nfs/*.log`, { cwd: logs }).reduce(
    (sum, file) => sum + readFileSync(join(logs, file), 'utf8').split('the kubelet knows the driver').length - 1,
    0,
  )
}

async function kubeletRestarts(site: NfsCluster, volume: string): Promise<string> {
  const seconds: number[] = []
  for (let round = 1; round <= rounds; round += 1) {
    const known = await registrations(site)
    const startMs = systemClock.elapsed()
    await node(site).restartKubelet()
    await until(
      `the kubelet knows the driver after restart ${round}`,
      async () => (await registrations(site)) > known,
      limitMs,
      100,
    )
    seconds.push((systemClock.elapsed() - startMs) / 1_000)
    await assertServed(site, volume, `after-kubelet-${round}`)
  }
  return `${rounds} kubelets killed, the driver known again within ${Math.max(...seconds).toFixed(1)} s`
}

async function nodePartRestarts(site: NfsCluster, volume: string): Promise<string> {
  const { cluster } = site
  const before = await restartCount(site)
  const known = await registrations(site)
  await killNodePart(site)
  await until('the node part is started again', async () => (await restartCount(site)) > before, limitMs, 100)
  await until('it is registered', async () => (await registrations(site)) > known, limitMs, 100)
  await assertServed(site, volume, 'after-kill')
  for (let round = 1; round <= rounds; round += 1) {
    await replaceNodePart(site)
    await assertServed(site, volume, `after-part-${round}`)
  }
  await want(cluster, '-n', agents, 'rollout', 'restart', nodePart)
  await want(cluster, '-n', agents, 'rollout', 'status', nodePart, `--timeout=${limitMs / 1_000}s`)
  await until('it is registered', async () => (await registrations(site)) === 1, limitMs, 100)
  await assertServed(site, volume, 'after-rollout')
  return `the node part killed once in its pod, ${rounds} times with its pod, and rolled out anew`
}

/** As one that ends without a word: SIGKILL for its process. */
async function killNodePart(site: NfsCluster): Promise<void> {
  const { code, stderr } = await node(site).machine.run(['pkill', '-KILL', '-f', 'role=nfs --config'])
  strictEqual(code, 0, stderr)
}

/** The pod goes at once, and the DaemonSet makes another. */
export async function replaceNodePart(site: NfsCluster): Promise<void> {
  const { cluster } = site
  const [old] = await nodeParts(site)
  await killNodePart(site)
  await want(cluster, '-n', agents, 'delete', 'pod', old?.name ?? '', '--grace-period=0', '--force')
  await until(
    'another node part is ready',
    async () => (await nodeParts(site)).some(({ name, isReady }) => isReady && name !== old?.name),
    limitMs,
    100,
  )
}

interface NodePart {
  readonly name: string
  readonly isReady: boolean
  readonly restarts: number
}

async function nodeParts({ cluster }: NfsCluster): Promise<readonly NodePart[]> {
  const labels = 'app.kubernetes.io/component=agent-nfs'
  const { items }: PodList = JSON.parse(await want(cluster, '-n', agents, 'get', 'pods', '-l', labels, '-o', 'json'))
  return items.map(({ metadata, status }) => {
    const [container] = status.containerStatuses ?? []
    return { name: metadata.name, isReady: container?.ready === true, restarts: container?.restartCount ?? 0 }
  })
}

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string }
    readonly status: {
      readonly containerStatuses?: readonly { readonly ready: boolean; readonly restartCount: number }[]
    }
  }[]
}

const restartCount = async (site: NfsCluster) => (await nodeParts(site))[0]?.restarts ?? 0

/** A pod that is deleted while there is no driver stays until there is one; then it goes with its mount, and what it wrote is there. */
async function deletedMeanwhile(site: NfsCluster, volume: string): Promise<string> {
  const { cluster, share } = site
  await ran(cluster, { name: 'leaver', node: 'n1', volume: 'books', script: `echo of the leaver > ${place}/left` })
  const select = async (value: string | null) => {
    const patch = { spec: { template: { spec: { nodeSelector: { 'example.com/none': value } } } } }
    await want(cluster, '-n', agents, 'patch', nodePart, '--type=merge', '-p', JSON.stringify(patch))
  }
  await select('there')
  await until('the node part is gone', async () => (await nodeParts(site)).length === 0, limitMs, 100)
  await want(cluster, 'delete', 'pod', 'leaver', '--wait=false')
  await until(
    'its container has ended',
    async () =>
      (await want(cluster, 'get', 'pod', 'leaver', '-o', 'jsonpath={.status.containerStatuses[0].state}')).includes('terminated'),
    limitMs,
    100,
  )
  await untilWritten(site, volume, 'lines')
  strictEqual(volumeMounts(node(site)).length, 3)
  await select(null)
  await untilServed(site)
  await want(cluster, 'wait', 'pod/leaver', '--for=delete', `--timeout=${limitMs / 1_000}s`)
  await until('its mount is gone', () => volumeMounts(node(site)).length === 2, limitMs, 100)
  strictEqual(readFileSync(join(share, volume, 'left'), 'utf8'), 'of the leaver\n')
  await assertServed(site, volume, 'after-away')
  return 'a pod deleted while no driver was there went with its mount when there was one'
}

/** Where the driver is killed: before and after `mount` did its work, before and after `umount` did. */
async function killedAtSteps(site: NfsCluster, volume: string): Promise<string> {
  const { cluster, servers } = site
  for (const step of ['hang', 'hangAfter'] as const) {
    const name = `mounted-${step.toLowerCase()}`
    servers.forgetCalls()
    servers.tell('candlekeep', { [step]: true })
    await create(
      cluster,
      once({ name, node: 'n1', volume: 'books', script: `/bin/busybox tail -n 1 ${place}/lines > /dev/null` }),
    )
    await until('mount.nfs is called', () => servers.calls().some(({ program }) => program === 'mount.nfs'), limitMs, 50)
    if (step === 'hangAfter') await until('it has mounted', () => volumeMounts(node(site)).length === 3, limitMs, 50)
    await replaceNodePart(site)
    servers.tell('candlekeep', undefined)
    await until(`pod ${name} is done`, async () => (await cluster.kubectl('logs', name)).stdout === 'done\n', limitMs, 250)
    strictEqual(volumeMounts(node(site)).length, 3, step)

    servers.forgetCalls()
    servers.tell('umount', { [step]: true })
    await want(cluster, 'delete', 'pod', name, '--wait=false')
    await until('umount is called', () => servers.calls().some(({ program }) => program === 'umount'), limitMs, 50)
    if (step === 'hangAfter') await until('it has unmounted', () => volumeMounts(node(site)).length === 2, limitMs, 50)
    await replaceNodePart(site)
    servers.tell('umount', undefined)
    await want(cluster, 'wait', `pod/${name}`, '--for=delete', `--timeout=${limitMs / 1_000}s`)
    strictEqual(volumeMounts(node(site)).length, 2, step)
  }
  await assertServed(site, volume, 'after-steps')
  return 'killed before and after mount and umount did their work, each pod got its volume once and went'
}
