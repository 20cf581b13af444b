// What Spegel is made of in a cluster: kept for the way back before anything changes, deleted when ours has taken over.
import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { isPinned, pinned } from '../mirror-pin.ts'
import type { MirrorSwap } from '../mirror-swap.ts'
import type { Saved } from '../record.ts'
import { listOf } from '../situation.ts'
import { anewService, resourceOf, restorable } from '../writes.ts'
import { affinityOf, type SpegelState } from './spegel-situation.ts'

/** Whom others need first; the DaemonSet goes last, since by it all is found again. */
const kinds: readonly (readonly [apiVersion: string, kind: string])[] = [
  ['v1', 'ServiceAccount'],
  ['v1', 'ConfigMap'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['v1', 'Service'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['monitoring.coreos.com/v1', 'ServiceMonitor'],
  ['monitoring.coreos.com/v1', 'PodMonitor'],
  ['autoscaling.k8s.io/v1', 'VerticalPodAutoscaler'],
  ['apps/v1', 'DaemonSet'],
]

/** Everything of its release by label, or of its name where plain manifests were applied. */
export async function spegelObjects(
  { api, signal }: Pick<MirrorSwap, 'api' | 'signal'>,
  spegel: SpegelState,
): Promise<readonly KubeObject[]> {
  const release = spegel.daemonSet.metadata.labels?.['app.kubernetes.io/instance']
  const found: KubeObject[] = []
  for (const [apiVersion, kind] of kinds) {
    const resource = resourceOf({ apiVersion, kind, metadata: { name: '' } })
    const all = await allowed(listOf(api, resource, kind, { signal }))
    found.push(...all.filter(object => isOf(object, spegel, release)))
  }
  return found
}

async function allowed(listing: Promise<readonly KubeObject[]>): Promise<readonly KubeObject[]> {
  try {
    return await listing
  } catch (error) {
    if (isForbidden(error)) return []
    throw error
  }
}

function isOf({ kind, metadata }: KubeObject, spegel: SpegelState, release: string | undefined): boolean {
  const { labels = {}, name, namespace } = metadata
  if (kind === 'DaemonSet') return name === spegel.name && namespace === spegel.namespace
  if (release !== undefined && /^spegel-v?\d/.test(labels['helm.sh/chart'] ?? ''))
    return labels['app.kubernetes.io/instance'] === release
  const isNamed = name === spegel.name || name.startsWith(`${spegel.name}-`)
  return isNamed && labels['app.kubernetes.io/name'] === 'spegel' && (namespace === undefined || namespace === spegel.namespace)
}

const keyOf = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

/** With the objects as they are to come back. */
export const savedWith = (objects: readonly KubeObject[]): Saved => ({
  replicas: {},
  templates: {},
  revision: '0',
  removed: [...new Map(objects.map(object => [keyOf(object), restorable(object)])).values()],
})

/** Was it kept as it is? Once it is changed for the swap, what was kept before counts. */
export function isKept({ daemonSet }: SpegelState, saved: Saved | undefined): boolean {
  const kept = saved?.removed.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === daemonSet.metadata.name)
  if (kept === undefined) return false
  return (
    isPinned(valueAt(daemonSet['spec'], ['template', 'spec', 'affinity'])) || isDeepStrictEqual(kept['spec'], daemonSet['spec'])
  )
}

/** The DaemonSet kept, and what else; `undefined` where nothing was kept. */
export const keptSet = (saved: Saved | undefined): KubeObject | undefined =>
  saved?.removed.find(({ kind }) => kind === 'DaemonSet')

/** It stays where it is and leaves nodes that are marked for ours; its pods are not restarted for it. */
export function heldOff(daemonSet: KubeObject): KubeObject {
  const spec = Object(daemonSet['spec'])
  const pod = Object(spec.template.spec)
  const affinity = pinned(pod.affinity)
  return {
    ...daemonSet,
    spec: { ...spec, updateStrategy: { type: 'OnDelete' }, template: { ...spec.template, spec: { ...pod, affinity } } },
  }
}

/** A node port that is ours for now is left out: whoever asks the node there would be led to Spegel's pods. */
export function withoutNodePorts(service: KubeObject): KubeObject {
  const anew = anewService(service)
  const { type: _type, externalTrafficPolicy: _policy, ports, ...spec } = Object(anew['spec'])
  const plain = Array.isArray(ports) ? { ports: ports.map(({ nodePort: _port, ...port }) => port) } : {}
  return { ...anew, spec: { ...spec, type: 'ClusterIP', ...plain } }
}

/** As `daemonSet`, replaced whole: what a merge would leave is to go. */
export async function replaceSet({ api, signal }: Pick<MirrorSwap, 'api' | 'signal'>, daemonSet: KubeObject): Promise<void> {
  const { namespace } = daemonSet.metadata
  await api.resource(builtIn.daemonsets).update(daemonSet, { namespace, signal, fieldManager: 'ballast-migrate' })
}

export const isHeldOff = (spegel: SpegelState): boolean => isPinned(affinityOf(spegel))
