// What the simulated components (scheduler, kubelets, workload controllers) get of the API server: the same write pipeline
// as HTTP requests from defaulting on, without sockets or JSON. `api-server` implements it; `components` use it.
import type { KubeObject } from '#kube/objects/objects.ts'

/** Plural name with group: `pods`, `deployments.apps`, `poddisruptionbudgets.policy`. */
export type ResourceKey = string

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  /** The state before; absent on ADDED. */
  readonly previous?: KubeObject
  readonly revision: number
}

/** Who writes: the field manager and the RBAC user as upstream's components have them. */
export interface Writer {
  readonly manager: string
  readonly user: string
}

export interface DeleteChoice {
  readonly gracePeriodSeconds?: number | bigint
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

/** Objects handed out are frozen and shared: copy before changing. Every method throws `StatusError` (#kube/status.ts) as the server answers over HTTP. */
export interface ClusterAccess {
  get(resource: ResourceKey, namespace: string | undefined, name: string): KubeObject | undefined
  /** In key order (namespace, name). */
  list(resource: ResourceKey, namespace?: string): readonly KubeObject[]
  /** Without calling webhooks. */
  create(resource: ResourceKey, object: KubeObject, writer: Writer): KubeObject
  /** As `create`, but mutating and validating webhooks are called first, which takes (real) time: what controllers use for pods. */
  createAdmitted(resource: ResourceKey, object: KubeObject, writer: Writer): Promise<KubeObject>
  /** Whole-object update; conditional when `metadata.resourceVersion` is set. With `subresource: 'status'` only the status is taken, with `'finalize'` only a namespace's finalizers. */
  update(
    resource: ResourceKey,
    object: KubeObject,
    writer: Writer,
    options?: { readonly subresource?: 'status' | 'finalize' },
  ): KubeObject
  /** Server-side apply as controllers send it: fields that others own are taken. Creates the object where it is not there. With `subresource: 'status'` the status alone is applied. */
  apply(
    resource: ResourceKey,
    configuration: KubeObject,
    writer: Writer,
    options?: { readonly subresource?: 'status' },
  ): KubeObject
  remove(resource: ResourceKey, namespace: string | undefined, name: string, writer: Writer, options?: DeleteChoice): void
  /** Sets `spec.nodeName` and PodScheduled as POST …/binding does. */
  bind(namespace: string, pod: string, node: string, writer: Writer): void
  /** Handler is called synchronously after each commit, in revision order; present objects are not replayed (list first). */
  subscribe(resource: ResourceKey, handler: (event: StoreEvent) => void): () => void
  /** Resource keys that are served and can be listed, custom resources included. */
  resources(): readonly ResourceKey[]
  readonly revision: number
}
