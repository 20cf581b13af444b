// A pod as the model uses it over and over: read once, shared by a placement and its forks.

import type { Container, Pod } from '#kube/objects/objects.ts'
import type { PodState } from '../cluster-state.ts'
import { nonZeroRequests, type Requests, scoredRequests, specRequests } from '../requests.ts'
import type { PodClass, PodClasses } from './pod-classes.ts'

export interface HostPort {
  readonly address: string
  readonly protocol: string
  readonly port: number
}

/** What a pod on a node holds. */
export interface PodInfo {
  readonly pod: PodState
  readonly podClass: PodClass
  readonly requests: Requests
  readonly nonZeroMilliCpu: number
  readonly nonZeroMemory: number
  readonly hostPorts: readonly HostPort[]
  /** Whether any volume of it can matter to where pods go. */
  readonly hasVolumes: boolean
}

/** What a pod to be placed asks. */
export interface Ask {
  readonly info: PodInfo
  readonly requests: Requests
  /** With defaults for containers that say nothing. */
  readonly scored: Requests
  /** Requests that the fit filter compares besides CPU, memory and ephemeral storage. */
  readonly scalars: readonly { readonly resource: string; readonly amount: number }[]
  /** Names under which images are counted, one for each container and (from 1.36) image volume. */
  readonly images: readonly string[]
  readonly containers: number
  /** The same for all pods that ask the same of nodes' names, labels and taints. */
  readonly nodeRulesKey: string
}

/** Reads pods and remembers them by identity. */
export class PodReader {
  readonly classes: PodClasses
  readonly #infos = new WeakMap<PodState, PodInfo>()
  readonly #asks = new WeakMap<PodState, Ask>()
  readonly #countsImageVolumes: boolean

  constructor(classes: PodClasses, options: { readonly countsImageVolumes: boolean }) {
    this.classes = classes
    this.#countsImageVolumes = options.countsImageVolumes
  }

  info(pod: PodState): PodInfo {
    const known = this.#infos.get(pod)
    if (known !== undefined) return known
    const nonZero = nonZeroRequests(pod.object)
    const info: PodInfo = {
      pod,
      podClass: this.classes.classOf(pod),
      requests: pod.requests,
      nonZeroMilliCpu: nonZero['cpu'] ?? 0,
      nonZeroMemory: nonZero['memory'] ?? 0,
      hostPorts: hostPorts(pod.object),
      hasVolumes: (pod.object.spec.volumes ?? []).some(
        volume =>
          !(
            volume.configMap ||
            volume.secret ||
            volume.emptyDir ||
            volume.hostPath ||
            volume['projected'] ||
            volume['downwardAPI']
          ),
      ),
    }
    this.#infos.set(pod, info)
    return info
  }

  ask(pod: PodState): Ask {
    const known = this.#asks.get(pod)
    if (known !== undefined) return known
    const spec = pod.object.spec
    const requests = specRequests(pod.object)
    const ask: Ask = {
      info: this.info(pod),
      requests,
      scored: scoredRequests(pod.object),
      scalars: Object.entries(requests)
        .filter(([resource, amount]) => amount !== 0 && isScalarResource(resource))
        .map(([resource, amount]) => ({ resource, amount })),
      images: imageNames(pod.object, this.#countsImageVolumes),
      containers: spec.containers.length + (spec.initContainers?.length ?? 0),
      nodeRulesKey: JSON.stringify([spec.nodeSelector, spec.affinity?.nodeAffinity, spec.tolerations]),
    }
    this.#asks.set(pod, ask)
    return ask
  }
}

/** Extended resources, huge pages and volume attachments: what the scheduler counts beside CPU, memory and ephemeral storage. */
export function isScalarResource(resource: string): boolean {
  return resource.includes('/') || resource.startsWith('hugepages-') || resource.startsWith('attachable-volumes-')
}

/** Huge pages and `kubernetes.io/` names are not extended: the fit filter cannot be told to ignore them. */
export function isExtendedResource(resource: string): boolean {
  return resource.includes('/') && !resource.includes('kubernetes.io/') && !resource.startsWith('requests.')
}

function hostPorts(pod: Pod): readonly HostPort[] {
  const containers: Container[] = [...pod.spec.containers]
  for (const container of pod.spec.initContainers ?? []) if (container.restartPolicy === 'Always') containers.push(container)
  return containers.flatMap(container =>
    (container.ports ?? [])
      .filter(port => (port.hostPort ?? 0) > 0)
      .map(port => ({ address: port.hostIP || '0.0.0.0', protocol: port.protocol || 'TCP', port: port.hostPort ?? 0 })),
  )
}

function imageNames(pod: Pod, countsVolumes: boolean): readonly string[] {
  const names = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(container => container.image ?? '')
  if (countsVolumes) {
    for (const volume of pod.spec.volumes ?? []) {
      const image: unknown = volume['image']
      if (typeof image === 'object' && image !== null && 'reference' in image) names.push(String(image.reference))
    }
  }
  return names.map(withTag)
}

function withTag(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image
}
