// A cluster of plain objects for the observer's tests, and short ways to write its objects.
import { controllerOf, kindKey } from '#cluster/ownership.ts'
import type { Condition, KubeObject, ManagedFieldsEntry, Node, ObjectMeta, Pod } from '#kube/objects/objects.ts'
import { type LedgerView, viewOf } from '../../permits/ledger-view.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import type { ObservedCluster } from '../observed-cluster.ts'

export const noonMs = Date.parse('2026-03-02T12:00:00Z')

/** RFC 3339 of so many seconds after noon (before, where negative). */
export function at(seconds: number): string {
  return new Date(noonMs + seconds * 1000).toISOString().replace('.000Z', 'Z')
}

export class PlainCluster implements ObservedCluster {
  readonly #objects: readonly KubeObject[]
  readonly #permits: readonly PermitRecord[]

  constructor(objects: readonly KubeObject[], permits: readonly PermitRecord[] = []) {
    this.#objects = objects
    this.#permits = permits
  }

  pods(): readonly Pod[] {
    return this.#objects.filter(isPod)
  }

  nodes(): readonly Node[] {
    return this.#objects.filter(object => object.kind === 'Node')
  }

  workloads(): readonly KubeObject[] {
    return this.#objects.filter(({ apiVersion }) => apiVersion === 'apps/v1')
  }

  podsUnder(uid: string): readonly Pod[] {
    return this.pods().filter(pod => controllerOf(pod.metadata)?.uid === uid)
  }

  replicaSetsUnder(uid: string): readonly KubeObject[] {
    return this.#objects.filter(({ kind, metadata }) => kind === 'ReplicaSet' && controllerOf(metadata)?.uid === uid)
  }

  node(name: string): Node | undefined {
    return this.nodes().find(({ metadata }) => metadata.name === name)
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#objects.find(
      object =>
        kindKey(object.apiVersion, object.kind) === kind &&
        object.metadata.name === name &&
        object.metadata.namespace === namespace,
    )
  }

  isScaled(): boolean {
    return this.#objects.some(({ kind }) => kind === 'ScaledObject')
  }

  ledger(): LedgerView {
    return viewOf(this.#permits)
  }
}

function isPod(object: KubeObject): object is Pod {
  return object.kind === 'Pod'
}

interface Of {
  readonly kind: string
  readonly name: string
}

type Metadata = Partial<Omit<ObjectMeta, 'name' | 'uid'>> & { readonly under?: Of }

function metadataOf(kind: string, name: string, { under, ...metadata }: Metadata): ObjectMeta {
  const owned = under && [
    { apiVersion: apiVersionOf(under.kind), kind: under.kind, name: under.name, uid: uidOf(under), controller: true },
  ]
  return { namespace: 'shop', ...metadata, name, uid: uidOf({ kind, name }), ...(owned && { ownerReferences: owned }) }
}

function uidOf({ kind, name }: Of): string {
  return `${kind.toLowerCase()}-${name}`
}

function apiVersionOf(kind: string): string {
  const versions: Readonly<Record<string, string>> = { Job: 'batch/v1', Node: 'v1', Cluster: 'postgresql.cnpg.io/v1' }
  return versions[kind] ?? 'apps/v1'
}

/** An object of `apps/v1` (or a Job) in namespace `shop`, its UID made of kind and name. */
export function workload(
  kind: string,
  name: string,
  { spec = {}, status = {}, ...metadata }: Metadata & { readonly spec?: object; readonly status?: object },
): KubeObject {
  return { apiVersion: apiVersionOf(kind), kind, metadata: metadataOf(kind, name, metadata), spec, status }
}

interface PodOptions extends Metadata {
  readonly node?: string
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly conditions?: readonly Condition[]
  readonly affinity?: Pod['spec']['affinity']
}

/** A Running pod on `n1` of namespace `shop`. */
export function pod(name: string, options: PodOptions = {}): Pod {
  const { node = 'n1', phase = 'Running', reason, message, conditions = [], affinity, ...metadata } = options
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadataOf('Pod', name, { creationTimestamp: at(-86_400), ...metadata }),
    spec: { containers: [], nodeName: node, ...(affinity && { affinity }) },
    status: { phase, conditions, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) },
  }
}

/** The condition by which a pod says who ends it. */
export function target(reason: string, message = ''): Condition {
  return { type: 'DisruptionTarget', status: 'True', reason, message, lastTransitionTime: at(0) }
}

export function node(name: string, spec: Node['spec'] = {}, managedFields: readonly ManagedFieldsEntry[] = []): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `node-${name}`, managedFields }, spec }
}

/** Who owns which fields of `spec`, since when. */
export function wrote(
  manager: string,
  fields: readonly string[],
  { seconds = 0, subresource }: { readonly seconds?: number; readonly subresource?: string } = {},
): ManagedFieldsEntry {
  return {
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: at(seconds),
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': Object.fromEntries(fields.map(field => [`f:${field}`, {}])) },
    ...(subresource === undefined ? {} : { subresource }),
  }
}

/** A permit of ours, by default for a pod's eviction at noon. */
export function permit(record: Partial<PermitRecord>): PermitRecord {
  return {
    name: 'evict-1',
    namespace: 'shop',
    resourceVersion: '1',
    requester: 'deschedule',
    class: 'balance',
    verb: 'evict',
    purpose: 'move',
    targets: [],
    workload: 'shop/Deployment/cart',
    reasons: [],
    idempotencyKey: 'k',
    batch: undefined,
    change: undefined,
    relocation: undefined,
    nodes: [],
    joined: [],
    dropped: [],
    deadlineMs: noonMs + 600_000,
    siblings: [],
    grant: { token: 1, atMs: noonMs, expiresAtMs: noonMs + 600_000 },
    epoch: 1,
    releasedAtMs: undefined,
    ending: undefined,
    landing: undefined,
    createdMs: noonMs,
    ...record,
  }
}
