// Containerd's hosts files as they were before the mirror, on every node: what Helm's hook does for its releases, done by `ballast uninstall`
// for all others. The mirror goes first: a pod of it that starts anew would write its files again.

import { installedLabel, placeOf, type RemovalRun } from '#deployment/removal/removal-run.ts'
import { numberAt } from '#kube/objects/object-fields.ts'
import type { DaemonSet, KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'

/** As the chart's `mirror.cleanup.port` is by default. */
const cleanupPort = 29_992
/** A pod has 30 s for an orderly end. */
const endMs = 75_000
/** Its image is on the nodes; those that are away are not waited for longer. */
const readyMs = 180_000
const lookMs = 1_000
const directoryVolume = 'registry-config'

/** The pod template, as far as it is taken over. */
interface MirrorPod {
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly Volume[]
  readonly [field: string]: unknown
}

interface Volume {
  readonly name: string
  readonly hostPath?: { readonly path: string }
}

interface Container {
  readonly image?: string
  readonly args?: readonly string[]
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly [field: string]: unknown
}

const podOf = ({ spec }: DaemonSet): MirrorPod => Object(spec.template.spec)

const writerOf = (set: DaemonSet): Container | undefined =>
  podOf(set).initContainers?.find(({ args = [] }) => args.includes('--write-hosts'))

/** What gives the files back, on the nodes of `set` and in its ways; `undefined` where it never wrote any. */
export function cleanupSetOf(set: DaemonSet, release: string): KubeObject | undefined {
  const writer = writerOf(set)
  const mount = writer?.volumeMounts?.find(({ name }) => name === directoryVolume)
  if (writer === undefined || mount === undefined) return undefined
  const pod = podOf(set)
  const taken = [
    'affinity',
    'imagePullSecrets',
    'nodeSelector',
    'priorityClassName',
    'securityContext',
    'serviceAccountName',
    'tolerations',
  ].flatMap(field => (pod[field] === undefined ? [] : [[field, pod[field]] as const]))
  const selector = {
    'app.kubernetes.io/name': 'ballast',
    [installedLabel]: release,
    'app.kubernetes.io/component': 'mirror-cleanup',
  }
  const { image, imagePullPolicy, resources, securityContext, env } = writer
  const container = {
    name: 'cleanup',
    image,
    imagePullPolicy,
    args: ['spegel', 'cleanup', `--addr=:${cleanupPort}`, `--containerd-registry-config-path=${mount.mountPath}`],
    env,
    readinessProbe: { httpGet: { path: '/readyz', port: cleanupPort }, periodSeconds: 2 },
    resources,
    securityContext,
    volumeMounts: [{ name: directoryVolume, mountPath: mount.mountPath }],
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: `${release}-mirror-cleanup`,
      ...(set.metadata.namespace === undefined ? {} : { namespace: set.metadata.namespace }),
      labels: { ...selector, 'app.kubernetes.io/part-of': 'ballast', 'app.kubernetes.io/managed-by': 'ballast' },
    },
    spec: {
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: {
          ...Object.fromEntries(taken),
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          hostNetwork: true,
          containers: [container],
          volumes: pod.volumes?.filter(({ name }) => name === directoryVolume) ?? [],
        },
      },
    },
  }
}

/** Helm has a hook of its own; who renders its templates otherwise, as Argo CD does, has not. */
const isOfHelm = ({ metadata }: KubeObject): boolean => metadata.annotations?.['meta.helm.sh/release-name'] !== undefined

/** Gives them back wherever a mirror of this release wrote them. Nodes on which that cannot be are told. */
export async function restoreHostsFiles(run: RemovalRun): Promise<void> {
  const { release, dryRun, keep } = run.options
  const isMirror = (set: DaemonSet) => {
    const { labels = {} } = set.metadata
    return labels['app.kubernetes.io/component'] === 'agent-mirror' && labels[installedLabel] === release && !isOfHelm(set)
  }
  for (const set of await run.find<DaemonSet>(builtIn.daemonsets, isMirror)) {
    const cleanup = cleanupSetOf(set, release)
    if (cleanup === undefined) continue
    if (dryRun) {
      run.done.push(`give containerd its hosts files back on the nodes of DaemonSet ${placeOf(set)}`)
      continue
    }
    if (keep.has('objects'))
      run.left.push(`DaemonSet ${placeOf(set)} is kept: a pod of it that starts anew writes the hosts files again`)
    else await stopMirror(run, set)
    await giveBack(run, set, cleanup)
  }
}

async function stopMirror(run: RemovalRun, set: DaemonSet): Promise<void> {
  await run.delete(builtIn.daemonsets, set)
  const selected = Object.entries(set.spec.selector.matchLabels ?? {})
  const isOfIt = ({ metadata: { labels = {} } }: Pod) => selected.every(([key, value]) => labels[key] === value)
  const { clock, signal } = run.options
  const untilMs = clock.elapsed() + endMs
  const running = () => run.find<Pod>(builtIn.pods, isOfIt, set.metadata.namespace)
  while (clock.elapsed() < untilMs && (await running()).length > 0) await clock.after(lookMs, signal)
}

async function giveBack(run: RemovalRun, set: DaemonSet, cleanup: KubeObject): Promise<void> {
  const { api, clock, signal } = run.options
  const sets = api.resource<DaemonSet>(builtIn.daemonsets)
  const { name, namespace, labels = {} } = cleanup.metadata
  await run.take(`give containerd its hosts files back on the nodes of DaemonSet ${placeOf(set)}`, async () => {
    await api.resource(builtIn.daemonsets).apply(cleanup, { namespace, signal, fieldManager: 'ballast-uninstall', force: true })
    const untilMs = clock.elapsed() + readyMs
    while (!isDone(await sets.get(name, { namespace, signal })) && clock.elapsed() < untilMs) await clock.after(lookMs, signal)
    const isOfIt = (pod: Pod) => pod.metadata.labels?.['app.kubernetes.io/component'] === labels['app.kubernetes.io/component']
    const waiting = (await run.find<Pod>(builtIn.pods, isOfIt, namespace)).filter(pod => !isReady(pod))
    const isWhole = isDone(await sets.get(name, { namespace, signal }))
    await run.delete(builtIn.daemonsets, { ...cleanup, kind: 'DaemonSet' })
    if (!isWhole)
      throw new Error(
        `not on ${waiting.map(({ spec }) => spec.nodeName ?? 'a node that takes no pod').join(', ') || 'all nodes'}: what is there names a port where nobody is, and containerd goes on to the registries; on such a node: ballast spegel cleanup --addr=:${cleanupPort}`,
      )
  })
}

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true

function isDone(set: DaemonSet): boolean {
  const count = (key: string) => numberAt(set, 'status', key) ?? 0
  return count('observedGeneration') >= (set.metadata.generation ?? 1) && count('numberReady') >= count('desiredNumberScheduled')
}
