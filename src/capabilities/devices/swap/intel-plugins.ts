// Intel's device plugins for GPUs and NPUs, whose place the role `devices` of our agents takes: both offer the same resources to the kubelet, which
// takes them from whoever registered last.

import { imagesOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isNamedAfter, liesBeside, none, type Reads, type Upstream } from '#upstreams/upstream.ts'
import { intelGpuDomain, intelNpuResource } from '../names.ts'
import { convertIntelObjects, deviceOf, isPluginObject, pluginGroup } from './intel-objects.ts'
import { convertIntelChart, gpuChart, gpuRows, intelVersions, npuChart, operatorChart } from './intel-rows.ts'
import { offeringSwap } from './offering-swap.ts'

const kind = (resource: string, group = pluginGroup, version = 'v1'): GroupVersionResource => ({ group, version, resource })

const replacedKinds: Readonly<Record<string, GroupVersionResource>> = {
  GpuDevicePlugin: kind('gpudeviceplugins'),
  NpuDevicePlugin: kind('npudeviceplugins'),
}

/** What the operator looks after besides. */
const otherKinds: Readonly<Record<string, GroupVersionResource>> = {
  DlbDevicePlugin: kind('dlbdeviceplugins'),
  DsaDevicePlugin: kind('dsadeviceplugins'),
  FpgaDevicePlugin: kind('fpgadeviceplugins'),
  IaaDevicePlugin: kind('iaadeviceplugins'),
  QatDevicePlugin: kind('qatdeviceplugins'),
  SgxDevicePlugin: kind('sgxdeviceplugins'),
  AcceleratorFunction: kind('acceleratorfunctions', 'fpga.intel.com', 'v2'),
  FpgaRegion: kind('fpgaregions', 'fpga.intel.com', 'v2'),
}

export const intelPlugins: Upstream = {
  ...none,
  name: 'Intel device plugins',
  capability: 'devices',
  workloads: [/^intel-?deviceplugins-controller-manager$/, /^intel-[gn]pu-plugin/],
  names: [operatorChart, gpuChart, npuChart, 'intel-gpu-plugin', 'intel-npu-plugin'],
  images: ['intel/intel-deviceplugin-operator', 'intel/intel-gpu-plugin', 'intel/intel-npu-plugin'],
  leases: ['d1c7b6d5.intel.com'],
  groups: [pluginGroup, 'fpga.intel.com'],
  removedKeys: [
    { chart: gpuChart, path: 'resourceManager', since: '0.34.0', now: 'the plugin has no resource manager any more' },
  ],
  beside: () => 'both offer the same devices; a kubelet takes them from the one that registered last',
  doesNoJob: isOperator,
  replaced: {
    id: 'intel-device-plugins',
    chart: gpuChart,
    furtherCharts: [npuChart, operatorChart],
    versions: intelVersions,
    knownVersions: /^v?0\.3[2456]\.\d+$/,
    rows: gpuRows,
    convert: convertIntelChart,
    convertWorkload: convertIntelObjects,
    plainKinds: [],
    isObject: isPluginObject,
    swap: {
      ...offeringSwap,
      part: {
        ...offeringSwap.part,
        sections: { own: ['gpu', 'npu'], others: ['amd'] },
        isOffered,
        isOperator,
        objects: replacedKinds,
        looksAfter: async at => (await objectsOf(at, otherKinds)).map(({ kind: of, metadata }) => `${of} ${metadata.name}`),
        uninstallHarm: 'takes away what --back brought back',
      },
      furtherKinds: [
        ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration'],
        ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'],
        ['cert-manager.io/v1', 'Certificate'],
        ['cert-manager.io/v1', 'Issuer'],
      ],
      usersObjects,
      isPlain,
      hint: () => 'its objects, CustomResourceDefinitions and NodeFeatureRules stay',
      reinstall: `helm install dp-operator intel/${operatorChart} -n inteldeviceplugins-system; helm install gpu intel/${gpuChart}`,
    },
  },
}

function isOperator(workload: KubeObject): boolean {
  return imagesOf(workload).some(image => /(^|\/)intel-deviceplugin-operator([:@].*)?$/.test(image))
}

/** What rules of node-feature-discovery give nodes below the same domain is offered by no plugin. */
const notOfPlugins: ReadonlySet<string> = new Set(['millicores', 'memory.max', 'tiles'])

function isOffered(resource: string): boolean {
  const [domain, name = ''] = resource.split('/', 2)
  return resource === intelNpuResource || (domain === intelGpuDomain && !notOfPlugins.has(name))
}

/** The operator's chart labels nothing, and manifests of the plugins name all after their DaemonSet. */
function isPlain(object: KubeObject, workload: KubeObject): boolean {
  if (!isOperator(workload)) return isNamedAfter(object, workload)
  return liesBeside(object, workload) && /^intel-?deviceplugins-/.test(object.metadata.name)
}

/** Objects of the operator, and DaemonSets of plugins, whoever made them. */
async function usersObjects(at: Reads): Promise<readonly KubeObject[]> {
  const sets = await objectsOf(at, { DaemonSet: builtIn.daemonsets })
  return [...(await objectsOf(at, { ...replacedKinds, ...otherKinds })), ...sets.filter(set => deviceOf(set) !== undefined)]
}

/** Kinds that are not served have none. @throws StatusError where some may not be read: what is not seen is not stopped */
async function objectsOf(
  { api, signal }: Reads,
  kinds: Readonly<Record<string, GroupVersionResource>>,
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  for (const [of, resource] of Object.entries(kinds)) {
    const apiVersion = `${resource.group}/${resource.version}`
    try {
      for await (const { items } of api.resource<KubeObject>(resource).pages({ signal }))
        found.push(...items.map(item => ({ ...item, apiVersion, kind: of })))
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
  return found
}
