// Devices of nodes for containers: GPUs and NPUs, by plugins before the kubelet, in place of Intel's and AMD's.
import { capability } from '#coordination/capability.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { devicesConfiguration } from './config.ts'
import { startDevices } from './devices-agent.ts'
import { deviceMetrics } from './metrics.ts'
import { cdiDirectory, pluginDirectory } from './names.ts'

export const devices = capability({
  name: 'devices',
  document: 'devices.md',
  config: devicesConfiguration,
  kinds: ballastKinds,
  replaces: [
    { upstream: 'intel-device-plugins', leases: [] },
    { upstream: 'amd-device-plugin', leases: [] },
  ],
  disrupts: [],
  parts: [
    {
      process: 'node',
      role: 'devices',
      presence: 'always',
      trust: 'agent',
      needs: [],
      permissions: [],
      host: {
        mounts: [
          { path: '/sys', at: '/host-sys', access: 'read', because: 'cards, their drivers and how they are' },
          { path: '/dev', at: '/host-dev', access: 'read', because: 'which files cards have; it may open none' },
          { path: pluginDirectory, access: 'write', because: 'speaks with the kubelet by sockets' },
          { path: cdiDirectory, access: 'write', because: 'tells runtimes what devices consist of (CDI)' },
        ],
        // The folders belong to root.
        user: 'root',
        linuxCapabilities: [],
        network: 'pod',
      },
      listeners: [{ kind: 'port', name: 'devices', port: 8083, protocol: 'TCP', exposure: 'pod' }],
      offers: [],
      takes: [],
      start: startDevices,
    },
  ],
  // Sockets are gone with the process, and files of CDI name devices that are there with us or without.
  leaves: [],
  metrics: registry => void deviceMetrics(registry),
  upstreams: async () => [(await import('./swap/intel-plugins.ts')).intelPlugins],
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
      inPlaceOf: { programs: ['intel_gpu_device_plugin'] },
      load: async () => (await import('./commands/plugin-programs.ts')).definePlugin('intel-gpu-plugin'),
    },
    {
      name: 'intel-npu-plugin',
      usage: '[words...]',
      about: "offers NPUs with the flags of Intel's plugin. A program called intel_npu_device_plugin runs it too",
      inPlaceOf: { programs: ['intel_npu_device_plugin'] },
      load: async () => (await import('./commands/plugin-programs.ts')).definePlugin('intel-npu-plugin'),
    },
    {
      name: 'amd-gpu-plugin',
      usage: '[words...]',
      about: "offers GPUs with the flags of AMD's plugin. A program called k8s-device-plugin runs it too",
      inPlaceOf: { programs: ['k8s-device-plugin'] },
      load: async () => (await import('./commands/plugin-programs.ts')).definePlugin('amd-gpu-plugin'),
    },
  ],
})
