// A cluster as one immutable value: what its state looks like.

import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import type { Requests } from './requests.ts'

/** What finding owners needs of a cluster. */
export interface OwnerLookup {
  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined
}

export interface WorkloadReference {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface PodState {
  /** `namespace/name`. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly object: Pod
  readonly requests: Requests
  readonly nodeName: string | undefined
  /** The topmost controller; `undefined` for bare and static pods. */
  readonly workload: WorkloadReference | undefined
  readonly isTerminating: boolean
  /** Phase Succeeded or Failed: it holds nothing any more. */
  readonly isFinished: boolean
  readonly isReady: boolean
  readonly priority: number
}

export interface NodeState {
  readonly name: string
  readonly object: Node
  /** What pods may request of it; with `pods`, how many they may be. */
  readonly allocatable: Requests
  readonly isReady: boolean
  /** Not cordoned. */
  readonly isSchedulable: boolean
}

export interface ClusterState extends OwnerLookup {
  /** In order of their names. */
  readonly nodes: ReadonlyMap<string, NodeState>
  /** By `namespace/name`, in that order. */
  readonly pods: ReadonlyMap<string, PodState>
  /** The pods on a node that are not finished, terminating ones included, in order of their keys. */
  podsOn(node: string): readonly PodState[]
  /** The pods whose topmost controller has this UID, in order of their keys. */
  podsOf(workloadUid: string): readonly PodState[]
  /** Those of a kind in one namespace, in order of name. */
  objectsIn(kind: string, namespace: string): readonly KubeObject[]
  /** All of a kind in order of namespace and name; custom resources also as `Kind.group`. */
  objects(kind: string): readonly KubeObject[]
  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined
}
