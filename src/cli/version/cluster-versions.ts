// What a cluster says of its own version and of the Ballast that is installed in it.
import type { Api } from '#kube/client/api.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { openLiveApi } from '../source/live-source.ts'

/** A process of Ballast as it is installed: while it rolls out, some of its pods are still of the version before. */
interface InstalledProcess {
  readonly kind: 'Deployment' | 'DaemonSet'
  readonly namespace: string
  readonly name: string
  /** By its label, which each form of installation writes. */
  readonly version: string
  readonly image: string
  /** Pods, those that are ready and those that are wanted. */
  readonly ready: number
  readonly wanted: number
}

export interface ClusterVersions {
  readonly server: string
  readonly kubernetes: string
  /** Or why it cannot be read. */
  readonly ballast: readonly InstalledProcess[] | string
}

interface Workload extends KubeObject {
  readonly spec?: {
    readonly replicas?: number
    readonly template?: { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } }
  }
  readonly status?: {
    readonly readyReplicas?: number
    readonly desiredNumberScheduled?: number
    readonly numberReady?: number
  }
}

/** What every object of an installation has. */
const labelSelector = 'app.kubernetes.io/part-of=ballast'

/** @throws InputError for a bad kubeconfig; CommandRefused, or what `signal` says, where the cluster does not answer */
export async function clusterVersions(options: Parameters<typeof openLiveApi>[0]): Promise<ClusterVersions> {
  const { api, server } = await openLiveApi(options)
  const { signal } = options
  try {
    return { server, ...(await versionsOf(api, signal)) }
  } finally {
    await api.close()
  }
}

/** What the API answers to whoever asks with these rights. */
export async function versionsOf(api: Api, signal: AbortSignal): Promise<Omit<ClusterVersions, 'server'>> {
  const version = await api.getPath('/version', { signal })
  const kubernetes =
    typeof version === 'object' && version !== null && 'gitVersion' in version ? String(version.gitVersion) : 'unknown'
  return { kubernetes, ballast: await installed(api, signal) }
}

async function installed(api: Api, signal: AbortSignal): Promise<readonly InstalledProcess[] | string> {
  try {
    const found: InstalledProcess[] = []
    for (const [kind, resource] of [
      ['Deployment', builtIn.deployments],
      ['DaemonSet', builtIn.daemonsets],
    ] as const)
      for await (const page of api.resource<Workload>(resource).pages({ labelSelector, signal }))
        found.push(...page.items.map(item => processOf(kind, item)))
    return found
  } catch (error) {
    signal.throwIfAborted()
    return messageOf(error)
  }
}

function processOf(kind: InstalledProcess['kind'], { metadata, spec, status }: Workload): InstalledProcess {
  const isEach = kind === 'DaemonSet'
  return {
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    version: metadata.labels?.['app.kubernetes.io/version'] ?? 'unknown',
    image: spec?.template?.spec?.containers?.[0]?.image ?? 'unknown',
    ready: (isEach ? status?.numberReady : status?.readyReplicas) ?? 0,
    wanted: (isEach ? status?.desiredNumberScheduled : (spec?.replicas ?? 1)) ?? 0,
  }
}
