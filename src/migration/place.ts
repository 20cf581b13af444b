// Where a swap is carried out, and what there is of both sides.

import type { Capability } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import type { GitopsOwner } from '#upstreams/gitops-owner.ts'
import type { Replaceable } from '#upstreams/upstreams.ts'

export interface Reach {
  readonly api: Api
  readonly clock: Clock
  readonly capabilities: readonly Capability[]
  readonly signal: AbortSignal
}

/** A cluster, and the upstream whose place is taken there. */
export interface Place extends Reach {
  readonly upstream: Replaceable
}

/** A Deployment, CronJob or DaemonSet that does the job. */
export interface Loop {
  readonly workload: KubeObject
  readonly namespace: string
  readonly name: string
  /** A CronJob counts 1 while it is not suspended, else 0. */
  readonly replicas: number
  /** Pods that are not over, and Jobs that are not: what may still act. Of a DaemonSet the nodes that it is on. */
  readonly running: number
  /** `a=b,c=d`: of its pods. */
  readonly selector: string
}

export interface Theirs extends Loop {
  readonly owner: GitopsOwner | undefined
  /** Nothing brings it back when it is changed: its owner is suspended, gone, or plain Helm. */
  readonly isOwnerQuiet: boolean
}

/** The part of upstream's that takes more reading. */
export interface Whole {
  /** All that came with it, itself last. */
  readonly objects: readonly KubeObject[]
  /** What its program reads. */
  readonly configMap: KubeObject | undefined
  /** What it is told, as values of ours. */
  readonly converted: ConvertedValues
}

export interface Ours {
  readonly namespace: string
  readonly release: string
  readonly controller: KubeObject
  readonly owner: GitopsOwner | undefined
  /** The ConfigMap that the controller reads, and its text. */
  readonly file: KubeObject | undefined
  readonly text: string
  /** The section of the capability as the controller reads it; `undefined`: it refuses the file. */
  readonly config: unknown
  readonly isEnabled: boolean
  /** Whether it waits for upstream's Lease, and for that of which namespace; none: wherever there is one. */
  readonly guardLease: { readonly enabled: boolean; readonly namespace?: string | undefined } | undefined
  /** The controller has pods. */
  readonly isReady: boolean
  /** The leader says that the capability runs. */
  readonly isWorking: boolean
  /** What does the job where that is a workload of its own, and all further ones. */
  readonly loop: Loop | undefined
  readonly more: readonly Loop[]
  /** What does beside pods on nodes what one in a cluster does. */
  readonly leader: Loop | undefined
  /** What it reads, or would read. */
  readonly ownMap: KubeObject | undefined
  /** Nobody but a swap has written it and what it reads; true also where nothing is. */
  readonly isOfSwap: boolean
}

export interface Situation {
  readonly theirs: readonly Theirs[]
  /** Further workloads of upstream that do a part of the job. */
  readonly companions: readonly Loop[]
  /** `undefined`: the controller is not installed. */
  readonly ours: Ours | undefined
  /** Leases that somebody renews. */
  readonly leases: readonly KubeObject[]
}
