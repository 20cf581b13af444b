// One write to the API server as a value: what is sent and what its kubectl line says are made from the same.
import type { GroupVersionResource } from '#kube/objects/resource.ts'

export interface WrittenObject {
  readonly resource: GroupVersionResource
  readonly kind: string
  readonly namespace: string | undefined
  readonly name: string
}

export type Write =
  | {
      readonly verb: 'patch'
      readonly of: WrittenObject
      readonly body: {
        readonly metadata?: {
          /** The write is refused where the object was changed since. */
          readonly resourceVersion?: string
          /** `null` takes one away. */
          readonly annotations?: Readonly<Record<string, string | null>>
        }
        readonly spec?: Readonly<Record<string, unknown>>
      }
    }
  | { readonly verb: 'create'; readonly of: WrittenObject; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly verb: 'delete'; readonly of: WrittenObject }
  /** No write: the source of the twin is loaded anew. */
  | { readonly verb: 'reset' }

/** In whose name, when and where something is asked for. */
export interface Asked {
  readonly viewer: string
  /** RFC 3339 of the cluster's clock; left out: the time at which the line is run. */
  readonly time?: string | undefined
  /** Ballast's own. */
  readonly ownNamespace: string
}
