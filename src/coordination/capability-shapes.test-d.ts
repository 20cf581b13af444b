// Three capabilities of other kinds than a descheduler, written down only for the type check and the RBAC test: what a mirror agent, an
// external-metrics server and a CSI driver have to say about themselves must fit the contract before anything is built on it.
import * as z from 'zod'
import { capability, port, type Running } from './capability.ts'

/** Shapes are never started. */
async function neverStarted<Config>(): Promise<Running<Config>> {
  throw new Error('this capability exists only for the type check')
}

interface PullAhead {
  pull(image: string, nodes: readonly string[]): Promise<void>
}

interface ExternalMetric {
  value(namespace: string, metric: string): number | undefined
}

const pullAhead = port<PullAhead>('pull-ahead')
const externalMetric = port<ExternalMetric>('external-metric')

export const mirrorShape = capability({
  name: 'mirror',
  config: z.object({ ports: z.array(z.int()).default([29999]), resolveTimeoutMs: z.int().default(20) }),
  kinds: [],
  replaces: [{ upstream: 'spegel', leases: [] }],
  disrupts: [],
  parts: [
    {
      process: 'node',
      role: 'mirror',
      presence: 'always',
      trust: 'agent-mirror',
      needs: [],
      permissions: [],
      host: {
        mounts: [
          { path: '/run/containerd', access: 'write', because: 'reads the image store by its socket' },
          { path: '/etc/containerd/certs.d', access: 'write', because: 'tells containerd where the mirror is' },
        ],
        user: 'root',
        linuxCapabilities: [],
        network: 'host',
      },
      listeners: [
        { kind: 'port', name: 'registry', port: 29999, protocol: 'TCP', exposure: 'host' },
        { kind: 'port', name: 'router', port: 29995, protocol: 'TCP', exposure: 'host' },
      ],
      offers: [],
      takes: [],
      start: (context, config) => {
        // A node part has no arbiter, and this one no API server: both are absent from its context's type or undefined.
        context.log.info({ node: context.node, ports: config.ports, hasApi: context.api !== undefined }, 'mirror starts')
        return neverStarted()
      },
    },
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: [
        {
          group: '',
          version: 'v1',
          resource: 'pods',
          kind: 'Pod',
          mode: 'projection',
          fields: ['spec.nodeName', 'status.podIP'],
          labelSelector: 'app=ballast-agent-mirror',
          scope: 'own-namespace',
        },
        { group: '', version: 'v1', resource: 'nodes', kind: 'Node', mode: 'projection', fields: ['status.images'] },
      ],
      permissions: [],
      listeners: [],
      offers: [pullAhead],
      takes: [],
      start: context => {
        context.ports.offer(pullAhead, { pull: async () => undefined })
        return neverStarted()
      },
    },
  ],
  leaves: [{ kind: 'host-file', path: '/etc/containerd/certs.d/_default/hosts.toml', node: 'every' }],
})

export const externalMetricsShape = capability({
  name: 'autoscale',
  config: z.object({ pollingInterval: z.int().default(30) }),
  kinds: [
    {
      group: 'keda.sh',
      version: 'v1alpha1',
      kind: 'ScaledObject',
      plural: 'scaledobjects',
      scope: 'Namespaced',
      owner: 'upstream',
    },
  ],
  replaces: [{ upstream: 'keda', leases: ['operator.keda.sh'] }],
  disrupts: ['scale'],
  parts: [
    {
      process: 'apiserver',
      presence: 'leading',
      trust: 'edge',
      needs: [
        { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects', kind: 'ScaledObject', mode: 'full' },
        {
          group: 'autoscaling',
          version: 'v2',
          resource: 'horizontalpodautoscalers',
          kind: 'HorizontalPodAutoscaler',
          mode: 'full',
        },
      ],
      permissions: [
        {
          groups: ['*'],
          resources: ['*/scale'],
          verbs: ['get', 'update', 'patch'],
          because: 'sets replicas of what a ScaledObject targets',
        },
        { groups: ['keda.sh'], resources: ['scaledobjects/status'], verbs: ['patch', 'update'], because: 'says what it found' },
      ],
      listeners: [],
      offers: [externalMetric],
      takes: [],
      start: () => neverStarted(),
    },
    {
      process: 'apiserver',
      presence: 'always',
      trust: 'edge',
      needs: [],
      permissions: [
        { groups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'], because: 'asks who calls' },
        {
          groups: ['authorization.k8s.io'],
          resources: ['subjectaccessreviews'],
          verbs: ['create'],
          because: 'asks what the caller may',
        },
        {
          groups: [''],
          resources: ['configmaps'],
          names: ['extension-apiserver-authentication'],
          verbs: ['get', 'list', 'watch'],
          scope: { namespaces: ['kube-system'] },
          because: 'knows the front proxy by its certificate',
        },
      ],
      listeners: [
        { kind: 'port', name: 'aggregated', port: 6443, protocol: 'TCP', exposure: 'pod' },
        {
          kind: 'api-service',
          group: 'external.metrics.k8s.io',
          version: 'v1beta1',
          resources: ['*'],
          groupPriority: 100,
          versionPriority: 100,
        },
      ],
      offers: [],
      takes: [{ port: externalMetric, without: 'degrade' }],
      start: context => {
        context.ports.take(externalMetric)?.value('shop', 's0-queue')
        return neverStarted()
      },
    },
  ],
  leaves: [{ kind: 'finalizer', name: 'finalizer.keda.sh', on: ['scaledobjects.keda.sh'] }],
})

/** Whose needs and rights are what its configuration says. */
export const reloadShape = capability({
  name: 'reload',
  config: z.object({
    argoRollouts: z.boolean().default(false),
    ignoredWorkloadTypes: z.array(z.string()).default([]),
    namespaces: z.array(z.string()).default([]),
  }),
  kinds: [],
  replaces: [{ upstream: 'reloader', leases: ['stakater-reloader-lock'] }],
  disrupts: ['restart'],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: ({ argoRollouts, namespaces }) => [
        {
          group: '',
          version: 'v1',
          resource: 'secrets',
          kind: 'Secret',
          mode: 'metadata',
          scope: namespaces.length === 0 ? 'cluster' : { namespaces },
        },
        ...(argoRollouts
          ? [
              {
                group: 'argoproj.io',
                version: 'v1alpha1',
                resource: 'rollouts',
                kind: 'Rollout',
                mode: 'full' as const,
                optional: true,
              },
            ]
          : []),
      ],
      permissions: ({ ignoredWorkloadTypes }) =>
        ignoredWorkloadTypes.includes('jobs')
          ? []
          : [{ groups: ['batch'], resources: ['jobs'], verbs: ['create', 'delete'], because: 'runs Jobs anew' }],
      listeners: [],
      offers: [],
      takes: [],
      start: () => neverStarted(),
    },
  ],
  leaves: [],
})

export const nfsShape = capability({
  name: 'nfs',
  config: z.object({ driverName: z.string().default('nfs.csi.k8s.io'), mountPermissions: z.string().default('0') }),
  kinds: [],
  replaces: [{ upstream: 'csi-driver-nfs', leases: ['nfs-csi-k8s-io'] }],
  disrupts: [],
  parts: [
    {
      process: 'node',
      role: 'nfs',
      presence: 'always',
      trust: 'agent-nfs',
      needs: [],
      permissions: [{ groups: [''], resources: ['nodes'], verbs: ['get'], because: 'answers NodeGetInfo' }],
      host: {
        mounts: [
          {
            path: '/var/lib/kubelet/pods',
            access: 'write',
            propagation: 'Bidirectional',
            because: 'mounts shares where the kubelet looks',
          },
        ],
        user: 'root',
        linuxCapabilities: ['SYS_ADMIN'],
        privileged: true,
        network: 'host',
      },
      listeners: [{ kind: 'socket', path: '/csi/csi.sock', protocol: 'grpc' }],
      offers: [],
      takes: [],
      start: () => neverStarted(),
    },
    {
      process: 'node',
      role: 'nfs-controller',
      presence: 'leading',
      trust: 'nfs-controller',
      needs: [
        { group: '', version: 'v1', resource: 'persistentvolumeclaims', kind: 'PersistentVolumeClaim', mode: 'full' },
        { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses', kind: 'StorageClass', mode: 'full' },
        {
          group: 'snapshot.storage.k8s.io',
          version: 'v1',
          resource: 'volumesnapshotcontents',
          kind: 'VolumeSnapshotContent',
          mode: 'full',
          optional: true,
        },
      ],
      permissions: [
        {
          groups: [''],
          resources: ['persistentvolumes'],
          verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'],
          because: 'makes and removes volumes for claims',
        },
        { groups: [''], resources: ['persistentvolumeclaims/status'], verbs: ['patch'], because: 'reports a resize' },
      ],
      listeners: [],
      offers: [],
      takes: [],
      start: () => neverStarted(),
    },
  ],
  leaves: [{ kind: 'host-file', path: '/var/lib/kubelet/plugins/csi-nfsplugin', node: 'every' }],
})
