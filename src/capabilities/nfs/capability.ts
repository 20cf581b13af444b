// Volumes on an NFS server, in place of csi-driver-nfs and the sidecars beside it.
import { capability } from '#coordination/capability.ts'
import { nfsConfiguration } from './config.ts'
import { inventoryPermissions } from './inventory/rights.ts'
import { jobNeeds, jobPermissions } from './jobs/rights.ts'
import { jobsWithRights } from './jobs-of-config.ts'
import { nfsMetrics } from './metrics.ts'
import { nfsAlerts, nfsPanels } from './monitoring.ts'
import { controllerSocket, healthPorts, kubeletDirectory, metricsPorts, pluginFolder, registryFolder } from './names.ts'
import { noticePermissions } from './node-notices.ts'

export const nfs = capability({
  name: 'nfs',
  document: 'nfs.md',
  config: nfsConfiguration,
  kinds: [],
  replaces: [{ upstream: 'csi-driver-nfs', leases: [] }],
  disrupts: [],
  parts: [
    {
      process: 'node',
      role: 'nfs',
      presence: 'always',
      trust: 'agent-nfs',
      needs: [],
      permissions: noticePermissions,
      host: {
        mounts: [
          {
            path: `${kubeletDirectory}/${pluginFolder}`,
            access: 'write',
            isMade: true,
            because: 'the kubelet calls the driver there',
          },
          { path: `${kubeletDirectory}/${registryFolder}`, access: 'write', because: 'is found by the kubelet there' },
          {
            path: `${kubeletDirectory}/pods`,
            access: 'write',
            propagation: 'Bidirectional',
            because: 'mounts volumes for pods, which outlive this process',
          },
        ],
        user: 'root',
        linuxCapabilities: ['SYS_ADMIN'],
        privileged: true,
        network: 'host',
      },
      alone: async () => (await import('./commands/node-alone.ts')).nodeAlone,
      listeners: [
        { kind: 'port', name: 'nfs-health', port: healthPorts.node, protocol: 'TCP', exposure: 'loopback' },
        { kind: 'port', name: 'nfs-metrics', port: metricsPorts.node, protocol: 'TCP', exposure: 'host' },
        { kind: 'socket', path: `${kubeletDirectory}/${pluginFolder}/csi.sock`, protocol: 'grpc' },
      ],
      offers: [],
      takes: [],
      start: async (context, config, signal) => (await import('./node-part.ts')).startNodePart(context, config, signal),
    },
    {
      process: 'node',
      role: 'nfs-controller',
      presence: 'always',
      trust: 'nfs-controller',
      needs: config => jobNeeds(jobsWithRights(config)),
      permissions: config => [...jobPermissions(jobsWithRights(config)), ...inventoryPermissions(config)],
      host: { mounts: [], user: 'root', linuxCapabilities: ['SYS_ADMIN'], privileged: true, network: 'host' },
      listeners: [
        { kind: 'port', name: 'csi-health', port: healthPorts.controller, protocol: 'TCP', exposure: 'loopback' },
        { kind: 'port', name: 'csi-metrics', port: metricsPorts.controller, protocol: 'TCP', exposure: 'host' },
        { kind: 'socket', path: controllerSocket, protocol: 'grpc' },
      ],
      offers: [],
      takes: [],
      start: async (context, config, signal) =>
        (await import('./controller-part.ts')).startControllerPart(context, config, signal),
    },
  ],
  rightsFollow: {
    settings: [
      { on: 'controller.snapshots.controller', with: { controller: { snapshots: { controller: true } } } },
      { on: 'controller.modifyVolumes', with: { controller: { modifyVolumes: true } } },
      { on: 'controller.attach', with: { controller: { attach: true } } },
      { on: 'controller.inventory.enabled', with: { controller: { inventory: { enabled: true } } } },
    ],
  },
  leaves: [],
  codes: {
    problem: {
      'values-nfs':
        'what pods that mount cannot have: a working folder that is taken, or two drivers on a node while they are renewed',
    },
  },
  metrics: registry => void nfsMetrics(registry),
  up: async () => (await import('./commands/nfs-story.ts')).nfsStory,
  alerts: nfsAlerts,
  panels: nfsPanels,
  page: async () => (await import('./page/volumes-page.ts')).volumesPage,
  findings: async () => (await import('./doctor/nfs-checks.ts')).nfsFindings,
  upstreams: async () => [
    (await import('./swap/csi-driver-nfs.ts')).csiDriverNfs,
    (await import('./swap/nfs-subdir.ts')).nfsSubdir,
  ],
  installs: async () => (await import('./deploy/installs.ts')).installs,
  commands: [
    {
      name: 'nfsplugin',
      usage: '[words...]',
      about: 'the CSI driver for NFS with the flags of csi-driver-nfs. A program called nfsplugin runs it too',
      inPlaceOf: { programs: ['nfsplugin'] },
      load: async () => (await import('./commands/nfsplugin.ts')).defineNfsplugin,
    },
    {
      name: 'nfs',
      usage: '',
      about: 'what lies on shares and belongs to nobody, and whether archives of snapshots are whole',
      load: async () => (await import('./commands/nfs.ts')).defineNfs,
    },
    {
      name: 'csi-provisioner',
      usage: '[words...]',
      about:
        "makes and deletes volumes of claims beside any CSI driver, with external-provisioner's flags and Lease. A program called by that name runs it too",
      inPlaceOf: { programs: ['csi-provisioner'] },
      load: async () => (await import('./commands/job-programs.ts')).defineCsiProvisioner,
    },
    {
      name: 'csi-resizer',
      usage: '[words...]',
      about:
        "grows volumes of claims beside any CSI driver, with external-resizer's flags and Lease. A program called by that name runs it too",
      inPlaceOf: { programs: ['csi-resizer'] },
      load: async () => (await import('./commands/job-programs.ts')).defineCsiResizer,
    },
    {
      name: 'csi-snapshotter',
      usage: '[words...]',
      about:
        "makes and deletes snapshots beside any CSI driver, with csi-snapshotter's flags and Lease. A program called by that name runs it too",
      inPlaceOf: { programs: ['csi-snapshotter'] },
      load: async () => (await import('./commands/job-programs.ts')).defineCsiSnapshotter,
    },
    {
      name: 'snapshot-controller',
      usage: '[words...]',
      about:
        "binds VolumeSnapshots and their contents for all drivers, with snapshot-controller's flags and Lease. A program called by that name runs it too",
      inPlaceOf: { programs: ['snapshot-controller'] },
      load: async () => (await import('./commands/job-programs.ts')).defineSnapshotController,
    },
    {
      name: 'csi-node-driver-registrar',
      usage: '[words...]',
      about:
        "tells the kubelet of its node of a CSI driver, with node-driver-registrar's flags and port. A program called by that name runs it too",
      inPlaceOf: { programs: ['csi-node-driver-registrar'] },
      load: async () => (await import('./commands/csi-node-driver-registrar.ts')).defineCsiNodeDriverRegistrar,
    },
    {
      name: 'livenessprobe',
      usage: '[words...]',
      about:
        "says over HTTP whether a CSI driver answers, with livenessprobe's flags and ports. A program called by that name runs it too",
      inPlaceOf: { programs: ['livenessprobe'] },
      load: async () => (await import('./commands/livenessprobe.ts')).defineLivenessprobe,
    },
  ],
})
