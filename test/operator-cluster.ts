// A cluster with Intel's kinds of device plugins: two nodes, and Ballast's operator.
import { devices } from '#capabilities/devices'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ControlledCluster, ControlledOptions } from './controlled-cluster.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
export const pluginNamespace = 'ballast-agent'
export const gpuPlugins = { group: 'deviceplugin.intel.com', version: 'v1', resource: 'gpudeviceplugins' } as const

export const gpuImage = 'intel/intel-gpu-plugin:0.36.0'

export function gpuPlugin(
  name: string,
  spec: object = { image: gpuImage },
  annotations: Readonly<Record<string, string>> = {},
): KubeObject {
  return { apiVersion: 'deviceplugin.intel.com/v1', kind: 'GpuDevicePlugin', metadata: { name, annotations }, spec }
}

function machine(name: string): KubeObject {
  const plain = node(name)
  return { ...plain, metadata: { ...plain.metadata, labels: { ...plain.metadata.labels, 'kubernetes.io/arch': 'amd64' } } }
}

/** `operator` is the section. Agents offer nothing by themselves. */
export function operatorCluster(
  objects: readonly KubeObject[],
  operator: object = {},
): Pick<ControlledOptions, 'objects' | 'capabilities' | 'configurations'> {
  const off = { enabled: false }
  return {
    objects: [machine('n1'), machine('n2'), ...objects],
    capabilities: [devices],
    configurations: { devices: devices.config.parse({ gpu: off, npu: off, operator: { enabled: true, ...operator } }) },
  }
}

interface PluginContainer {
  readonly image?: string
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string }[]
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> }
}

interface DaemonSetObject extends KubeObject {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly PluginContainer[]; readonly [field: string]: unknown } }
  }
}

export function daemonSets(cluster: Pick<ControlledCluster, 'list'>): readonly DaemonSetObject[] {
  return cluster.list<DaemonSetObject>('daemonsets.apps')
}

/** The container of the DaemonSet of `name`; undefined where there is none. */
export function containerOf(cluster: Pick<ControlledCluster, 'list'>, name: string): PluginContainer | undefined {
  return daemonSets(cluster).find(({ metadata }) => metadata.name === name)?.spec.template.spec.containers[0]
}

export const argsOf = (cluster: Pick<ControlledCluster, 'list'>, name: string) =>
  containerOf(cluster, name)?.args?.join(' ') ?? ''

export interface PluginState extends KubeObject {
  readonly spec?: { readonly image?: string; readonly sharedDevNum?: number }
  readonly status?: {
    readonly controlledDaemonSet?: { readonly name?: string; readonly uid?: string }
    readonly nodeNames?: readonly string[]
    readonly desiredNumberScheduled: number
    readonly numberReady: number
  }
}

export function pluginIn(cluster: Pick<ControlledCluster, 'list'>, name: string): PluginState | undefined {
  return cluster.list<PluginState>('gpudeviceplugins.deviceplugin.intel.com').find(({ metadata }) => metadata.name === name)
}

/** Says so of the object, as a person. */
export async function changePlugin(cluster: ControlledCluster, name: string, spec: object): Promise<void> {
  await cluster.change(gpuPlugins, { name }, { spec })
}

export async function createPlugin(cluster: ControlledCluster, object: KubeObject): Promise<void> {
  await cluster.admin.resource<KubeObject>(gpuPlugins).create(object, { signal })
}

export async function deletePlugin(cluster: ControlledCluster, name: string): Promise<void> {
  await cluster.admin.resource<KubeObject>(gpuPlugins).delete(name, { signal })
}

/** Something of the DaemonSet that no object says, as another controller or a person sets it. */
export async function changeDaemonSet(cluster: ControlledCluster, name: string, body: object): Promise<void> {
  const options = { namespace: pluginNamespace, signal }
  await cluster.admin.resource<KubeObject>(builtIn.daemonsets).patch(name, { type: 'strategic', body }, options)
}
