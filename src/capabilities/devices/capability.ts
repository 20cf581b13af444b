// Devices of nodes for containers: GPUs and NPUs, by plugins before the kubelet or by claims, in place of Intel's and AMD's.
import { capability } from '#coordination/capability.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Permission } from '#coordination/needs.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type DevicesConfig, devicesConfiguration } from './config.ts'
import { deviceMetrics } from './metrics.ts'
import { devicesAlerts, devicesPanels } from './monitoring.ts'
import { cdiDirectory, draDirectory, draDrivers, draRegistry, pluginDirectory } from './names.ts'
import { admissionConfigurationName, objectWebhookName } from './operator/admission.ts'
import { fpgaKinds } from './operator/fpga-kinds.ts'
import { fpgaWebhookName } from './operator/fpga-pods.ts'
import { startOperator } from './operator/operator.ts'
import { operatorNeeds, operatorPermissions, webhookNeeds } from './operator/operator-rights.ts'
import { deviceNames, pluginGroup, pluginsOf, pluginVersion } from './operator/plugin-kinds.ts'
import { pluginKinds } from './operator/plugin-schema.ts'
import { podWebhook, podWebhookName } from './operator/sgx-pods.ts'
import { startPluginWebhooks } from './operator/webhooks.ts'

const webhook = {
  kind: 'webhook',
  name: objectWebhookName,
  // As upstream's: objects are not written unasked.
  failurePolicy: 'Fail',
  configuration: admissionConfigurationName,
  groups: [pluginGroup],
  versions: [pluginVersion],
  resources: deviceNames.map(device => pluginsOf(device).resource),
  operations: ['CREATE', 'UPDATE'],
} as const

const podListener = {
  ...webhook,
  mutates: true,
  failurePolicy: podWebhook.failurePolicy,
  groups: [''],
  resources: ['pods'],
  operations: ['CREATE'],
} as const

function agentPermissions({ dra }: DevicesConfig): readonly Permission[] {
  const events: Permission = {
    groups: ['events.k8s.io'],
    resources: ['events'],
    verbs: ['create', 'patch'],
    // Where events of what is in no namespace lie.
    scope: { namespaces: ['default'] },
    because: "tells on its node that the kubelet's folder of plugins cannot be used",
  }
  if (!dra.enabled) return [events]
  const { group } = builtIn.resourceslices
  return [
    events,
    {
      groups: [group],
      resources: ['resourceslices'],
      verbs: ['get', 'list', 'watch', 'create', 'update', 'delete'],
      because: 'publishes the devices of its node for claims',
    },
    { groups: [group], resources: ['resourceclaims'], verbs: ['get'], because: 'reads which devices a claim has been given' },
    { groups: [''], resources: ['nodes'], verbs: ['get'], because: 'asks for its node, which owns what it publishes' },
  ]
}

export const devices = capability({
  name: 'devices',
  document: 'devices.md',
  config: devicesConfiguration,
  kinds: [...ballastKinds, ...pluginKinds, ...fpgaKinds],
  replaces: [
    { upstream: 'intel-device-plugins', leases: ['d1c7b6d5.intel.com'] },
    { upstream: 'amd-device-plugin', leases: [] },
  ],
  disrupts: [],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: operatorNeeds,
      permissions: operatorPermissions,
      listeners: [],
      offers: [],
      takes: [],
      start: startOperator,
    },
    {
      process: 'controller',
      role: 'devices-webhooks',
      presence: 'always',
      trust: 'core',
      needs: webhookNeeds,
      permissions: [],
      listeners: [
        { ...webhook, mutates: true },
        { ...webhook, mutates: false },
        { ...podListener, name: podWebhookName },
        { ...podListener, name: fpgaWebhookName },
      ],
      offers: [],
      takes: [],
      start: startPluginWebhooks,
    },
    {
      process: 'node',
      role: 'devices',
      switchedBy: 'agent.enabled',
      presence: 'always',
      trust: 'agent',
      needs: [],
      permissions: agentPermissions,
      ownObjects: [
        { group: builtIn.resourceslices.group, resource: builtIn.resourceslices.resource, nodeField: 'spec.nodeName' },
      ],
      host: {
        mounts: [
          { path: '/sys', at: '/host-sys', access: 'read', because: 'cards, their drivers and how they are' },
          { path: '/dev', at: '/host-dev', access: 'read', because: 'which files cards have; it may open none' },
          { path: pluginDirectory, access: 'write', because: 'speaks with the kubelet by sockets' },
          { path: cdiDirectory, access: 'write', because: 'tells runtimes what devices consist of (CDI)' },
          {
            path: '/var/lib/amd-metrics-exporter',
            access: 'read',
            switchedBy: 'amd.exporter.enabled',
            isMade: true,
            because: "asks AMD's metrics exporter how GPUs are",
          },
          {
            path: '/run/xpumd',
            access: 'read',
            switchedBy: 'gpu.xpumd.enabled',
            isMade: true,
            because: "hears Intel's xpumd say how cards are",
          },
          // No more of the folder than that: volumes of others are mounted in it.
          ...Object.values(draDrivers).map(
            ({ name }) =>
              ({
                path: `${draDirectory}/${name}`,
                access: 'write',
                switchedBy: 'dra.enabled',
                isMade: true,
                because: 'is asked for claims by sockets, and keeps what it prepared',
              }) as const,
          ),
          { path: draRegistry, access: 'write', switchedBy: 'dra.enabled', because: 'is found by the kubelet there' },
        ],
        // The folders belong to root.
        user: 'root',
        linuxCapabilities: [],
        network: 'pod',
      },
      listeners: [{ kind: 'port', name: 'devices', port: 8083, protocol: 'TCP', exposure: 'pod' }],
      offers: [],
      takes: [],
      // It brings gRPC, which no other process of the capability needs.
      start: async (context, config, signal) => (await import('./devices-agent.ts')).startDevices(context, config, signal),
    },
  ],
  rightsFollow: {
    settings: [
      { on: 'operator.enabled', with: { operator: { enabled: true } } },
      { on: 'dra.enabled', with: { dra: { enabled: true } } },
    ],
  },
  installs: async () => (await import('./deploy/device-classes.ts')).deviceClasses,
  // Sockets are gone with the process, and files of CDI name devices that are there with us or without. DaemonSets go with their objects, which are
  // upstream's.
  leaves: (['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const).map(
    of => ({ kind: 'object', apiVersion: 'admissionregistration.k8s.io/v1', of, name: admissionConfigurationName }) as const,
  ),
  metrics: registry => void deviceMetrics(registry),
  upstreams: async () => [
    (await import('./swap/intel-plugins.ts')).intelPlugins,
    (await import('./swap/amd-plugin.ts')).amdPlugin,
  ],
  alerts: devicesAlerts,
  panels: devicesPanels,
  page: async () => (await import('./page/hardware-page.ts')).hardwarePage,
  commands: [
    {
      name: 'devices',
      usage: '[options]',
      about:
        'says which GPUs and NPUs this machine would offer to the kubelet, and what it leaves out and why; it writes nothing',
      load: async () => (await import('./commands/devices.ts')).defineDevices,
    },
    {
      name: 'intel-gpu-plugin',
      usage: '[words...]',
      about: "offers GPUs with the flags of Intel's plugin. A program called intel_gpu_device_plugin runs it too",
      inPlaceOf: { programs: ['intel_gpu_device_plugin'], variables: ['BALLAST_INTEL_GPU_PLUGIN'] },
      load: async () => (await import('./commands/plugin-programs.ts')).definePlugin('intel-gpu-plugin'),
    },
    {
      name: 'intel-npu-plugin',
      usage: '[words...]',
      about: "offers NPUs with the flags of Intel's plugin. A program called intel_npu_device_plugin runs it too",
      inPlaceOf: { programs: ['intel_npu_device_plugin'], variables: ['BALLAST_INTEL_NPU_PLUGIN'] },
      load: async () => (await import('./commands/plugin-programs.ts')).definePlugin('intel-npu-plugin'),
    },
    {
      name: 'intel-device-plugin-operator',
      usage: '[words...]',
      about:
        "makes the DaemonSets of Intel's kinds with the flags, webhooks and Lease of Intel's operator. A program called intel_deviceplugin_operator runs it too",
      inPlaceOf: { programs: ['intel_deviceplugin_operator'] },
      load: async () => (await import('./commands/intel-device-plugin-operator.ts')).defineOperator,
    },
    {
      name: 'amd-gpu-plugin',
      usage: '[words...]',
      about: "offers GPUs with the flags of AMD's plugin. A program called k8s-device-plugin runs it too",
      inPlaceOf: { programs: ['k8s-device-plugin'] },
      load: async () => (await import('./commands/plugin-programs.ts')).definePlugin('amd-gpu-plugin'),
    },
    {
      name: 'amd-node-labeller',
      usage: '[words...]',
      about:
        "labels its node with what its GPUs are, with the flags of AMD's labeller. A program called k8s-node-labeller runs it too",
      inPlaceOf: { programs: ['k8s-node-labeller'] },
      load: async () => (await import('./commands/amd-node-labeller.ts')).defineNodeLabeller,
    },
  ],
})
