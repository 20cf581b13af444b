// Whom the NodeFeature of a node belongs to: it goes when all of them have gone.

import type { Api } from '#kube/client/api.ts'
import type { KubeObject, OwnerReference, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { WorkerConfig } from '../discovery/worker-config.ts'

/** The pod of a worker. */
interface WorkerPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

interface Asked {
  readonly api: Api
  readonly node: string
  /** Absent: the worker is in no pod, or nobody told it. */
  readonly pod: WorkerPod | undefined
}

/**
 * The owners that the configuration names, in upstream's order: node, pod, ds.
 *
 * @throws StatusError; Error where the pod belongs to several DaemonSets
 */
export async function ownersOf(
  { ownerRefs, noOwnerRefs }: WorkerConfig['core'],
  { api, node, pod }: Asked,
  signal: AbortSignal,
): Promise<readonly OwnerReference[]> {
  if (noOwnerRefs) return []
  const owners: OwnerReference[] = []
  if (ownerRefs.includes('node')) {
    const { metadata } = await api.resource<KubeObject>(builtIn.nodes).get(node, { signal })
    owners.push(reference('v1', 'Node', { name: node, uid: metadata.uid ?? '' }))
  }
  if (pod === undefined) return owners
  if (ownerRefs.includes('pod')) owners.push(reference('v1', 'Pod', pod))
  if (ownerRefs.includes('ds')) {
    const { metadata } = await api.resource<Pod>(builtIn.pods).get(pod.name, { namespace: pod.namespace, signal })
    const sets = (metadata.ownerReferences ?? []).filter(owner => owner.apiVersion === 'apps/v1' && owner.kind === 'DaemonSet')
    if (sets.length > 1) throw new Error(`pod ${pod.namespace}/${pod.name} belongs to ${sets.length} DaemonSets`)
    const [set] = sets
    if (set !== undefined) owners.push(reference('apps/v1', 'DaemonSet', set))
  }
  return owners
}

function reference(
  apiVersion: string,
  kind: string,
  { name, uid }: { readonly name: string; readonly uid: string },
): OwnerReference {
  return { apiVersion, kind, name, uid, blockOwnerDeletion: false }
}
