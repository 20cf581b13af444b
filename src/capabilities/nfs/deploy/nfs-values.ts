// The values of the pods that mount: the driver on nodes, and the one beside the jobs of the sidecars.
import * as z from 'zod'
import { podFields } from '#deployment/values/agent-values.ts'
import { healthPorts, metricsPorts } from '../names.ts'

const mapping = () => z.record(z.string(), z.unknown())
const port = (standard: number) => z.int().min(1).max(65_535).default(standard)
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default'] as const

/** Mounts that others see need all of it; Kubernetes lets no less mount "Bidirectional". */
const privileged = { privileged: true, readOnlyRootFilesystem: true, runAsUser: 0, runAsGroup: 0 }

const shared = {
  podSecurityContext: mapping().default({ seccompProfile: { type: 'RuntimeDefault' } }),
  securityContext: mapping().default(privileged).describe('it mounts, which nobody but root may'),
  dnsPolicy: z.enum(dnsPolicies).default('ClusterFirstWithHostNet').describe('by which names of NFS servers are looked up'),
}

const node = z
  .strictObject({
    resources: mapping()
      .default({ requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '192Mi' } })
      .describe('see the figures in docs/nfs.md; no CPU limit on purpose'),
    tolerations: z
      .array(mapping())
      .default([{ operator: 'Exists' }])
      .describe('a node without it mounts nothing'),
    ...shared,
    propagateHostMountOptions: z
      .boolean()
      .default(false)
      .describe("mount with the options of the node's own /etc/nfsmount.conf and /etc/nfsmount.conf.d"),
    healthPort: port(healthPorts.node).describe('on 127.0.0.1 of each node, for probes'),
    metricsPort: port(metricsPorts.node).describe("on the nodes' addresses"),
    ...podFields('agent-nfs'),
    // Two of them would take one socket: the old one ends before the new one comes.
    updateStrategy: mapping()
      .default({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } })
      .describe('it may not surge, since two would take one socket'),
  })
  .prefault({})
  .describe('the DaemonSet that mounts volumes for pods')

const controller = z
  .strictObject({
    replicas: z.int().min(0).max(10).default(1).describe('each job has one leader among them'),
    resources: mapping()
      .default({ requests: { cpu: '10m', memory: '96Mi' }, limits: { memory: '512Mi' } })
      .describe('see the figures in docs/nfs.md; no CPU limit on purpose'),
    tolerations: z.array(mapping()).default([
      { key: 'node-role.kubernetes.io/master', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'node-role.kubernetes.io/controlplane', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'node-role.kubernetes.io/control-plane', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'CriticalAddonsOnly', operator: 'Exists', effect: 'NoSchedule' },
    ]),
    runOnControlPlane: z.boolean().default(false).describe('on nodes of the control plane only, unless `affinity` is given'),
    ...shared,
    healthPort: port(healthPorts.controller).describe('on 127.0.0.1 of its node, for probes'),
    metricsPort: port(metricsPorts.controller).describe("on its node's address"),
    ...podFields('nfs-controller'),
    affinity: mapping().default({}).describe('in place of ours, which keeps pods apart by hostname and zone without insisting'),
    priorityClassName: z.string().default('system-cluster-critical'),
    annotations: z.record(z.string(), z.string()).default({}).describe('of the Deployment'),
    updateStrategy: mapping()
      .default({ type: 'Recreate' })
      .describe("on the host's network two pods of one node would take one port"),
  })
  .prefault({})
  .describe('the Deployment that makes, grows, copies and removes volumes')

const csiDriver = z
  .strictObject({
    create: z.boolean().default(true),
    fsGroupPolicy: z
      .enum(['File', 'ReadWriteOnceWithFSType', 'None'])
      .default('File')
      .describe('how kubelets apply the fsGroup of a pod; ReadWriteOnceWithFSType is what Kubernetes does where nothing is said'),
    inlineVolumes: z
      .boolean()
      .default(false)
      .describe('pods may name a share themselves; Kubernetes lets nobody change it later'),
  })
  .prefault({})
  .describe('what the cluster is told of the driver. It stays when the release goes: pods that are there need it')

export const nfsSchema = z
  .strictObject({ node, controller, csiDriver })
  .prefault({})
  .describe('the pods of capabilities.nfs; classes of yours go into extraObjects, see docs/nfs.md')
