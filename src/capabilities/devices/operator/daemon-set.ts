// DaemonSets as far as the operator looks at them.

import type { Container, KubeObject } from '#kube/objects/objects.ts'
import type { PluginToleration } from './plugin-schema.ts'

export interface Volume {
  readonly name: string
  readonly [source: string]: unknown
}

export interface Mount {
  readonly name: string
  readonly mountPath: string
  readonly readOnly?: boolean
}

export interface PluginContainer extends Container {
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly [field: string]: unknown }[]
  readonly volumeMounts?: readonly Mount[]
}

export interface PluginPodSpec {
  readonly containers: readonly PluginContainer[]
  readonly initContainers?: readonly PluginContainer[]
  readonly volumes?: readonly Volume[]
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly tolerations?: readonly PluginToleration[]
  readonly imagePullSecrets?: readonly { readonly name?: string }[]
  readonly [field: string]: unknown
}

export interface DaemonSet extends KubeObject {
  readonly spec: {
    readonly template: { readonly spec: PluginPodSpec; readonly [field: string]: unknown }
    readonly [field: string]: unknown
  }
  readonly status?: { readonly desiredNumberScheduled?: number; readonly numberReady?: number; readonly [field: string]: unknown }
}

/** `daemonSet` with another pod. */
export function withPod(daemonSet: DaemonSet, pod: PluginPodSpec): DaemonSet {
  const { spec } = daemonSet
  return { ...daemonSet, spec: { ...spec, template: { ...spec.template, spec: pod } } }
}

export const podOf = ({ spec }: DaemonSet): PluginPodSpec => spec.template.spec
