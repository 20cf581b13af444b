// Claims, and pods with volumes: each runs a script of busybox' shell.

import { strictEqual } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type KubeletCluster, registryHost } from '../../kubelet/cluster.ts'
import { limitMs } from '../../kubelet/pods.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { className, type NfsCluster, want } from './site.ts'

/** Where pods see their volume. */
export const place = '/data'

interface VolumePod {
  readonly name: string
  readonly node: string
  readonly script: string
  /** A claim's name, or the source of a volume as pods have it. */
  readonly volume: string | Readonly<Record<string, unknown>>
  /** Further fields of the mount, as `subPath`. */
  readonly mount?: Readonly<Record<string, unknown>>
  readonly securityContext?: Readonly<Record<string, unknown>>
}

/** As in a manifest; it stays for ever after its script, which must be short or endless. */
export function volumePod({ name, node, script, volume, mount = {}, securityContext = {} }: VolumePod) {
  const source = typeof volume === 'string' ? { persistentVolumeClaim: { claimName: volume } } : volume
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'worker' } },
    spec: {
      nodeSelector: { 'kubernetes.io/hostname': node },
      terminationGracePeriodSeconds: 1,
      securityContext,
      containers: [
        {
          name: 'app',
          image: `${registryHost}/acme/worker:v1`,
          command: ['/bin/busybox', 'sh', '-c', `export PATH=/bin; alias b=/bin/busybox\n${script}`],
          volumeMounts: [{ name: 'volume', mountPath: place, ...mount }],
        },
      ],
      volumes: [{ name: 'volume', ...source }],
    },
  }
}

/** Runs a script to its end in a pod, and then goes on with nothing. @returns the pod's manifest */
export const once = (options: VolumePod) =>
  volumePod({ ...options, script: `${options.script}\necho done\nexec /bin/busybox sleep 1000000` })

/** Makes a pod and waits until its script has said `done`. @returns what it said before */
export async function ran(cluster: KubeletCluster, options: VolumePod): Promise<string> {
  await create(cluster, once(options))
  return await until(
    `pod ${options.name} is done`,
    async () => {
      const { stdout } = await cluster.kubectl('logs', options.name)
      return stdout.endsWith('done\n') ? stdout.slice(0, -'done\n'.length) : undefined
    },
    limitMs,
    250,
  )
}

export async function create({ plane }: KubeletCluster, pod: object): Promise<void> {
  await plane.client.want('POST', '/api/v1/namespaces/default/pods', pod)
}

export async function remove(cluster: KubeletCluster, ...names: readonly string[]): Promise<void> {
  await want(cluster, 'delete', 'pod', ...names, '--wait=true', `--timeout=${limitMs / 1_000}s`)
}

/** A claim of the seed's class, once it is bound. @returns the name of its volume, which is its folder's too */
export async function boundClaim(
  cluster: KubeletCluster,
  name: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  await cluster.plane.client.want('POST', '/api/v1/namespaces/default/persistentvolumeclaims', {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      storageClassName: className,
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: '1Gi' } },
      ...fields,
    },
  })
  return await until(
    `claim ${name} is bound`,
    async () => {
      const { stdout } = await cluster.kubectl('get', 'pvc', name, '-o', 'jsonpath={.status.phase} {.spec.volumeName}')
      const [phase, volume] = stdout.split(' ')
      return phase === 'Bound' ? volume : undefined
    },
    limitMs,
    250,
  )
}

/** Writes numbers from 1 on, a line each, and says so where it cannot. */
export const counting = (file: string) => `i=0
while :; do
  i=$((i+1))
  echo $i >> ${place}/${file} || echo "line $i was not written"
  /bin/busybox sleep 0.05
done`

/** Reads the last number again and again, and says so where it cannot. */
export const following = (file: string) => `while :; do
  /bin/busybox tail -n 1 ${place}/${file} > /dev/null || echo "nothing was read"
  /bin/busybox sleep 0.05
done`

/** Lines that a counting pod has written so far: each number once, in order. */
export function counted({ share }: NfsCluster, volume: string, file: string): number {
  const lines = readFileSync(join(share, volume, file), 'utf8')
    .trimEnd()
    .split('\n')
  for (const [index, line] of lines.entries()) strictEqual(line, String(index + 1), `line ${index + 1} of ${file}`)
  return lines.length
}

/** Waits until it has written on. */
export async function untilWritten(site: NfsCluster, volume: string, file: string): Promise<void> {
  const before = counted(site, volume, file)
  await until('the writer goes on', () => counted(site, volume, file) > before + 2, limitMs, 50)
}

/** Asserts that pods run as they were started, and have complained of nothing. */
export async function assertUntroubled(cluster: KubeletCluster, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const state = await want(
      cluster,
      'get',
      'pod',
      name,
      '-o',
      'jsonpath={.status.phase} {.status.containerStatuses[0].restartCount}',
    )
    strictEqual(state, 'Running 0', name)
    strictEqual(await want(cluster, 'logs', name), '', name)
  }
}

/** Names in the share, without those of the server itself. */
export const folders = ({ share }: NfsCluster): readonly string[] => readdirSync(share).toSorted()
