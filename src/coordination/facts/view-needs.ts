// How much of the cluster the arbiter has to see: all that a plan or a proof reads, or what a restart is judged by.
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { unwatched } from '#kube/informers/joined-informer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import type { Verb } from '../intent.ts'
import type { Need } from '../needs.ts'
import type { ArbiterPolicy } from '../policy/arbiter-policy.ts'
import { modeOf } from '../policy/mode.ts'
import { clusterNeeds } from './cluster-view.ts'

/** Volumes, devices, services, Jobs and classes of priority: only where a pod is to stand elsewhere do they matter. */
const ofPlaces: ReadonlySet<string> = new Set([
  ...['persistentvolumes', 'persistentvolumeclaims', 'services', 'jobs.batch', 'scaledjobs.keda.sh'],
  ...['storageclasses.storage.k8s.io', 'csinodes.storage.k8s.io', 'priorityclasses.scheduling.k8s.io'],
  ...['deviceclasses', 'resourceslices', 'resourceclaims', 'resourceclaimtemplates'].map(name => `${name}.resource.k8s.io`),
])

/** Fields of ReplicaSets without their templates; there are ten ReplicaSets for each Deployment. */
const replicaSetFields = ['metadata.annotations', 'spec.replicas', 'spec.selector', 'status']

const restartNeeds: readonly Need[] = clusterNeeds
  .filter(need => !ofPlaces.has(resourceKey(need)))
  .map(need => (need.kind === 'ReplicaSet' ? { ...need, mode: 'projection', fields: replicaSetFields } : need))

/** Where nobody may ask: no permits either. */
const noNeeds: readonly Need[] = []

interface Asker {
  readonly name: string
  readonly disrupts: readonly Verb[]
}

/**
 * What the arbiter watches for those who may ask it. All that `clusterNeeds` say, unless everybody acts as an upstream that moves nothing;
 * nothing where nobody may ask: then we have no right to read it, either. The same value for the same needs.
 */
export function viewNeedsOf(askers: readonly Asker[], modes: ArbiterPolicy['modes']): readonly Need[] {
  if (askers.length === 0) return noNeeds
  const isPlain = ({ name, disrupts }: Asker) =>
    modeOf(name, modes) === 'observe' && disrupts.every(verb => verb === 'restart' || verb === 'evict')
  return askers.every(isPlain) ? restartNeeds : clusterNeeds
}

/** Whether all is watched that a model of the cluster is made from. */
export function isWhole(needs: readonly Need[]): boolean {
  return needs === clusterNeeds
}

/** Whether anybody may ask an arbiter that watches `needs`. */
export function isAsked(needs: readonly Need[]): boolean {
  return needs.length > 0
}

/** `informers`, but a kind that is not among `needs` is not watched: it is as if there were none. */
export function onlyOf(informers: Pick<Informers, 'of'>, needs: readonly Need[]): Pick<Informers, 'of'> {
  const keys = new Set(needs.map(resourceKey))
  const others = new Map<string, Informer<KubeObject>>()
  const notWatched = (resource: GroupVersionResource) => {
    const key = resourceKey(resource)
    const known = others.get(key) ?? unwatched<KubeObject>(resource)
    others.set(key, known)
    return known
  }
  return {
    of: <T extends KubeObject>(resource: GroupVersionResource, scope?: Parameters<Informers['of']>[1]): Informer<T> =>
      // Nothing is ever in it.
      keys.has(resourceKey(resource)) ? informers.of<T>(resource, scope) : (notWatched(resource) as Informer<T>),
  }
}
