// Builders of objects for tests: a row shows only what matters.

import type { Container, KubeObject, Node, NodeSpec, OwnerReference, Pod, PodSpec, PodStatus } from '#kube/objects/objects.ts'

interface NodeOptions extends NodeSpec {
  readonly cpu?: string
  readonly memory?: string
  readonly pods?: string
  readonly resources?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  readonly images?: readonly { readonly names: readonly string[]; readonly sizeBytes: number }[]
}

/** A node with 4 CPUs, 8 GiB and room for 110 pods; its hostname label is its name. */
export function node(name: string, options: NodeOptions = {}): Node {
  const { cpu = '4', memory = '8Gi', pods = '110', resources, labels, images, ...spec } = options
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable: { cpu, memory, pods, ...resources }, ...(images && { images }) },
  }
}

export interface PodOptions extends Partial<PodSpec> {
  readonly cpu?: string
  readonly memory?: string
  readonly node?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly owner?: Pick<OwnerReference, 'apiVersion' | 'kind' | 'name'>
  readonly status?: PodStatus
  readonly deletionTimestamp?: string
}

/** A pod `namespace/name` with one container; without `cpu` or `memory` it requests none. On a node it runs and is ready. */
export function pod(key: string, options: PodOptions = {}): Pod {
  const { cpu, memory, node: nodeName, labels, owner, status, deletionTimestamp, ...spec } = options
  const [namespace = 'default', name = key] = key.split('/')
  const requests = { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) }
  const container: Container = { name: 'main', image: 'registry.example/app:1', resources: { requests } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${key}`,
      ...(labels && { labels }),
      ...(owner && { ownerReferences: [{ ...owner, uid: owner.name, controller: true }] }),
      ...(deletionTimestamp && { deletionTimestamp }),
    },
    spec: { containers: [container], ...(nodeName !== undefined && { nodeName }), ...spec },
    status: status ?? (nodeName === undefined ? { phase: 'Pending' } : running),
  }
}

/** The status of a pod that runs and is ready. */
export const running: PodStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }

/** Any other object: `object('v1', 'Service', 'shop/cart', { spec: … })`; a name without a slash has no namespace. */
export function object(apiVersion: string, kind: string, key: string, fields: Readonly<Record<string, unknown>> = {}): KubeObject {
  const [first = '', second] = key.split('/')
  const metadata = second === undefined ? { name: first } : { namespace: first, name: second }
  return { apiVersion, kind, metadata, ...fields }
}
