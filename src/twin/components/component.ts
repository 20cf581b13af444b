// What a simulated component is and what it gets: one store, one loop, one clock, one chain of chance.

import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import type { ClusterAccess, ResourceKey, Writer } from '../access.ts'
import type { ExpressionWarning } from '../api/admission/policy-warnings.ts'
import type { TellTrouble } from '../trouble.ts'
import type { EventRecorder } from './event-recorder.ts'
import type { ComponentLoop } from './loop.ts'
import type { ClusterView } from './view.ts'

export interface ComponentContext {
  readonly access: ClusterAccess
  readonly view: ClusterView
  readonly loop: ComponentLoop
  readonly clock: Clock
  readonly random: Random
  readonly events: EventRecorder
  /** Told of faults that stop at one object. */
  readonly onTrouble: TellTrouble
  /** The API as clients have it, with aggregated servers behind it; absent where only a store is there. */
  readonly api?: Transport
  /** The resource that serves a kind; absent as `api` is. */
  readonly resourceOf?: (group: string, kind: string) => ResourceKey | undefined
  /** What types say of the expressions of an admission policy; absent as `api` is. */
  readonly policyWarnings?: (policy: KubeObject) => readonly ExpressionWarning[]
  /** Minor of the Kubernetes version played: 36 for 1.36. */
  readonly minorVersion: number
  /** Whether volumes of this provisioner are made and deleted here, because it is not there. */
  readonly playsProvisioner: (provisioner: string) => boolean
}

/** Who a controller of kube-controller-manager is to the API server: `controller` as `deployment-controller`. */
export function controllerWriter(controller: string): Writer {
  return { manager: 'kube-controller-manager', user: `system:serviceaccount:kube-system:${controller}` }
}

/** Who the kubelet of a node is. */
export function kubeletWriter(node: string): Writer {
  return { manager: 'kubelet', user: `system:node:${node}` }
}

export const schedulerWriter: Writer = { manager: 'kube-scheduler', user: 'system:kube-scheduler' }
